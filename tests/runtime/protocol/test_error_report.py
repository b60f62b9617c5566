"""How an exception is told to Lambda."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from timelapse_runtime.runtime.protocol.error_report import MESSAGE_LIMIT_BYTES, ErrorReport
from timelapse_runtime.runtime.state.errors import Fenced
from timelapse_runtime.timelapse.errors import ConfigError


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
    report = ErrorReport.of(error)
    assert report.error_type == error_type
    assert re.fullmatch(r"(Runtime|Function)\.[A-Z][A-Za-z0-9]*", report.error_type)


def test_caller_may_know_the_type_better() -> None:
    assert ErrorReport.of(ValueError("bad"), "Runtime.UnmarshalError").error_type == "Runtime.UnmarshalError"


def test_stack_names_the_line_that_raised_and_the_cause() -> None:
    try:
        try:
            int("seven")
        except ValueError as error:
            raise LookupError("wrapped") from error
    except LookupError as error:
        text = "\n".join(ErrorReport.of(error).stack_trace)
    assert 'int("seven")' in text
    assert "ValueError: invalid literal" in text
    assert "LookupError: wrapped" not in text  # the message has a place of its own
    assert __file__ in text


def test_error_whose_text_cannot_be_made_is_still_reported() -> None:
    report = ErrorReport.of(Silent())
    assert "Silent" in report.message
    assert report.error_type == "Function.Silent"


def test_body_is_json_whatever_the_text() -> None:
    body = ErrorReport.of(ValueError("lone \ud800, é, \x00")).body()
    assert json.loads(body)["errorMessage"] == "lone \ud800, é, \x00"


def test_body_names_the_exception_as_it_is_called_and_the_header_as_lambda_wants_it() -> None:
    class My_Custom(Exception):  # noqa: N801
        pass

    report = ErrorReport.of(My_Custom("text"))
    assert report.error_type == "Function.MyCustom"
    assert json.loads(report.body())["errorType"] == "My_Custom"
    told = ErrorReport.of(ValueError("bad"), "Runtime.UnmarshalError")
    assert json.loads(told.body())["errorType"] == "Runtime.UnmarshalError"


@pytest.mark.parametrize("text", ["x" * 3_200_000, "é" * 600_000, "\x00" * 400_000, "\ud800" * 400_000, '"' * 400_000])
def test_body_is_bounded_and_says_what_was_cut(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError as error:
        body = ErrorReport.of(error).body()
    assert len(body) < 256 * 1024
    value = json.loads(body)
    assert value["errorMessage"].startswith(text[:1000])
    assert value["errorMessage"].endswith("more characters)")
    assert text[:1000] not in "".join(value["stackTrace"])


def test_long_causes_are_bounded_too() -> None:
    error: Exception = ValueError("bottom")
    for _ in range(60):
        try:
            raise LookupError("x" * 100_000) from error
        except LookupError as raised:
            error = raised
    assert len(ErrorReport.of(error).body()) < 256 * 1024


def test_text_below_the_limit_stays_as_it_is() -> None:
    text = "é" * (MESSAGE_LIMIT_BYTES // 2 - 1)
    assert ErrorReport.of(ValueError(text)).message == text


def test_notes_and_groups_are_in_the_stack() -> None:
    error = ValueError("bad")
    error.add_note("seen at frame 7")
    assert "seen at frame 7" in "\n".join(ErrorReport.of(error).stack_trace)
    group = ExceptionGroup("several", [KeyError("one"), KeyError("two")])
    assert "KeyError: 'two'" in "\n".join(ErrorReport.of(group).stack_trace)


def test_xray_cause_has_the_exception_and_its_frames() -> None:
    try:
        int("seven")
    except ValueError as error:
        cause = json.loads(ErrorReport.of(error).xray_cause)
    assert cause["paths"] == [__file__]
    (exception,) = cause["exceptions"]
    assert (exception["type"], exception["message"]) == ("ValueError", str(caught_by(int, "seven")))
    assert exception["stack"][-1]["label"] == "test_xray_cause_has_the_exception_and_its_frames"
    assert exception["stack"][-1]["path"] == __file__


def caught_by(call: Callable[[str], object], argument: str) -> ValueError:
    with pytest.raises(ValueError, match=r".+") as caught:
        call(argument)
    return caught.value


@pytest.mark.parametrize("text", ["x" * 3_200_000, "é" * 600_000, "\x00\x7f\r\n" * 400_000, "\ud800" * 400_000])
def test_xray_cause_is_fit_for_a_header(text: str) -> None:
    cause = ErrorReport.of(ValueError(text)).xray_cause
    assert re.fullmatch(r"[ -~]{0,49152}", cause)
    assert not cause or json.loads(cause)["exceptions"][0]["message"].startswith(text[:100])
