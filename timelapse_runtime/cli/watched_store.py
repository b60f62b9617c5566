"""S3 stores that tell of the photos that are read, and that refuse to read another one once they are asked to stop.

This is how a command watches and stops the function without a part in it: before each photo the function has nothing
half done, so it may be ended there, and everything complete can be committed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from timelapse_runtime.runtime.state.contract import Condition, StoredObject
from timelapse_runtime.runtime.state.s3 import S3Store
from timelapse_runtime.timelapse.errors import DeadlineTooClose

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(slots=True)
class Watch:
    """What to tell, and whether to stop. `photos_prefix` is what the photos' keys begin with.

    `on_photo` and `on_write` get an object's key, in whichever thread it was read or written.
    """

    photos_prefix: str
    on_photo: Callable[[str], None]
    on_write: Callable[[str], None]
    stop: Event = field(default_factory=Event)


class WatchedStore(S3Store):
    """One bucket."""

    def __init__(self, client: S3Client, bucket: str, watch: Watch, *, has_photos: bool) -> None:
        super().__init__(client, bucket, requester_pays=has_photos)
        self._watch, self._has_photos = watch, has_photos

    def get(self, key: str, *, maximum_bytes: int | None = None, version_id: str | None = None) -> StoredObject:
        """See Store. Raises DeadlineTooClose for a photo, once this must stop."""
        is_photo = self._has_photos and key.startswith(self._watch.photos_prefix)
        if is_photo and self._watch.stop.is_set():
            raise DeadlineTooClose("interrupted: the next run continues")
        found = super().get(key, maximum_bytes=maximum_bytes, version_id=version_id)
        if is_photo:
            self._watch.on_photo(key)
        return found

    def put(
        self,
        key: str,
        body: bytes,
        *,
        condition: Condition = None,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """See Store."""
        etag = super().put(
            key,
            body,
            condition=condition,
            content_type=content_type,
            cache_control=cache_control,
            metadata=metadata,
        )
        self._watch.on_write(key)
        return etag
