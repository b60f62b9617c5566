"""How an exception is told to Lambda."""

from __future__ import annotations

import json
import re

import pytest

from timelapse_runtime.runtime.protocol.failure import STACK_LIMIT, Failure
from timelapse_runtime.timelapse.errors import ConfigError, Fenced


class _lower(Exception):  # noqa: N801
    pass


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text today")


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        (KeyError("k"), "Function.KeyError"),
        (Fenced("newer"), "Function.Fenced"),
        (ConfigError("FPS", "x", "a number"), "Runtime.ConfigError"),
        (_lower(), "Function.Lower"),
        (type("Überlauf", (Exception,), {})(), "Function.Berlauf"),
        (type("ошибка", (Exception,), {})(), "Function.Unknown"),
    ],
)
def test_error_type_has_the_form_that_lambda_keeps(error: Exception, error_type: str) -> None:
    failure = Failure.of(error)
    assert failure.error_type == error_type
    assert re.fullmatch(r"(Runtime|Function)\.[A-Z][A-Za-z0-9]*", failure.error_type)


def test_caller_may_know_the_type_better() -> None:
    assert Failure.of(ValueError("bad"), "Runtime.UnmarshalError").error_type == "Runtime.UnmarshalError"


def test_stack_names_the_line_that_raised_and_the_cause() -> None:
    try:
        try:
            int("seven")
        except ValueError as error:
            raise LookupError("wrapped") from error
    except LookupError as error:
        text = "\n".join(Failure.of(error).stack_trace)
    assert 'int("seven")' in text
    assert "LookupError: wrapped" in text
    assert __file__ in text


def test_deep_stack_is_cut_to_its_innermost_frames() -> None:
    def down(depth: int) -> None:
        if depth == 0:
            raise LookupError("the bottom")
        down(depth - 1)

    with pytest.raises(LookupError) as caught:
        down(300)
    trace = Failure.of(caught.value).stack_trace
    assert len(trace) <= STACK_LIMIT + 3
    assert any('raise LookupError("the bottom")' in line for line in trace)


def test_error_whose_text_cannot_be_made_is_still_reported() -> None:
    failure = Failure.of(Silent())
    assert "Silent" in failure.message
    assert failure.error_type == "Function.Silent"


def test_body_is_json_whatever_the_text() -> None:
    body = Failure.of(ValueError("lone \ud800, é, \x00")).body()
    assert json.loads(body)["errorMessage"] == "lone \ud800, é, \x00"
