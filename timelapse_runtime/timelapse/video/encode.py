"""One encoder that stays open across flushes, and the cut that takes its complete packets.

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
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from timelapse_runtime.timelapse.errors import EncoderFailed
from timelapse_runtime.timelapse.model.quality import H264, H265
from timelapse_runtime.timelapse.model.video_size import (
    LEVEL_5_1_BUFFERED_MACROBLOCKS,
    LEVEL_5_1_FRAME_MACROBLOCKS,
    macroblocks,
)
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.video_codecs import VIDEO_CODECS, opening, rate_control, set_picture

_GLOBAL_HEADER = 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: parameter sets go to the init segment, not in band
_REFERENCES = {"slow": 5, "slower": 8, "veryslow": 16}
"""Those of x264's presets that level 5.1 may have no room for (`x264 --fullhelp`, November 2026)."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What makes an encoder. `keyframe_interval` in frames; `crf` 0 to 51; `threads` at least 1. With `low_delay`, each
    frame comes out before the next one is appended (H.264 alone). `maximum_kbps` is a ceiling of the mean bit
    rate, in 1,000 bits per second, behind a buffer of two seconds; None: `crf` alone decides. `codec` is one of
    VIDEO_CODECS."""

    width: int
    height: int
    fps: int
    keyframe_interval: int
    crf: int
    preset: str
    threads: int
    low_delay: bool = False
    maximum_kbps: int | None = None
    codec: str = H264


_STITCHABLE = "stitchable=1:scenecut=0:open-gop=0"
"""`stitchable` keeps the parameter sets the same when crf, speed or threads differ between two encoders; without it a
changed crf decodes to garbage with the full frame count and no message (measured, PyAV 17)."""
_LOW_DELAY = "bframes=0:rc-lookahead=0:sync-lookahead=0:sliced-threads=1:force-cfr=1"
"""What x264's tune `zerolatency` sets (x264_param_apply_tune, read November 2026)."""


_X265 = "log-level=error:info=0:scenecut=0:open-gop=0:frame-threads=1:pools="
"""`info` is a text in the parameter sets that has the number of threads. With one frame at a time, that number does not
change the packets: rows of blocks are encoded beside each other."""


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


def _options(settings: EncoderSettings) -> dict[str, str]:
    """Those of libav's encoder."""
    options = rate_control(settings.codec, settings.preset, settings.crf, settings.maximum_kbps)
    options["g"] = str(settings.keyframe_interval)
    if settings.codec in (H264, H265):
        options["forced-idr"] = "1"  # a frame that is marked I begins a segment
    if settings.codec == H264:
        options["x264-params"] = f"{_STITCHABLE}:{_LOW_DELAY}" if settings.low_delay else _STITCHABLE
        references = _references(settings)
        if references is not None:
            options["refs"] = str(references)
    elif settings.codec == H265:
        options["x265-params"] = f"{_X265}{settings.threads}"
    return options


class Encoder:
    """Encodes from `first_number` on. Errors of libav become EncoderFailed; the encoder is then of no more use."""

    def __init__(self, settings: EncoderSettings, *, first_number: int) -> None:
        assert settings.codec == H264 or not settings.low_delay
        self._video_codec = VIDEO_CODECS[settings.codec]
        context = CodecContext.create(self._video_codec.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        set_picture(context, (settings.width, settings.height), Fraction(settings.fps))
        context.thread_count = settings.threads
        context.flags |= _GLOBAL_HEADER
        context.options = _options(settings)
        try:
            with opening(settings.codec):
                context.open()
        except (av.FFmpegError, ValueError) as error:
            raise EncoderFailed(f"{self._video_codec.encoder} does not open with {settings}: {error}") from error
        self._context = context
        self._held: list[EncodedFrame] = []
        self._cut_number = first_number
        self._next_number = first_number
        self._inside_count = 0
        self._drained = False

    @property
    def parameter_sets(self) -> bytes:
        """As the encoder gives them: SPS and PPS (and VPS) as an Annex B byte string, or AV1's sequence header."""
        return self._context.extradata or b""

    @property
    def reorder_frames(self) -> int:
        """How far, in frames, presentation may lie behind decoding. A property of the parameter sets.

        The packets' own dts does not tell: an encoder that is drained after one frame leaves no room for any.
        """
        depth = self._video_codec.reorder_frames
        return int(self._context.reorder_depth) if depth is None else depth

    @property
    def next_number(self) -> int:
        """The number that the next appended frame gets."""
        return self._next_number

    def append(self, picture: VideoFrame, *, is_keyframe: bool = False) -> int:
        """Encode one picture (of the settings' size, yuv420p); the answer is its frame number. If it `is_keyframe`, the
        next one comes a keyframe interval after it."""
        number = self._next_number
        picture.pts, picture.time_base = number, self._context.time_base
        # A decoded photo is marked I: x264 would obey and make a keyframe.
        picture.pict_type = PictureType.I if is_keyframe else PictureType.NONE
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
            raise EncoderFailed(f"{self._video_codec.encoder}: {error}") from error
