"""A function of one's own under awslambdaric, with this project's extension, in the local environment and under RIE."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Journal
from tests.programs import BENCH_PYTHON, require_bench
from timelapse_runtime.emulator.deployment import INSTALLED, Deployment
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.rie import Emulator

ROOT = Path(__file__).parents[2]
FUNCTION = """
import json, os, signal, time
from timelapse_runtime.runtime import managed

class Counter:
    def open(self, environment):
        self.count, self.has_outbox = 0, environment.outbox is not None

    def invoke(self, event, context):
        signal.signal(signal.SIGTERM, lambda *_: self.note("own handler"))
        time.sleep(event.get("sleep", 0))
        self.count += 1
        return {"count": self.count, "outbox": self.has_outbox, "interrupted": context.follows_interruption}

    def flush(self, deadline):
        self.note("flush")

    def close(self, deadline):
        self.note("close")

    def note(self, step):
        with open(os.environ["NOTES"], "a") as notes:
            notes.write(f"{step} {self.count}\\n")

handler = managed(Counter)
"""


@pytest.fixture
def deploy(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """What environment and emulator are made with; without the extension if it is told so. With `thread`, AWS's client
    waits for events in a thread, as it does since Python 3.12: then Python's signal handlers run in the main one."""
    require_bench()
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "counter.py").write_text(FUNCTION)
    bootstrap = tmp_path / "task" / "bootstrap"
    bootstrap.write_text(f"#!/bin/sh\nexec '{BENCH_PYTHON}' -u -m awslambdaric \"$_HANDLER\"\n")
    bootstrap.chmod(0o755)

    def deployed(*, extension: bool = True, thread: bool = False) -> dict[str, Any]:
        deployment = Deployment(
            bootstrap=bootstrap,
            extensions=INSTALLED.extensions if extension else None,
            task_root=bootstrap.parent,
            handler="counter.handler",
        )
        variables = {
            "PYTHONPATH": str(ROOT),
            "NOTES": str(tmp_path / "notes"),
            "STATEFUL_RUNTIME_PYTHON": str(BENCH_PYTHON),
        }
        if thread:
            variables["AWS_EXECUTION_ENV"] = "AWS_Lambda_python3.13"
        return {"deployment": deployment, "variables": variables, "temp_folder": tmp_path}

    return deployed


@pytest.mark.parametrize(("extension", "thread"), [(True, False), (True, True), (False, True)])
def test_it_saves_at_a_shutdown_and_keeps_its_memory_at_a_time_out(
    extension: bool,
    thread: bool,
    deploy: Callable[..., dict[str, Any]],
    journal: Journal,
    ending: ExitStack,
    tmp_path: Path,
) -> None:
    options = deploy(extension=extension, thread=thread)
    running = ending.enter_context(LocalLambda(**options, on_log=journal, timeout_seconds=2))
    first = running.invoke({})
    assert first.payload == {"count": 1, "outbox": extension, "interrupted": False}, journal.said
    late = running.invoke({"sleep": 30})
    assert late.error is not None
    assert (late.timed_out, late.error["errorType"]) == (False, "TimeoutError")
    assert running.invoke({}).payload == {"count": 2, "outbox": extension, "interrupted": True}
    report = running.shutdown()
    assert not report.runtime_killed
    assert (tmp_path / "notes").read_text().splitlines() == ["own handler 2", "flush 2", "close 2"]
    assert running.cold_starts == 1


def test_it_does_the_same_under_awss_emulator(
    deploy: Callable[..., dict[str, Any]], emulator_binary: Path, ending: ExitStack, tmp_path: Path
) -> None:
    running = ending.enter_context(Emulator(binary=emulator_binary, **deploy()))
    for count in (1, 2):
        assert json.loads(running.invoke({}).body) == {"count": count, "outbox": True, "interrupted": False}
    running.shutdown()
    assert (tmp_path / "notes").read_text() == "own handler 2\nflush 2\nclose 2\n"
