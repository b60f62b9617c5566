"""Events for the examples that keep state in S3: each write is a number that must be there afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Writes:
    """Events that write numbers, one that reads them all, and how the response to that has them."""

    handler: str
    write: Callable[[int], Any]
    read: Any
    found: Callable[[Any], set[int]]


SALES = Writes(
    "sqlite/ledger.Ledger",
    lambda number: {
        "database": "shop",
        "statements": [
            ["CREATE TABLE IF NOT EXISTS sales (amount PRIMARY KEY)"],
            ["INSERT OR IGNORE INTO sales VALUES (?)", [number]],
        ],
    },
    {"database": "shop", "statements": [["SELECT amount FROM sales"]]},
    lambda response: {amount for (amount,) in response["rows"]},
)
VECTORS = Writes(
    "similarity/index.Similarity",
    lambda number: {"add": {str(number): [1, number]}},
    {"like": [1, 1], "count": 10},
    lambda response: {int(name) for name in response["names"]},
)
