"""What a decoded frame is like, as far as colours are concerned."""

from __future__ import annotations

from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange

_USUAL_MATRICES = {0, 2, 5, 6}
"""AVCOL_SPC: none, unknown, BT.470BG and SMPTE 170M, which are BT.601's."""


def is_opaque(frame: VideoFrame) -> bool:
    """Whether it has no alpha; a palette's colours may have some."""
    return frame.format.name != "pal8" and not any(component.is_alpha for component in frame.format.components)


def is_grey(frame: VideoFrame) -> bool:
    """Whether it has no colours."""
    return is_opaque(frame) and len(frame.format.components) == 1


def is_limited_grey(frame: VideoFrame) -> bool:
    """Whether black is 16 and white 235. libswscale takes grey for full range, whatever a frame says."""
    return is_grey(frame) and frame.color_range == ColorRange.MPEG


def is_usual(frame: VideoFrame) -> bool:
    """Whether it can stay as it is: opaque, and RGB, full-range grey, or YCbCr with JFIF's matrix, BT.601's."""
    if not is_opaque(frame) or is_limited_grey(frame):
        return False
    return frame.format.is_rgb or is_grey(frame) or frame.colorspace in _USUAL_MATRICES
