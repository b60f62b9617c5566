"""The photo behind a frame: what it is called, when S3 took it in, and how it came to its place.

An S3 object can be overwritten, so a key does not name a photo; a key with an ETag does. A stream in arrival order
knows the ETag of each photo; one in name order tells photos by their keys alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from timelapse_runtime.runtime.state.contract import ObjectInfo
from timelapse_runtime.timelapse.model.keys import key_order


class Role(IntEnum):
    """How a frame came to its place: in order, as a repeat of its neighbour in place of a photo that was rejected,
    later than its position says, or without a photo, from a video that was adopted."""

    IN_ORDER = 0
    STAND_IN = 1
    OUT_OF_ORDER = 2
    ADOPTED = 3


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """A photo. `key` is relative to the stream's prefix; `etag` is empty in a stream in name order.

    It has two times. `uploaded_epoch_ms` is S3's Last-Modified: positions, waiting and idleness go by it.
    `taken_epoch_ms` is what the photo itself says (`capture_time.py`); None if it says nothing, or was not read yet.
    """

    key: str
    uploaded_epoch_ms: int
    role: Role = Role.IN_ORDER
    etag: str = ""
    taken_epoch_ms: int | None = None

    @property
    def is_photo(self) -> bool:
        """Whether there is a photo behind the frame. One without has no position: its key names a frame of a file."""
        return self.role is not Role.ADOPTED

    @property
    def captured_epoch_ms(self) -> int:
        """When the photo was taken, as far as it is known: when it was uploaded, if the photo says nothing."""
        return self.uploaded_epoch_ms if self.taken_epoch_ms is None else self.taken_epoch_ms

    @property
    def position(self) -> str:
        """Where the photo lies among all photos of the stream. Positions compare as `key_order` says."""
        return arrival_position(self.key, self.etag, self.uploaded_epoch_ms) if self.etag else self.key

    @property
    def identity(self) -> str:
        """The same for each upload of the same content under the same key."""
        return photo_identity(self.key, self.etag) if self.etag else self.key


def out_of_order(frames: Sequence[SourceFrame], last_position: str) -> tuple[str, ...]:
    """The positions of those frames of a segment that do not lie above `last_position`, the highest before it: a search
    by position does not find them there. In name order these are the late ones."""
    return tuple(
        frame.position
        for frame in frames
        if frame.is_photo and (frame.role is Role.OUT_OF_ORDER or key_order(frame.position) <= key_order(last_position))
    )


def highest_in_order(frames: Iterable[SourceFrame], last_position: str) -> str:
    """The highest position after a segment of these frames, if it is `last_position` before it."""
    in_order = (frame.position for frame in frames if frame.role in (Role.IN_ORDER, Role.STAND_IN))
    return max([last_position, *in_order], key=key_order)


def adopted_frame(file_name: str, number: int, captured_epoch_ms: int) -> SourceFrame:
    """The frame of this number of a video that was adopted. Both its times are when it was taken."""
    return SourceFrame(f"{file_name}#{number}", captured_epoch_ms, Role.ADOPTED)


def photo_of(key: str, info: ObjectInfo) -> SourceFrame:
    """The photo of a stream in arrival order that the store describes. `key` is relative to the stream's prefix."""
    return SourceFrame(key, info.last_modified_epoch_ms, etag=info.etag)


def arrival_position(key: str, etag: str, last_modified_epoch_ms: int) -> str:
    """Positions of a stream in arrival order compare by upload time first. `etag` is as the store gives it."""
    return f"{last_modified_epoch_ms:015d} {photo_identity(key, etag)}"


def photo_identity(key: str, etag: str) -> str:
    """Of a photo in a stream in arrival order: its ETag without quotes, and its key."""
    return " ".join((etag.strip('"').replace(" ", "_"), key))


def photo_at(position: str) -> SourceFrame:
    """The photo at a position of a stream in arrival order. Raises ValueError."""
    time, etag, key = position.split(" ", 2)
    return SourceFrame(key, int(time), etag=etag)
