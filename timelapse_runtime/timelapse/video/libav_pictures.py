"""Pictures by libav: one coded picture, or the tiles of one.

Every decoder but the one for ordinary JPEGs decodes one photo and is dropped.
"""

from __future__ import annotations

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange

from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.heif import CodedPicture

_MATRIX_UNKNOWN = 2
_MATRICES = {0: 0, 1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 12: 1}
"""libswscale's matrix by ITU-T H.273's matrix_coefficients; 12, derived from the primaries, is near BT.709's."""


def open_decoder(codec: str, *, maximum_pixels: int, configuration: bytes = b"") -> VideoCodecContext:
    """A decoder that takes nothing damaged. `configuration` is what the codec's container format stores of a stream."""
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, VideoCodecContext)
    # Without `explode` libav reports success on a truncated JPEG and fills the rest with grey.
    # libav counts whole steps of 64 columns; the caller has compared the exact size.
    context.options = {"err_detect": "explode", "max_pixels": str(2 * maximum_pixels + 2**16)}
    context.thread_count = 1
    if configuration:
        context.extradata = configuration
    return context


def decode_picture(context: VideoCodecContext, file_type: str, data: bytes) -> VideoFrame:
    """The one picture that a decoder makes of a photo's bytes. Raises FrameRejected, `undecodable`."""
    packet = av.Packet(data)
    packet.is_keyframe = True  # else libav's PNG decoder adds a photo to the one before it, as MPNG does
    try:
        frames = context.decode(packet)
    except (av.FFmpegError, ValueError) as error:
        raise FrameRejected("undecodable", f"{file_type}: damaged or cut short ({error})") from error
    if len(frames) != 1 or frames[0].is_corrupt:
        raise FrameRejected("undecodable", f"{file_type}: no whole picture in {len(data)} bytes")
    return frames[0]


def decode_tiles(picture: CodedPicture, *, maximum_pixels: int) -> VideoFrame:
    """A HEIF picture in one frame, with the range and the matrix that the file names. Raises FrameRejected."""
    canvas: VideoFrame | None = None
    for number, tile in enumerate(_tiles(picture, maximum_pixels)):
        if len(picture.tiles) == 1 and (tile.width, tile.height) == (picture.width, picture.height):
            canvas = tile
            break
        if canvas is None:
            canvas = VideoFrame(picture.width, picture.height, tile.format.name)
            canvas.color_range, canvas.colorspace = tile.color_range, tile.colorspace
        elif tile.format.name != canvas.format.name:
            raise FrameRejected("undecodable", f"HEIF: tiles in {canvas.format.name} and {tile.format.name}")
        row, column = divmod(number, picture.columns)
        _paste(tile, canvas, column * tile.width - picture.left, row * tile.height - picture.top)
    if canvas is None:
        raise FrameRejected("undecodable", "HEIF: no picture in the file")
    if picture.is_full_range is not None:
        canvas.color_range = ColorRange.JPEG if picture.is_full_range else ColorRange.MPEG
    if picture.matrix != _MATRIX_UNKNOWN:
        canvas.colorspace = _MATRICES.get(picture.matrix, 5)
    return canvas


def _tiles(picture: CodedPicture, maximum_pixels: int) -> list[VideoFrame]:
    """All tiles, decoded. Each is a picture of its own, so that they come in their order."""
    context = open_decoder(picture.codec, maximum_pixels=maximum_pixels, configuration=picture.configuration)
    try:
        frames = [frame for data in picture.tiles for frame in context.decode(av.Packet(data))]
        frames += context.decode(None)
    except (av.FFmpegError, ValueError) as error:
        raise FrameRejected("undecodable", f"HEIF: damaged or cut short ({error})") from error
    if len(frames) != len(picture.tiles) or any(frame.is_corrupt for frame in frames):
        raise FrameRejected("undecodable", f"HEIF: {len(frames)} whole pictures of {len(picture.tiles)}")
    return frames


def _paste(tile: VideoFrame, canvas: VideoFrame, left: int, top: int) -> None:
    """Copy as much of a tile as is inside the canvas. Both are planar, and of one format."""
    for index, (source, target) in enumerate(zip(tile.planes, canvas.planes, strict=True)):
        sample_bytes = (tile.format.components[index].bits + 7) // 8
        x, y = left * source.width // tile.width, top * source.height // tile.height
        skipped = max(0, -x), max(0, -y)
        width = min(source.width - skipped[0], target.width - max(0, x)) * sample_bytes
        if width <= 0:
            continue
        pixels, copied = memoryview(target), memoryview(source)
        for row in range(skipped[1], min(source.height, target.height - y)):
            start = (y + row) * target.line_size + max(0, x) * sample_bytes
            begin = row * source.line_size + skipped[0] * sample_bytes
            pixels[start : start + width] = copied[begin : begin + width]
