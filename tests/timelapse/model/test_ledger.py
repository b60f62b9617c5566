"""What a commit may claim, over every order in which frames can come."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from timelapse_runtime.timelapse.model.checkpoint import key_order
from timelapse_runtime.timelapse.model.frame_tracker import Coverage, Ledger


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
    assert ledger.coverage(2) == Coverage("b", ("d",), 0)


def test_a_listing_that_begins_again_claims_only_as_far_as_it_has_come() -> None:
    ledger = Ledger("a")
    ledger.rejected("d")
    ledger.listed_to("d")
    ledger.listing_begins()
    ledger.rejected("b")
    ledger.listed_to("b")
    assert ledger.coverage(0) == Coverage("b", (), 1)  # a c may be next
    ledger.listed_to("d")
    assert ledger.coverage(0) == Coverage("d", (), 2)


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
    assert ledger.coverage(0) == Coverage("", (), 0)
    ledger.listed_to("a")
    first = ledger.coverage(0)
    assert first == Coverage("a", (), 1)
    assert ledger.settle(first) == ["a"]
    assert ledger.coverage(0) == Coverage("a", (), 0)


def test_a_stored_frame_is_claimed_even_behind_one_that_waits() -> None:
    ledger = Ledger("a")
    ledger.held("b")
    ledger.encoded("c", 0)
    ledger.encoded("d", 1)
    ledger.rejected("e")
    ledger.listed_to("e")
    assert ledger.coverage(1) == Coverage("a", ("c",), 0)
    assert ledger.coverage(2) == Coverage("a", ("c", "d"), 0)


def test_a_stand_in_counts_as_rejected_once_it_is_stored() -> None:
    ledger = Ledger("a")
    ledger.encoded("b", 0)
    ledger.encoded("c", 1, stands_in=True)
    ledger.listed_to("c")
    assert ledger.coverage(1) == Coverage("b", (), 0)
    assert ledger.coverage(2) == Coverage("c", (), 1)


def test_a_frame_below_an_encoded_one_is_seen_to_be_out_of_order() -> None:
    ledger = Ledger("b", ("d",))
    assert (ledger.committed_key, ledger.last_encoded_key) == ("d", "d")
    ledger.held("f")
    assert ledger.last_encoded_key == "d"
    ledger.encoded("e", 3)
    ledger.rejected("g")
    assert (ledger.committed_key, ledger.last_encoded_key) == ("d", "e")


def test_a_frame_that_is_settled_is_not_taken_again() -> None:
    ledger = Ledger("")
    ledger.encoded("a", 0)
    with pytest.raises(AssertionError, match="settled"):
        ledger.held("a")


# The last four are in another order by UTF-16.
KEYS = sorted(
    [*(f"{number:02d}" for number in range(8)), "\ufffd", "\uffff", "\U00010000", "\U0001f30d"], key=key_order
)


class Lives(RuleBasedStateMachine):
    """A stream's life as its ledger sees it. Frames are taken in key order, as the stream does it; listings end, and
    commits come, anywhere; each commit stores any number of frames that came out of the encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger("")
        self.fates: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.stored = 0
        self.horizon = ""
        self.claimed: set[str] = set()
        self.rejections_counted = 0

    def _waiting(self) -> list[str]:
        return [key for key in KEYS if self.fates.get(key) == "held"]

    def _untaken(self) -> list[str]:
        encoded = [KEYS.index(key) for key in self.fates if self.fates[key] == "encoded"]
        claimed = [KEYS.index(key) for key in self.claimed]
        start = max([*encoded, *claimed], default=-1) + 1
        return [key for key in KEYS[start:] if key not in self.fates]

    @precondition(lambda self: self._untaken())
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self._untaken()))
        self.ledger.held(key)
        self.fates[key] = "held"

    @precondition(lambda self: self._untaken())
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self._untaken()))
        self.ledger.rejected(key)
        self.fates[key] = "rejected"

    @precondition(lambda self: self._waiting())
    @rule()
    def encode_oldest(self) -> None:
        key = self._waiting()[0]
        self.numbers[key] = len(self.numbers)
        self.ledger.encoded(key, self.numbers[key])
        self.fates[key] = "encoded"

    @rule(data=st.data())
    def list_up_to(self, data: st.DataObject) -> None:
        """A listing shows all frames up to some key: none below it is unknown from now on."""
        key = data.draw(st.sampled_from([key for key in KEYS if key in self.fates] or [""]))
        self.ledger.listed_to(key)
        self.horizon = max(self.horizon, key, key=key_order)

    @rule()
    def list_again(self) -> None:
        """A listing begins, and has shown nothing yet."""
        self.ledger.listing_begins()
        self.horizon = self.ledger.watermark

    @rule(data=st.data(), restart=st.booleans())
    def commit(self, data: st.DataObject, restart: bool) -> None:
        self.stored = data.draw(st.integers(self.stored, len(self.numbers)))
        before = self.ledger.watermark
        coverage = self.ledger.coverage(self.stored)
        claimed = {key for key in self.fates if key_order(key) <= key_order(coverage.watermark)} | set(coverage.ahead)
        assert key_order(before) <= key_order(coverage.watermark)
        assert key_order(coverage.watermark) <= max(key_order(before), key_order(self.horizon))
        assert all(key_order(key) > key_order(coverage.watermark) for key in coverage.ahead)
        assert self.claimed <= claimed
        for key in claimed:
            assert self.fates[key] == "rejected" or self.numbers.get(key, self.stored) < self.stored, key
        assert {key for key, number in self.numbers.items() if number < self.stored} <= claimed
        self.rejections_counted += coverage.rejected_count
        assert self.rejections_counted == len([key for key in claimed if self.fates[key] == "rejected"])
        newly_settled = self.ledger.settle(coverage)
        assert sorted(newly_settled) == sorted(claimed - self.claimed)
        self.claimed = claimed
        if restart:  # another instance knows no more than the checkpoint
            self.ledger = Ledger(coverage.watermark, coverage.ahead)
            self.fates = {key: fate for key, fate in self.fates.items() if key in claimed}
            self.numbers = {key: number for key, number in self.numbers.items() if number < self.stored}
            self.horizon = coverage.watermark

    @invariant()
    def knows_its_frames(self) -> None:
        watermark = key_order(self.ledger.watermark)
        for key in KEYS:
            if key_order(key) > watermark:
                assert (key in self.ledger) == (key in self.fates), key
        assert len(self.ledger) == len([key for key in self.fates if key not in self.claimed])


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=150, stateful_step_count=40)
