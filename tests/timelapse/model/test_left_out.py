"""Rules for what a reel says of objects that are no frames."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.model.left_out import IGNORED, MOST_BYTES, REJECTED, LeftOut, with_notes


def rejected(key: str, frame: int = 0, reason: str = "empty") -> LeftOut:
    return LeftOut(REJECTED, reason, frame, 1_000, 1_000, key=key)


def ignored(minute: float, reason: str = "other-type", count: int = 1) -> LeftOut:
    moment = round(60_000 * minute)
    return LeftOut(IGNORED, reason, 0, moment, moment, count)


def test_a_repeated_event_changes_nothing() -> None:
    notes = with_notes((), [rejected("a", 3)], ())
    assert with_notes(notes, [rejected("a", 9)], ()) == notes == (rejected("a", 3),)


def test_other_content_that_is_rejected_takes_the_place_of_the_first() -> None:
    notes = [rejected("a", 3), rejected("b", 4), rejected("a", 9, "damaged")]
    assert with_notes((), notes, ()) == (rejected("b", 4), rejected("a", 9, "damaged"))


def test_a_key_that_is_in_the_video_has_no_note() -> None:
    assert with_notes([rejected("a")], [rejected("b")], {"a"}) == (rejected("b"),)


def test_sidecars_of_each_photo_are_one_note() -> None:
    notes = with_notes([ignored(0)], [ignored(9), ignored(18, count=2)], ())
    assert notes == (LeftOut(IGNORED, "other-type", 0, 0, 18 * 60_000, 4),)


def test_strays_at_different_times_are_several_notes() -> None:
    strays = (ignored(0), ignored(11), ignored(12, "hidden"))
    assert with_notes((), strays, ()) == strays


_NOTES = st.builds(rejected, st.text(max_size=300), st.integers(0, 10**6)) | st.builds(ignored, st.integers(0, 100))


@given(st.lists(_NOTES, max_size=200), st.lists(_NOTES, max_size=200))
def test_notes_never_grow_beyond_their_bound(before: list[LeftOut], added: list[LeftOut]) -> None:
    notes = with_notes(with_notes((), before, ()), added, ())
    assert sum(len(note.to_json()) + 1 for note in notes) <= MOST_BYTES
    assert len({note.key for note in notes if note.kind == REJECTED}) == sum(note.kind == REJECTED for note in notes)


def test_the_newest_of_many_stay() -> None:
    notes = with_notes((), [rejected(f"IMG_{number:04d}.jpg", number) for number in range(5_000)], ())
    assert len(notes) > 100
    assert [note.frame for note in notes] == list(range(5_000 - len(notes), 5_000))


def test_a_note_is_one_line_of_ascii() -> None:
    text = rejected("a\n\u2028ü\ud800.jpg").to_json()
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text)["key"] == "a\n\u2028ü\ud800.jpg"
