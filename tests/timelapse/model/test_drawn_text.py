"""Text that cannot be drawn is refused before a frame has it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timelapse_runtime.timelapse.model.drawn_text import CHARACTERS, CLOCK_PATTERN, Place, parse_caption, parse_clock
from timelapse_runtime.timelapse.model.refusal import Refusal


@pytest.mark.parametrize("text", ["Hafen Süd", "Пристань, Λόφος \u2013 Ω", "Երևան, თბილისი", "25 °C ☀ → 3 €", "100 %"])
def test_captions_of_many_languages_are_taken(text: str) -> None:
    assert parse_caption(text) == text


def test_a_letter_and_its_accent_become_one_character() -> None:
    assert parse_caption("Su\u0308d") == "Süd"
    with pytest.raises(Refusal, match=re.escape("(U+0308)")):
        parse_caption("q\u0308")  # there is no such letter


@pytest.mark.parametrize(
    "text", ["東京", "שלום", "مرحبا", "नमस्ते", "\u200bx", "\u202ex", "\xa0", "\xadx", "😀", "\ufffd"]
)
def test_what_the_font_does_not_have_or_not_well_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="cannot be drawn"):
        parse_caption(text)


def test_nothing_is_drawn_for_no_text() -> None:
    assert (parse_caption(""), parse_clock("off")) == (None, None)


@pytest.mark.parametrize("text", ["%Y-%m-%d %H:%M:%S", "%-d. %B %Y, %H Uhr", "100 %% %p", "%A", "Tag %j"])
def test_a_clock_is_a_format_of_strftime(text: str) -> None:
    assert parse_clock(text) == text


@pytest.mark.parametrize("text", ["", "on", "H:M", "%", "%%", "%H %", "%Q", "%c", "%-A", "%5Y", "%H\n%M", "%s"])
def test_a_clock_without_a_time_or_with_another_directive_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_clock(text)


@settings(max_examples=50)
@given(st.from_regex(CLOCK_PATTERN, fullmatch=True))
def test_whatever_a_clock_shows_can_be_drawn(text: str) -> None:
    try:
        form = parse_clock(text)
    except Refusal:
        assert not set(text) <= CHARACTERS
    else:
        written = datetime(2026, 11, 26, 9, 5, 7, tzinfo=UTC).strftime(form or "")
        assert set(written) <= CHARACTERS


def test_each_place_is_at_an_edge_or_in_the_middle() -> None:
    assert {(place.is_top, place.is_left, place.is_right) for place in Place} == {
        (is_top, *side) for is_top in (True, False) for side in ((True, False), (False, True), (False, False))
    }
