"""Packets of one kind: frames that share an init segment, so that they can follow each other in one track.

They come from stored segments, as they are, or from an encoder whose parameter sets are the same. Which settings give
these sets is found by trying: x264's preset is not written anywhere, and with `stitchable` nothing else matters but
what the reel says of itself. Frame rates differ in the sets as well, so a reel of another frame rate is of another
kind.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import av
from av.video.frame import VideoFrame

from timelapse_runtime.export.selection import Piece
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME
from timelapse_runtime.timelapse.model.quality import H264, codec_named
from timelapse_runtime.timelapse.video.encode import EncodedFrame, Encoder, EncoderSettings
from timelapse_runtime.timelapse.video.init_segment import init_sha256
from timelapse_runtime.timelapse.video.mux import FragmentMuxer
from timelapse_runtime.timelapse.video.read import open_fragments

PRESETS = ("superfast", "veryfast", "faster", "fast", "medium", "ultrafast", "slow", "slower", "veryslow")
"""x264's, the likeliest first. `superfast` has the parameter sets of `veryfast` and takes 47 MB less for 1080p, because
it looks less far ahead."""
CRF = 18
"""Of frames that are encoded again: at 18 the loss to a video of crf 23 cannot be seen (docs/export.md)."""


def read_packets(init_segment: bytes, fragments: bytes, *, first: int) -> list[EncodedFrame]:
    """The packets of fragments from frame `first` on, in decode order and in the form that MP4 has them in. Their pts
    are ticks in the track's own time. Raises SegmentCorrupt."""
    found = []
    try:
        with open_fragments(init_segment, fragments) as container:
            for packet in container.demux(video=0):
                if packet.pts is not None and packet.size:
                    found.append(EncodedFrame(packet.pts, packet.is_keyframe, bytes(packet)))
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise SegmentCorrupt(f"the segment from frame {first} on cannot be read: {error}") from error
    return found


@dataclass(frozen=True, slots=True)
class SegmentPackets:
    """The packets of a whole segment, in decode order: numbered from 0, in order of presentation. `shown` are the ticks
    at which the reel shows them, by their numbers."""

    packets: Sequence[EncodedFrame]
    shown: Sequence[int]


def read_segment_packets(init_segment: bytes, piece: Piece, body: bytes) -> SegmentPackets:
    """Raises SegmentCorrupt unless they are the segment's frames, each at its time."""
    reel, segment = piece.reel, piece.segment
    packets = read_packets(init_segment, body, first=segment.first)
    delay = reel.reorder_frames * TICKS_PER_FRAME
    shown = sorted({packet.pts - delay for packet in packets})
    even = [number * TICKS_PER_FRAME for number in range(segment.first, segment.first + segment.count)]
    is_right = len(packets) == len(shown) == segment.count and (reel.speed or shown == even)
    if not (is_right and packets[0].is_keyframe):
        raise SegmentCorrupt(f"segment {piece.position} of reel {reel.name} has other frames than are claimed")
    numbers = {tick: number for number, tick in enumerate(shown)}
    return SegmentPackets([replace(packet, pts=numbers[packet.pts - delay]) for packet in packets], shown)


def closed_prefix(packets: Sequence[EncodedFrame], count: int) -> int:
    """How many packets of a segment can be shown without those after them: as many as possible, at most `count`.

    In decode order, a prefix whose frames are the first ones refers to nothing outside of it.
    """
    best, highest = 0, -1
    for seen, packet in enumerate(packets[:count], start=1):
        highest = max(highest, packet.pts)
        if seen == highest + 1:
            best = seen
    return best


@dataclass(frozen=True, slots=True)
class EncoderKind:
    """Settings, and the packets that they give: their init segment, and how far decoding runs ahead, in frames."""

    settings: EncoderSettings
    init_segment: bytes
    reorder_frames: int


def encoder_kind(settings: EncoderSettings) -> EncoderKind:
    """What an encoder with these settings gives, found by encoding a frame. Raises EncoderFailed."""
    run = EncodedRun(settings)
    run.append(VideoFrame(settings.width, settings.height, "yuv420p"))
    run.drain()
    return EncoderKind(settings, run.init_segment, run.reorder_frames)


def encoder_settings(reel: Reel, *, threads: int) -> EncoderSettings:
    """Those of an encoder for pictures of the reel's size."""
    return EncoderSettings(
        width=reel.width,
        height=reel.height,
        fps=reel.fps,
        keyframe_interval=reel.keyframe_interval,
        crf=CRF,
        preset=PRESETS[0],
        threads=threads,
        low_delay=reel.low_delay,
    )


def matching_kind(reel: Reel, *, threads: int, presets: Sequence[str]) -> EncoderKind | None:
    """An encoder whose packets can follow those of `reel`; None if this x264 has none. Raises EncoderFailed."""
    if codec_named(reel.codecs) != H264:
        return None
    settings = encoder_settings(reel, threads=threads)
    for preset, low_delay in itertools.product(presets, (reel.low_delay, not reel.low_delay)):
        kind = encoder_kind(replace(settings, preset=preset, low_delay=low_delay))
        if init_sha256(kind.init_segment) == reel.init_sha256:
            return kind
    return None


class EncodedRun:
    """Encodes pictures from a keyframe on. Packets are numbered from the run's first picture. Raises EncoderFailed."""

    def __init__(self, settings: EncoderSettings) -> None:
        self._settings, self._encoder = settings, Encoder(settings, first_number=0)
        self._muxer: FragmentMuxer | None = None
        self.init_segment = b""
        """ftyp and moov; empty until a packet has come out."""

    @property
    def reorder_frames(self) -> int:
        """How far decoding runs ahead."""
        return self._encoder.reorder_frames

    def append(self, picture: VideoFrame) -> list[EncodedFrame]:
        """Encode a picture; the packets that are complete now."""
        self._encoder.append(picture)
        return self._complete()

    def drain(self) -> list[EncodedFrame]:
        """End the run; the packets that were left."""
        self._encoder.drain()
        return self._complete()

    def _complete(self) -> list[EncodedFrame]:
        found, group = list[EncodedFrame](), list[EncodedFrame]()
        for frame in self._encoder.cut():
            if frame.is_keyframe and group:
                found += self._muxed(group)
                group = []
            group.append(frame)
        return found + self._muxed(group) if group else found

    def _muxed(self, group: Sequence[EncodedFrame]) -> list[EncodedFrame]:
        """The packets as MP4 has them: with lengths in place of start codes, which the muxer does."""
        if self._muxer is None:
            sets, fps = self._encoder.parameter_sets, self._settings.fps
            self._muxer = FragmentMuxer(sets, group[0], fps=fps, reorder_frames=self.reorder_frames)
            self.init_segment = self._muxer.init_segment
        fragment = self._muxer.fragment(group, number=min(frame.pts for frame in group))
        packets = read_packets(self.init_segment, fragment, first=0)
        return [replace(packet, pts=packet.pts // TICKS_PER_FRAME - self.reorder_frames) for packet in packets]
