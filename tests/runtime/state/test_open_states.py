"""The least recently used state is flushed and forgotten, and never lost by an error."""

from __future__ import annotations

import pytest

from timelapse_runtime.runtime.interrupts import DeadlineReached
from timelapse_runtime.runtime.state.errors import Fenced
from timelapse_runtime.runtime.state.open_states import OpenStates


def opened(*sizes: int, budget: int = 10) -> OpenStates[int]:
    """States `a`, `b` … that are their own sizes, used in this order."""
    states = OpenStates[int](lambda open_states: sum(open_states) <= budget)
    for key, size in zip("abcdef", sizes, strict=False):
        states.use(key, size)
    return states


def keys(states: OpenStates[int]) -> list[str]:
    return [key for key, _ in states.busiest_first()]


def test_states_that_fit_stay() -> None:
    states = opened(5, 5)
    states.make_room(lambda key, _: pytest.fail(f"{key} was flushed"))
    assert keys(states) == ["b", "a"]


def test_the_least_recently_used_ones_are_flushed_until_the_others_fit() -> None:
    states, flushed = opened(4, 4, 4, 4), list[tuple[str, int]]()
    states.use("a", 5)
    states.make_room(lambda key, state: flushed.append((key, state)))
    assert flushed == [("b", 4), ("c", 4)]
    assert keys(states) == ["a", "d"]
    assert (states.get("b"), states.get("a")) == (None, 5)


def test_a_single_state_stays_however_large() -> None:
    states = opened(1, 100)
    states.make_room(lambda _key, _state: None)
    assert keys(states) == ["b"]


def test_a_state_that_cannot_be_flushed_stays_and_is_tried_again() -> None:
    states = opened(6, 6, 1)

    def fail(_key: str, _state: int) -> None:
        raise OSError("S3 is not there")

    with pytest.raises(OSError, match="not there"):
        states.make_room(fail)
    assert keys(states) == ["c", "b", "a"]
    flushed = list[str]()
    states.make_room(lambda key, _: flushed.append(key))
    assert flushed == ["a"]


@pytest.mark.parametrize("why", [Fenced, DeadlineReached])
def test_a_state_that_is_void_or_may_be_half_saved_is_forgotten(why: type[BaseException]) -> None:
    states = opened(6, 6)

    def fail(_key: str, _state: int) -> None:
        raise why

    with pytest.raises(why):
        states.make_room(fail)
    assert keys(states) == ["b"]


def test_a_dropped_state_is_not_flushed() -> None:
    states = opened(6, 6)
    states.drop("a")
    states.drop("never opened")
    states.make_room(lambda key, _: pytest.fail(f"{key} was flushed"))
    states.drop_all()
    assert keys(states) == []
