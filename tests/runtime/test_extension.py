"""The external extension and the internal one, against a scripted Extensions API."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import pytest

from timelapse_runtime.runtime import outbox
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.errors import TransportError
from timelapse_runtime.runtime.extension import MARGIN_MS, main, run
from timelapse_runtime.runtime.internal_extension import register_internally
from timelapse_runtime.runtime.outbox import Put
from timelapse_runtime.runtime.protocol.extensions_api import ExtensionsApi
from timelapse_runtime.runtime.protocol.messages import Answer, Request
from timelapse_runtime.runtime.transport_scripted import ScriptedTransport, Step

NOW = 1_790_000_000_000
REGISTERED = Answer(200, {"lambda-extension-identifier": "key"}, b"{}")
INVOKE = Answer(200, {}, b'{"eventType":"INVOKE","deadlineMs":1,"requestId":"id-1"}')
SHUTDOWN = Answer(
    200, {}, json.dumps({"eventType": "SHUTDOWN", "deadlineMs": NOW + 1400, "shutdownReason": "spindown"}).encode()
)


class Shelf:
    """Runs the extension over a script; every PUT answers 200."""

    def __init__(self, plans: Path, *steps: Step) -> None:
        self.plans = plans
        self.transport = ScriptedTransport(steps)
        self.puts: list[tuple[str, float]] = []

    def send(self, put: Put, timeout_seconds: float) -> int:
        self.puts.append((put.url, timeout_seconds))
        return 200

    def run(self) -> int:
        return run(
            ExtensionsApi("timelapse-shutdown"),
            self.transport,
            plans=self.plans,
            clock=ManualClock(NOW),
            send=self.send,
            read=lambda _url, _seconds: None,
            pause=lambda _seconds: None,
        )

    @property
    def paths(self) -> list[str]:
        return [request.path.removeprefix("/2020-01-01/extension/") for request in self.transport.requests]


def test_plans_are_carried_out_on_shutdown_within_what_is_left(tmp_path: Path) -> None:
    outbox.write_plan(
        tmp_path, "cam", [Put("http://s3/a", {}, b"1", "")], created_epoch_ms=NOW, expires_epoch_ms=NOW + 60_000
    )
    shelf = Shelf(tmp_path, REGISTERED, TransportError("frozen"), INVOKE, SHUTDOWN)
    assert shelf.run() == 0
    assert shelf.paths == ["register", *["event/next"] * 3]
    assert shelf.puts == [("http://s3/a", (1400 - MARGIN_MS) / 1000)]
    assert not list(tmp_path.glob("*.plan"))


def test_extension_is_announced_before_it_registers_and_no_longer_than_it_lives(tmp_path: Path) -> None:
    seen: list[bool] = []

    def look(_request: Request) -> Answer:
        seen.append(outbox.is_announced(tmp_path))
        return REGISTERED

    assert Shelf(tmp_path, look, SHUTDOWN).run() == 0
    assert seen == [True]
    assert not outbox.is_announced(tmp_path)


@pytest.mark.parametrize("step", [Answer(403, {}, b'{"errorType":"Extension.AlreadyRegistered"}'), Answer(200)])
def test_refused_registration_ends_the_extension(tmp_path: Path, step: Answer) -> None:
    shelf = Shelf(tmp_path, step)
    assert shelf.run() == 1
    assert shelf.paths == ["register"]


def test_error_while_waiting_is_told_to_lambda(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, REGISTERED, Answer(500), Answer(202))
    assert shelf.run() == 1
    assert shelf.paths == ["register", "event/next", "exit/error"]


def test_error_at_shutdown_is_told_to_lambda(tmp_path: Path) -> None:
    def forbid(_request: Request) -> Answer:
        (tmp_path / "odd.plan").mkdir()  # read_bytes fails with IsADirectoryError
        return SHUTDOWN

    shelf = Shelf(tmp_path, REGISTERED, forbid, Answer(202))
    assert shelf.run() == 1
    assert shelf.transport.requests[-1].headers["Lambda-Extension-Function-Error-Type"] == "Extension.HandoverFailed"


def test_starting_it_by_hand_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        assert main([], {}) == 1
    finally:
        root.handlers[:] = before
    assert "Started by Lambda" in capsys.readouterr().err


def test_internal_extension_registers_for_nothing_and_waits_elsewhere() -> None:
    waiting = threading.Event()

    def wait(_request: Request) -> Answer:
        waiting.set()
        return Answer(403)  # ends the thread; Lambda would never answer

    transport = ScriptedTransport([REGISTERED, wait])
    assert register_internally(transport, lambda _seconds: None)
    assert waiting.wait(10)
    assert json.loads(transport.requests[0].body) == {"events": []}
    assert transport.requests[1].headers["Lambda-Extension-Identifier"] == "key"


@pytest.mark.parametrize("step", [Answer(404), TransportError("refused")])
def test_runtime_goes_on_without_an_extensions_api(step: Step, caplog: pytest.LogCaptureFixture) -> None:
    assert not register_internally(ScriptedTransport([step] * 3), lambda _seconds: None)
    assert "No SIGTERM" in caplog.text
