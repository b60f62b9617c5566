"""What is measured of photos: of bright and dark, sharp and blurred ones."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy
import pytest
from PIL import Image, ImageFilter

from timelapse_runtime.emulator.scene import render_scene
from timelapse_runtime.timelapse.filters.look import look_at
from timelapse_runtime.timelapse.model.skip import Look, SkipRules, parse_skip
from timelapse_runtime.timelapse.video.codec import X264Codec

USUAL = parse_skip("dark, bright, blurred")
SIZE = 1280, 720
CODEC = X264Codec()
LOOKS, DECODER = CODEC.photo_looks(), CODEC.photo_decoder(maximum_pixels=10**8, background=(0, 0, 0))


def look_of(image: Image.Image, quality: int = 90) -> Look:
    body = io.BytesIO()
    image.save(body, "JPEG", quality=quality)
    return LOOKS.look(DECODER.decode(body.getvalue()))


@pytest.fixture(scope="module")
def day() -> dict[str, Image.Image]:
    names = {2: "dawn", 20: "morning", 30: "noon", 50: "dusk", 59: "night"}
    photos = render_scene(60, SIZE, only=names)
    return {
        name: Image.open(io.BytesIO(photo)).convert("RGB") for name, photo in zip(names.values(), photos, strict=True)
    }


@pytest.mark.parametrize("name", ["dawn", "morning", "noon", "dusk", "night"])
def test_an_ordinary_photo_is_left_alone_by_the_usual_limits(day: dict[str, Image.Image], name: str) -> None:
    assert USUAL.check_look(look_of(day[name])) is None


@pytest.mark.parametrize("name", ["morning", "noon"])
@pytest.mark.parametrize("radius", [8, 16, 24])
def test_a_blurred_photo_is_found(day: dict[str, Image.Image], name: str, radius: int) -> None:
    rejection = USUAL.check_look(look_of(day[name].filter(ImageFilter.GaussianBlur(radius))))
    assert rejection is not None
    assert rejection.reason == "skipped-blurred"


def test_blur_rises_with_the_radius_and_does_not_depend_on_contrast(day: dict[str, Image.Image]) -> None:
    blurs = [look_of(day["noon"].filter(ImageFilter.GaussianBlur(radius))).blur for radius in (0, 1, 2, 4, 8)]
    assert blurs == sorted(blurs)
    weak = day["noon"].point(lambda level: 60 + level // 2)
    assert look_of(weak).blur == pytest.approx(blurs[0], abs=0.05)


@pytest.mark.parametrize(
    ("change", "reason"),
    [(lambda level: level // 20, "skipped-dark"), (lambda level: 250 + level // 60, "skipped-bright")],
)
def test_a_photo_that_is_nearly_black_or_white_is_found(
    day: dict[str, Image.Image], change: Callable[[int], int], reason: str
) -> None:
    rejection = USUAL.check_look(look_of(day["noon"].point(change)))
    assert rejection is not None
    assert rejection.reason == reason


@pytest.mark.parametrize(("luma", "mean"), [(16, 0), (235, 255), (126, 128)])
def test_the_mean_is_in_full_range_and_a_flat_picture_is_not_blurred(luma: int, mean: int) -> None:
    look = look_at(numpy.full((360, 640), luma, numpy.uint8))
    assert look.mean == pytest.approx(mean, abs=1)
    assert look.blur == 0
    assert len(look.cells) == 144


def test_cells_are_the_means_of_parts_of_the_picture() -> None:
    luma = numpy.full((360, 640), 16, numpy.uint8)
    luma[40:80, 600:] = 235
    cells = look_at(luma).cells
    assert cells[31] == pytest.approx(255)
    assert sum(cells) == pytest.approx(255)


def test_the_same_scene_with_other_noise_is_not_frozen_and_the_same_photo_is() -> None:
    rules = SkipRules(frozen=0)
    photos = [Image.open(io.BytesIO(photo)).convert("RGB") for photo in render_scene(2_000, SIZE, only=[1_000, 1_001])]
    first, second = map(look_of, photos)
    assert rules.check_frozen(second, first) is None
    assert rules.check_frozen(look_of(photos[0]), first) is not None
    with_clock = photos[0].copy()
    with_clock.paste((255, 0, 0), (0, 700, 240, 720))
    assert rules.check_frozen(look_of(with_clock, quality=90), first) is not None


@pytest.mark.parametrize("size", [(16, 16), (161, 90), (90, 320), (4000, 3000)])
def test_photos_of_any_shape_are_measured(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (90, 90, 90))
    assert look_of(image).mean == pytest.approx(90, abs=2)
