"""One object in S3 that is replaced by compare-and-swap: a function's state, as far as it is saved.

Owns the ETag of the version that is known here. Knows nothing of what the body says.

Each attempt to replace the object has an id of its own, in the object's metadata: so an instance recognises its own
success if the response was lost, or if the SDK sent the request again and met 412. A comparison of bodies would not do:
two instances that count to the same number write the same body, and one of the two counts would be lost.

Source: Amazon S3 user guide, 'Conditional writes', read November 2026.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import replace

from timelapse_runtime.runtime.outbox import Outbox
from timelapse_runtime.runtime.state.contract import Condition, IfAbsent, IfMatch, Store, StoredObject
from timelapse_runtime.runtime.state.errors import Fenced, ObjectNotFound, PreconditionFailed, StorageUnavailable
from timelapse_runtime.runtime.state.put import Put, leave

ATTEMPT = "attempt"
"""The name of the metadata that has the attempt's id."""
_NAME_LENGTH = 60


def replacement(put: Put, etag: str | None, *, attempt: str) -> Put:
    """`put` in place of the version with this ETag and of no other; None: of no object. `attempt` must be unique."""
    condition: Condition = IfAbsent() if etag is None else IfMatch(etag)
    return replace(put, condition=condition, metadata={**put.metadata, ATTEMPT: attempt})


class StoredCheckpoint:
    """The object `key`, which need not exist yet. To be used from one thread."""

    def __init__(
        self,
        store: Store,
        key: str,
        *,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
    ) -> None:
        self._store, self._key = store, key
        self._content_type, self._cache_control = content_type, cache_control
        self._etag: str | None = None

    @property
    def etag(self) -> str | None:
        """Of the version that was loaded or written last; None if there was none."""
        return self._etag

    def load(self) -> StoredObject | None:
        """Read the object: from now on, this is the version that is replaced. None if there is none. Raises
        StorageError."""
        stored = self._read()
        self._etag = stored.info.etag if stored else None
        return stored

    def forget(self) -> None:
        """Know no version: `replace` then succeeds only if there is no object."""
        self._etag = None

    def is_current(self) -> bool:
        """Ask S3 whether the version that is known here is still the stored one. Raises StorageError."""
        try:
            if self._etag is not None:
                return self._store.get_changed(self._key, self._etag) is None
            self._store.head(self._key)
        except ObjectNotFound:
            return self._etag is None
        return False

    def replace(self, body: bytes) -> None:
        """Replace the known version. Returns only if `body` is stored.

        Raises Fenced if the object is not the known version any more: what was built on it must be dropped, and loaded
        again. After StorageUnavailable the write may have happened, or may happen yet: then the next one is fenced.
        After an interruption it is the same.
        """
        self.send(self._replacement(body))

    def send(self, put: Put) -> None:
        """Send what `replacement` gave for the known version. Raises as `replace` does."""
        try:
            self._etag = put.send(self._store)
        except (PreconditionFailed, StorageUnavailable) as error:
            stored = self._read()
            etag = stored.info.etag if stored else None
            if stored is not None and stored.info.metadata.get(ATTEMPT) == put.metadata[ATTEMPT]:
                self._etag = etag
            elif etag == self._etag and isinstance(error, StorageUnavailable):
                raise
            else:
                raise Fenced(f"s3://{self._store.bucket}/{self._key}: another instance replaced it first") from error

    def leave(self, body: bytes, outbox: Outbox | None) -> None:
        """Replace the known version at a shutdown: leave that in the outbox, or do it at once if there is no outbox.

        The last call: a later one may be fenced by what was left. Raises as `replace` does, and OSError if there is no
        space for the outbox.
        """
        if outbox is None:
            self.replace(body)
        else:
            leave(outbox, self._job_name, self._store, [self._replacement(body)])

    def _replacement(self, body: bytes) -> Put:
        put = Put(self._key, body, content_type=self._content_type, cache_control=self._cache_control)
        return replacement(put, self._etag, attempt=secrets.token_hex(8))

    @property
    def _job_name(self) -> str:
        """A file name that no other object's job has."""
        digest = hashlib.sha256(f"{self._store.bucket}/{self._key}".encode()).hexdigest()[:16]
        return f"{digest}-{re.sub(r'[^A-Za-z0-9_.-]', '-', self._key)[-_NAME_LENGTH:]}"

    def _read(self) -> StoredObject | None:
        try:
            return self._store.get(self._key)
        except ObjectNotFound:
            return None
