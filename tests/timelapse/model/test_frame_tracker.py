"""What a commit may claim, over every order in which frames can come."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from timelapse_runtime.timelapse.model.frame_tracker import Coverage, FrameTracker, Place
from timelapse_runtime.timelapse.model.keys import key_order


def test_the_watermark_is_the_last_frame_of_an_unbroken_stored_run() -> None:
    tracker = FrameTracker("a")
    for number, key in enumerate("bcd"):
        tracker.encoded(key, number)
    tracker.listed_to("d")
    assert tracker.coverage(2) == Coverage("c", (), 0, 2)
    assert tracker.coverage(3) == Coverage("d", (), 0, 3)


def test_a_frame_that_waits_stops_the_watermark() -> None:
    tracker = FrameTracker("a")
    tracker.encoded("b", 0)
    tracker.pending("c")
    tracker.rejected("d")
    tracker.listed_to("d")
    assert tracker.coverage(1) == Coverage("b", (), 0, 1)
    tracker.encoded("c", 1)
    assert tracker.coverage(2) == Coverage("d", (), 1, 2)


def test_the_watermark_does_not_pass_what_no_listing_has_shown() -> None:
    tracker = FrameTracker("a")
    tracker.encoded("b", 0)
    tracker.listed_to("b")
    tracker.encoded("d", 1)
    tracker.rejected("e")
    assert tracker.coverage(2) == Coverage("b", ("d",), 0, 2)


def test_a_listing_that_begins_again_claims_only_as_far_as_it_has_come() -> None:
    tracker = FrameTracker("a")
    tracker.rejected("d")
    tracker.listed_to("d")
    tracker.listing_begins()
    tracker.rejected("b")
    tracker.listed_to("b")
    assert tracker.coverage(0) == Coverage("b", (), 1, 0)  # a c may be next
    tracker.listed_to("d")
    assert tracker.coverage(0) == Coverage("d", (), 2, 0)


def test_what_was_claimed_ahead_is_known_and_joins_the_watermark_once_listed() -> None:
    tracker = FrameTracker("b", ("d", "e"))
    assert tracker.is_known("d")
    assert tracker.place("d") is Place.TRACKED
    assert tracker.place("c") is Place.LATE
    assert tracker.committed_key == "e"
    tracker.encoded("f", 5)
    tracker.listed_to("f")
    assert tracker.coverage(6) == Coverage("f", (), 0, 6)


def test_a_rejection_is_counted_by_the_commit_that_first_claims_it() -> None:
    tracker = FrameTracker("")
    tracker.rejected("a")
    assert tracker.coverage(0) == Coverage("", (), 0, 0)
    tracker.listed_to("a")
    first = tracker.coverage(0)
    assert first == Coverage("a", (), 1, 0)
    assert not tracker.is_committed(first)
    tracker.committed(first)
    assert tracker.is_committed(first)
    assert tracker.coverage(0) == Coverage("a", (), 0, 0)


def test_a_stored_frame_is_claimed_even_behind_one_that_waits() -> None:
    tracker = FrameTracker("a")
    tracker.pending("b")
    tracker.encoded("c", 0)
    tracker.encoded("d", 1)
    tracker.rejected("e")
    tracker.listed_to("e")
    assert tracker.coverage(1) == Coverage("a", ("c",), 0, 1)
    assert tracker.coverage(2) == Coverage("a", ("c", "d"), 0, 2)


def test_a_stand_in_counts_as_rejected_once_it_is_stored() -> None:
    tracker = FrameTracker("a")
    tracker.encoded("b", 0)
    tracker.encoded("c", 1, is_repeated=True)
    tracker.listed_to("c")
    assert tracker.coverage(1) == Coverage("b", (), 0, 1)
    assert tracker.coverage(2) == Coverage("c", (), 1, 2)


def test_a_frame_below_an_encoded_one_is_seen_to_be_out_of_order() -> None:
    tracker = FrameTracker("b", ("d",))
    assert (tracker.committed_key, tracker.last_encoded_key) == ("d", "d")
    tracker.pending("f")
    assert tracker.last_encoded_key == "d"
    tracker.encoded("e", 3)
    tracker.rejected("g")
    assert (tracker.committed_key, tracker.last_encoded_key) == ("d", "e")
    assert tracker.place("dd") is Place.OVERTAKEN
    assert tracker.place("ee") is Place.NEXT


def test_a_frame_that_is_settled_is_not_taken_again() -> None:
    tracker = FrameTracker("")
    tracker.encoded("a", 0)
    with pytest.raises(AssertionError, match="settled"):
        tracker.pending("a")


def test_uncommitted_frames_are_discarded_and_what_is_committed_stays() -> None:
    tracker = FrameTracker("a", ("d",))
    tracker.remember(["a"])
    tracker.encoded("e", 0)
    tracker.late_encoded("0", 1)
    tracker.late("1")
    tracker.discard_uncommitted()
    assert len(tracker) == 0
    assert tracker.place("e") is Place.NEXT
    assert (tracker.watermark, tracker.committed_key, tracker.since_flush) == ("a", "d", 0)
    assert (tracker.late_in_encoder, tracker.take_late()) == (frozenset(), [])
    assert tracker.is_known("a")


def test_a_tracker_that_resumes_knows_the_checkpoint_and_the_recent_keys() -> None:
    tracker = FrameTracker("z", ("zz",))
    tracker.remember(["a"])
    tracker.late_encoded("0", 0)
    tracker.committed(tracker.coverage(1))
    tracker.resume("b", ("d",))
    assert (tracker.watermark, tracker.committed_key, len(tracker)) == ("b", "d", 0)
    assert tracker.take_committed_late() == []
    assert [tracker.is_known(key) for key in "acd"] == [True, False, True]


def test_a_late_frame_is_committed_with_the_frames_that_the_encoder_has_given() -> None:
    tracker = FrameTracker("m")
    tracker.late_encoded("b", 4)
    tracker.late_encoded("c", 5)
    tracker.committed(tracker.coverage(5))
    assert tracker.take_committed_late() == ["b"]
    assert tracker.take_committed_late() == []
    assert tracker.is_known("b")
    assert tracker.late_in_encoder == {"c"}


def test_a_late_photo_that_a_commit_has_stored_waits_no_longer() -> None:
    tracker = FrameTracker("m")
    tracker.late("b")
    tracker.late("c")
    tracker.late_encoded("b", 0)
    tracker.committed(tracker.coverage(1))
    assert tracker.take_late() == ["c"]


def test_frames_count_towards_the_next_flush_until_it_is_made() -> None:
    tracker = FrameTracker()
    tracker.pending("a")
    assert tracker.since_flush == 0
    tracker.encoded("a", 0)
    tracker.rejected("b")
    tracker.late_encoded("0", 1)
    tracker.committed(tracker.coverage(1))
    assert tracker.since_flush == 3
    tracker.flushed()
    assert tracker.since_flush == 0


def test_a_repeated_event_is_recognised_for_the_last_thousand_photos() -> None:
    tracker = FrameTracker("z")
    tracker.remember(f"{number:04d}" for number in range(1_001))
    assert not tracker.is_known("0000")
    assert tracker.is_known("0001")
    assert tracker.is_known("1000")


# The last four are in another order by UTF-16.
KEYS = sorted(
    [*(f"{number:02d}" for number in range(8)), "\ufffd", "\uffff", "\U00010000", "\U0001f30d"], key=key_order
)


class Lives(RuleBasedStateMachine):
    """A stream's life as its tracker sees it. Frames are taken in key order, as the stream does it; listings end, and
    commits come, anywhere; each commit stores any number of frames that came out of the encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = FrameTracker("")
        self.states: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.stored = 0
        self.horizon = ""
        self.claimed: set[str] = set()
        self.rejections_counted = 0

    def _waiting(self) -> list[str]:
        return [key for key in KEYS if self.states.get(key) == "pending"]

    def _untaken(self) -> list[str]:
        encoded = [KEYS.index(key) for key in self.states if self.states[key] == "encoded"]
        claimed = [KEYS.index(key) for key in self.claimed]
        start = max([*encoded, *claimed], default=-1) + 1
        return [key for key in KEYS[start:] if key not in self.states]

    @precondition(lambda self: self._untaken())
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self._untaken()))
        self.tracker.pending(key)
        self.states[key] = "pending"

    @precondition(lambda self: self._untaken())
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self._untaken()))
        self.tracker.rejected(key)
        self.states[key] = "rejected"

    @precondition(lambda self: self._waiting())
    @rule()
    def encode_oldest(self) -> None:
        key = self._waiting()[0]
        self.numbers[key] = len(self.numbers)
        self.tracker.encoded(key, self.numbers[key])
        self.states[key] = "encoded"

    @rule(data=st.data())
    def list_up_to(self, data: st.DataObject) -> None:
        """A listing shows all frames up to some key: none below it is unknown from now on."""
        key = data.draw(st.sampled_from([key for key in KEYS if key in self.states] or [""]))
        self.tracker.listed_to(key)
        self.horizon = max(self.horizon, key, key=key_order)

    @rule()
    def list_again(self) -> None:
        """A listing begins, and has shown nothing yet."""
        self.tracker.listing_begins()
        self.horizon = self.tracker.watermark

    @rule(data=st.data(), restart=st.booleans())
    def commit(self, data: st.DataObject, restart: bool) -> None:
        self.stored = data.draw(st.integers(self.stored, len(self.numbers)))
        before = self.tracker.watermark
        coverage = self.tracker.coverage(self.stored)
        claimed = {key for key in self.states if key_order(key) <= key_order(coverage.watermark)} | set(
            coverage.committed_ahead
        )
        assert key_order(before) <= key_order(coverage.watermark)
        assert key_order(coverage.watermark) <= max(key_order(before), key_order(self.horizon))
        assert all(key_order(key) > key_order(coverage.watermark) for key in coverage.committed_ahead)
        assert self.claimed <= claimed
        for key in claimed:
            assert self.states[key] == "rejected" or self.numbers.get(key, self.stored) < self.stored, key
        assert {key for key, number in self.numbers.items() if number < self.stored} <= claimed
        self.rejections_counted += coverage.rejected_count
        assert self.rejections_counted == len([key for key in claimed if self.states[key] == "rejected"])
        self.tracker.committed(coverage)
        assert all(self.tracker.is_known(key) for key in claimed - self.claimed)
        self.claimed = claimed
        if restart:  # another instance, or this one after discarding, knows no more than the checkpoint
            if data.draw(st.booleans()):
                self.tracker = FrameTracker(coverage.watermark, coverage.committed_ahead)
            else:
                self.tracker.discard_uncommitted()
            self.states = {key: state for key, state in self.states.items() if key in claimed}
            self.numbers = {key: number for key, number in self.numbers.items() if number < self.stored}
            self.horizon = coverage.watermark

    def _expected_place(self, key: str) -> Place:
        """By brute force."""
        if key in self.states:
            return Place.TRACKED
        committed = max((key_order(one) for one in self.claimed), default=b"")
        encoded = max((key_order(one) for one in self.numbers), default=b"")
        if key_order(key) <= committed:
            return Place.LATE
        return Place.OVERTAKEN if key_order(key) < max(committed, encoded) else Place.NEXT

    @invariant()
    def knows_its_frames(self) -> None:
        watermark = key_order(self.tracker.watermark)
        for key in KEYS:
            if key_order(key) > watermark:
                assert (self.tracker.place(key) is Place.TRACKED) == (key in self.states), key
                assert self.tracker.place(key) is self._expected_place(key), key
        assert len(self.tracker) == len([key for key in self.states if key not in self.claimed])


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=150, stateful_step_count=40)
