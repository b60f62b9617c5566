"""A similarity index that stays in memory and is saved to S3 as one object. `_HANDLER` is `index.Similarity`.

Events: `{"add": {"name": [0.1, …], …}}` adds vectors, or replaces those with the same names; `{"like": [0.1, …],
"count": 3}` gives the names that are most similar, by the cosine of the angle, the best first.

What is acknowledged: the response to `add` comes after the vectors are in S3. So the function has nothing to save at a
shutdown, and needs no `flush` and no `close`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timelapse_runtime.runtime import Context, Environment, Fenced, S3Store, Store, StoredCheckpoint, make_client

KEY = "index.npz"
_FENCED_TRIES = 3


def _s3(environment: Environment) -> Store:
    return S3Store(make_client(variables=environment.variables), environment.variables["STATE_BUCKET"])


@dataclass(frozen=True)
class Index:
    """Names, and for each a vector of length 1: an array of shape (names, dimensions)."""

    names: list[str]
    vectors: NDArray[np.float32]

    def with_added(self, names: list[str], vectors: NDArray[np.float32]) -> Index:
        """Another index, in which these take the place of those with the same names. Raises ValueError."""
        if self.names and vectors.shape[1] != self.vectors.shape[1]:
            raise ValueError(f"the vectors of this index have {self.vectors.shape[1]} numbers, not {vectors.shape[1]}")
        replaced = set(names)
        kept = [place for place, name in enumerate(self.names) if name not in replaced]
        if not kept:
            return Index(names, vectors)
        return Index([*(self.names[place] for place in kept), *names], np.concatenate([self.vectors[kept], vectors]))

    def to_bytes(self) -> bytes:
        """As it is stored: a file of numpy's format npz."""
        body = io.BytesIO()
        np.savez(body, names=np.array(self.names), vectors=self.vectors)
        return body.getvalue()


class Similarity:
    """The function. Tests give `make_store`."""

    def __init__(self, make_store: Callable[[Environment], Store] = _s3) -> None:
        self._make_store = make_store
        self._index: Index | None = None

    def open(self, environment: Environment) -> None:
        """Load the index from the bucket that the variable STATE_BUCKET names."""
        self._checkpoint = StoredCheckpoint(self._make_store(environment), KEY)
        self._index = self._load()

    def invoke(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Add, or look. Raises ValueError, StateError."""
        if context.follows_interruption:
            self._index = None  # the write that was interrupted may have happened
        return self._add(event["add"]) if "add" in event else self._like(event["like"], int(event.get("count", 1)))

    def _loaded(self) -> Index:
        """The index in memory, loaded if it was dropped."""
        if self._index is None:
            self._index = self._load()
        return self._index

    def _load(self) -> Index:
        stored = self._checkpoint.load()
        if stored is None:
            return Index([], np.zeros((0, 0), np.float32))
        with np.load(io.BytesIO(stored.body)) as arrays:
            return Index(arrays["names"].tolist(), arrays["vectors"])

    def _add(self, added: Mapping[str, Sequence[float]]) -> dict[str, Any]:
        vectors = _units(list(added.values()))
        for left in reversed(range(_FENCED_TRIES)):
            index = self._loaded().with_added(list(added), vectors)
            try:
                self._checkpoint.replace(index.to_bytes())  # in S3 first, then in memory
            except Fenced:
                self._index = None  # another environment has added to it: add to that
                if not left:
                    raise
            else:
                self._index = index
                return {"size": len(index.names)}
        raise AssertionError("unreachable")

    def _like(self, vector: Sequence[float], count: int) -> dict[str, Any]:
        index, unit = self._loaded(), _units([vector])[0]
        if not index.names:
            return {"names": []}
        best = np.argsort(-(index.vectors @ unit), kind="stable")[:count]
        return {"names": [index.names[place] for place in best]}


def _units(vectors: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    """The vectors, each of length 1. Raises ValueError if one has none, or if they are not of one dimension."""
    array = np.array(vectors, np.float32)
    lengths = np.linalg.norm(array, axis=1, keepdims=True) if array.ndim == 2 else np.zeros(1)
    if not np.all(np.isfinite(lengths) & (lengths > 0)):
        raise ValueError("a vector must have a direction: finite numbers, not all zero")
    units: NDArray[np.float32] = array / lengths
    return units
