"""The lines of CloudWatch metrics that a test's code has logged, as the runtime writes them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from timelapse_runtime.runtime.log import JsonFormatter, LogScope


@contextmanager
def recorded() -> Iterator[list[dict[str, Any]]]:
    """The documents that are logged meanwhile, whatever the root logger's level is."""
    documents: list[dict[str, Any]] = []
    formatter = JsonFormatter(LogScope())

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            documents.append(json.loads(formatter.format(record)))

    logger, recorder = logging.getLogger("timelapse_runtime.timelapse.metrics"), Recorder()
    logger.addHandler(recorder)
    try:
        yield documents
    finally:
        logger.removeHandler(recorder)


def values(document: dict[str, Any]) -> dict[str, float]:
    """What CloudWatch takes from a document: the declared metrics."""
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: document[metric["Name"]] for metric in directive["Metrics"]}
