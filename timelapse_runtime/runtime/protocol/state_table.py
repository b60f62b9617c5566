"""A state table: for each state the moves that it allows, and where they lead."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from timelapse_runtime.runtime.errors import LocalProtocolError

S = TypeVar("S", bound=Enum)
M = TypeVar("M", bound=Enum)


def after(table: Mapping[S, Mapping[M, S]], state: S, move: M) -> S:
    """The state that `move` leads to. Raises LocalProtocolError where the table has no such move."""
    moves = table[state]
    if move not in moves:
        allowed = ", ".join(allowed.value for allowed in moves) or "nothing"
        raise LocalProtocolError(f"in the state '{state.value}' there is no '{move.value}'; allowed: {allowed}")
    return moves[move]
