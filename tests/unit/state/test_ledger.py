"""What a commit may claim, over every order in which frames can come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.state.ledger import Coverage, Ledger


def test_the_watermark_is_the_last_frame_of_an_unbroken_stored_run() -> None:
    ledger = Ledger("a")
    for number, key in enumerate("bcd"):
        ledger.encoded(key, number)
    ledger.listed_to("d")
    assert ledger.coverage(2) == Coverage("c", (), 0)
    assert ledger.coverage(3) == Coverage("d", (), 0)


def test_a_frame_that_waits_stops_the_watermark() -> None:
    ledger = Ledger("a")
    ledger.encoded("b", 0)
    ledger.held("c")
    ledger.rejected("d")
    ledger.listed_to("d")
    assert ledger.coverage(1) == Coverage("b", (), 0)
    ledger.encoded("c", 1)
    assert ledger.coverage(2) == Coverage("d", (), 1)


def test_the_watermark_does_not_pass_what_no_listing_has_shown() -> None:
    ledger = Ledger("a")
    ledger.encoded("b", 0)
    ledger.listed_to("b")
    ledger.encoded("d", 1)
    ledger.rejected("e")
    assert ledger.coverage(2) == Coverage("b", ("d", "e"), 1)


def test_what_was_claimed_ahead_is_known_and_joins_the_watermark_once_listed() -> None:
    ledger = Ledger("b", ("d", "e"))
    assert "d" in ledger
    assert ledger.committed_key == "e"
    ledger.encoded("f", 5)
    ledger.listed_to("f")
    assert ledger.coverage(6) == Coverage("f", (), 0)


def test_a_rejection_is_counted_by_the_commit_that_first_claims_it() -> None:
    ledger = Ledger("")
    ledger.rejected("a")
    first = ledger.coverage(0)
    assert (first.ahead, first.rejected_count) == (("a",), 1)
    assert ledger.settle(first) == ["a"]
    ledger.listed_to("a")
    assert ledger.coverage(0) == Coverage("a", (), 0)


KEYS = [f"{number:02d}" for number in range(12)]


@given(st.data())
def test_no_life_claims_too_much_or_too_little(data: st.DataObject) -> None:
    """Frames come in key order with gaps; some are rejected, some wait; listings and commits fall anywhere."""
    ledger = Ledger("")
    fates: dict[str, str] = {}
    numbers: dict[str, int] = {}
    horizon = ""
    stored = 0
    claimed_before: set[str] = set()
    waiting: list[str] = []
    for key in data.draw(st.lists(st.sampled_from(KEYS), unique=True).map(sorted)):
        fate = data.draw(st.sampled_from(["encoded", "held", "rejected"]))
        if fate == "encoded":
            for earlier in waiting:  # the window is emptied in order
                numbers[earlier] = len(numbers)
                ledger.encoded(earlier, numbers[earlier])
                fates[earlier] = "encoded"
            waiting = []
            numbers[key] = len(numbers)
            ledger.encoded(key, numbers[key])
        elif fate == "held":
            waiting.append(key)
            ledger.held(key)
        else:
            ledger.rejected(key)
        fates[key] = fate
        if data.draw(st.booleans()):
            horizon = key
            ledger.listed_to(key)
        if data.draw(st.booleans()):
            stored = data.draw(st.integers(stored, len(numbers)))
            watermark_before = ledger.watermark
            coverage = ledger.coverage(stored)
            claimed = {k for k in fates if k <= coverage.watermark} | set(coverage.ahead)
            assert coverage.watermark >= watermark_before
            assert coverage.watermark <= max(horizon, watermark_before)
            for k in claimed:
                assert fates[k] == "rejected" or (fates[k] == "encoded" and numbers[k] < stored), k
            assert {k for k, number in numbers.items() if number < stored} <= claimed
            assert claimed_before <= claimed
            ledger.settle(coverage)
            claimed_before = claimed
            assert all(k in ledger for k in fates if k not in claimed)
