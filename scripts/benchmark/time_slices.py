"""Candidates interleaved: each works for a slice of time while the others are stopped, until all have finished their
turn.

On a shared machine the same work takes up to twice the CPU time for some seconds or minutes, when others use the
other half of a core. Of slices that are short against that, each candidate gets the same share.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeVar

SLICE_SECONDS = 0.5

T = TypeVar("T")
TimeSlices = Generator[None, None, T]
"""Work that pauses at each `yield`, about every SLICE_SECONDS; it returns its result."""


def interleave(works: Sequence[TimeSlices[T]]) -> list[T]:
    """Do all of them, a slice of each at a time. Returns the result of each."""
    done: dict[int, T] = {}
    try:
        while len(done) < len(works):
            for number, work in enumerate(works):
                if number not in done:
                    try:
                        next(work)
                    except StopIteration as end:
                        done[number] = end.value
    finally:
        for work in works:
            work.close()
    return [done[number] for number in range(len(works))]


def alone(work: TimeSlices[T]) -> T:
    """Do one alone, without pauses."""
    return interleave([work])[0]
