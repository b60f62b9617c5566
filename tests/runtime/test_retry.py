"""How often a request is sent."""

from __future__ import annotations

import pytest

from tests.runtime.scripted_client import ScriptedTransport
from timelapse_runtime.runtime.errors import ConnectionRefused, ServiceGone, TransportError
from timelapse_runtime.runtime.protocol.messages import Request, Response
from timelapse_runtime.runtime.retry import ATTEMPTS, LONGEST_PAUSE_SECONDS, REFUSED_LIMIT_SECONDS, call

NEXT = Request("GET", "/next", timeout_ms=None)
RESPONSE = Request("POST", "/response", body=b"1")


def never(_seconds: float) -> None:
    raise AssertionError("there is nothing to wait for")


LOST = TransportError("lost")


def test_first_answer_is_the_answer() -> None:
    transport = ScriptedTransport([Response(500)])
    assert call(transport, NEXT, never).status == 500


def test_connection_that_died_in_a_freeze_is_replaced_at_once() -> None:
    transport = ScriptedTransport([LOST, Response(200)])
    assert call(transport, NEXT, never).status == 200
    assert transport.requests == [NEXT, NEXT]


def test_next_is_asked_again_for_ever_with_pauses_that_grow_to_a_limit() -> None:
    pauses: list[float] = []
    transport = ScriptedTransport([*[LOST] * 1000, Response(200)])
    assert call(transport, NEXT, pauses.append).status == 200
    assert len(transport.requests) == 1001
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.1
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_other_calls_give_up() -> None:
    transport = ScriptedTransport([LOST] * ATTEMPTS)
    with pytest.raises(TransportError):
        call(transport, RESPONSE, lambda _seconds: None)
    assert transport.steps_left == 0


def test_service_that_refuses_connections_for_a_minute_of_waking_time_is_gone() -> None:
    pauses: list[float] = []
    transport = ScriptedTransport([ConnectionRefused("refused")] * 1000)
    with pytest.raises(ServiceGone):
        call(transport, NEXT, pauses.append)
    assert REFUSED_LIMIT_SECONDS - LONGEST_PAUSE_SECONDS <= sum(pauses) <= REFUSED_LIMIT_SECONDS


def test_refusals_are_counted_in_a_row() -> None:
    refused = [ConnectionRefused("refused")] * 40
    transport = ScriptedTransport([*refused, LOST, *refused, Response(200)])
    assert call(transport, NEXT, lambda _seconds: None).status == 200
