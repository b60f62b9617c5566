"""The external extension and the internal one, against a scripted Extensions API."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import pytest

from tests.runtime.scripted_client import ScriptedTransport, Step
from timelapse_runtime.runtime import outbox
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.errors import TransportError
from timelapse_runtime.runtime.extension import MARGIN_MS, main, run
from timelapse_runtime.runtime.internal_extension import register_internally
from timelapse_runtime.runtime.outbox import Outbox, OutboxPut
from timelapse_runtime.runtime.protocol.extensions_api import ExtensionsApi
from timelapse_runtime.runtime.protocol.messages import Request, Response

NOW = 1_790_000_000_000
REGISTERED = Response(200, {"lambda-extension-identifier": "key"}, b"{}")
INVOKE = Response(200, {}, b'{"eventType":"INVOKE","deadlineMs":1,"requestId":"id-1"}')
SHUTDOWN = Response(
    200, {}, json.dumps({"eventType": "SHUTDOWN", "deadlineMs": NOW + 1400, "shutdownReason": "spindown"}).encode()
)


class ExtensionHarness:
    """Runs the extension over a script; every PUT answers 200."""

    def __init__(self, folder: Path, *steps: Step) -> None:
        self.folder = folder
        self.transport = ScriptedTransport(steps)
        self.puts: list[tuple[str, float]] = []

    def put(self, put: OutboxPut, timeout_seconds: float) -> int:
        self.puts.append((put.url, timeout_seconds))
        return 200

    def read(self, _url: str, _timeout_seconds: float) -> bytes | None:
        return None

    def run(self) -> int:
        return run(
            ExtensionsApi("timelapse-shutdown"),
            self.transport,
            folder=self.folder,
            clock=ManualClock(NOW),
            make_sender=lambda: self,
            pause=lambda _seconds: None,
        )

    @property
    def paths(self) -> list[str]:
        return [request.path.removeprefix("/2020-01-01/extension/") for request in self.transport.requests]


def test_jobs_are_sent_at_shutdown_within_the_remaining_time(tmp_path: Path) -> None:
    Outbox(tmp_path, ManualClock(NOW)).write("cam", [OutboxPut("http://s3/a", {}, b"1", "")], lifetime_seconds=60)
    harness = ExtensionHarness(tmp_path, REGISTERED, TransportError("frozen"), INVOKE, SHUTDOWN)
    assert harness.run() == 0
    assert harness.paths == ["register", *["event/next"] * 3]
    assert harness.puts == [("http://s3/a", (1400 - MARGIN_MS) / 1000)]
    assert not list(tmp_path.glob("*.job"))


def test_extension_is_extension_alive_before_it_registers_and_no_longer_than_it_lives(tmp_path: Path) -> None:
    seen: list[bool] = []

    def look(_request: Request) -> Response:
        seen.append(outbox.is_extension_alive(tmp_path))
        return REGISTERED

    assert ExtensionHarness(tmp_path, look, SHUTDOWN).run() == 0
    assert seen == [True]
    assert not outbox.is_extension_alive(tmp_path)


@pytest.mark.parametrize("step", [Response(403, {}, b'{"errorType":"Extension.AlreadyRegistered"}'), Response(200)])
def test_refused_registration_ends_the_extension(tmp_path: Path, step: Response) -> None:
    harness = ExtensionHarness(tmp_path, step)
    assert harness.run() == 1
    assert harness.paths == ["register"]


def test_error_while_waiting_is_told_to_lambda(tmp_path: Path) -> None:
    harness = ExtensionHarness(tmp_path, REGISTERED, Response(500), Response(202))
    assert harness.run() == 1
    assert harness.paths == ["register", "event/next", "exit/error"]


def test_error_at_shutdown_is_told_to_lambda(tmp_path: Path) -> None:
    def forbid(_request: Request) -> Response:
        (tmp_path / "odd.job").mkdir()  # read_bytes fails with IsADirectoryError
        return SHUTDOWN

    harness = ExtensionHarness(tmp_path, REGISTERED, forbid, Response(202))
    assert harness.run() == 1
    assert harness.transport.requests[-1].headers["Lambda-Extension-Function-Error-Type"] == "Extension.OutboxFailed"


def test_starting_it_by_hand_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        assert main([], {}) == 1
    finally:
        root.handlers[:] = before
    assert "Must be started by Lambda" in capsys.readouterr().err


def test_internal_extension_registers_for_nothing_and_waits_elsewhere() -> None:
    waiting = threading.Event()

    def wait(_request: Request) -> Response:
        waiting.set()
        return Response(403)  # ends the thread; Lambda would never answer

    transport = ScriptedTransport([REGISTERED, wait])
    assert register_internally(transport, lambda _seconds: None)
    assert waiting.wait(10)
    assert json.loads(transport.requests[0].body) == {"events": []}
    assert transport.requests[1].headers["Lambda-Extension-Identifier"] == "key"


@pytest.mark.parametrize("step", [Response(404), TransportError("refused")])
def test_runtime_goes_on_without_an_extensions_api(step: Step, caplog: pytest.LogCaptureFixture) -> None:
    assert not register_internally(ScriptedTransport([step] * 3), lambda _seconds: None)
    assert "no SIGTERM" in caplog.text
