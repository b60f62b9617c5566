"""One x264 encoder that stays open across flushes, and the cut that takes its complete packets.

Frames are numbered from 0 in their reel; a frame's number is its pts. The encoder reorders: its packets come in decode
order, and the last few frames are still inside it. A *complete run* is the longest prefix, in decode order, whose pts
form an unbroken run: nothing in it refers to a frame that is not in it. Cutting there costs nothing in size, while
draining costs a keyframe per flush (measured, x264 veryfast, one flush per ten frames: 2.36 times the bytes).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from timelapse_runtime.timelapse.errors import EncoderFailed
from timelapse_runtime.timelapse.model.video_size import (
    LEVEL_5_1_BUFFERED_MACROBLOCKS,
    LEVEL_5_1_FRAME_MACROBLOCKS,
    macroblocks,
)
from timelapse_runtime.timelapse.time_left import TimeLeft

_GLOBAL_HEADER = 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: parameter sets go to the init segment, not in band
# JPEG is BT.601 by JFIF, with the primaries and transfer of sRGB; the range is made limited by PictureFitter.
_REFERENCES = {"slow": 5, "slower": 8, "veryslow": 16}
"""Those of x264's presets that level 5.1 may have no room for (`x264 --fullhelp`, November 2026)."""
_RANGE_LIMITED, _MATRIX_BT601, _PRIMARIES_BT709, _TRANSFER_SRGB = 1, 6, 1, 13


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What makes an encoder. `keyframe_interval` in frames; `crf` 0 to 51; `threads` at least 1. With `low_delay`, each
    frame comes out before the next one is appended."""

    width: int
    height: int
    fps: int
    keyframe_interval: int
    crf: int
    preset: str
    threads: int
    low_delay: bool = False


_STITCHABLE = "stitchable=1:scenecut=0:open-gop=0"
"""`stitchable` keeps the parameter sets the same when crf, speed or threads differ between two encoders; without it a
changed crf decodes to garbage with the full frame count and no message (measured, PyAV 17)."""
_LOW_DELAY = "bframes=0:rc-lookahead=0:sync-lookahead=0:sliced-threads=1:force-cfr=1"
"""What x264's tune `zerolatency` sets (x264_param_apply_tune, read November 2026)."""


def _references(settings: EncoderSettings) -> int | None:
    """Fewer reference frames than the preset has, if level 5.1 takes the size but has no room for so many; else None.

    x264 does not look at the level here: 3840x2160 with `slower` and its 8 references would be level 6.0.
    """
    size, references = macroblocks((settings.width, settings.height)), _REFERENCES.get(settings.preset, 0)
    if size > LEVEL_5_1_FRAME_MACROBLOCKS or size * references <= LEVEL_5_1_BUFFERED_MACROBLOCKS:
        return None
    return LEVEL_5_1_BUFFERED_MACROBLOCKS // size


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A packet: its frame's number (pts), and whether decoding can begin there. Packets come in decode order."""

    pts: int
    is_keyframe: bool
    data: bytes


class Encoder:
    """x264 from `first_number` on. Errors of libav become EncoderFailed; the encoder is then of no more use."""

    def __init__(self, settings: EncoderSettings, *, first_number: int) -> None:
        context = VideoCodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = settings.width, settings.height, "yuv420p"
        context.time_base, context.framerate = Fraction(1, settings.fps), Fraction(settings.fps)
        context.color_range, context.colorspace = _RANGE_LIMITED, _MATRIX_BT601
        context.color_primaries, context.color_trc = _PRIMARIES_BT709, _TRANSFER_SRGB
        context.thread_count = settings.threads
        context.flags |= _GLOBAL_HEADER
        context.options = {
            "preset": settings.preset,
            "crf": str(settings.crf),
            "g": str(settings.keyframe_interval),
            "x264-params": f"{_STITCHABLE}:{_LOW_DELAY}" if settings.low_delay else _STITCHABLE,
        }
        references = _references(settings)
        if references is not None:
            context.options = {**context.options, "refs": str(references)}
        try:
            context.open()
        except (av.FFmpegError, ValueError) as error:
            raise EncoderFailed(f"libx264 does not open with {settings}: {error}") from error
        self._context = context
        self._held: list[EncodedFrame] = []
        self._cut_number = first_number
        self._next_number = first_number
        self._inside_count = 0
        self._drained = False

    @property
    def parameter_sets(self) -> bytes:
        """SPS and PPS as an Annex B byte string."""
        return self._context.extradata or b""

    @property
    def reorder_frames(self) -> int:
        """How far, in frames, presentation may lie behind decoding. A property of the parameter sets.

        The packets' own dts does not tell: an encoder that is drained after one frame leaves no room for any.
        """
        return int(self._context.reorder_depth)

    @property
    def next_number(self) -> int:
        """The number that the next appended frame gets."""
        return self._next_number

    def append(self, picture: VideoFrame) -> int:
        """Encode one picture (of the settings' size, yuv420p); the answer is its frame number."""
        number = self._next_number
        picture.pts, picture.time_base = number, self._context.time_base
        picture.pict_type = PictureType.NONE  # a decoded photo is marked I: x264 would obey and make a keyframe
        self._next_number += 1
        self._inside_count += 1
        self._collect(self._context.encode_lazy(picture))
        return number

    def drain(self, time_left: TimeLeft | None = None) -> None:
        """Take out what is still inside, packet by packet while there is enough time. Nothing can be appended
        afterwards."""
        if not self._drained:
            self._drained = True
            self._collect(self._context.encode_lazy(None), time_left)

    @property
    def holds_frames(self) -> bool:
        """Whether frames are inside that only a drain, or more frames, take out."""
        return self._inside_count > 0

    @property
    def is_drained(self) -> bool:
        """Whether the encoder has ended: the frames after it need another one."""
        return self._drained

    def cut(self) -> list[EncodedFrame]:
        """Take the complete run: whole frames from the last cut on. May be empty."""
        best, highest = 0, self._cut_number - 1
        for seen, frame in enumerate(self._held, start=1):
            highest = max(highest, frame.pts)
            if seen == highest - self._cut_number + 1:
                best = seen
        run, self._held = self._held[:best], self._held[best:]
        self._cut_number += best
        return run

    def _collect(self, packets: Iterator[av.Packet[VideoStream]], time_left: TimeLeft | None = None) -> None:
        try:
            for packet in packets:
                assert packet.pts is not None
                self._inside_count -= 1
                self._held.append(EncodedFrame(packet.pts, packet.is_keyframe, bytes(packet)))
                if time_left is not None and not time_left.is_enough:
                    return
        except (av.FFmpegError, ValueError) as error:
            raise EncoderFailed(f"libx264: {error}") from error
