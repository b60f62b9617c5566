"""examples/similarity: no vector whose addition was answered is lost, whatever happens at any request to S3."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from examples.similarity.index import KEY, Similarity
from tests.examples.function_run import Faults, FunctionRun, failures
from tests.recovery.faults import PowerOff
from timelapse_runtime.runtime.state.checkpoint import StoredCheckpoint
from timelapse_runtime.runtime.state.memory import MemoryStore


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def direction(number: int) -> list[float]:
    """A vector of its own for each number below 100."""
    return [np.cos(number / 100), np.sin(number / 100)]


class IndexRun(FunctionRun):
    """Adds vectors two at a time, and knows which additions were answered."""

    def __init__(self, faults: Faults | None = None, *, with_extension: bool = True) -> None:
        self.added: set[str] = set()
        self._next = 0
        super().__init__(
            lambda store: Similarity(lambda _environment: store), faults, with_extension=with_extension, variables={}
        )

    def add(self) -> None:
        names = {str(number): direction(number) for number in (self._next, self._next + 1)}
        self._next += 2
        if self.invoke({"add": names}) is not None:
            self.added |= set(names)

    def look(self, number: int) -> None:
        """What was added is found, by itself."""
        found = self.invoke({"like": direction(number)})
        if str(number) in self.added and found is not None and found["names"] != [str(number)]:
            self.wrong.append(f"{number} is not found: {found}")

    def _done(self, store: MemoryStore, operation: str, key: str, effect: Callable[[], Any]) -> Any:
        answer = super()._done(store, operation, key, effect)
        if operation == "PutObject":
            self.check()
        return answer

    def check(self) -> None:
        """What is stored has each vector whose addition was answered, once."""
        body = self.store.peek(KEY)
        stored = np.load(io.BytesIO(body))["names"].tolist() if body else []
        if not self.added <= set(stored) or len(set(stored)) != len(stored):
            self.wrong.append(f"stored are {stored}; answered were {sorted(self.added)}")


def lived(faults: Faults | None = None, **options: Any) -> IndexRun:
    """Additions and searches in two environments, of which the first is shut down."""
    try:
        run = IndexRun(faults, **options)
    except PowerOff:  # in its init: nothing was answered
        return IndexRun(**options)
    try:
        for shutdown in (True, False):
            for number in range(3):
                run.add()
                run.look(number)
            if shutdown:
                run.shut_down()
    except PowerOff:
        run._is_dead = False
    run.check()
    return run


OPTIONS = [{"with_extension": True}, {"with_extension": False}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_no_answered_vector_is_lost_whatever_happens_at_any_request(options: dict[str, Any]) -> None:
    assert len(lived(**options).added) == 12
    assert list(failures(lived, options)) == []


def test_a_write_without_condition_is_noticed() -> None:
    def replace(self: StoredCheckpoint, body: bytes) -> None:
        self._store.put(self._key, body)

    assert meeting().wrong == []
    with patch.object(StoredCheckpoint, "replace", replace):
        assert meeting().wrong


def meeting() -> IndexRun:
    """Two environments that add in turns."""
    run = IndexRun()
    one = run.function
    run.new_environment()
    for function in (one, run.function, one, run.function):
        run.function = function
        run.add()
    run.check()
    assert len(run.added) == 8
    return run


def test_the_most_similar_come_first_and_a_name_is_replaced() -> None:
    run = IndexRun()
    assert run.invoke({"like": [1, 0]}) == {"names": []}
    assert run.invoke({"add": {"east": [2, 0], "north": [0, 1], "north-east": [1, 1]}}) == {"size": 3}
    assert run.invoke({"like": [5, 1], "count": 2}) == {"names": ["east", "north-east"]}
    assert run.invoke({"add": {"east": [-1, 0]}}) == {"size": 3}
    assert run.invoke({"like": [5, 1], "count": 9}) == {"names": ["north-east", "north", "east"]}


@pytest.mark.parametrize("vector", [[0, 0], [], [float("nan"), 1], [1, 2, 3]])
def test_a_vector_that_does_not_fit_is_refused_and_changes_nothing(vector: list[float]) -> None:
    run = IndexRun()
    run.invoke({"add": {"east": [1, 0]}})
    assert run.invoke({"add": {"odd": vector}}) is None
    assert run.invoke({"like": [1, 0], "count": 9}) == {"names": ["east"]}
