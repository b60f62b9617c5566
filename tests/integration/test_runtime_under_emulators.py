"""The real bootstrap and the real shutdown extension, under the local environment and under AWS's emulator."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.environments import UnderLocalLambda, UnderRie, started
from timelapse_runtime.emulator.control_plane import RESPONSE_LIMIT_BYTES
from timelapse_runtime.emulator.deployment import INSTALLED, Deployment

EXTENSION = "timelapse-shutdown"
MakeEnvironment = Callable[..., Any]


class PutServer:
    """Takes PUTs like S3, and records them."""

    def __init__(self) -> None:
        self.puts: list[tuple[str, bytes, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.puts.append((self.path, body, self.headers.get("X-Toy")))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/open/segment?signed=1"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def put_server() -> Iterator[PutServer]:
    server = PutServer()
    yield server
    server.close()


@pytest.fixture(params=["local", "emulator"])
def make_environment(
    request: pytest.FixtureRequest, tmp_path: Path, journal: Any, put_server: PutServer, ending: ExitStack
) -> MakeEnvironment:
    def make(
        handler: str, *, extension: bool = True, timeout_seconds: int = 60, **variables: str
    ) -> UnderLocalLambda | UnderRie:
        options: dict[str, Any] = {
            "deployment": Deployment(
                bootstrap=INSTALLED.bootstrap,
                extensions=INSTALLED.extensions if extension else None,
                task_root=Path(__file__).parent / "toys",
                handler=handler if "." in handler else f"functions.{handler}",
            ),
            "variables": {"STATEFUL_RUNTIME_PYTHON": sys.executable, "COUNTER_URL": put_server.url, **variables},
            "temp_folder": tmp_path,
            "timeout_seconds": timeout_seconds,
        }
        return started(request, ending, journal, options)

    return make


def test_plain_handler_answers(make_environment: MakeEnvironment) -> None:
    environment = make_environment("plain")
    first, second = environment.invoke({"photo": "é"}), environment.invoke([1])
    assert (first["event"], second["event"]) == ({"photo": "é"}, [1])
    assert first["pid"] == second["pid"]
    assert first["request id"] != second["request id"]


def test_error_has_type_message_and_stack_trace_and_the_process_goes_on(make_environment: MakeEnvironment) -> None:
    environment = make_environment("Counter")
    error = environment.invoke({"do": "error"})
    assert error["errorType"].endswith("ValueError")
    assert error["errorMessage"] == "as the test wished"
    assert any("functions.py" in line for line in error["stackTrace"])
    assert environment.invoke({})["count"] == 2


def test_response_that_is_too_large_fails_its_invocation_only(make_environment: MakeEnvironment) -> None:
    environment = make_environment("plain")
    error = environment.invoke({"do": "answer in bytes", "size_bytes": RESPONSE_LIMIT_BYTES + 1})
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    assert environment.invoke({})["event"] == {}


@pytest.mark.parametrize("death", [{"do": "exit", "code": 3}, {"do": "die"}])
def test_after_a_crash_a_new_process_answers(make_environment: MakeEnvironment, death: dict[str, Any]) -> None:
    environment = make_environment("Counter")
    first = environment.invoke({})
    assert "errorType" in environment.invoke(death)
    after = environment.invoke({})
    assert (after["count"], after["pid"] != first["pid"]) == (1, True)


def test_alarm_before_the_deadline_fails_the_invocation_and_keeps_the_state(make_environment: MakeEnvironment) -> None:
    environment = make_environment("Counter", timeout_seconds=2)
    first = environment.invoke({})
    error = environment.invoke({"do": "sleep", "seconds": 60})
    assert error["errorType"] == "Function.DeadlineTooClose"
    after = environment.invoke({})
    assert (after["count"], after["pid"]) == (3, first["pid"])


@pytest.mark.parametrize("how", ["terminated", "gets SIGTERM", "exits", "fails", "returns"])
def test_forked_child_never_acts_as_the_runtime(make_environment: MakeEnvironment, journal: Any, how: str) -> None:
    environment = make_environment("Counter")
    first = environment.invoke({})
    answer = environment.invoke({"do": "fork", "how": how})
    after = environment.invoke({})
    assert [answer["count"], after["count"]] == [2, 3]
    assert first["pid"] == answer["pid"] == after["pid"]
    assert "closed after" not in journal.said
    environment.shutdown()
    assert journal.said.count("closed after 3, flushed 3") == 1


HARMLESS = [
    "close_descriptors",
    "replace_json",
    "set_default_timeout",
    "leave_threads",
    "use_the_alarm",
    "clear_variables",
    "leave_the_folder",
    "ignore_sigterm",
    "handle_sigterm",
    "close_stdout",
    "close_stderr",
    "lose_streams",
    "disable_logging",
]


def test_function_that_harms_its_process_is_served_to_the_end(make_environment: MakeEnvironment) -> None:
    environment = make_environment("hostile.Hostile")
    _, pid = environment.invoke({})
    for number, way in enumerate(HARMLESS):
        assert environment.invoke({"do": way}) == [3 * number + 2, pid], way
        assert environment.invoke({"raise": way})["errorMessage"] == way
        assert environment.invoke({}) == [3 * number + 4, pid], way


@pytest.mark.parametrize("way", ["handle_sigterm", "ignore_sigterm", "close_descriptors", "leave_threads"])
def test_shutdown_comes_whatever_the_function_did(make_environment: MakeEnvironment, journal: Any, way: str) -> None:
    environment = make_environment("hostile.Hostile")
    environment.invoke({"do": way})
    environment.invoke({})
    environment.shutdown()
    assert [journal.said.count(line) for line in ("flushed", "closed after 2")] == [1, 1]
    assert journal.said.count("own handler of SIGTERM") == (way == "handle_sigterm")


def test_handler_of_sigterm_that_was_set_in_init_is_called_once_before_the_shutdown(
    make_environment: MakeEnvironment, journal: Any
) -> None:
    environment = make_environment("hostile.Hostile", HOSTILE_OPEN="handles SIGTERM")
    environment.invoke({})
    environment.shutdown()
    said = [line for line in journal.said if line in ("own handler of SIGTERM", "flushed", "closed after 1")]
    assert said == ["own handler of SIGTERM", "flushed", "closed after 1"]


def test_child_that_was_forked_in_init_never_acts_as_the_runtime(
    make_environment: MakeEnvironment, journal: Any
) -> None:
    environment = make_environment("hostile.Hostile", HOSTILE_OPEN="forks")
    pids = {environment.invoke({})[1] for _ in range(4)}
    environment.shutdown()
    assert len(pids) == 1
    assert journal.said.count("closed after 4") == 1


def test_crash_in_c_code_leaves_the_python_stack_in_the_log(make_environment: MakeEnvironment, journal: Any) -> None:
    environment = make_environment("hostile.Hostile")
    _, pid = environment.invoke({})
    assert "errorType" in environment.invoke({"do": "fall"})
    count, after = environment.invoke({})
    assert (count, after != pid) == (1, True)
    assert any("Fatal Python error: Segmentation fault" in line for line in journal.said)
    assert any("hostile.py" in line and "in fall" in line for line in journal.said)


@pytest.mark.parametrize("characters", [600_000, 3_200_000])
def test_long_error_message_fails_its_invocation_only(make_environment: MakeEnvironment, characters: int) -> None:
    environment = make_environment("Counter")
    error = environment.invoke({"do": "raise a long message", "characters": characters})
    assert error["errorType"] == "ValueError"
    assert error["errorMessage"].startswith("éééé")
    assert environment.invoke({})["count"] == 2


def test_timeout_ends_the_process_and_its_state_is_sent(
    make_environment: MakeEnvironment, put_server: PutServer
) -> None:
    environment = make_environment("Counter", timeout_seconds=2)
    environment.invoke({})
    assert "timed out" in str(environment.invoke({"do": "sleep through the alarm"}))
    assert environment.invoke({})["count"] == 1  # the reset is over: what it left has been sent
    assert put_server.puts == [("/open/segment?signed=1", b'{"count": 2}', "1")]


def test_sigterm_flushes_closes_and_the_extension_sends_the_plan(
    make_environment: MakeEnvironment, put_server: PutServer, journal: Any
) -> None:
    environment = make_environment("Counter")
    for _ in range(3):
        environment.invoke({})
    environment.shutdown()
    assert "closed after 3, flushed 3" in journal.said
    assert put_server.puts == [("/open/segment?signed=1", b'{"count": 3}', "1")]


def test_without_an_external_extension_the_runtime_gets_its_sigterm_all_the_same(
    make_environment: MakeEnvironment, put_server: PutServer, journal: Any
) -> None:
    environment = make_environment("Counter", extension=False)
    environment.invoke({})
    environment.shutdown()
    assert "closed after 1, flushed 1" in journal.said
    assert put_server.puts == []


def test_sigterm_right_after_a_thaw_is_not_slept_through(make_environment: MakeEnvironment, journal: Any) -> None:
    """The kernel may hand it to another thread than the main one, which waits in `next`; see interrupts.py."""
    for count in range(1, 6):
        environment = make_environment("Counter")
        environment.invoke({})
        environment.shutdown()
        assert journal.said.count("closed after 1, flushed 1") == count


@pytest.mark.parametrize(
    ("handler", "variables", "error_type"),
    [("Counter", {"COUNTER_OPEN": "fails"}, "RuntimeError"), ("missing", {}, "Runtime.HandlerNotFound")],
)
def test_failed_init_is_reported_and_the_process_exits_non_zero(
    make_environment: MakeEnvironment, handler: str, variables: dict[str, str], error_type: str
) -> None:
    error = make_environment(handler, **variables).invoke({})
    assert error_type in error["errorType"]
