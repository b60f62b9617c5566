"""examples/sqlite: no change that was acknowledged as saved is lost, whatever happens at any request to S3."""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from unittest.mock import patch

import pytest

from examples.sqlite.ledger import Database, Ledger
from tests.examples.function_run import Faults, FunctionRun, failures
from tests.recovery.faults import PowerOff
from timelapse_runtime.runtime.state.checkpoint import StoredCheckpoint
from timelapse_runtime.runtime.state.memory import MemoryStore

CREATE = ["CREATE TABLE IF NOT EXISTS sales (id PRIMARY KEY, amount)"]
COUNT = ["SELECT count(*) FROM sales"]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class LedgerRun(FunctionRun):
    """Sales, each of two rows that must be there together. Knows which were acknowledged as saved."""

    def __init__(
        self, faults: Faults | None = None, *, save_every: int, with_extension: bool = True, budget_bytes: int = 10**9
    ) -> None:
        self.saved: set[tuple[str, int]] = set()
        self._unsaved: dict[tuple[str, str], set[int]] = {}
        self._next = 0
        variables = {"SAVE_EVERY": str(save_every), "BUDGET_BYTES": str(budget_bytes)}
        super().__init__(
            lambda store: Ledger(lambda _environment: store), faults, with_extension=with_extension, variables=variables
        )

    def sell(self, database: str) -> None:
        number, self._next = self._next, self._next + 1
        insert = "INSERT OR IGNORE INTO sales VALUES (?, ?)"
        rows = [[insert, [f"{number}-{half}", number]] for half in ("debit", "credit")]
        response = self.invoke({"database": database, "statements": [CREATE, *rows]})
        if response is not None:
            unsaved = self._unsaved.setdefault((database, response["instance"]), set())
            unsaved.add(number)
            if response["saved"]:
                self.saved |= {(database, one) for one in unsaved}

    def _done(self, store: MemoryStore, operation: str, key: str, effect: Callable[[], Any]) -> Any:
        answer = super()._done(store, operation, key, effect)
        if operation == "PutObject":
            self.check()
        return answer

    def check(self) -> None:
        """What is stored has each saved sale, and whole sales only."""
        for database in ("a", "b", "c"):
            stored = self.stored(database)
            halves = [name.split("-")[0] for name in stored]
            if any(halves.count(one) != 2 for one in halves):
                self.wrong.append(f"{database} has half a sale: {sorted(stored)}")
            missing = {one for name, one in self.saved if name == database and f"{one}-debit" not in stored}
            if missing:
                self.wrong.append(f"{database} has lost {missing}")

    def stored(self, database: str) -> set[str]:
        body = self.store.peek(f"databases/{database}.sqlite")
        if not body:
            return set()
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(body)
            return {str(row[0]) for row in connection.execute("SELECT id FROM sales")}


def lived(faults: Faults | None = None, **options: Any) -> LedgerRun:
    """Three databases of which two fit into the memory, a shutdown, and another environment."""
    run = LedgerRun(faults, **options)
    try:
        for database in "aababcacbaa":
            run.sell(database)
        run.shut_down()
        for database in "abc":
            run.sell(database)
        run.shut_down()
    except PowerOff:
        run._is_dead = False
    run.new_environment()
    run.check()
    return run


STEP = 13
"""Every 13th point: all take 20 seconds. `python -m tests.examples` runs them all."""
OPTIONS = [
    {"with_extension": with_extension, "save_every": save_every, "budget_bytes": 30_000}
    for with_extension in (True, False)
    for save_every in (1, 2)
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_without_faults_each_sale_is_saved_once(options: dict[str, Any]) -> None:
    run = lived(**options)
    assert run.wrong == []
    assert sum(len(run.stored(database)) for database in "abc") == 2 * 14


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_no_saved_sale_is_lost_whatever_happens_at_any_request(options: dict[str, Any]) -> None:
    assert lived(**options).saved
    assert list(failures(lived, options, step=STEP)) == []


def _answered_before_it_is_saved(self: Database) -> None:
    self.unsaved_count = 0


def _saved_one_by_one(self: Database, statements: Any) -> list[list[Any]]:
    for statement in statements:
        self._connection.execute(*statement)
        self.save()
    return []


BUGS: dict[str, tuple[Any, str, Any]] = {
    "answered before it is saved": (Database, "save", _answered_before_it_is_saved),
    "saved statement by statement": (Database, "run", _saved_one_by_one),
    "one instance for ever": (secrets, "token_hex", lambda _count: "same"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_seeded_bug_is_noticed(bug: str) -> None:
    with patch.object(*BUGS[bug]):
        assert next(failures(lived, OPTIONS[1]), None) is not None


def test_each_response_says_saved_if_every_change_is_saved() -> None:
    run = lived(save_every=1)
    assert len(run.saved) == 14


def test_changes_that_are_not_saved_are_answered_as_such_and_saved_at_a_shutdown() -> None:
    run = LedgerRun(save_every=100)
    for _ in range(3):
        run.sell("a")
    assert (run.saved, run.stored("a")) == (set(), set())
    run.shut_down()
    assert len(run.stored("a")) == 6


def meeting() -> LedgerRun:
    """Two environments that write to one database in turns."""
    run = LedgerRun(save_every=1)
    one = run.function
    run.sell("a")
    run.new_environment()
    for function in (one, run.function, one, run.function):
        run.function = function
        run.sell("a")
    run.check()
    return run


def test_two_environments_lose_no_change_of_each_other() -> None:
    run = meeting()
    assert (run.wrong, len(run.saved)) == ([], 5)


def test_a_write_without_condition_is_noticed() -> None:
    def replace(self: StoredCheckpoint, body: bytes) -> None:
        self._store.put(self._key, body)

    with patch.object(StoredCheckpoint, "replace", replace):
        assert meeting().wrong


def test_statements_that_fail_change_nothing() -> None:
    run = LedgerRun(save_every=1)
    run.sell("a")
    statements = [["INSERT INTO sales VALUES ('x', 1)"], ["INSERT INTO no_such_table VALUES (1)"]]
    assert run.invoke({"database": "a", "statements": statements}) is None
    answer = run.invoke({"database": "a", "statements": [COUNT]})
    assert (answer["rows"], answer["saved"]) == ([[2]], True)


@pytest.mark.parametrize("name", ["", "../a", "a/b", "a" * 65])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    run = LedgerRun(save_every=1)
    assert run.invoke({"database": name, "statements": [COUNT]}) is None
    assert run.requests == 0
