"""The stream's truth in S3: one object that owns the checkpoint as this instance knows it, and replaces it.

Owns the checkpoint, and the objects that hold a part of it (`model/ahead_parts.py`); its ETag and compare-and-swap are
StoredCheckpoint's. A commit has two steps: `prepare` gives the plan that follows the base, `compare_and_swap` sends it
and returns what was committed. Knows nothing of the encoder, of derived objects, or of what the frames are.

What a crash leaves behind, in order: an init segment, segments and a part of the checkpoint (orphans, which no
checkpoint names), then the checkpoint. From there on the commit has happened. Parts that the new checkpoint names no
longer are removed then; a crash before that leaves them as orphans.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from timelapse_runtime.runtime.state.checkpoint import StoredCheckpoint
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import Fenced, PreconditionFailed, StorageError
from timelapse_runtime.runtime.state.put import Put
from timelapse_runtime.timelapse.commit_plan import (
    CommitPlan,
    SegmentData,
    checkpoint_put,
    init_put,
    plan_commit,
)
from timelapse_runtime.timelapse.model.checkpoint import (
    MAXIMUM_HISTORY_BYTES,
    NAME_ORDER,
    Checkpoint,
    Reel,
    ReelTail,
    history_size_bytes,
)
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.keys import StreamKeys, reel_name
from timelapse_runtime.timelapse.model.lease import Lease, lease_of_other
from timelapse_runtime.timelapse.model.next_listing import NextListing
from timelapse_runtime.timelapse.stored_checkpoint import load_checkpoint
from timelapse_runtime.timelapse.stream_log import StreamLog

_log = logging.getLogger(__name__)


class CheckpointStore:
    """One stream's checkpoint. `source` is where its photos are and `order` is theirs, as the checkpoint records it.
    `owner` is this environment."""

    def __init__(
        self,
        name: str,
        store: Store,
        keys: StreamKeys,
        source: str,
        order: str = NAME_ORDER,
        *,
        owner: str = "",
    ) -> None:
        self._store, self._keys, self._source, self._order = store, keys, source, order
        self._owner, self._lease_ms = owner, 0
        self._settings: Mapping[str, str] = {}
        self._stored = StoredCheckpoint(store, keys.checkpoint)
        self._checkpoint: Checkpoint | None = None
        self._history_size_bytes = 0
        self._next_listing: tuple[Checkpoint, NextListing] | None = None
        self._loaded_epoch_ms = 0
        self.may_have_orphans = True
        """Whether an attempt here, or one of an earlier instance, may have left objects that no checkpoint names."""
        self._log = StreamLog(_log, name)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint as this instance knows it; None before the first commit."""
        return self._checkpoint

    @property
    def next_listing(self) -> NextListing | None:
        """What the next listing shows for sure; None before the first commit."""
        if self.checkpoint is None:
            return None
        if self._next_listing is None or self._next_listing[0] is not self.checkpoint:
            self._next_listing = self.checkpoint, NextListing(self.checkpoint)
        return self._next_listing[1]

    @property
    def last_reel(self) -> Reel | None:
        """The newest committed reel, open or closed."""
        return self._checkpoint.reel if self._checkpoint else None

    @property
    def open_reel(self) -> Reel | None:
        """The reel that frames are added to, or None if the next frame begins one."""
        reel = self.last_reel
        return None if reel is None or reel.is_closed else reel

    @property
    def is_reel_full(self) -> bool:
        """Whether the open reel must end because the checkpoint has become too long with it."""
        return self.open_reel is not None and self._history_size_bytes >= MAXIMUM_HISTORY_BYTES

    def load(self) -> Checkpoint | None:
        """Read the checkpoint. Raises StorageError, CheckpointCorrupt."""
        known = self._checkpoint.ahead_parts if self._checkpoint else ()
        etag = self._stored.etag
        try:
            found = load_checkpoint(self._stored.load, self._store, self._keys, known)
        except BaseException:
            if self._stored.etag != etag:  # nothing may be built on the one before with the ETag of another
                self._stored.forget()
                self._checkpoint = None
            raise
        self._checkpoint = found.checkpoint if found else None
        self._loaded_epoch_ms = found.info.last_modified_epoch_ms if found else 0
        self._history_size_bytes = history_size_bytes(self._checkpoint) if self._checkpoint else 0
        return self._checkpoint

    def write_with(self, *, lease_ms: int, settings: Mapping[str, str]) -> None:
        """From now on, commits hold a lease for so long, and name these settings of the stream."""
        self._lease_ms, self._settings = lease_ms, settings

    @property
    def loaded_epoch_ms(self) -> int:
        """When the checkpoint that was read last was stored, by S3's clock."""
        return self._loaded_epoch_ms

    def lease_of_other(self, now_epoch_ms: int) -> Lease | None:
        """The live lease of another environment, as the checkpoint was read."""
        if self.checkpoint is None:
            return None
        stored_epoch_ms = self._loaded_epoch_ms
        return lease_of_other(self.checkpoint, self._owner, stored_epoch_ms=stored_epoch_ms, now_epoch_ms=now_epoch_ms)

    def claim(self) -> Checkpoint:
        """Become the stream's owner, unless this environment is it, by a commit that adds no frame. Returns the
        checkpoint. Raises StorageError, Fenced."""
        if self.checkpoint is not None and self.checkpoint.owner == self._owner:
            return self.checkpoint
        old = self.checkpoint or Checkpoint(self._source, 0, "", "", (), 0, 0, None, self._order)
        claimed = replace(
            old,
            generation=old.generation + 1,
            commit=secrets.token_hex(6),
            owner=self._owner,
            lease_ms=self._lease_ms,
            settings=self._settings,
        )
        self._swap(claimed, checkpoint_put(self._keys, claimed, self._base))
        return claimed

    def replace_reel(self, reel: Reel) -> Checkpoint:
        """Commit nothing but another entry of the closed reel that the checkpoint has. Returns the checkpoint. If it
        counts its segments from another number, `live.m3u8` begins with it. Raises StorageError, Fenced."""
        old = self._checkpoint
        assert old is not None
        assert old.reel is not None
        assert old.reel.name == reel.name
        is_continued = old.reel.first_sequence == reel.first_sequence
        return self._restate(old, reel, old.tail if is_continued else ())

    def drop_tail(self, reel_name: str) -> Checkpoint:
        """Commit nothing but that `live.m3u8` no longer lists this reel, and those before it. Returns the checkpoint.
        Raises StorageError, Fenced."""
        old = self._checkpoint
        assert old is not None
        names = [part.name for part in old.tail]
        return self._restate(old, old.reel, old.tail[names.index(reel_name) + 1 :])

    def fence(self) -> Checkpoint:
        """Commit nothing, so that each environment has to load the stream again before its next commit. Returns the
        checkpoint. Raises StorageError, Fenced."""
        old = self._checkpoint
        assert old is not None
        return self._restate(old, old.reel, old.tail)

    def _restate(self, old: Checkpoint, reel: Reel | None, tail: tuple[ReelTail, ...]) -> Checkpoint:
        commit, generation = secrets.token_hex(6), old.generation + 1
        stated = replace(old, generation=generation, commit=commit, owner="", lease_ms=0, reel=reel, tail=tail)
        self._swap(stated, checkpoint_put(self._keys, stated, self._base))
        return stated

    def is_current(self) -> bool:
        """Ask S3 whether the checkpoint is still the one that is known here."""
        return self._stored.is_current()

    def create_reel(self, reel: Reel, init_segment: bytes) -> Reel:
        """Write a new reel's init segment, and return the reel.

        It gets another number if its name was taken by an attempt that had other parameter sets and never committed.
        Raises StorageError.
        """
        while True:
            try:
                init_put(self._keys, reel, init_segment).send(self._store)
            except PreconditionFailed:
                if self._store.get(self._keys.init(reel.path)).body == init_segment:
                    return reel
                number = reel.number + 1
                reel = replace(reel, number=number, name=reel_name(number, reel.date))
            else:
                return reel

    def prepare(
        self,
        reel: Reel | None,
        changed: Sequence[SegmentData],
        *,
        coverage: Coverage,
        last_is_open: bool,
        init_segment: bytes | None = None,
        derive_playlists: bool = False,
        ends_lease: bool = False,
    ) -> CommitPlan:
        """The next commit, without a request. The arguments are those of `plan_commit`; `init_segment` is that of a new
        reel, if it is to be written with the commit. `ends_lease`: this environment will not go on with the stream."""
        init = None if reel is None or init_segment is None else init_put(self._keys, reel, init_segment)
        return plan_commit(
            self._keys,
            self._base,
            reel,
            changed,
            source=self._source,
            order=self._order,
            init=init,
            last_is_open=last_is_open,
            coverage=coverage,
            attempt=secrets.token_hex(6),
            derive_playlists=derive_playlists,
            owner=self._owner,
            lease_ms=0 if ends_lease else self._lease_ms,
            settings=self._settings,
        )

    def compare_and_swap(self, plan: CommitPlan) -> Coverage:
        """Send the plan up to its commit, and return what the checkpoint covers now.

        Raises Fenced if another instance committed. After any StorageError either nothing has happened, or a later
        attempt meets this one's success and is fenced. The derived objects of the plan are not sent.
        """
        had_orphans, self.may_have_orphans = self.may_have_orphans, True  # if this attempt fails
        if plan.init is not None:
            self._send_init(plan.init)
        for put in plan.segments:
            put.send(self._store)
        if plan.ahead_part is not None:
            plan.ahead_part.send(self._store)
        before = self._checkpoint
        self._swap(plan.checkpoint, plan.commit)
        self._history_size_bytes = history_size_bytes(plan.checkpoint, plan.commit.body)
        are_parts_removed = self._remove_parts(before, plan.checkpoint)
        self.may_have_orphans = had_orphans or not are_parts_removed
        fields = {"generation": plan.checkpoint.generation, "watermark": plan.checkpoint.watermark}
        self._log.debug("committed", extra=fields)
        return plan.coverage

    def orphaned_parts(self) -> list[str]:
        """The keys of parts of a checkpoint that the known one does not name. Delete them after the next commit: until
        then, the instance that wrote one can still commit it. Raises StorageError."""
        named = {self._keys.ahead_part(part.attempt) for part in self.checkpoint.ahead_parts} if self.checkpoint else ()
        return [info.key for info in self._store.list_after(self._keys.ahead_parts) if info.key not in named]

    def _remove_parts(self, before: Checkpoint | None, now: Checkpoint) -> bool:
        """Remove the parts that the commit has made superfluous; whether that succeeded. Nobody can commit a checkpoint
        that names them any more; who reads the one before meanwhile begins again (`read_checkpoint`)."""
        named = {part.attempt for part in now.ahead_parts}
        unnamed = [part.attempt for part in before.ahead_parts if part.attempt not in named] if before else []
        try:
            if unnamed:
                self._store.delete([self._keys.ahead_part(attempt) for attempt in unnamed])
        except StorageError as error:
            self._log.warning("could not remove %d parts of an earlier checkpoint", len(unnamed), exc_info=error)
            return False
        return True

    def _send_init(self, put: Put) -> None:
        try:
            put.send(self._store)
        except PreconditionFailed as error:
            if self._store.get(put.key).body != put.body:
                raise Fenced(f"{put.key}: another instance began this reel with other parameter sets") from error

    @property
    def _base(self) -> tuple[Checkpoint, str] | None:
        """The checkpoint with its ETag."""
        if self._checkpoint is None:
            return None
        assert self._stored.etag is not None
        return self._checkpoint, self._stored.etag

    def _swap(self, checkpoint: Checkpoint, put: Put) -> None:
        """The commit itself."""
        self._stored.send(put)
        self._checkpoint = checkpoint
