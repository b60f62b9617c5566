"""Photos of every kind to pictures of a video: size, range and colours."""

from __future__ import annotations

import numpy as np
import pytest

from tests.photos import plane_array
from tests.timelapse.video.images import FORMATS, HEIGHT, WIDTH, encode, ramp
from tests.timelapse.video.samples import SAMPLES, STRIPES
from timelapse_runtime.timelapse.model.video_size import even_size
from timelapse_runtime.timelapse.video.decode import DecodedPhoto, PhotoDecoder
from timelapse_runtime.timelapse.video.fit import PictureFitter


@pytest.mark.parametrize(("codec", "pixel_format"), FORMATS)
def test_greys_keep_their_value_in_limited_range(decoder: PhotoDecoder, codec: str, pixel_format: str) -> None:
    picture = PictureFitter(WIDTH, HEIGHT).fit(decoder.decode(encode(codec, pixel_format, ramp())))
    assert picture.format.name == "yuv420p"
    luma = plane_array(picture, 0).astype(float).mean(axis=0)
    expected = 16 + np.linspace(0, 255, WIDTH) * 219 / 255
    assert np.abs(luma - expected).max() < 3
    for chroma in (1, 2):
        assert np.abs(plane_array(picture, chroma).astype(float) - 128).max() < 3


def test_the_range_is_made_limited_and_no_colour_moves(decoder: PhotoDecoder) -> None:
    """JFIF's grey is 128 in chroma, and so is the video's: no level of it may move by a part of one on the way."""
    random = np.random.default_rng(2)
    rgb = np.kron(random.integers(0, 256, (8, 16, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    photo = decoder.decode(encode("mjpeg", "yuvj420p", rgb))
    fitted = PictureFitter(128, 64).fit(photo)
    for plane, (base, middle, levels) in enumerate([(16, 0, 219), (128, 128, 224), (128, 128, 224)]):
        full = plane_array(photo.frame, plane).astype(float)
        exact = base + (full - middle) * levels / 255
        moved = plane_array(fitted, plane) - exact
        assert np.abs(moved).max() <= 0.51
        assert abs(moved.mean()) < 0.1


@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40)])
@pytest.mark.parametrize(("codec", "pixel_format"), [("mjpeg", "yuvj444p"), ("png", "rgb24")])
def test_colours_are_those_of_bt601(
    decoder: PhotoDecoder, codec: str, pixel_format: str, rgb: tuple[int, int, int]
) -> None:
    flat = np.broadcast_to(np.array(rgb, np.uint8), (HEIGHT, WIDTH, 3))
    picture = PictureFitter(WIDTH, HEIGHT).fit(decoder.decode(encode(codec, pixel_format, np.ascontiguousarray(flat))))
    red, green, blue = (value / 255 for value in rgb)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    expected = (16 + 219 * luma, 128 + 224 * (blue - luma) / 1.772, 128 + 224 * (red - luma) / 1.402)
    for plane, value in enumerate(expected):
        assert abs(plane_array(picture, plane).astype(float).mean() - value) < 3


@pytest.mark.parametrize("kind", SAMPLES)
def test_rarer_kinds_of_photos_are_read_in_their_colours(kind: str) -> None:
    decoder = PhotoDecoder(maximum_pixels=10**7, background=(244, 244, 234))  # the colour that is transparent in one
    picture = PictureFitter(16 * len(STRIPES), 16).fit(decoder.decode(SAMPLES[kind]))
    for position, rgb in enumerate(STRIPES):
        red, green, blue = ((value + 15) / 255 for value in rgb)  # the mean of the rows
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        chroma = (128.0, 128.0)
        if "grey" not in kind:
            chroma = (128 + 224 * (blue - luma) / 1.772, 128 + 224 * (red - luma) / 1.402)
        for plane, value in enumerate((16 + 219 * luma, *chroma)):
            width = 16 if plane == 0 else 8
            inside = slice(position * width + 2, (position + 1) * width - 2)
            assert abs(plane_array(picture, plane)[:, inside].astype(float).mean() - value) < 3, (rgb, plane)


