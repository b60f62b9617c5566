"""The rules of both APIs in the local environment, without sockets or processes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from timelapse_runtime.emulator.control_plane import (
    EXTENSION_LIMIT,
    ControlPlane,
    Event,
    Failure,
    InvocationEvents,
    Response,
)

INVOCATION = InvocationEvents("id-1", "attempt-1", Event(b"for the runtime"), Event(b"for extensions"))


@pytest.fixture
def plane() -> ControlPlane:
    return ControlPlane(external_extensions=frozenset({"watcher"}), handler="app.handler", function_name="local")


def error_type(answer: Response | Event | None) -> Any:
    assert isinstance(answer, Response)
    assert answer.status == 403
    return json.loads(answer.body)["errorType"]


def test_external_and_internal_extensions_register_by_name(plane: ControlPlane) -> None:
    assert not plane.all_registered()
    external = plane.register("watcher", b'{"events": ["INVOKE", "SHUTDOWN"]}')
    internal = plane.register("inside", b'{"events": ["INVOKE"]}')
    assert plane.all_registered()
    identifiers = {answer.headers["Lambda-Extension-Identifier"] for answer in (external, internal)}
    assert len(identifiers) == 2
    assert json.loads(external.body) == {
        "functionName": "local",
        "functionVersion": "$LATEST",
        "handler": "app.handler",
    }


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("", b'{"events": []}', "Extension.InvalidExtensionName"),
        ("watcher", b"not JSON", "InvalidRequestFormat"),
        ("watcher", b"[]", "InvalidRequestFormat"),
        ("watcher", b"{}", "InvalidRequestFormat"),
        ("watcher", b'{"events": ["SLEEP"]}', "Extension.InvalidEventType"),
        ("inside", b'{"events": ["SHUTDOWN"]}', "Extension.InvalidEventType"),
    ],
)
def test_registration_against_the_rules_is_refused(plane: ControlPlane, name: str, body: bytes, expected: str) -> None:
    assert error_type(plane.register(name, body)) == expected
    assert not plane.has_extensions


def test_name_registers_once(plane: ControlPlane) -> None:
    assert plane.register("watcher", b'{"events": []}').status == 200
    assert error_type(plane.register("watcher", b'{"events": []}')) == "Extension.InvalidExtensionState"


def test_extensions_are_limited_in_number(plane: ControlPlane) -> None:
    for number in range(EXTENSION_LIMIT):
        assert plane.register(f"inside-{number}", b'{"events": []}').status == 200
    assert error_type(plane.register("one-more", b'{"events": []}')) == "Extension.TooManyExtensions"


def test_registration_and_init_error_end_with_the_first_next(plane: ControlPlane) -> None:
    plane.begin(INVOCATION)
    assert plane.runtime_next() == INVOCATION.for_runtime
    assert error_type(plane.register("inside", b'{"events": []}')) == "Extension.RegistrationClosed"
    assert error_type(plane.runtime_init_error(Failure.of("Runtime.Late", ""))) == "InvalidStateTransition"
    assert plane.failure is None


@pytest.mark.parametrize(("invocation_id", "status"), [(None, 202), ("attempt-1", 202), ("attempt-0", 400)])
def test_result_of_another_attempt_is_refused(plane: ControlPlane, invocation_id: str | None, status: int) -> None:
    plane.begin(INVOCATION)
    assert plane.runtime_result("id-1", b"{}", invocation_id).status == status
    assert plane.result == (b"{}" if status == 202 else None)


def test_unknown_extension_is_refused(plane: ControlPlane) -> None:
    failure = Failure.of("Extension.Toy", "")
    for identifier, expected in ((None, "Missing"), ("nobody", "Unknown")):
        assert error_type(plane.extension_next(identifier)) == f"Extension.{expected}ExtensionIdentifier"
        assert error_type(plane.extension_error(identifier, failure)) == f"Extension.{expected}ExtensionIdentifier"


def test_extension_error_needs_a_type(plane: ControlPlane) -> None:
    identifier = plane.register("watcher", b'{"events": []}').headers["Lambda-Extension-Identifier"]
    assert error_type(plane.extension_error(identifier, Failure("", b"{}"))) == "Extension.MissingHeader"
    assert plane.failure is None
    assert plane.extension_error(identifier, Failure.of("Extension.Toy", "")).status == 202
    assert plane.failure == Failure.of("Extension.Toy", "")


def test_only_the_first_failure_counts(plane: ControlPlane) -> None:
    plane.runtime_init_error(Failure.of("Runtime.First", ""))
    plane.fail(Failure.of("Runtime.ExitError", ""))
    assert plane.failure == Failure.of("Runtime.First", "")


def test_runtime_that_asks_again_gets_the_invocation_on_its_new_connection(plane: ControlPlane) -> None:
    with ThreadPoolExecutor() as threads:
        given_up = threads.submit(plane.runtime_next)
        assert plane.wait(plane.ready, 30)
        again = threads.submit(plane.runtime_next)
        assert given_up.result(30) is None
        plane.begin(INVOCATION)
        assert again.result(30) == INVOCATION.for_runtime


def test_invocation_is_finished_when_runtime_and_extensions_wait_again(plane: ControlPlane) -> None:
    identifier = plane.register("watcher", b'{"events": ["INVOKE"]}').headers["Lambda-Extension-Identifier"]
    with ThreadPoolExecutor() as threads:
        threads.submit(plane.runtime_next)
        threads.submit(plane.extension_next, identifier)
        assert plane.wait(plane.ready, 30)
        plane.begin(INVOCATION)
        assert not plane.finished()
        assert plane.runtime_result("id-1", b"{}").status == 202
        threads.submit(plane.runtime_next)
        assert not plane.wait(plane.finished, 0.0)
        threads.submit(plane.extension_next, identifier)
        assert plane.wait(plane.finished, 30)
        plane.close()


def test_closed_plane_answers_no_next(plane: ControlPlane) -> None:
    identifier = plane.register("watcher", b'{"events": []}').headers["Lambda-Extension-Identifier"]
    plane.close()
    assert plane.runtime_next() is None
    assert plane.extension_next(identifier) is None
