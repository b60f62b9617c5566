"""What the state saves: `python -m tests.examples.measure NAME`.

Invokes the example's function in this process, with moto's S3 server beside it: first with its state kept between
invocations, then opened for each invocation. The S3 client is kept in both. Prints the median of each.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from examples.http_client.fetch import Fetcher
from examples.similarity.index import Similarity
from examples.sqlite.ledger import Ledger
from tests.certificate import write_certificate
from tests.examples.function_run import context
from tests.examples.upstream import Upstream
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime import Deadline, Environment, S3Store, Store, make_client

INVOCATIONS = 30


@dataclass(frozen=True)
class Example:
    """`make` gives the function. `prepare` is invoked first, then each of `events`, by what it does."""

    make: Callable[[Store], Any]
    prepare: Sequence[Any]
    events: Mapping[str, Callable[[int], Any]]


def _sales(first: int, count: int) -> Any:
    insert = "INSERT OR IGNORE INTO sales VALUES (?, ?)"
    rows = [[insert, [f"{number:08}", random.random()]] for number in range(first, first + count)]
    return {"database": "shop", "statements": [["CREATE TABLE IF NOT EXISTS sales (id PRIMARY KEY, amount)"], *rows]}


_LOOK = {"database": "shop", "statements": [["SELECT amount FROM sales WHERE id = ?", ["00000007"]]]}
_RANDOM = np.random.default_rng(1)
_DIMENSIONS = 64


def _vectors(first: int, count: int) -> Any:
    drawn = _RANDOM.standard_normal((count, _DIMENSIONS)).tolist()
    return {"add": {f"item {first + number}": vector for number, vector in enumerate(drawn)}}


EXAMPLES = {
    "similarity": Example(
        lambda store: Similarity(lambda _environment: store),
        [_vectors(0, 20_000)],
        {
            "look among 20,000 vectors": lambda _number: {"like": _RANDOM.standard_normal(_DIMENSIONS), "count": 3},
            "add one": lambda number: _vectors(10**6 + number, 1),
        },
    ),
    "sqlite": Example(
        lambda store: Ledger(lambda _environment: store),
        [_sales(0, 100_000)],
        {"read one of 100,000 rows": lambda _number: _LOOK, "write one": lambda number: _sales(10**6 + number, 1)},
    ),
}


def median_ms(invoke: Callable[[Any], Any], event_of: Callable[[int], Any], numbers: range) -> float:
    """Of invocations one after the other."""
    taken = []
    for number in numbers:
        event = event_of(number)
        began = time.perf_counter()
        invoke(event)
        taken.append(time.perf_counter() - began)
    return 1_000 * statistics.median(taken)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.examples.measure", description=__doc__)
    parser.add_argument("name", choices=["http_client", *EXAMPLES])
    name = parser.parse_args().name
    measure_connections() if name == "http_client" else measure(EXAMPLES[name])


def measure(example: Example) -> None:
    """An example that keeps its state in S3."""
    with EmbeddedS3() as server:
        server.create_buckets("state")
        store = S3Store(make_client(variables=server.variables()), "state")

        def opened() -> Any:
            function = example.make(store)
            function.open(Environment({}, None, "measured"))
            return function

        kept = opened()
        for event in example.prepare:
            kept.invoke(event, context())
        ways: dict[str, Callable[[Any], Any]] = {
            "state kept": lambda event: kept.invoke(event, context()),
            "opened for each": lambda event: opened().invoke(event, context()),
        }
        for what, event_of in example.events.items():
            for place, (way, invoke) in enumerate(ways.items()):
                numbers = range(place * INVOCATIONS, (place + 1) * INVOCATIONS)
                print(f"{what}, {way}: {median_ms(invoke, event_of, numbers):.2f} ms")


def measure_connections() -> None:
    """The HTTP client, with a TLS server in this process: no time on the network is in it."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        certificate = write_certificate(Path(folder, "both.pem"), "localhost")
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(certificate)
        with Upstream(server) as upstream:
            environment = Environment({"UPSTREAM": upstream.url, "CA_FILE": str(certificate)}, None, "measured")
            kept = Fetcher()
            runner.run(kept.open(environment))

            async def opened(event: Any) -> Any:
                function = Fetcher()
                await function.open(environment)
                try:
                    return await function.invoke(event, context())
                finally:
                    await function.close(Deadline(0))

            ways: dict[str, Callable[[Any], Any]] = {
                "connections kept": lambda event: runner.run(kept.invoke(event, context())),
                "opened for each": lambda event: runner.run(opened(event)),
            }
            for way, invoke in ways.items():
                before = upstream.connection_count
                taken_ms = median_ms(invoke, lambda _number: {"paths": ["/a", "/b"]}, range(INVOCATIONS))
                handshakes = upstream.connection_count - before
                print(f"two GETs, {way}: {taken_ms:.2f} ms, {handshakes} handshakes in {INVOCATIONS} invocations")
            runner.run(kept.close(Deadline(0)))


if __name__ == "__main__":
    main()
