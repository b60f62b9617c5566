"""Makes closed reels again, and takes photos' frames out of them: the order of work of `timelapse render` and of
`timelapse remove`.

A removal is, in this order: the rejection records of the photos, with the reason `removed` (from here on nothing brings
them back); a commit that changes nothing, so that every environment loads the stream with these records; then for each
reel that has such frames a new edition without them (`reel_maker.py`, `editions.py`), what follows from it, and the end
of what it replaced. After a crash at any point the same call does what is left. Until then `timelapse verify` reports
the frames as rejected and in the video.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.editions import Editions
from timelapse_runtime.timelapse.errors import REMOVED, FrameRejected, MissingPhotos
from timelapse_runtime.timelapse.left_out_notes import LeftOutNotes
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.skip import SkipRules
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.photo_reader import ReadElsewhere
from timelapse_runtime.timelapse.reel_maker import ReelMaker, as_recorded
from timelapse_runtime.timelapse.rejection_records import RejectionRecords
from timelapse_runtime.timelapse.video.codec import Codec


@dataclass(frozen=True, slots=True)
class ReelChange:
    """What became of one reel: its frames before and after, and the keys of the objects that were removed."""

    name: str
    frames_before: int
    frames_after: int
    removed: Sequence[str]


class Remaking:
    """Of one stream's reels. `prefix` is what the photos' keys begin with in the frames bucket; `close_reel` ends the
    open reel, with all that waits for it."""

    def __init__(
        self,
        name: str,
        prefix: str,
        config: Config,
        frames: Store,
        video: Store,
        clock: Clock,
        codec: Codec,
        executor: Executor,
        close_reel: Callable[[], object],
    ) -> None:
        self.config, self._video, self._close_reel = config, video, close_reel
        keys = StreamKeys(f"{config.video.prefix}{name}/")
        checkpoints = CheckpointStore(name, video, keys, f"s3://{frames.bucket}/{prefix}", config.order)
        self.editions = Editions(name, video, keys, checkpoints, clock)
        self._maker = ReelMaker(name, frames, video, keys, prefix, codec, executor, clock)
        self._records = RejectionRecords(name, video, keys, prefix, clock, LeftOutNotes(clock))

    def remove(self, keys: Collection[str], *, skip_missing: bool = False) -> list[ReelChange]:
        """Take all frames of the photos `keys` (relative to the stream's prefix) out of the video.

        Photos of those reels that are not there any more are an error, before anything is changed; with `skip_missing`
        their frames are left out, too. Raises MissingPhotos, TimelapseError.
        """
        self._close_if_needed(keys)
        found = self._find(keys)
        plans = [(reel, frames, self._left_out(frames, keys, skip_missing=skip_missing)) for reel, frames in found]
        for key in keys:
            self._record(key, [frame for _, frames in found for frame in frames if frame.key == key])
        self.editions.fence()
        changes = [self._change(reel, frames, left_out) for reel, frames, left_out in plans]
        done = {change.name for change in changes}
        for reel in list(self.editions.reels()):
            # Of a reel that has lost frames, an earlier call may have been interrupted. What a rendering replaced stays
            # for players that show it, until a sweep removes it.
            if reel.name not in done and reel.removed_count and self.editions.replaced(reel):
                changes.append(self._finish(reel.name, reel.frame_count, reel, None))
        return changes

    def render(
        self,
        names: Collection[str],
        config: Config,
        *,
        skip_missing: bool = False,
        elsewhere: Callable[[Config], ReadElsewhere] | None = None,
    ) -> Iterator[tuple[ReelChange, Sequence[str]]]:
        """Make the closed reels `names` again with this configuration, one after another, oldest first; each with the
        keys of the objects that it replaced, which players may still ask for. `elsewhere` gives who reads and encodes
        photos ahead, by the configuration of a reel.

        Raises MissingPhotos before anything of a reel is changed, TimelapseError.
        """
        reels = [reel for reel in self.editions.reels() if reel.is_closed and reel.name in names]
        for reel in reversed(reels):
            frames = self._maker.frames_of(reel)
            left_out = self._left_out(frames, (), skip_missing=skip_missing)
            begun = self.editions.begin(reel.name)
            own = replace(config, order=reel.order, skip=SkipRules())
            made = self._maker.make(begun, own, frames, left_out, elsewhere(own) if elsewhere is not None else None)
            shown = self.editions.show(made.reel)
            replaced = self.editions.finish(reel.name, latest=made.latest)
            yield ReelChange(reel.name, len(frames), shown.frame_count, ()), replaced

    def _close_if_needed(self, keys: Collection[str]) -> None:
        newest = next(iter(self.editions.reels()), None)
        if newest is not None and not newest.is_closed and _has_frame(self._maker.frames_of(newest), keys):
            self._close_reel()

    def _find(self, keys: Collection[str]) -> list[tuple[Reel, list[SourceFrame]]]:
        """The closed reels with frames of these photos, oldest first, each with all of its frames."""
        reels = [reel for reel in self.editions.reels() if reel.is_closed]
        found = ((reel, self._maker.frames_of(reel)) for reel in reversed(reels))
        return [(reel, frames) for reel, frames in found if _has_frame(frames, keys)]

    def _left_out(self, frames: Sequence[SourceFrame], keys: Collection[str], *, skip_missing: bool) -> set[int]:
        """The numbers of the frames that will not be in the video any more."""
        removed = {number for number, frame in enumerate(frames) if frame.key in keys}
        if any(not frame.is_photo for frame in frames):
            raise MissingPhotos([frames[0].key], "an adopted video has no photos that it could be made again from")
        missing = self._maker.missing(frame for number, frame in enumerate(frames) if number not in removed)
        if missing and not skip_missing:
            names = [frame.key for frame in missing]
            raise MissingPhotos(names, "not there any more, and the reel is made again from its photos")
        return removed | {number for number, frame in enumerate(frames) if frame in missing}

    def _record(self, key: str, frames: Sequence[SourceFrame]) -> None:
        """Say of the newest content of `key` that was in the video that it never comes back. Older content cannot: it
        was written over."""
        if frames:
            newest = max(frames, key=lambda frame: frame.uploaded_epoch_ms)
            self._records.add(key, newest.etag or None, FrameRejected(REMOVED, "a person removed it"), replaces=True)

    def _change(self, reel: Reel, frames: Sequence[SourceFrame], left_out: set[int]) -> ReelChange:
        begun = self.editions.begin(reel.name)
        made = self._maker.make(begun, as_recorded(self.config, reel), frames, left_out)
        return self._finish(reel.name, len(frames), self.editions.show(made.reel), made.latest)

    def _finish(self, name: str, frames_before: int, reel: Reel, latest: bytes | None) -> ReelChange:
        replaced = self.editions.finish(name, latest=latest, at_once=True)
        self._video.delete(replaced)
        return ReelChange(name, frames_before, reel.frame_count, replaced)


def _has_frame(frames: Sequence[SourceFrame], keys: Collection[str]) -> bool:
    return any(frame.key in keys for frame in frames)
