"""Decoded photos to pictures of a video: scaled, limited-range 4:2:0. A JPEG's picture never goes through RGB.

Keeps its scaler and its filter graphs open: PyAV makes a new scaler context per `VideoFrame.reformat()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.video.decode import BLACK, DecodedPhoto
from timelapse_runtime.timelapse.video.exif import UPRIGHT
from timelapse_runtime.timelapse.video.metadata import Colour
from timelapse_runtime.timelapse.video.placement import place

RANGE_LIMITED, RANGE_FULL = 1, 2
"""libav's AVCOL_RANGE_MPEG and AVCOL_RANGE_JPEG."""
Picture: TypeAlias = VideoFrame
"""A picture of the video: the name by which the modules outside `video` know it."""
_TURNS: Mapping[int, tuple[tuple[str, str], ...]] = {
    1: (),
    2: (("hflip", ""),),
    3: (("hflip", ""), ("vflip", "")),
    4: (("vflip", ""),),
    5: (("transpose", "cclock_flip"),),
    6: (("transpose", "clock"),),
    7: (("transpose", "clock_flip"),),
    8: (("transpose", "cclock"),),
}
"""The filters that stand a photo upright, by EXIF orientation."""
_FULL_RANGE_420 = "yuvj420p"


class PictureFitter:
    """Turns decoded photos into pictures of one video: its size, `yuv420p`, limited range, BT.601 matrix.

    `fit` says what becomes of a photo of another shape: see `place`. It is turned upright once it is small.
    `background` is the bars' colour.
    """

    def __init__(self, width: int, height: int, fit: str = "fit", background: Colour = BLACK) -> None:
        self.width, self.height, self._fit, self._background = width, height, fit, background
        self._reformatter = VideoReformatter()
        self._range: Graph | None = None
        self._range_key = (0, 0)
        self._crop: Graph | None = None
        self._crop_key = (0, 0, "", (0, 0))
        self._canvas: Graph | None = None
        self._canvas_key = (0, 0, 0)

    def fit(self, photo: DecodedPhoto) -> VideoFrame:
        """A new picture; `photo` is not changed."""
        frame = photo.frame
        if frame.format.name == "monob":
            frame = self._reformatter.reformat(frame, format="gray")  # of one bit, swscale leaves the range as it is
        video = (self.height, self.width) if photo.is_on_its_side else (self.width, self.height)
        placement = place((frame.width, frame.height), video, self._fit)
        if placement.crop != (frame.width, frame.height):
            frame = self._cropped(frame, placement.crop)
        if frame.format.name == _FULL_RANGE_420 and (frame.width, frame.height) == placement.size:
            picture = self._to_limited_range(frame)
        else:
            picture = self._scaled(frame, *placement.size)
        if photo.orientation == UPRIGHT and placement.size == video:
            return picture
        return self._on_canvas(picture, photo.orientation)

    def _cropped(self, frame: VideoFrame, size: Size) -> VideoFrame:
        """The middle of `frame`, or all but its odd row and column; shares the frame's memory."""
        key = frame.width, frame.height, frame.format.name, size
        if self._crop is None or key != self._crop_key:
            self._crop, self._crop_key = _open_crop(frame, size), key
        frame.pts = 0
        self._crop.push(frame)
        cropped = self._crop.pull()
        assert isinstance(cropped, VideoFrame)
        cropped.color_range, cropped.colorspace = frame.color_range, frame.colorspace
        return cropped

    def _scaled(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        is_full = frame.color_range != RANGE_LIMITED
        is_rgb_or_gray = frame.format.is_rgb or len(frame.format.components) < 3
        picture = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="yuv420p",
            src_colorspace=Colorspace.ITU601,
            dst_colorspace=Colorspace.ITU601,
            src_color_range=RANGE_FULL if is_full else RANGE_LIMITED,
            dst_color_range=RANGE_LIMITED if is_rgb_or_gray or not is_full else RANGE_FULL,
            interpolation=Interpolation.BILINEAR,
            threads=1,
        )
        return self._to_limited_range(picture) if is_full and not is_rgb_or_gray else picture

    def _to_limited_range(self, picture: VideoFrame) -> VideoFrame:
        """A full-range 4:2:0 picture in limited range.

        By a filter of its own: libswscale 9 maps 0 to 16 and 255 to 240 in chroma as well, which moves grey by 0.44 of
        a level (measured, November 2026; JFIF's grey is 128), and takes twice the time.
        """
        key = picture.width, picture.height
        if self._range is None or key != self._range_key:
            self._range, self._range_key = _open_range(*key), key
        picture.pts = 0
        self._range.push(picture)
        limited = self._range.pull()
        assert isinstance(limited, VideoFrame)
        return limited

    def _on_canvas(self, picture: VideoFrame, orientation: int) -> VideoFrame:
        """The picture turned upright, in the middle, with bars where it is smaller than the video."""
        key = picture.width, picture.height, orientation
        if self._canvas is None or key != self._canvas_key:
            self._canvas, self._canvas_key = self._open_canvas(*key), key
        picture.pts = 0
        self._canvas.push(picture)
        turned = self._canvas.pull()
        assert isinstance(turned, VideoFrame)
        turned.color_range, turned.colorspace = picture.color_range, picture.colorspace
        return turned

    def _open_canvas(self, width: int, height: int, orientation: int) -> Graph:
        # FFmpeg filters documentation, 'transpose', 'pad' (read November 2026). Even places: chroma stays with luma.
        pad = f"{self.width}:{self.height}:trunc((ow-iw)/4)*2:trunc((oh-ih)/4)*2:0x{bytes(self._background).hex()}"
        graph = Graph()
        graph.threads = 1
        source = graph.add_buffer(width=width, height=height, format=VideoFormat("yuv420p"), time_base=Fraction(1, 25))
        steps = [graph.add(name, argument) for name, argument in (*_TURNS[orientation], ("pad", pad))]
        graph.link_nodes(source, *steps, graph.add("buffersink")).configure()
        return graph


def _open_crop(frame: VideoFrame, size: Size) -> Graph:
    # FFmpeg filters documentation, 'crop' (read November 2026): the place is rounded down to whole chroma samples.
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    crop = graph.add("crop", f"{size[0]}:{size[1]}")
    graph.link_nodes(source, crop, graph.add("buffersink")).configure()
    return graph


def _open_range(width: int, height: int) -> Graph:
    # FFmpeg filters documentation, 'colorspace' (read November 2026): one matrix on both sides leaves the range to do.
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(width=width, height=height, format=VideoFormat("yuv420p"), time_base=Fraction(1, 25))
    matrix = "all=bt601-6-625:iall=bt601-6-625:irange=pc:range=tv:format=yuv420p"
    graph.link_nodes(source, graph.add("colorspace", matrix), graph.add("buffersink")).configure()
    return graph
