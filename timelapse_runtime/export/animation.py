"""A selection as an animated picture for chats: GIF or WebP. The small pictures are in memory until the file is
written, because a GIF's palette is chosen from all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import av
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.file_times import FileTimes
from timelapse_runtime.timelapse.model.video_size import Size

MAXIMUM_RATE = 20
"""Frames per second: a GIF's times are hundredths of a second, and browsers slow down what is faster than 50."""
USUAL_SECONDS, USUAL_WIDTH = 15, 480
"""How long and wide an animation is at most, unless the user says so."""
_WEBP_OPTIONS = {"quality": "85"}
"""At 75, blocks that the encoder left as they were show in skies."""
_MAXIMUM_BYTES = 160 * 1024**2


def refuse_too_many(count: int, size: Size) -> None:
    """Raises CannotExport if so many pictures do not fit into the memory."""
    limit = _MAXIMUM_BYTES // (size[0] * size[1] * 3 // 2)
    if count > limit:
        raise CannotExport(
            f"{count:,} frames of {size[0]}x{size[1]} are too many for an animation (at this size {limit:,}): a higher "
            "--speed, a smaller --size, or an .mp4 instead"
        )


def write_animation(
    pictures: Iterable[VideoFrame], times: FileTimes, path: str, *, kind: str, size: Size, time_base: Fraction
) -> int:
    """Write a `gif` or `webp` of `pictures`, of this size, that repeats for ever; how many they are. `time_base` is as
    of `write_recoded`. Raises what `pictures` raises, CannotExport, FFmpegError."""
    kept = list[VideoFrame]()
    for picture in pictures:
        kept.append(picture)
        refuse_too_many(len(kept), size)
    if kind == "gif":
        _write(path, "gif", "gif", "pal8", _with_palette(kept), size, times.rate, time_base, {})
    else:
        _write(path, "webp", "libwebp_anim", "yuv420p", kept, size, times.rate, time_base, _WEBP_OPTIONS)
    return len(kept)


def _write(
    path: str,
    container: str,
    codec: str,
    pixel_format: str,
    pictures: Sequence[VideoFrame],
    size: Size,
    rate: Fraction,
    time_base: Fraction,
    options: Mapping[str, str],
) -> None:
    with av.open(path, "w", format=container, options={"loop": "0"}) as output:
        stream = output.add_stream(codec, rate=rate, options=dict(options))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.codec_context.time_base = time_base
        for picture in pictures:
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def _with_palette(pictures: Sequence[VideoFrame]) -> list[VideoFrame]:
    """The pictures in the 256 colours that serve them best (FFmpeg filters documentation, 'palettegen', 'paletteuse';
    read November 2026)."""
    first = pictures[0]
    assert first.time_base is not None
    choose = Graph()
    source = choose.add_buffer(width=first.width, height=first.height, format=first.format, time_base=first.time_base)
    sink = choose.add("buffersink")
    choose.link_nodes(source, choose.add("palettegen", "stats_mode=diff"), sink).configure()
    for picture in pictures:
        source.push(picture)
    source.push(None)
    (palette,) = _pulled(sink)
    use = Graph()
    source = use.add_buffer(width=first.width, height=first.height, format=first.format, time_base=first.time_base)
    colours = use.add_buffer(
        width=palette.width, height=palette.height, format=palette.format, time_base=first.time_base
    )
    painter = use.add("paletteuse", "dither=bayer:bayer_scale=4:diff_mode=rectangle")
    sink = use.add("buffersink")
    source.link_to(painter, 0, 0)
    colours.link_to(painter, 0, 1)
    painter.link_to(sink)
    use.configure()
    colours.push(palette)
    colours.push(None)
    painted = []
    for picture in pictures:
        source.push(picture)
        painted += _pulled(sink)
    source.push(None)
    return [*painted, *_pulled(sink)]


def _pulled(sink: FilterContext) -> list[VideoFrame]:
    """What a graph has ready."""
    found = list[VideoFrame]()
    while True:
        try:
            frame = sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return found
        assert isinstance(frame, VideoFrame)
        found.append(frame)
