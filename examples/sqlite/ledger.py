"""SQLite databases that stay open in memory and are saved to S3, each as one object. `_HANDLER` is `ledger.Ledger`.

Event: `{"database": "shop", "statements": [["INSERT OR IGNORE INTO sales VALUES (?, ?)", ["id", 3]], …]}`. The
statements are one transaction. Response: `{"rows": rows of the last statement, "instance": …, "saved": true or false}`.

What is acknowledged: a change is in S3 if its response says `saved`, or if a later response for the database does that
has the same `instance`. With SAVE_EVERY=1, the default, each response of a change says so. With a larger one, changes
are saved after so many of them, when the database is closed to make room, and at a shutdown; what is killed before is
lost, and the next response has another `instance`. An event may run twice, as always on Lambda: write statements that
can be repeated.
"""

from __future__ import annotations

import logging
import re
import secrets
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from timelapse_runtime.runtime import (
    Context,
    Deadline,
    Environment,
    Fenced,
    OpenStates,
    Outbox,
    S3Store,
    StateError,
    Store,
    StoredCheckpoint,
    make_client,
)

_log = logging.getLogger(__name__)
_FENCED_TRIES = 3
_INSTRUCTIONS = 100_000
"""Of SQLite's virtual machine, between two looks at the signals: some milliseconds."""


def _s3(environment: Environment) -> Store:
    return S3Store(make_client(variables=environment.variables), environment.variables["STATE_BUCKET"])


class Database:
    """One database, in memory as it was when it was last saved, and with the changes since."""

    def __init__(self, store: Store, name: str) -> None:
        self._checkpoint = StoredCheckpoint(store, f"databases/{name}.sqlite", content_type="application/vnd.sqlite3")
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        stored = self._checkpoint.load()
        if stored is not None and stored.body:
            self._connection.deserialize(stored.body)
        # While SQLite works, Python's signal handlers wait: so they do not, and a long query is interrupted in time.
        self._connection.set_progress_handler(lambda: 0, _INSTRUCTIONS)
        self.instance, self.unsaved_count = secrets.token_hex(4), 0

    @property
    def size_bytes(self) -> int:
        """What it takes in memory."""
        return self._number("page_count") * self._number("page_size")

    def run(self, statements: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Run a transaction. Returns the last statement's rows. Raises sqlite3.Error: then nothing was changed."""
        before, rows = self._changes(), list[Sequence[Any]]()
        with self._connection:
            self._connection.execute("BEGIN")
            for statement in statements:
                rows = self._connection.execute(*statement).fetchall()
        self.unsaved_count += self._changes() != before
        return [list(row) for row in rows]

    def save(self) -> None:
        """Save it to S3. Raises Fenced, StorageError."""
        self._checkpoint.replace(self._connection.serialize())
        self.unsaved_count = 0

    def leave(self, outbox: Outbox | None) -> None:
        """Save it at a shutdown. Raises as `save` does, and OSError."""
        self._checkpoint.leave(self._connection.serialize(), outbox)
        self.unsaved_count = 0

    def _changes(self) -> tuple[int, int]:
        return self._connection.total_changes, self._number("schema_version")

    def _number(self, pragma: str) -> int:
        return int(self._connection.execute(f"PRAGMA {pragma}").fetchone()[0])


class Ledger:
    """The function. Tests give `make_store`."""

    def __init__(self, make_store: Callable[[Environment], Store] = _s3) -> None:
        self._make_store = make_store
        self._in_use = ""

    def open(self, environment: Environment) -> None:
        """Read the variables STATE_BUCKET, SAVE_EVERY and BUDGET_BYTES (of all open databases; by default a quarter of
        the function's memory, because saving one needs its size once more)."""
        variables = environment.variables
        self._store, self._outbox = self._make_store(environment), environment.outbox
        self._save_every = int(variables.get("SAVE_EVERY", "1"))
        memory_mb = int(variables.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"))
        self._budget_bytes = int(variables.get("BUDGET_BYTES", memory_mb * 1024**2 // 4))
        self._databases = OpenStates(self._fit)

    def invoke(self, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Run the event's statements. Raises ValueError, sqlite3.Error, StateError."""
        if context.follows_interruption:
            self._databases.drop(self._in_use)  # it may be half saved
        name = event["database"]
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise ValueError(f"a database's name has letters, digits, - and _; got {name!r}")
        self._in_use = name
        for left in reversed(range(_FENCED_TRIES)):
            try:
                return self._run(name, event["statements"])
            except Fenced:
                self._databases.drop(name)  # another environment has changed it: run the statements on that
                if not left:
                    raise
        raise AssertionError("unreachable")

    def flush(self, deadline: Deadline) -> None:
        """Save what is not saved, the most recently used database first."""
        if deadline.follows_interruption:
            self._databases.drop(self._in_use)
        for name, database in self._databases.busiest_first():
            try:
                if database.unsaved_count:
                    database.leave(self._outbox)
            except (StateError, OSError) as error:
                _log.warning("not saved at the shutdown", extra={"database": name}, exc_info=error)

    def _run(self, name: str, statements: Sequence[Sequence[Any]]) -> dict[str, Any]:
        database = self._databases.get(name) or Database(self._store, name)
        self._databases.use(name, database)
        rows = database.run(statements)
        if database.unsaved_count >= self._save_every:
            database.save()
        self._databases.make_room(_save_evicted)
        return {"rows": rows, "instance": database.instance, "saved": database.unsaved_count == 0}

    def _fit(self, databases: Collection[Database]) -> bool:
        return sum(database.size_bytes for database in databases) <= self._budget_bytes


def _save_evicted(name: str, database: Database) -> None:
    try:
        if database.unsaved_count:
            database.save()
    except Fenced as error:
        _log.warning("unsaved changes are lost", extra={"database": name}, exc_info=error)
