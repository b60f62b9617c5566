"""What comes of a range of photos that was encoded apart: a value, and its bytes.

A group of pictures begins with a keyframe, and nothing in it refers to a frame outside. So a group can stand at any
place of any reel that has its settings and parameter sets.

The bytes: the length of the rest of the header (4 bytes, big endian), zlib over UTF-8 JSON, the packets one after
another.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

from timelapse_runtime.runtime.state.contract import ObjectInfo
from timelapse_runtime.timelapse.model.capture_time import CameraTime
from timelapse_runtime.timelapse.video.encode import EncodedFrame, EncoderSettings
from timelapse_runtime.timelapse.video.metadata import Colour

_LENGTH = struct.Struct(">I")
_FORMAT = 3


@dataclass(frozen=True, slots=True)
class Look:
    """What decides the packets of given photos: the encoder's settings, how the photos are fitted, and what is drawn
    over them (PictureFilters.drawing). The number of threads does not count."""

    settings: EncoderSettings
    fit: str
    background: Colour
    drawing: str = ""

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for two looks whose groups can follow each other in one reel."""
        one = self.settings
        quality = one.codec, one.crf, one.preset, one.low_delay, one.maximum_kbps
        fitted = self.fit, tuple(self.background), self.drawing
        return one.width, one.height, one.fps, one.keyframe_interval, *quality, *fitted


@dataclass(frozen=True, slots=True)
class PhotoOutcome:
    """A photo as it was read: usable, with what its decoded picture tells, or rejected for `rejection` (reason and
    detail).

    `width` and `height` are those of the photo upright, `size_bytes` is what it takes decoded.
    """

    key: str
    info: ObjectInfo
    rejection: tuple[str, str] | None = None
    width: int = 0
    height: int = 0
    size_bytes: int = 0
    times: tuple[CameraTime, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A group of pictures. `photos` are the photos that its frames show, as positions in the range, in order: one is
    there twice if it stands in for a rejected photo. `moments` are the times, in milliseconds since 1970, at which they
    were taken, frame by frame: something that is drawn may show them. `frames` are numbered from 0. `thumbnail` is the
    last picture as a small JPEG."""

    look: Look
    parameter_sets: bytes
    reorder_frames: int
    photos: tuple[int, ...]
    moments: tuple[int, ...]
    frames: tuple[EncodedFrame, ...]
    thumbnail: bytes


@dataclass(frozen=True, slots=True)
class EncodedRange:
    """The photos that could be read, in order, and the groups that show the usable ones, in order."""

    photos: tuple[PhotoOutcome, ...] = ()
    groups: tuple[Group, ...] = ()
    request_counts: dict[str, int] = field(default_factory=dict)
    """What it cost, by S3's names of the operations."""
    rules: str = ""
    """By what photos were left out: PhotoReader.rules of who read them."""

    def to_bytes(self) -> bytes:
        """As sent or stored."""
        header = {
            "format": _FORMAT,
            "photos": [_photo_value(photo) for photo in self.photos],
            "groups": [_group_value(group) for group in self.groups],
            "requests": self.request_counts,
            "rules": self.rules,
        }
        packed = zlib.compress(json.dumps(header, separators=(",", ":")).encode())
        data = [data for group in self.groups for data in _data_of(group)]
        return b"".join([_LENGTH.pack(len(packed)), packed, *data])

    @classmethod
    def from_bytes(cls, body: bytes) -> EncodedRange:
        """As received. Raises ValueError if it is no range, is cut off, or is from another version."""
        try:
            (length,) = _LENGTH.unpack_from(body)
            header = json.loads(zlib.decompress(body[_LENGTH.size : _LENGTH.size + length]))
            if header["format"] != _FORMAT:
                raise ValueError(f"it has format {header['format']!r}")
            reader = _Data(body, _LENGTH.size + length)
            groups = tuple(_group_from_value(value, reader) for value in header["groups"])
            photos = tuple(_photo_from_value(value) for value in header["photos"])
        except (struct.error, zlib.error, KeyError, TypeError) as error:
            raise ValueError(f"this is not an encoded range: {error!r}") from error
        if not reader.is_at_end:
            raise ValueError("there are bytes behind the range's last packet")
        return cls(photos, groups, dict(header["requests"]), str(header.get("rules", "")))


class _Data:
    """Takes pieces from the end of the header on."""

    def __init__(self, body: bytes, start: int) -> None:
        self._body, self._position = body, start

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._body):
            raise ValueError("the range is cut off")
        taken, self._position = self._body[self._position : end], end
        return taken

    @property
    def is_at_end(self) -> bool:
        return self._position == len(self._body)


def _data_of(group: Group) -> Iterator[bytes]:
    yield group.parameter_sets
    yield group.thumbnail
    for frame in group.frames:
        yield frame.data


def _photo_value(photo: PhotoOutcome) -> list[Any]:
    info = photo.info
    times = [[time.text, time.fraction, time.offset] for time in photo.times]
    read = [photo.key, info.key, info.etag, info.size_bytes, info.last_modified_epoch_ms]
    return [*read, photo.rejection, photo.width, photo.height, photo.size_bytes, times]


def _photo_from_value(value: Sequence[Any]) -> PhotoOutcome:
    key, stored_key, etag, stored_bytes, modified_ms, rejection, width, height, size_bytes, times = value
    info = ObjectInfo(stored_key, etag, stored_bytes, modified_ms)
    rejected = None if rejection is None else (str(rejection[0]), str(rejection[1]))
    return PhotoOutcome(key, info, rejected, width, height, size_bytes, tuple(CameraTime(*time) for time in times))


def _group_value(group: Group) -> dict[str, Any]:
    one = group.look.settings
    return {
        "settings": {**asdict(one), "threads": 1},
        "fit": [group.look.fit, *group.look.background],
        "drawing": group.look.drawing,
        "reorder": group.reorder_frames,
        "photos": group.photos,
        "moments": group.moments,
        "frames": [[frame.pts, frame.is_keyframe] for frame in group.frames],
        "sizes": [len(data) for data in _data_of(group)],
    }


def _group_from_value(value: dict[str, Any], data: _Data) -> Group:
    settings = EncoderSettings(**value["settings"])
    fit, *background = value["fit"]
    red, green, blue = background
    parameter_sets, thumbnail, *packets = [data.take(size) for size in value["sizes"]]
    numbers = zip(value["frames"], packets, strict=True)
    frames = tuple(EncodedFrame(pts, is_keyframe, packet) for (pts, is_keyframe), packet in numbers)
    look = Look(settings, fit, (red, green, blue), value["drawing"])
    photos, moments = tuple(value["photos"]), tuple(value["moments"])
    return Group(look, parameter_sets, value["reorder"], photos, moments, frames, thumbnail)


def groups_of(frames: Sequence[EncodedFrame]) -> Iterator[tuple[EncodedFrame, ...]]:
    """The packets of a whole encoder, in decode order, by group."""
    starts = [position for position, frame in enumerate(frames) if frame.is_keyframe]
    for start, end in pairwise([*starts, len(frames)]):
        yield tuple(frames[start:end])


def numbered(frames: Sequence[EncodedFrame], first: int) -> list[EncodedFrame]:
    """The packets of a group whose first frame gets the number `first`."""
    lowest = min(frame.pts for frame in frames)
    return [replace(frame, pts=frame.pts - lowest + first) for frame in frames]
