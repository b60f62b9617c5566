"""Each record names its stream."""

from __future__ import annotations

import logging

import pytest

from timelapse_runtime.timelapse.stream_log import StreamLog


def test_a_record_has_the_stream_beside_its_own_fields(caplog: pytest.LogCaptureFixture) -> None:
    log = StreamLog(logging.getLogger("test"), "camera")
    with caplog.at_level(logging.INFO):
        log.info("plain")
        log.warning("with %s", "fields", extra={"frame": "a.jpg"})
    first, second = caplog.records
    assert (first.getMessage(), first.__dict__["stream"]) == ("plain", "camera")
    assert (second.getMessage(), second.__dict__["stream"], second.__dict__["frame"]) == (
        "with fields",
        "camera",
        "a.jpg",
    )
