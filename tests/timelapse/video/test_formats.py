"""Files of all types, found by content: pixels, orientation, transparency and colours, judged by their sources.

Files are written by Pillow and libav. Where the decoder is Pillow, too, the judge is the picture that was written.
"""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from tests.timelapse.video.images import encode
from tests.timelapse.video.test_decode import png_chunk
from tests.timelapse.video.test_exif import STORED, exif, scene
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.decode import DecodedPhoto, PhotoDecoder
from timelapse_runtime.timelapse.video.icc_writer import gamma_profile, srgb_curve_profile

Pixels = NDArray[np.uint8]
SCENE = scene()
WHITE = (0.3127, 0.329)
SRGB = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
PROFILES = {
    "Display P3": srgb_curve_profile(WHITE, P3),
    "Adobe RGB": gamma_profile(563 / 256, WHITE, ADOBE),
    "gamma 1.8": gamma_profile(1.8, WHITE, SRGB),
    "gamma 1.0": gamma_profile(1.0, WHITE, SRGB),
    "ProPhoto": gamma_profile(1.8, (0.3457, 0.3585), ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))),
}


def written(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def rgb(photo: DecodedPhoto) -> Pixels:
    return np.asarray(
        photo.frame.reformat(format="rgb24", src_color_range=2, dst_color_range=2).to_ndarray(), dtype=np.uint8
    )


def difference(one: Pixels, other: Pixels) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def reference(pixels: Pixels, icc: bytes) -> Pixels:
    """By LittleCMS, of the whole picture at once."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(Image.fromarray(pixels), profile, srgb, ImageCms.Intent.RELATIVE_COLORIMETRIC)
    assert converted is not None
    return np.asarray(converted)


WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 95, "subsampling": 0}),
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {"lossless": True}),
    "WebP, lossy": ("WEBP", {"quality": 95}),
    "AVIF": ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
    "TIFF": ("TIFF", {}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF, deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "TIFF, JPEG": ("TIFF", {"compression": "jpeg", "quality": 95}),
    "BMP": ("BMP", {}),
}
ORIENTED = ("JPEG", "PNG", "WebP", "WebP, lossy", "AVIF", "TIFF")


@pytest.mark.parametrize("kind", WRITERS)
def test_the_type_is_found_and_the_picture_read(decoder: PhotoDecoder, kind: str) -> None:
    pillow, options = WRITERS[kind]
    photo = decoder.decode(written(Image.fromarray(SCENE), pillow, **options))
    assert difference(rgb(photo), SCENE) < 1.5
    assert photo.orientation == 1


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("size", [(129, 65), (130, 300), (17, 1000)])
def test_sizes_of_every_remainder_are_read(decoder: PhotoDecoder, kind: str, size: tuple[int, int]) -> None:
    """Rows are taken through Pillow in strips, and planes have padding."""
    pillow, options = WRITERS[kind]
    pixels = scene(size)
    icc = PROFILES["gamma 1.8"]
    embedded = {} if pillow == "BMP" else {"icc_profile": icc}
    expected = pixels if pillow == "BMP" else reference(pixels, icc)
    photo = decoder.decode(written(Image.fromarray(pixels), pillow, **options, **embedded))
    assert difference(rgb(photo), expected) < 1.5


@pytest.mark.parametrize("kind", ORIENTED)
@pytest.mark.parametrize("value", STORED)
def test_orientation_is_found_in_every_type(decoder: PhotoDecoder, kind: str, value: int) -> None:
    pillow, options = WRITERS[kind]
    stored = np.ascontiguousarray(STORED[value](SCENE))
    block = Image.Exif()
    block[0x0112] = value
    photo = decoder.decode(written(Image.fromarray(stored), pillow, **options, exif=block.tobytes()))
    assert (photo.width, photo.height) == (SCENE.shape[1], SCENE.shape[0])
    turned = STORED[{6: 8, 8: 6}.get(photo.orientation, photo.orientation)](rgb(photo))
    assert difference(np.ascontiguousarray(turned), SCENE) < 1.5


def test_a_pngs_exif_may_come_behind_its_pixels(decoder: PhotoDecoder) -> None:
    body = written(Image.fromarray(SCENE), "PNG")
    assert decoder.decode(body[:-12] + png_chunk(b"eXIf", exif(6)) + body[-12:]).orientation == 6
    assert decoder.decode(body[:33] + png_chunk(b"eXIf", exif(8)) + body[33:]).orientation == 8
    assert decoder.decode(body[:33] + png_chunk(b"eXIf", exif(9)) + body[33:]).orientation == 1


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_pngs_xmp_is_read(decoder: PhotoDecoder, is_compressed: bool) -> None:
    body, text = written(Image.fromarray(SCENE), "PNG"), b'<x tiff:Orientation="3"/>'
    data = (
        b"XML:com.adobe.xmp\0" + bytes((is_compressed, 0)) + b"\0\0" + (zlib.compress(text) if is_compressed else text)
    )
    assert decoder.decode(body[:33] + png_chunk(b"iTXt", data) + body[33:]).orientation == 3


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind not in {"BMP", "TIFF, JPEG"}])
def test_profiles_are_converted_to_srgb(decoder: PhotoDecoder, kind: str, profile: str) -> None:
    pillow, options = WRITERS[kind]
    expected = reference(SCENE, PROFILES[profile])
    assert difference(expected, SCENE) > 2.5
    photo = decoder.decode(written(Image.fromarray(SCENE), pillow, **options, icc_profile=PROFILES[profile]))
    assert difference(rgb(photo), expected) < 1.5


def test_profiles_of_our_own_are_those_of_the_formula() -> None:
    """The light of a grey is its value to the power gamma (IEC 61966-2-1 has the way back)."""
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    for gamma in (1.0, 1.8, 2.2):
        light = (np.arange(256) / 255) ** gamma
        expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
        found = reference(levels, gamma_profile(gamma, WHITE, SRGB)).astype(float)
        assert np.abs(found[:, 0, 0] - expected).max() <= 1.5
        assert np.abs(found - found[..., :1]).max() <= 1  # grey stays grey


def test_an_srgb_profile_changes_nothing(decoder: PhotoDecoder) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for icc in (srgb, srgb[:48] + b"IEC sRGB" + srgb[56:], srgb_curve_profile(WHITE, SRGB)):
        photo = decoder.decode(written(Image.fromarray(SCENE), "JPEG", icc_profile=icc))
        assert photo.frame.format.name == "yuvj420p"


@pytest.mark.parametrize(
    "icc",
    [
        b"x",
        bytes(200),
        PROFILES["gamma 1.8"].replace(b"RGB ", b"RG\xa7 "),
        PROFILES["gamma 1.8"][:150],
        PROFILES["gamma 1.8"][:-40],
    ],
)
def test_a_damaged_profile_is_ignored(decoder: PhotoDecoder, icc: bytes) -> None:
    plain = decoder.decode(written(Image.fromarray(SCENE), "PNG"))
    assert difference(rgb(decoder.decode(written(Image.fromarray(SCENE), "PNG", icc_profile=icc))), rgb(plain)) < 0.1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "TIFF"])
def test_grey_photos_with_a_profile_for_colours_are_converted(decoder: PhotoDecoder, kind: str) -> None:
    grey = Image.fromarray(SCENE).convert("L")
    expected = reference(np.asarray(grey.convert("RGB")), PROFILES["gamma 1.8"])
    pillow, options = WRITERS[kind]
    options = {name: value for name, value in options.items() if name != "subsampling"}
    photo = decoder.decode(written(grey, pillow, **options, icc_profile=PROFILES["gamma 1.8"]))
    assert difference(rgb(photo), expected) < 1.5


@pytest.mark.parametrize(("gamma", "power"), [(100_000, 1.0), (55_556, 1.8), (50_000, 2.0)])
def test_a_pngs_gamma_is_honoured(decoder: PhotoDecoder, gamma: int, power: float) -> None:
    body = written(Image.fromarray(SCENE), "PNG")
    with_gamma = body[:33] + png_chunk(b"gAMA", struct.pack(">I", gamma)) + body[33:]
    expected = reference(SCENE, gamma_profile(power, WHITE, SRGB))
    assert difference(rgb(decoder.decode(with_gamma)), expected) < 1
    marked = body[:33] + png_chunk(b"sRGB", b"\0") + with_gamma[33:]
    assert difference(rgb(decoder.decode(marked)), SCENE) == 0


def test_a_pngs_primaries_are_honoured(decoder: PhotoDecoder) -> None:
    body = written(Image.fromarray(SCENE), "PNG")
    values = [round(part * 100_000) for point in (WHITE, *P3) for part in point]
    chunks = png_chunk(b"gAMA", struct.pack(">I", 45_455)) + png_chunk(b"cHRM", struct.pack(">8I", *values))
    expected = reference(SCENE, gamma_profile(2.2, WHITE, P3))
    assert difference(rgb(decoder.decode(body[:33] + chunks + body[33:])), expected) < 1


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (26, 200, 60)])
@pytest.mark.parametrize("kind", ["PNG", "WebP", "TIFF", "AVIF"])
def test_transparent_areas_show_the_background(kind: str, background: tuple[int, int, int]) -> None:
    decoder = PhotoDecoder(maximum_pixels=10**7, background=background)
    alpha = np.zeros(SCENE.shape[:2], np.uint8)
    alpha[:, 64:128], alpha[:, 128:] = 128, 255
    pillow, options = WRITERS[kind]
    photo = decoder.decode(written(Image.fromarray(np.dstack([SCENE, alpha])), pillow, **options))
    opacity = alpha[..., None] / 255
    expected = (SCENE * opacity + np.array(background) * (1 - opacity)).round().astype(np.uint8)
    assert difference(rgb(photo), expected) < 1.5


def test_palettes_and_16_bits_are_read(decoder: PhotoDecoder) -> None:
    picture = Image.fromarray(SCENE)
    for kind in ("PNG", "GIF", "TIFF", "BMP"):
        palette = picture.quantize(64)
        assert difference(rgb(decoder.decode(written(palette, kind))), np.asarray(palette.convert("RGB"))) < 0.5
    grey = np.asarray(picture.convert("L"))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    for kind in ("PNG", "TIFF"):
        assert difference(rgb(decoder.decode(written(deep, kind)))[..., 0], grey) < 1
    assert difference(rgb(decoder.decode(encode("png", "rgb48be", SCENE))), SCENE) < 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_picture(decoder: PhotoDecoder, kind: str) -> None:
    first, second = Image.fromarray(SCENE).quantize(64), Image.fromarray(SCENE[::-1].copy()).quantize(64)
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    body = written(first, kind, save_all=True, append_images=[second], **options)
    assert difference(rgb(decoder.decode(body)), np.asarray(first.convert("RGB"))) < 1.5


@pytest.mark.parametrize("kind", ["WebP", "WebP, lossy", "TIFF, LZW", "BMP", "AVIF"])
def test_a_file_cut_off_is_rejected(decoder: PhotoDecoder, kind: str) -> None:
    pillow, options = WRITERS[kind]
    body = written(Image.fromarray(SCENE), pillow, **options)
    for length in range(20, len(body) - 8, max(1, len(body) // 40)):
        with pytest.raises(FrameRejected) as caught:
            decoder.decode(body[:length])
        assert caught.value.reason == "undecodable"


@pytest.mark.parametrize("tag", [(50_706, 1, 4, 0x01040000), (254, 4, 1, 1)])
def test_a_cameras_raw_file_is_not_its_thumbnail(decoder: PhotoDecoder, tag: tuple[int, int, int, int]) -> None:
    body = b"II*\0" + struct.pack("<IHHHIII", 8, 1, *tag, 0) + bytes(5000)
    with pytest.raises(FrameRejected, match=r"unsupported-type: .*raw file"):
        decoder.decode(body)


def test_random_damage_gives_a_picture_or_a_rejection(decoder: PhotoDecoder) -> None:
    random = Random(12)
    profile = {"icc_profile": PROFILES["gamma 1.8"]}
    bodies = [written(Image.fromarray(SCENE), kind, **options, **profile) for kind, options in WRITERS.values()]
    bodies += [written(Image.fromarray(SCENE).quantize(64), kind) for kind in ("GIF", "BMP", "TIFF")]
    for _ in range(3_000):
        damaged = bytearray(random.choice(bodies))
        for _ in range(random.choice([1, 3, 20])):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        with suppress(FrameRejected):
            decoder.decode(bytes(damaged))


@pytest.mark.parametrize("kind", WRITERS)
def test_more_pixels_than_allowed_are_named(kind: str) -> None:
    pillow, options = WRITERS[kind]
    body = written(Image.fromarray(SCENE), pillow, **options)
    assert PhotoDecoder(maximum_pixels=192 * 96).decode(body).width == 192
    with pytest.raises(FrameRejected, match=r"too-large: .*192x96"):
        PhotoDecoder(maximum_pixels=192 * 96 - 1).decode(body)
