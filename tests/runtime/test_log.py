"""Log lines: one per record, with the fields that Lambda's filter reads."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from timelapse_runtime.runtime.loader import PlainFunction
from timelapse_runtime.runtime.log import TRACE, LogScope, configure

logger = logging.getLogger("timelapse_runtime.test")


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def set_up(**variables: str) -> tuple[io.StringIO, LogScope]:
    stream = io.StringIO()
    names = {f"AWS_LAMBDA_LOG_{name.upper()}": value for name, value in variables.items()}
    return stream, configure(names, stream)


def json_line(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    value = json.loads(line)
    assert isinstance(value, dict)
    return value


def test_json_line_has_lambdas_fields_and_the_extra_ones() -> None:
    stream, scope = set_up(format="JSON")
    scope.enter("id-1", "gate", "Root=1-5759e988-bd86;Parent=53995c3f;Sampled=1")
    logger.info("flushed %d frames", 60, extra={"stream": "north", "duration_ms": 12, "odd": {1}, "level": "no"})
    line = json_line(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "level": "INFO",
        "message": "flushed 60 frames",
        "logger": "timelapse_runtime.test",
        "requestId": "id-1",
        "tenantId": "gate",
        "xray_trace_id": "1-5759e988-bd86",
        "stream": "north",
        "duration_ms": 12,
        "odd": "{1}",
    }


def test_line_outside_an_invocation_has_no_request_id() -> None:
    stream, scope = set_up(format="JSON")
    scope.enter("id-1", "gate", "Root=1-5759e988-bd86")
    scope.leave()
    logger.info("open")
    assert not {"requestId", "tenantId", "xray_trace_id"} & json_line(stream).keys()


def test_exception_becomes_fields() -> None:
    stream, _ = set_up(format="JSON")
    try:
        int("x")
    except ValueError:
        logger.exception("not a number")
    line = json_line(stream)
    assert line["errorType"] == "ValueError"
    assert "invalid literal" in line["errorMessage"]
    assert any('int("x")' in frame for frame in line["stackTrace"])
    assert re.fullmatch(rf"{re.escape(__file__)}:test_exception_becomes_fields:\d+", line["location"])


@pytest.mark.parametrize("log_format", ["JSON", "Text", ""])
def test_record_is_one_line_whatever_is_in_it(log_format: str) -> None:
    stream, _ = set_up(format=log_format)
    try:
        int("x")
    except ValueError:
        logger.exception("first\nsecond\r\nthird", extra={"key": "a\nb"})
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\n")


def test_a_stack_in_text_has_carriage_returns_between_its_lines() -> None:
    stream, _ = set_up()
    try:
        int("x")
    except ValueError:
        logger.exception("first\nsecond\r\nthird")
    lines = stream.getvalue().split("\r")
    assert [line.rpartition("\t")[2] for line in lines[:2]] == ["first", "second"]
    assert lines[2] == "third\tTraceback (most recent call last):"
    assert lines[-1].startswith("ValueError: invalid literal")


def test_a_stack_in_text_begins_in_the_function() -> None:
    stream, _ = set_up()
    try:
        PlainFunction(lambda _event, _context: int("x")).invoke(None, None)  # type: ignore[arg-type]
    except ValueError as error:
        logger.exception("failed", exc_info=error.with_traceback(error.__traceback__ and error.__traceback__.tb_next))
    frames = [line for line in stream.getvalue().split("\r") if line.startswith("  File")]
    assert [__file__ in frame for frame in frames] == [True]


def test_a_message_that_is_a_dict_stays_an_object() -> None:
    stream, _ = set_up(format="JSON")
    logger.info({"order": 7, "parts": ["a", None]})
    assert json_line(stream)["message"] == {"order": 7, "parts": ["a", None]}


def test_arguments_that_do_not_fit_are_said_in_the_line() -> None:
    stream, _ = set_up(format="JSON")
    logger.info("flushed %d frames", "sixty")
    message = json_line(stream)["message"]
    assert message.startswith("flushed %d frames (arguments ('sixty',): ")


def test_a_stack_that_was_asked_for_is_in_the_line() -> None:
    stream, _ = set_up(format="JSON")
    logger.info("here", stack_info=True)
    assert "test_a_stack_that_was_asked_for" in json_line(stream)["stackInfo"]


def test_fields_that_are_too_large_are_named() -> None:
    stream, _ = set_up(format="JSON")
    logger.info("many", extra={"small": 1, "large": "x" * 1_000_000, "last": 2})
    line = json_line(stream)
    assert (line["small"], line["last"], line["omitted"]) == (1, 2, "large")


def test_text_line_has_level_time_request_id_message_and_fields() -> None:
    stream, scope = set_up()
    scope.request_id = "id-1"
    logger.warning("late", extra={"frame": 7})
    level, timestamp, request_id, *rest = stream.getvalue().rstrip("\n").split("\t")
    assert (level, request_id, rest) == ("[WARN]", "id-1", ["late", "frame=7"])
    assert timestamp.endswith("Z")


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("TRACE", ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]),
        ("DEBUG", ["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]),
        ("info", ["INFO", "WARN", "ERROR", "FATAL"]),
        ("WARN", ["WARN", "ERROR", "FATAL"]),
        ("ERROR", ["ERROR", "FATAL"]),
        ("FATAL", ["FATAL"]),
        ("", ["INFO", "WARN", "ERROR", "FATAL"]),
        ("LOUD", ["INFO", "WARN", "ERROR", "FATAL"]),
    ],
)
def test_level_variable_decides_what_is_shown_under_lambdas_names(level: str, shown: list[str]) -> None:
    stream, _ = set_up(format="json", level=level)
    for number in (TRACE, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logger.log(number, "line")
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == shown


def test_level_between_two_names_takes_the_lower_one() -> None:
    stream, _ = set_up(format="JSON")
    logger.log(logging.INFO + 5, "line")
    assert json_line(stream)["level"] == "INFO"


def test_the_sdk_never_writes_down_its_requests() -> None:
    stream, _ = set_up(format="JSON", level="TRACE")
    for name in ("botocore.endpoint", "botocore.auth", "urllib3.connectionpool"):
        logging.getLogger(name).debug("X-Amz-Security-Token: secret")
    assert stream.getvalue() == ""
    logging.getLogger("botocore.endpoint").warning("slow")
    assert json_line(stream)["message"] == "slow"


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_line_is_bounded(log_format: str) -> None:
    stream, _ = set_up(format=log_format)
    try:
        raise ValueError("x" * 3_000_000)
    except ValueError as error:
        logger.exception("failed: %s", error)  # noqa: TRY401
    assert len(stream.getvalue()) < 256 * 1024


def test_httpx_writes_no_line_per_request() -> None:
    stream, _ = set_up(format="JSON", level="TRACE")
    logging.getLogger("httpx").info("HTTP Request: PUT https://bucket/key?X-Amz-Signature=secret")
    logging.getLogger("httpcore.http11").debug("X-Amz-Security-Token: secret")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("variables", [{"format": "JSON"}, {"format": "Text"}, {"format": "JSON", "level": "FATAL"}])
def test_a_metric_document_is_json_without_a_level_in_every_format(variables: dict[str, str]) -> None:
    stream, scope = set_up(**variables)
    scope.request_id = "id-1"
    metrics = logging.getLogger("timelapse_runtime.test.metrics")
    metrics.setLevel(logging.INFO)
    header = {"Timestamp": 1, "CloudWatchMetrics": []}
    metrics.info("metrics", extra={"_aws": header, "stream": "north", "Frames": 3})
    assert json_line(stream) == {"requestId": "id-1", "_aws": header, "stream": "north", "Frames": 3}
