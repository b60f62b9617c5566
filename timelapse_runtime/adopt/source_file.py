"""The file that is adopted: what it is, its packets, its pictures. Read in order, a packet at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from timelapse_runtime.adopt.errors import CannotAdopt, CannotCopy
from timelapse_runtime.adopt.groups import SourcePacket
from timelapse_runtime.adopt.h264 import BadBitstream, ParameterSets, Unpacker
from timelapse_runtime.timelapse.model.video_size import Size

_DATES = ("com.apple.quicktime.creationdate", "creation_time", "date")
"""Where containers say when a recording began. Apple's has the camera's own time zone."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the file says of its video. `rotation` is in degrees, counter-clockwise; `says_order`: its packets have the
    times at which their frames are shown; `pixel_ratio` is the width of a pixel by its height; `rate` is the average
    one, 0 if it is not known; `began_epoch_ms` is when the recording began, None if it does not say;
    `modified_epoch_ms` is the time of the file itself."""

    name: str
    codec: str
    pixel_format: str
    size: Size
    rotation: int
    is_interlaced: bool
    says_order: bool
    pixel_ratio: Fraction
    rate: Fraction
    began_epoch_ms: int | None
    modified_epoch_ms: int


class SourceFile:
    """One file. `name` is what it is called where it came from. Raises CannotAdopt if no video can be read."""

    def __init__(self, path: Path, name: str, modified_epoch_ms: int) -> None:
        self._path = path
        self.facts = self._read_facts(name, modified_epoch_ms)

    def _read_facts(self, name: str, modified_epoch_ms: int) -> Facts:
        with self._opened() as (container, stream):
            try:
                first = next(container.decode(stream), None)
            except (av.FFmpegError, ValueError) as error:
                raise CannotAdopt(f"{name}: its first frame cannot be decoded: {_cause(error)}") from error
            if first is None:
                raise CannotAdopt(f"{name}: there is no frame in it")
            return Facts(
                name=name,
                codec=stream.codec_context.name,
                pixel_format=first.format.name,
                size=(first.width, first.height),
                rotation=first.rotation,
                is_interlaced=first.interlaced_frame,
                says_order=container.format.name != "avi" or not stream.codec_context.reorder_depth,
                pixel_ratio=Fraction(stream.sample_aspect_ratio or 1),
                rate=Fraction(stream.average_rate or stream.guessed_rate or 0),
                began_epoch_ms=_began_epoch_ms({**stream.metadata, **container.metadata}),
                modified_epoch_ms=modified_epoch_ms,
            )

    def packets(self) -> Iterator[tuple[SourcePacket, ParameterSets]]:
        """The packets of an H.264 video in decode order, and the parameter sets so far, which are complete with the
        first packet. Raises CannotAdopt, CannotCopy."""
        with self._opened() as (container, stream):
            count = 0
            try:
                unpacker = Unpacker(stream.codec_context.extradata or b"")
                for packet in container.demux(stream):
                    if not packet.size:
                        continue
                    if count and packet.has_sidedata("new_extradata"):
                        raise CannotCopy(f"it has several sample entries: another one from frame {count} on")
                    unpacked = unpacker.unpack(bytes(packet))
                    for unit in unpacked.sets:
                        if not unpacker.sets.add(unit, replaces=not count):
                            raise CannotCopy(f"its parameter sets change at frame {count}")
                    if unpacked.data:
                        count += 1
                        yield (
                            SourcePacket(packet.pts, unpacked.data, unpacked.is_idr, packet.is_discard),
                            unpacker.sets,
                        )
            except BadBitstream as error:
                raise CannotCopy(f"its packets cannot be taken apart after frame {count}: {error}") from error
            except (av.FFmpegError, ValueError) as error:
                raise CannotAdopt(f"{self.facts.name}: it cannot be read to its end: {_cause(error)}") from error

    def pictures(self) -> Iterator[VideoFrame]:
        """The frames that are shown, in order. Raises CannotAdopt."""
        count = 0
        with self._opened() as (container, stream):
            try:
                for frame in container.decode(stream):
                    yield frame
                    count += 1
            except (av.FFmpegError, ValueError) as error:
                raise CannotAdopt(
                    f"{self.facts.name}: it does not decode after frame {count}: {_cause(error)}"
                ) from error

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        try:
            container = av.open(str(self._path), "r")
        except (av.FFmpegError, ValueError) as error:
            raise CannotAdopt(f"{self._path.name}: it cannot be opened as a video: {_cause(error)}") from error
        with container:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream) or "attached_pic" in str(stream.disposition).lower():
                raise CannotAdopt(f"{self._path.name}: there is no video in it")
            yield container, stream


def _began_epoch_ms(metadata: dict[str, str]) -> int | None:
    for name in _DATES:
        try:
            moment = datetime.fromisoformat(metadata.get(name, ""))
        except ValueError:
            continue
        if moment.year > 1971:  # clocks that were never set, and fields that were never written
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    return None


def _cause(error: Exception) -> str:
    """What libav says, without its number and the path."""
    return getattr(error, "strerror", None) or str(error)
