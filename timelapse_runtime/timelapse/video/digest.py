"""A digest: a short video of a whole reel, which shows one frame of every few.

It is bounded: at MAXIMUM_PICTURES, or if it becomes too large, every second one is left out, and from then on it shows
one of twice as many frames. It is encoded in groups of a few pictures, so what is added changes nothing before it.
Pictures that are not a whole group yet are encoded each time the digest is written, and again with those that come
after them.

A digest is an ordinary MP4 made of fragments, as `video.mp4` is (`sample_table.py`). Its state is in a `uuid` box in
front of these.
"""

from __future__ import annotations

import io
import json
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import av
import numpy
from av.video.frame import VideoFrame

from timelapse_runtime.timelapse.errors import EncoderFailed, SegmentCorrupt
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.video.boxes import pack_box, split_init, walk_boxes
from timelapse_runtime.timelapse.video.codec_name import sample_entry
from timelapse_runtime.timelapse.video.day_picture import Reducer, UnreadableDayPicture, frames_in
from timelapse_runtime.timelapse.video.encode import Encoder, EncoderSettings
from timelapse_runtime.timelapse.video.fit import Picture
from timelapse_runtime.timelapse.video.mux import FragmentMuxer
from timelapse_runtime.timelapse.video.sample_table import SampleTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[numpy.uint8]
    """A `yuv420p` picture, of shape (height * 3 / 2, width)."""

MAXIMUM_PICTURES = 720
"""24 seconds."""
FIRST_STEP = 8
"""A digest has at least so many times fewer pictures than its reel."""
FPS = 30
_GROUP = 16
"""From keyframe to keyframe. So many pictures are in memory: 12 MB of 960x540."""
_CRF, _PRESET = 25, "veryfast"
_MAXIMUM_BYTES = 8_000_000
"""Reached by noise; then, too, half as many pictures are left. 256 of the sample scene have 2.4 MB."""
_CHECKSUM_BYTES = 4
_STATE_UUID = uuid.UUID("2f7c0b1e-8a43-4d0c-9d55-6c1f3e9b7a64")


def step_at(number: int) -> int:
    """One of how many frames a digest shows when it gets the frame `number`."""
    step = FIRST_STEP
    while number >= MAXIMUM_PICTURES * step:
        step *= 2
    return step


@dataclass(frozen=True, slots=True)
class DigestSample:
    """Of `count` frames those that may be shown, each with its place among them."""

    count: int
    pictures: Sequence[tuple[int, Pixels]]


class Digest:
    """See DayPictureKind. Only frames that are shown are scaled."""

    maximum_waiting = 12 * FIRST_STEP

    def __init__(self, size: Size) -> None:
        self._reducer = Reducer(size)

    def sample(self, picture: Picture, number: int) -> DigestSample:
        """See DayPictureKind."""
        if number % step_at(number):
            return DigestSample(1, ())
        return DigestSample(1, [(0, _pixels(self._reducer.reduced(picture)))])

    def joined(self, first: DigestSample, second: DigestSample) -> DigestSample:
        """See DayPictureKind."""
        later = [(first.count + place, pixels) for place, pixels in second.pictures]
        return DigestSample(first.count + second.count, [*first.pictures, *later])

    def canvas(self, stored: bytes | None = None) -> DigestCanvas:
        """See DayPictureKind."""
        canvas = DigestCanvas(self._reducer.size)
        if stored is not None:
            canvas.read(stored)
        return canvas


class DigestCanvas:
    """See DayCanvas."""

    def __init__(self, size: Size) -> None:
        self.frame_count = 0
        self._step, self._track = FIRST_STEP, _Track(size)
        self._groups: list[_Group] = []
        self._open: list[Pixels] = []
        """The newest pictures, which are not a whole group."""
        self._foreign: bytes | None = None
        """A stored digest whose groups another encoder made, of other parameter sets."""

    def add(self, sample: DigestSample, count: int) -> None:
        """See DayCanvas. Frames before the first picture are not taken: they are decoded from the video."""
        assert sample.count == count
        if not (self._shown_count or sample.pictures):
            return
        for place, pixels in sample.pictures:
            if self.frame_count + place >= self._shown_count * self._step:
                self._show(pixels)
                if self._is_full:
                    self._halve()
        self.frame_count += count

    def to_bytes(self) -> bytes:
        """See DayCanvas."""
        self._encode_foreign()
        return self._track.to_mp4(self._all_groups(), {"frames": self.frame_count, "step": self._step})

    def read(self, stored: bytes) -> None:
        """Become the one that was stored. Raises UnreadableDayPicture."""
        try:
            groups, state = self._track.read_mp4(stored)
            frame_count, step = frames_in(state), int(state["step"])
            is_foreign = sample_entry(stored) != sample_entry(self._track.init_segment)
        except (SegmentCorrupt, ValueError, LookupError, TypeError) as error:
            raise UnreadableDayPicture(f"it cannot be read: {error!r}") from error
        shown_count = sum(group.count for group in groups)
        if not (0 < shown_count <= MAXIMUM_PICTURES and step >= FIRST_STEP and (shown_count - 1) * step < frame_count):
            raise UnreadableDayPicture(f"it has {shown_count} pictures of {frame_count} frames, one of each {step}")
        self.frame_count, self._step, self._groups, self._open = frame_count, step, groups, []
        self._foreign = stored if is_foreign else None

    @property
    def _shown_count(self) -> int:
        return sum(group.count for group in self._groups) + len(self._open)

    def _all_groups(self) -> list[_Group]:
        if not self._open:
            return self._groups
        return [*self._groups, self._track.group(self._open, first=self._shown_count - len(self._open))]

    def _encode_foreign(self) -> None:
        """As this encoder would have done it: a file has one set of parameter sets."""
        if self._foreign is not None:
            stored, self._foreign = self._foreign, None
            self._groups = []
            for pixels in _decoded(stored):
                self._show(pixels)

    def _show(self, pixels: Pixels) -> None:
        self._encode_foreign()
        self._open.append(pixels)
        if len(self._open) == _GROUP:
            self._groups, self._open = self._all_groups(), []

    @property
    def _is_full(self) -> bool:
        size_bytes = sum(len(group.fragment) for group in self._groups)
        return self._shown_count >= MAXIMUM_PICTURES or size_bytes > _MAXIMUM_BYTES

    def _halve(self) -> None:
        """Leave every second picture out. What stays is decoded, and encoded again."""
        pictures = _decoded(self._track.to_mp4(self._all_groups(), {}))
        self._groups, self._open = [], []
        self._step *= 2
        for pixels in islice(pictures, 0, None, 2):
            self._show(pixels)


