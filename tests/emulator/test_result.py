"""What an invocation's result says, for each combination of the function's result and the sandbox's failure."""

from __future__ import annotations

import pytest

from timelapse_runtime.emulator.control_plane import Failure
from timelapse_runtime.emulator.result import InvocationResult
from timelapse_runtime.emulator.sandbox import TIMED_OUT

OWN_ERROR = Failure.of("Function.Error", "why")
CRASH = Failure.of("Runtime.ExitError", "exit status 1")
TIME_OUT = Failure.of(TIMED_OUT, "Task timed out")


def result_of(result: bytes | Failure | None, failure: Failure | None) -> InvocationResult:
    return InvocationResult.of("id", result, failure, duration_ms=1.5, init=True)


@pytest.mark.parametrize(
    ("result", "failure", "error_type", "timed_out", "crashed"),
    [
        (b"1", None, None, False, False),
        (OWN_ERROR, None, "Function.Error", False, False),
        (None, CRASH, "Runtime.ExitError", False, True),
        (None, TIME_OUT, TIMED_OUT, True, False),
        (b"1", CRASH, "Runtime.ExitError", False, True),
        (b"1", TIME_OUT, TIMED_OUT, True, False),
        (OWN_ERROR, CRASH, "Function.Error", False, True),
        (OWN_ERROR, TIME_OUT, "Function.Error", True, False),
    ],
)
def test_the_functions_error_comes_before_the_sandboxs(
    result: bytes | Failure | None, failure: Failure | None, error_type: str | None, timed_out: bool, crashed: bool
) -> None:
    outcome = result_of(result, failure)
    assert (outcome.error_type, outcome.timed_out, outcome.crashed) == (error_type, timed_out, crashed)
    assert outcome.payload == (1 if isinstance(result, bytes) else None)
    assert (outcome.error is None) == (error_type is None)
    assert (outcome.request_id, outcome.duration_ms, outcome.init) == ("id", 1.5, True)


@pytest.mark.parametrize(
    ("body", "payload"), [(b'{"a": 1}', {"a": 1}), (b"null", None), (b"text", "text"), (b"\xff", "\ufffd"), (b"", None)]
)
def test_a_payload_is_json_or_else_text(body: bytes, payload: object) -> None:
    assert result_of(body, None).payload == payload
