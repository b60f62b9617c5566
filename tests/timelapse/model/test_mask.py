"""Masks are read from a setting's text, or refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timelapse_runtime.timelapse.model.mask import MASKS_PATTERN, Cover, Mask, parse_masks


def test_two_corners_are_a_rectangle_and_more_a_polygon() -> None:
    masks = parse_masks("black 0,0 25,12.5; pixelate 60,40 75,40 80,55;1,2 3,4")
    assert masks == (
        Mask(Cover.BLACK, ((0, 0), (0.25, 0), (0.25, 0.125), (0, 0.125))),
        Mask(Cover.PIXELATE, ((0.6, 0.4), (0.75, 0.4), (0.8, 0.55))),
        Mask(Cover.BLUR, ((0.01, 0.02), (0.03, 0.02), (0.03, 0.04), (0.01, 0.04))),
    )


def test_off_is_no_mask() -> None:
    assert parse_masks("off") == ()


@pytest.mark.parametrize(
    "text",
    [
        *("", "on", "blur", "blur 10,10", "10,10", "10,10 20", "10,10,20,20", "10;10 20;20", "-1,0 5,5"),
        *("1000,0 5,5", "1.,0 5,5", "1e1,0 5,5", "nan,0 5,5", "10,10 20,20;", ";10,10 20,20", "Blur 1,1 5,5"),
        *("blurred 1,1 5,5", "blur1,1 5,5", "off; 1,1 5,5", "1,1\n5,5", "1,1 5,5 0,9 9"),
    ],
)
def test_a_text_that_is_no_mask_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_masks(text)


@pytest.mark.parametrize("text", ["100.1,0 5,5", "0,0 5,101", "999,999 1,1"])
def test_an_area_beyond_the_picture_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="lies beyond the picture"):
        parse_masks(text)


@pytest.mark.parametrize("text", ["10,10 10,20", "10,10 20,10", "5,5 5,5", "10,10 20,10 30,10", "1,0 1,1; 0,0 9,9"])
def test_an_area_without_size_is_refused(text: str) -> None:
    assert re.fullmatch(MASKS_PATTERN, text)
    with pytest.raises(ValueError, match="has no size"):
        parse_masks(text)


@settings(max_examples=30)
@given(st.from_regex(MASKS_PATTERN, fullmatch=True))
def test_what_the_pattern_takes_is_read_or_refused_for_its_area(text: str) -> None:
    try:
        masks = parse_masks(text)
    except ValueError as error:
        assert str(error).endswith(("has no size", "lies beyond the picture"))  # noqa: PT017
    else:
        assert all(0 <= number <= 1 for mask in masks for corner in mask.corners for number in corner)
