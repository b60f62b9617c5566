"""Pictures of a video to small JPEGs."""

from __future__ import annotations

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from timelapse_runtime.timelapse.model.video_size import even_size
from timelapse_runtime.timelapse.video.fit import RANGE_FULL, RANGE_LIMITED
from timelapse_runtime.timelapse.video.jpeg import JpegEncoder

_THUMBNAIL_QSCALE = 2


class ThumbnailEncoder:
    """Small JPEGs for `latest.jpg`."""

    def __init__(self, *, maximum_width: int = 640) -> None:
        self._maximum_width = maximum_width
        self._reformatter = VideoReformatter()
        self._encoder: JpegEncoder | None = None
        self._size = (0, 0)

    def encode(self, picture: VideoFrame) -> bytes:
        """One JPEG of `picture`, scaled down to `maximum_width` when it is wider. Empty if its pixels are elsewhere."""
        width = min(self._maximum_width, picture.width)
        size = even_size(width, max(2, round(picture.height * width / picture.width)))
        if self._encoder is None or size != self._size:
            self._encoder, self._size = JpegEncoder(*size, qscale=_THUMBNAIL_QSCALE), size
        small = self._reformatter.reformat(
            picture,
            width=size[0],
            height=size[1],
            format="yuvj420p",
            src_color_range=RANGE_LIMITED,
            dst_color_range=RANGE_FULL,
            threads=1,
        )
        return self._encoder.encode(small)