@pytest.mark.parametrize("bits", ["monob", "gray", "ya8", "gray16be"])
def test_black_and_white_are_16_and_235_at_any_depth(decoder: PhotoDecoder, bits: str) -> None:
    half = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    half[:, WIDTH // 2 :] = 255
    picture = PictureFitter(WIDTH, HEIGHT).fit(decoder.decode(encode("png", bits, half)))
    luma = plane_array(picture, 0)
    assert np.abs(luma[:, : WIDTH // 2 - 1].astype(int) - 16).max() <= 1
    assert np.abs(luma[:, WIDTH // 2 + 1 :].astype(int) - 235).max() <= 1


@pytest.mark.parametrize(
    ("video", "photo", "inside"),
    [
        ((200, 100), (100, 100), (50, 0, 100, 100)),
        ((100, 200), (100, 100), (0, 50, 100, 100)),
        ((202, 100), (50, 50), (50, 0, 100, 100)),
        ((320, 180), (240, 181), (40, 0, 238, 180)),
    ],
)
def test_a_photo_of_another_shape_stands_between_black_bars(
    decoder: PhotoDecoder, video: tuple[int, int], photo: tuple[int, int], inside: tuple[int, int, int, int]
) -> None:
    yellow = np.broadcast_to(np.array((255, 255, 0), np.uint8), (photo[1], photo[0], 3))
    picture = PictureFitter(*video).fit(decoder.decode(encode("png", "rgb24", np.ascontiguousarray(yellow))))
    assert (picture.width, picture.height) == video
    left, top, width, height = inside
    for plane, (black, colour) in enumerate(((16, 210), (128, 16), (128, 146))):
        scale = 1 if plane == 0 else 2
        values = plane_array(picture, plane).astype(int)
        rows = slice(top // scale, (top + height) // scale)
        columns = slice(left // scale, (left + width) // scale)
        assert np.abs(values[rows, columns] - colour).max() <= 2
        values[rows, columns] = black
        assert set(np.unique(values)) == {black}


@pytest.mark.parametrize("size", [(129, 65), (131, 64), (128, 67), (17, 33)])
def test_an_odd_size_is_made_even(decoder: PhotoDecoder, size: tuple[int, int]) -> None:
    photo = decoder.decode(encode("png", "rgb24", np.full((size[1], size[0], 3), 200, np.uint8)))
    width, height = even_size(photo.width, photo.height)
    picture = PictureFitter(width, height).fit(photo)
    assert (picture.width, picture.height) == (size[0] // 2 * 2, size[1] // 2 * 2)
    assert plane_array(picture, 0).min() > 180  # no bars


def noise(width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Noise: resampling would show in each pixel."""
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("codec", "pixel_format"), [("mjpeg", "yuvj420p"), ("mjpeg", "yuvj422p"), ("mjpeg", "yuvj444p"), ("png", "rgb24")]
)
@pytest.mark.parametrize("size", [(129, 65), (128, 65), (129, 64)])
def test_an_odd_row_or_column_is_cut_off_and_nothing_is_resampled(
    decoder: PhotoDecoder, codec: str, pixel_format: str, size: tuple[int, int]
) -> None:
    photo = decoder.decode(encode(codec, pixel_format, noise(*size)))
    picture = PictureFitter(128, 64).fit(photo)
    assert (picture.width, picture.height) == (128, 64)
    # Of 4:2:0 all planes are exact; of the others, chroma has to be resampled, and of RGB, luma has to be computed.
    for plane in {"yuvj420p": (0, 1, 2), "rgb24": ()}.get(pixel_format, (0,)):
        rows, columns, base, middle, levels = (64, 128, 16, 0, 219) if plane == 0 else (32, 64, 128, 128, 224)
        exact = base + (plane_array(photo.frame, plane)[:rows, :columns].astype(float) - middle) * levels / 255
        assert np.abs(plane_array(picture, plane) - exact).max() <= 0.51
    if pixel_format == "rgb24":
        even = decoder.decode(encode(codec, pixel_format, np.ascontiguousarray(noise(*size)[:64, :128])))
        for plane in range(3):
            assert (plane_array(picture, plane) == plane_array(PictureFitter(128, 64).fit(even), plane)).all()


def quarters(width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Red, green, blue, white from left to right, each a quarter."""
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)], np.uint8)
    return np.ascontiguousarray(np.broadcast_to(colours[np.arange(width) * 4 // width], (height, width, 3)))


@pytest.mark.parametrize(
    ("fit", "left", "right"),
    [("fit", 16, 16), ("fill", 145, 41), ("stretch", 81, 235)],  # luma of black; of green and blue; of red and white
)
def test_another_shape_gets_bars_or_is_cut_off_or_is_bent(
    decoder: PhotoDecoder, fit: str, left: int, right: int
) -> None:
    photo = decoder.decode(encode("png", "rgb24", quarters(400, 100)))
    luma = plane_array(PictureFitter(200, 100, fit).fit(photo), 0).astype(int)
    assert luma.shape == (100, 200)
    assert np.abs(luma[[4, 96]][:, [4, 196]] - [left, right]).max() <= 2
    middle = luma[50, [4, 60, 140, 196]]
    wanted = {"fit": [81, 145, 41, 235], "fill": [145, 145, 41, 41], "stretch": [81, 145, 41, 235]}[fit]
    assert np.abs(middle - wanted).max() <= 2


@pytest.mark.parametrize("fit", ["fit", "fill", "stretch"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(128, 64), (64, 128), (129, 65), (90, 90), (2000, 16), (16, 2000)])
@pytest.mark.parametrize("pixel_format", ["yuvj420p", "yuvj444p"])
def test_each_shape_in_each_orientation_becomes_a_picture_of_the_video(
    decoder: PhotoDecoder, pixel_format: str, size: tuple[int, int], orientation: int, fit: str
) -> None:
    """The upper half of the upright photo is white: it stays above, and shows at full height unless there are bars."""
    upright = np.zeros((size[1], size[0], 3), np.uint8)
    upright[: size[1] // 2] = 255
    stored = decoder.decode(encode("mjpeg", pixel_format, stored_as(upright, orientation)))
    picture = PictureFitter(128, 64, fit).fit(DecodedPhoto(stored.frame, orientation))
    luma = plane_array(picture, 0).astype(int)
    assert luma.shape == (64, 128)
    column = luma[:, 63]
    assert column[:32].max() > 200
    assert column[40:].max() < 60
    if fit != "fit":
        assert column[:24].min() > 200


@pytest.mark.parametrize(
    ("background", "expected"),
    [((0, 0, 0), (16, 128, 128)), ((255, 255, 255), (235, 128, 128)), ((255, 0, 0), (81, 90, 240))],
)
def test_the_bars_have_the_background_colour(
    decoder: PhotoDecoder, background: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    photo = decoder.decode(encode("png", "rgb24", quarters(100, 100)))
    picture = PictureFitter(200, 100, "fit", background).fit(photo)
    for plane, value in enumerate(expected):
        assert abs(int(plane_array(picture, plane)[4, 4]) - value) <= 1


def stored_as(
    upright: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], orientation: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """How a camera that is held in this orientation stores the picture: rows and columns by CIPA DC-008."""
    columns_first = upright.transpose(1, 0, 2)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: columns_first,
        6: columns_first[::-1],
        7: columns_first[::-1, ::-1],
        8: columns_first[:, ::-1],
    }[orientation]
    return np.ascontiguousarray(stored)


@pytest.mark.parametrize("fit", ["fit", "fill", "stretch"])
@pytest.mark.parametrize(
    ("photo", "video"), [((20_000, 64), (320, 180)), ((65_000, 16), (3840, 16)), ((16, 16), (9998, 16))]
)
def test_the_longest_panorama_becomes_a_picture(photo: tuple[int, int], video: tuple[int, int], fit: str) -> None:
    decoder = PhotoDecoder(maximum_pixels=10**8)
    white = decoder.decode(encode("png", "rgb24", np.full((photo[1], photo[0], 3), 255, np.uint8)))
    picture = PictureFitter(*video, fit).fit(white)
    assert (picture.width, picture.height) == video
    assert plane_array(picture, 0)[video[1] // 2 - 1, video[0] // 2] == 235
