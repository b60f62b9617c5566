"""Log lines that name their stream: up to OPEN_STREAMS of them write to one log."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any


class StreamLog(logging.LoggerAdapter[logging.Logger]):
    """Adds the field `stream` to each record, beside the fields of the call itself."""

    def __init__(self, logger: logging.Logger, stream: str) -> None:
        super().__init__(logger, {"stream": stream})

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Merge the fields. (LoggerAdapter itself drops those of the call before Python 3.13.)"""
        return msg, {**kwargs, "extra": {**(self.extra or {}), **kwargs.get("extra", {})}}
