"""The examples with the real bootstrap and extension, in the local environment and under AWS's emulator.

tests/examples has what happens at each single request.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.examples.upstream import Upstream
from tests.examples.writes import SALES, VECTORS, Writes
from tests.integration.environments import kill_runtime, started
from tests.recovery.http.proxy import FaultProxy, HttpFault
from timelapse_runtime.emulator.deployment import INSTALLED, Deployment
from timelapse_runtime.emulator.s3_server import EmbeddedS3

EXAMPLES = Path(__file__).parents[2] / "examples"
MakeEnvironment = Callable[..., Any]
_bucket_numbers = itertools.count()


@pytest.fixture(scope="module")
def s3() -> Iterator[EmbeddedS3]:
    with EmbeddedS3() as server:
        yield server


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture
def bucket(s3: EmbeddedS3) -> str:
    """Of one test alone."""
    name = f"example-{next(_bucket_numbers):03}"
    s3.create_buckets(name)
    return name


@pytest.fixture(params=["local", "emulator"])
def make_environment(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    s3: EmbeddedS3,
    bucket: str,
    upstream: Upstream,
    journal: Any,
    ending: ExitStack,
) -> MakeEnvironment:
    """Makes environments of an example."""

    def make(handler: str, *, extension: bool = True, timeout_seconds: int = 60, **variables: str) -> Any:
        folder, _, name = handler.partition("/")
        options: dict[str, Any] = {
            "deployment": Deployment(
                bootstrap=INSTALLED.bootstrap,
                extensions=INSTALLED.extensions if extension else None,
                task_root=EXAMPLES / folder,
                handler=name,
            ),
            "variables": {
                "STATEFUL_RUNTIME_PYTHON": sys.executable,
                "STATE_BUCKET": bucket,
                "UPSTREAM": upstream.url,
                **s3.variables(),
                **variables,
            },
            "temp_folder": tmp_path,
            "timeout_seconds": timeout_seconds,
        }
        return started(request, ending, journal, options)

    return make


def sold(environment: Any, *amounts: int) -> list[dict[str, Any]]:
    """The responses to one sale after the other."""
    create = ["CREATE TABLE IF NOT EXISTS sales (id PRIMARY KEY, amount)"]
    insert = "INSERT OR IGNORE INTO sales VALUES (?, ?)"
    return [
        environment.invoke({"database": "shop", "statements": [create, [insert, [f"sale {amount}", amount]]]})
        for amount in amounts
    ]


def stored_amounts(environment: Any) -> list[int]:
    found = environment.invoke({"database": "shop", "statements": [["SELECT amount FROM sales ORDER BY amount"]]})
    return [amount for (amount,) in found["rows"]]


@pytest.mark.parametrize("extension", [True, False])
def test_sales_that_were_not_saved_are_saved_at_the_shutdown(
    make_environment: MakeEnvironment, *, extension: bool
) -> None:
    environment = make_environment("sqlite/ledger.Ledger", extension=extension, SAVE_EVERY="100")
    assert [answer["saved"] for answer in sold(environment, 1, 2, 3)] == [False] * 3
    environment.shutdown()
    assert stored_amounts(make_environment("sqlite/ledger.Ledger")) == [1, 2, 3]


@pytest.mark.parametrize("make_environment", ["local"], indirect=True)  # it waits for the alarm: once will do
def test_a_query_without_end_is_interrupted_in_time_and_the_process_lives(make_environment: MakeEnvironment) -> None:
    environment = make_environment("sqlite/ledger.Ledger", timeout_seconds=6)
    (before,) = sold(environment, 1)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    error = environment.invoke({"database": "shop", "statements": [[endless]]})
    assert error["errorType"] in {"OperationalError", "Function.DeadlineTooClose"}
    (after,) = sold(environment, 2)
    assert (before["saved"], after["saved"]) == (True, True)
    assert stored_amounts(environment) == [1, 2]


@pytest.mark.parametrize("extension", [True, False])
def test_vectors_whose_addition_was_answered_are_there_after_a_shutdown(
    make_environment: MakeEnvironment, *, extension: bool
) -> None:
    environment = make_environment("similarity/index.Similarity", extension=extension)
    assert environment.invoke({"add": {"east": [1, 0], "north": [0, 1]}}) == {"size": 2}
    assert environment.invoke({"like": [3, 1]}) == {"names": ["east"]}
    environment.shutdown()
    again = make_environment("similarity/index.Similarity", extension=extension)
    assert again.invoke({"like": [1, 3], "count": 2}) == {"names": ["north", "east"]}


@pytest.mark.parametrize("extension", [True, False])
def test_connections_are_kept_and_opened_again_where_the_server_closed_them(
    make_environment: MakeEnvironment, upstream: Upstream, *, extension: bool
) -> None:
    environment = make_environment("http_client/fetch.Fetcher", extension=extension)
    before, expected = upstream.connection_count, [{"status": 200, "text": path} for path in ("/a", "/b")]
    for _ in range(3):
        assert environment.invoke({"paths": ["/a", "/b"]}) == {"answers": expected}
    assert upstream.connection_count - before == 2
    upstream.close_connections()
    assert environment.invoke({"paths": ["/a", "/b"]}) == {"answers": expected}
    assert upstream.connection_count - before == 4
    environment.shutdown()
    assert make_environment("http_client/fetch.Fetcher").invoke({"paths": ["/a"]}) == {"answers": expected[:1]}


@pytest.mark.parametrize("make_environment", ["local"], indirect=True)  # it waits for the alarm: once will do
def test_a_request_that_hangs_costs_its_own_connection_only(
    make_environment: MakeEnvironment, upstream: Upstream
) -> None:
    environment = make_environment("http_client/fetch.Fetcher", timeout_seconds=6)
    before = upstream.connection_count
    environment.invoke({"paths": ["/a", "/b"]})
    assert environment.invoke({"paths": ["/hang"]})["errorType"] == "Function.DeadlineTooClose"
    environment.invoke({"paths": ["/a", "/b"]})
    assert upstream.connection_count - before == 3


either = pytest.mark.parametrize("example", [SALES, VECTORS], ids=["sqlite", "similarity"])


@pytest.fixture
def proxy(s3: EmbeddedS3, bucket: str) -> Iterator[FaultProxy]:
    """Before S3. It kills the runtime of this test."""
    with FaultProxy(s3.endpoint_url, lambda: kill_runtime(f"BUCKET={bucket}\0")) as running:
        yield running


@either
@pytest.mark.parametrize("fault", [HttpFault.KILLED_BEFORE, HttpFault.KILLED_AFTER])
def test_a_process_that_is_killed_at_a_write_loses_no_acknowledged_one(
    make_environment: MakeEnvironment, proxy: FaultProxy, bucket: str, example: Writes, fault: HttpFault
) -> None:
    environment = make_environment(example.handler, AWS_ENDPOINT_URL_S3=proxy.url)
    assert "errorType" not in environment.invoke(example.write(1))
    proxy.watch(bucket, {1: fault})
    assert "errorType" in environment.invoke(example.write(2))
    assert proxy.fired == [fault]
    assert "errorType" not in environment.invoke(example.write(3))
    done = {2} if fault is HttpFault.KILLED_AFTER else set()
    assert example.found(environment.invoke(example.read)) == {1, 3} | done


@either
@pytest.mark.parametrize("make_environment", ["local"], indirect=True)  # it waits for the alarm: once will do
def test_a_write_that_hangs_until_the_alarm_loses_no_acknowledged_one(
    make_environment: MakeEnvironment, proxy: FaultProxy, bucket: str, example: Writes
) -> None:
    environment = make_environment(example.handler, AWS_ENDPOINT_URL_S3=proxy.url, timeout_seconds=3)
    environment.invoke(example.write(1))
    proxy.watch(bucket, {1: HttpFault.NO_ANSWER})
    assert environment.invoke(example.write(2))["errorType"] == "Function.DeadlineTooClose"
    assert "errorType" not in environment.invoke(example.write(3))
    assert example.found(environment.invoke(example.read)) == {1, 2, 3}


def test_a_killed_process_takes_what_it_did_not_acknowledge_as_saved(
    make_environment: MakeEnvironment, bucket: str
) -> None:
    environment = make_environment(SALES.handler, SAVE_EVERY="2")
    answers = [environment.invoke(SALES.write(number)) for number in (1, 2, 3)]
    assert [answer["saved"] for answer in answers] == [False, True, False]
    kill_runtime(f"BUCKET={bucket}\0")
    after = environment.invoke(SALES.read)
    if "errorType" in after:  # the invocation at which the end of the process was seen
        after = environment.invoke(SALES.read)
    assert after["instance"] != answers[-1]["instance"]
    assert SALES.found(after) == {1, 2}


def test_a_killed_process_takes_its_connections_with_it(
    make_environment: MakeEnvironment, bucket: str, upstream: Upstream
) -> None:
    environment = make_environment("http_client/fetch.Fetcher")
    before, expected = upstream.connection_count, {"answers": [{"status": 200, "text": "/a"}]}
    assert environment.invoke({"paths": ["/a"]}) == expected
    kill_runtime(f"BUCKET={bucket}\0")
    assert [environment.invoke({"paths": ["/a"]}) for _ in range(3)][1:] == [expected] * 2
    assert upstream.connection_count - before == 2
