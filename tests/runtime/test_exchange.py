"""How often a request is sent."""

from __future__ import annotations

import pytest

from timelapse_runtime.runtime.errors import TransportError
from timelapse_runtime.runtime.exchange import ATTEMPTS, LONGEST_PAUSE_SECONDS, exchange
from timelapse_runtime.runtime.protocol.messages import Answer, Request
from timelapse_runtime.runtime.transport_scripted import ScriptedTransport

NEXT = Request("GET", "/next", timeout_ms=None)
RESPONSE = Request("POST", "/response", body=b"1")


def never(_seconds: float) -> None:
    raise AssertionError("there is nothing to wait for")


LOST = TransportError("lost")


def test_first_answer_is_the_answer() -> None:
    transport = ScriptedTransport([Answer(500)])
    assert exchange(transport, NEXT, never).status == 500


def test_connection_that_died_in_a_freeze_is_replaced_at_once() -> None:
    transport = ScriptedTransport([LOST, Answer(200)])
    assert exchange(transport, NEXT, never).status == 200
    assert transport.requests == [NEXT, NEXT]


def test_next_is_asked_again_for_ever_with_pauses_that_grow_to_a_limit() -> None:
    pauses: list[float] = []
    transport = ScriptedTransport([*[LOST] * 1000, Answer(200)])
    assert exchange(transport, NEXT, pauses.append).status == 200
    assert len(transport.requests) == 1001
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.1
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_other_calls_give_up() -> None:
    transport = ScriptedTransport([LOST] * ATTEMPTS)
    with pytest.raises(TransportError):
        exchange(transport, RESPONSE, lambda _seconds: None)
    assert transport.left == 0
