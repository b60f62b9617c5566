"""Streamed responses of the real bootstrap, under the local environment and under AWS's emulator."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from timelapse_runtime.emulator.deployment import INSTALLED, Deployment
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.rie import Emulator
from timelapse_runtime.runtime.loop import DEADLINE_ERROR_TYPE, TERMINATED_ERROR_TYPE

MakeLocal = Callable[..., LocalLambda]
LONG = {"do": "error", "characters": 30_000}
"""An error whose text is longer than trailers may be."""


def options(folder: Path, timeout_seconds: int) -> dict[str, Any]:
    return {
        "deployment": Deployment(
            bootstrap=INSTALLED.bootstrap,
            extensions=INSTALLED.extensions,
            task_root=Path(__file__).parent / "toys",
            handler="functions.streaming",
        ),
        "variables": {"STATEFUL_RUNTIME_PYTHON": sys.executable},
        "temp_folder": folder,
        "timeout_seconds": timeout_seconds,
    }


@pytest.fixture
def make_local(tmp_path: Path, journal: Any, ending: ExitStack) -> MakeLocal:
    def make(timeout_seconds: int = 60, on_log: Callable[[str, str], None] = journal) -> LocalLambda:
        return ending.enter_context(LocalLambda(**options(tmp_path, timeout_seconds), on_log=on_log))

    return make


def test_chunks_come_one_by_one_and_errors_in_trailers(make_local: MakeLocal, journal: Any) -> None:
    environment = make_local(2)

    complete = environment.invoke({})
    assert complete.streamed is not None
    assert (complete.streamed.chunks, complete.payload, complete.error_type) == (
        (b"first ", b"second"),
        "first second",
        None,
    )
    page = environment.invoke({"do": "stream HTTP"})
    assert page.http_head == {
        "statusCode": 404,
        "headers": {"Content-Type": "text/html", "X-Toy": "1"},
        "cookies": ["a=b"],
    }
    assert page.payload == "<p>hi"
    assert environment.invoke({"do": "stream asynchronously"}).payload == "012"
    large = environment.invoke({"do": "stream bytes", "size_bytes": 20_000_000})
    assert large.streamed is not None
    assert sum(map(len, large.streamed.chunks)) == 20_000_000 + len("first second")

    early = environment.invoke({"do": "error before the first chunk"})
    assert (early.error_type, early.streamed) == ("Function.ValueError", None)
    late = environment.invoke(LONG)
    assert (late.error_type, late.payload) == ("Function.ValueError", "first ")
    assert late.error is not None
    assert late.error["errorMessage"].startswith("éééé")
    assert environment.invoke({"do": "yield a number"}).error_type == "Runtime.MarshalError"
    slow = environment.invoke({"do": "sleep"})
    assert (slow.error_type, slow.payload, slow.timed_out) == (DEADLINE_ERROR_TYPE, "first ", False)
    assert f"closed {slow.request_id}" in journal.said
    assert environment.cold_starts == 1


@pytest.mark.parametrize(("how", "error_type"), [("exit", "Function.SystemExit"), ("die", "Runtime.TruncatedResponse")])
def test_a_process_that_ends_in_a_stream_leaves_an_error(make_local: MakeLocal, how: str, error_type: str) -> None:
    environment = make_local()
    outcome = environment.invoke({"do": how})
    assert (outcome.error_type, outcome.payload, outcome.crashed) == (error_type, "first ", True)
    assert environment.invoke({}).payload == "first second"


def test_sigterm_in_a_stream_ends_it_with_an_error(make_local: MakeLocal, journal: Any) -> None:
    def terminate(source: str, line: str) -> None:
        journal(source, line)
        if line == "sleeps":
            os.kill(environment.process_ids["runtime"], signal.SIGTERM)

    environment = make_local(on_log=terminate)
    outcome = environment.invoke({"do": "sleep"})
    assert (outcome.error_type, outcome.payload, outcome.crashed) == (TERMINATED_ERROR_TYPE, "first ", True)
    assert f"closed {outcome.request_id}" in journal.said


def test_awss_emulator_takes_a_stream_as_one_response_and_ignores_trailers(
    emulator_binary: Path, tmp_path: Path, journal: Any, ending: ExitStack
) -> None:
    emulator = ending.enter_context(
        Emulator(**options(tmp_path, 60), binary=emulator_binary, on_log=lambda line: journal("emulator", line))
    )
    assert emulator.invoke({}).body == b"first second"
    assert emulator.invoke({"do": "stream HTTP"}).body.endswith(b"}" + bytes(8) + b"<p>hi")
    assert emulator.invoke({"do": "error before the first chunk"}).payload["errorType"] == "ValueError"
    assert emulator.invoke(LONG).body == b"first "
    too_large = emulator.invoke({"do": "stream bytes", "size_bytes": 7_000_000})
    assert too_large.payload["errorType"] == "Function.ResponseSizeTooLarge"
    starts = [line for line in journal.said if "INIT START" in line]
    assert emulator.invoke({}).body == b"first second"
    assert len(starts) == 1
    assert [line for line in journal.said if "INIT START" in line] == starts
