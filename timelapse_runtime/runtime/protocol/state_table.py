"""A state table: for each state the transitions that it allows, and the state that each leads to."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from timelapse_runtime.runtime.errors import LocalProtocolError

S = TypeVar("S", bound=Enum)
T = TypeVar("T", bound=Enum)


def after(table: Mapping[S, Mapping[T, S]], state: S, transition: T) -> S:
    """The state after `transition`. Raises LocalProtocolError if the table has no such transition."""
    transitions = table[state]
    if transition not in transitions:
        allowed = ", ".join(allowed.value for allowed in transitions) or "nothing"
        raise LocalProtocolError(f"in the state '{state.value}' there is no '{transition.value}'; allowed: {allowed}")
    return transitions[transition]
