"""States by key that are open in this environment. The least recently used one is flushed and forgotten if they do not
fit together.

Owns which states are open, and in which order they were used. Knows nothing of what a state is, nor of how it is saved.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from timelapse_runtime.runtime.state.errors import Fenced

State = TypeVar("State")


class OpenStates(Generic[State]):
    """`fits` says of the open states whether they fit together: by their number, by their size, or both. A single one
    always stays."""

    def __init__(self, fits: Callable[[Collection[State]], bool]) -> None:
        self._fits = fits
        self._states: OrderedDict[str, State] = OrderedDict()

    def get(self, key: str) -> State | None:
        """The state if it is open. This does not count as a use of it."""
        return self._states.get(key)

    def use(self, key: str, state: State) -> None:
        """Keep this state. It is the most recently used one now."""
        self._states[key] = state
        self._states.move_to_end(key)

    def busiest_first(self) -> list[tuple[str, State]]:
        """The open states by key, the most recently used one first: the order in which to save them at a shutdown."""
        return list(reversed(self._states.items()))

    def make_room(self, flush: Callable[[str, State], None]) -> None:
        """While they do not fit, flush the least recently used state and forget it.

        If `flush` raises an error, the state stays open and the error passes: nothing is lost, and the next call tries
        again. It is forgotten if it is fenced, or if `flush` is interrupted (by a BaseException): then what is in
        memory is void, or may be half saved.
        """
        while len(self._states) > 1 and not self._fits(self._states.values()):
            key, state = self._states.popitem(last=False)
            try:
                flush(key, state)
            except Fenced:
                raise
            except Exception:
                self._states[key] = state
                self._states.move_to_end(key, last=False)
                raise

    def drop(self, key: str) -> None:
        """Forget the state with all that is not saved."""
        self._states.pop(key, None)

    def drop_all(self) -> None:
        """Forget all states."""
        self._states.clear()
