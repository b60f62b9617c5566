"""HEIC as phones write it: tiles, irot and imir, profiles, and what is missing or damaged."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import numpy as np
import pytest

from tests.timelapse.video.heif_writer import write_heic
from tests.timelapse.video.test_exif import STORED, scene
from tests.timelapse.video.test_formats import PROFILES, difference, reference, rgb
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.heif import read_heif


@pytest.mark.parametrize("size", [(192, 128), (190, 100), (129, 64), (128, 130), (300, 133)])
def test_tiles_are_put_together_and_cut_to_the_picture(decoder: PhotoDecoder, size: tuple[int, int]) -> None:
    photo = decoder.decode(write_heic(scene(size)))
    assert (photo.frame.width, photo.frame.height) == size
    assert difference(rgb(photo), scene(size)) < 1.5


@pytest.mark.parametrize(
    ("turn", "mirror", "expected"),
    [
        (None, None, 1),
        (0, None, 1),
        (1, None, 8),
        (2, None, 3),
        (3, None, 6),
        (None, 0, 4),
        (None, 1, 2),
        (1, 0, 5),
        (1, 1, 7),
        (2, 0, 2),
        (2, 1, 4),
        (3, 0, 7),
        (3, 1, 5),
    ],
)
def test_irot_and_imir_turn_a_photo_upright(
    decoder: PhotoDecoder, turn: int | None, mirror: int | None, expected: int
) -> None:
    """A turn of 90 degrees anticlockwise, as often as irot says, and then imir's exchange of top and bottom or
    sides."""
    stored = scene()
    upright = np.rot90(stored, turn or 0)
    if mirror is not None:
        upright = np.flipud(upright) if mirror == 0 else np.fliplr(upright)
    photo = decoder.decode(write_heic(stored, turn=turn, mirror=mirror))
    assert photo.orientation == expected
    assert np.array_equal(STORED[expected](np.ascontiguousarray(upright)), stored)


def test_a_phones_profile_is_converted(decoder: PhotoDecoder) -> None:
    photo = decoder.decode(write_heic(scene(), icc=PROFILES["Display P3"]))
    assert difference(rgb(photo), reference(scene(), PROFILES["Display P3"])) < 1.5


def test_a_heic_cut_off_anywhere_is_rejected(decoder: PhotoDecoder) -> None:
    body = write_heic(scene())
    for length in range(24, len(body), 7):
        with pytest.raises(FrameRejected) as caught:
            decoder.decode(body[:length])
        assert caught.value.reason == "undecodable"
    assert decoder.decode(body).width == scene().shape[1]


def test_damaged_boxes_are_a_picture_or_a_rejection() -> None:
    body, random = write_heic(scene()), Random(3)
    end = body.index(b"mdat")
    for _ in range(3_000):
        damaged = bytearray(body)
        for _ in range(random.choice([1, 2, 8])):
            damaged[random.randrange(24, end)] = random.randrange(256)
        with suppress(FrameRejected):
            read_heif(bytes(damaged))