@dataclass(frozen=True, slots=True)
class _Group:
    """So many encoded pictures, the first of them a keyframe, in one fragment."""

    count: int
    fragment: bytes


class _Track:
    """How groups are encoded, and stored. Each has an encoder of its own. These have the same parameter sets, so what
    one process wrote, another may continue."""

    def __init__(self, size: Size) -> None:
        self._settings = EncoderSettings(*size, FPS, _GROUP, _CRF, _PRESET, threads=1)

    def group(self, pictures: Sequence[Pixels], *, first: int) -> _Group:
        """These pictures, the first of which has this number in the digest."""
        encoder = Encoder(self._settings, first_number=first)
        for pixels in pictures:
            encoder.append(VideoFrame.from_ndarray(pixels, format="yuv420p"))
        encoder.drain()
        return _Group(len(pictures), self._muxer.fragment(encoder.cut(), number=first))

    def to_mp4(self, groups: Sequence[_Group], state: Mapping[str, Any]) -> bytes:
        """A file of them, with `state` (a JSON value)."""
        text = json.dumps({**state, "groups": [group.count for group in groups]}).encode()
        fragments, table = [group.fragment for group in groups], SampleTable()
        for part in (_state_box(0, text), *fragments):
            table.append(part)
        head = table.head(self.init_segment)
        return b"".join([head, _state_box(_checksum([head, text, *fragments]), text), *fragments])

    def read_mp4(self, stored: bytes) -> tuple[list[_Group], Mapping[str, Any]]:
        """What `to_mp4` was given. Raises SegmentCorrupt, ValueError, LookupError, TypeError."""
        init_segment, rest = split_init(stored)
        (mdat,) = walk_boxes(rest)
        media, head = rest[mdat.payload :], stored[: len(init_segment) + mdat.payload]
        boxes = [*walk_boxes(media)]
        start = boxes[0].payload + len(_STATE_UUID.bytes) + _CHECKSUM_BYTES
        text, fragments = media[start : boxes[0].end], media[boxes[0].end :]
        if media[: boxes[0].end] != _state_box(_checksum([head, text, fragments]), text):
            raise SegmentCorrupt("its checksum is another one")
        with av.open(io.BytesIO(stored), "r") as container:
            size = container.streams.video[0].width, container.streams.video[0].height
        if size != (self._settings.width, self._settings.height):
            raise SegmentCorrupt(f"it has {size[0]}x{size[1]} pixels")
        state = json.loads(text)
        starts = [box.start for box in boxes if box.type == "moof"]
        spans = zip(state["groups"], starts, [*starts[1:], len(media)], strict=True)
        return [_Group(count, media[start:end]) for count, start, end in spans], state

    @property
    def init_segment(self) -> bytes:
        """That of all groups."""
        return self._muxer.init_segment

    @cached_property
    def _muxer(self) -> FragmentMuxer:
        """Of the first picture of an encoder with these settings; which picture that is makes no difference."""
        encoder = Encoder(self._settings, first_number=0)
        grey = numpy.full((self._settings.height * 3 // 2, self._settings.width), 128, numpy.uint8)
        encoder.append(VideoFrame.from_ndarray(grey, format="yuv420p"))
        encoder.drain()
        delay = encoder.reorder_frames
        return FragmentMuxer(encoder.parameter_sets, encoder.cut()[0], fps=FPS, reorder_frames=delay)


def _state_box(checksum: int, text: bytes) -> bytes:
    return pack_box("uuid", _STATE_UUID.bytes, checksum.to_bytes(_CHECKSUM_BYTES, "big"), text)


def _checksum(parts: Iterable[bytes]) -> int:
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return checksum


def _decoded(mp4: bytes) -> Iterator[Pixels]:
    """The pictures of a file, in order. Raises EncoderFailed."""
    try:
        with av.open(io.BytesIO(mp4), "r") as container:
            for frame in container.decode(video=0):
                yield _pixels(frame)
    except av.FFmpegError as error:
        raise EncoderFailed(f"a digest that was to be encoded again does not decode: {error}") from error


def _pixels(picture: VideoFrame) -> Pixels:
    return cast("Pixels", picture.to_ndarray())
