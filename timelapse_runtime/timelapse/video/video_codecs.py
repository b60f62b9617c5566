"""The video codecs: how libav's encoder of each is opened, and how its packets get into MP4.

All of them give groups of pictures that begin with a keyframe each `keyframe_interval` frames, and refer to nothing
outside. H.265 has the tag `hvc1`, the only one that Apple's players take; libav writes `hev1` by itself.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext

from timelapse_runtime.timelapse.model.quality import AV1, H264, H265
from timelapse_runtime.timelapse.model.video_size import Size

# JPEG is BT.601 by JFIF, with the primaries and transfer of sRGB; the range is made limited by PictureFitter.
_RANGE_LIMITED, _MATRIX_BT601, _PRIMARIES_BT709, _TRANSFER_SRGB = 1, 6, 1, 13
_BUFFER_SECONDS = 2
"""For how long a greatest bit rate may be exceeded, if what came before took less."""
_SVT_PRESETS = {
    "ultrafast": 12,
    "superfast": 11,
    "veryfast": 10,
    "faster": 9,
    "fast": 8,
    "medium": 7,
    "slow": 6,
    "slower": 5,
    "veryslow": 4,
}
"""SVT-AV1's numbers, 0 to 13, for x264's words."""


@dataclass(frozen=True, slots=True)
class VideoCodec:
    """`encoder`, `raw_format`: libav's names of the encoder, and of the demuxer of its packets. `tag`: the type of the
    sample entry. `reorder_frames`: how far, in frames, presentation lies behind decoding; None if that depends on the
    settings. `has_sets_in_band`: whether a keyframe's packet has the parameter sets, too."""

    encoder: str
    raw_format: str
    tag: str
    reorder_frames: int | None = None
    has_sets_in_band: bool = False

    def open_raw(self, parameter_sets: bytes, keyframe: bytes) -> InputContainer:
        """The raw stream of an encoder's first packet, whose description a muxer can take. The caller closes it. Raises
        av.FFmpegError."""
        return av.open(
            io.BytesIO(keyframe if self.has_sets_in_band else parameter_sets + keyframe), "r", self.raw_format
        )


VIDEO_CODECS: Mapping[str, VideoCodec] = {
    H264: VideoCodec("libx264", "h264", "avc1"),
    # All of x265's presets have B-frames that others refer to.
    H265: VideoCodec("libx265", "hevc", "hvc1", reorder_frames=2),
    # A frame that is not shown is in one packet with the next that is.
    AV1: VideoCodec("libsvtav1", "obu", "av01", reorder_frames=0, has_sets_in_band=True),
}


def rate_control(codec: str, preset: str, crf: int, maximum_kbps: int | None) -> dict[str, str]:
    """Options of libav: of what quality the pictures are, and how fast they are made."""
    options = {"preset": str(_SVT_PRESETS[preset]) if codec == AV1 else preset, "crf": str(crf)}
    if maximum_kbps is not None:
        options |= {"maxrate": f"{maximum_kbps}k", "bufsize": f"{maximum_kbps * _BUFFER_SECONDS}k"}
    return options


def set_picture(context: VideoCodecContext, size: Size, rate: Fraction) -> None:
    """Say what pictures the encoder gets: PictureFitter's."""
    context.width, context.height, context.pix_fmt = *size, "yuv420p"
    context.time_base, context.framerate = 1 / rate, rate
    context.color_range, context.colorspace = _RANGE_LIMITED, _MATRIX_BT601
    context.color_primaries, context.color_trc = _PRIMARIES_BT709, _TRANSFER_SRGB


@contextmanager
def opening(codec: str) -> Iterator[None]:
    """Open an encoder within this.

    SVT-AV1 (4.1, tried in November 2026) makes its threads, and the one that opens it, real-time threads of the highest
    priority where the process may do that, as root: then nothing else on the machine gets its turn, and children
    inherit it. So all threads of this process get the scheduling policy that the caller had.
    """
    if codec != AV1:
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for task in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setscheduler(int(task.name), policy, parameters)
