"""JPEGs of one size: 4:2:0, full range, as cameras write them."""

from __future__ import annotations

from fractions import Fraction

from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter


class JpegEncoder:
    """Encodes frames of `width` x `height`. `qscale` is libavcodec's: 2 is best and about "quality 90", 31 is worst."""

    def __init__(self, width: int, height: int, *, qscale: int) -> None:
        self._width, self._height = width, height
        self._reformatter = VideoReformatter()
        self._context = VideoCodecContext.create("mjpeg", "w")
        self._context.width, self._context.height, self._context.pix_fmt = width, height, "yuvj420p"
        self._context.time_base = Fraction(1, 25)
        self._context.thread_count = 1  # frame threads would delay photos
        # The encoder reads a fixed qscale from the frame, which PyAV cannot set; it ignores `global_quality`.
        self._context.options = {"qmin": str(qscale), "qmax": str(qscale)}
        self._encoded = 0

    def encode(self, frame: VideoFrame) -> bytes:
        """One JPEG of a frame in yuvj420p. Sets the frame's pts."""
        frame.pts, frame.time_base = self._encoded, self._context.time_base
        self._encoded += 1
        return b"".join(bytes(packet) for packet in self._context.encode(frame))

    def encode_rgba(self, pixels: bytes) -> bytes:
        """One JPEG of `height` x `width` x 4 bytes: R, G, B, and one that is not used."""
        frame = VideoFrame.from_bytes(pixels, self._width, self._height, "rgba")
        return self.encode(
            self._reformatter.reformat(frame, format="yuvj420p", dst_color_range=ColorRange.JPEG, threads=1)
        )
