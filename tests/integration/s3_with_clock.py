"""moto's S3 server, with a clock that a test sets: Last-Modified is what the file CLOCK says, in seconds since 1970."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path

import moto.s3.models
from moto.server import main

_CLOCK = Path(os.environ["CLOCK"])


def _now() -> datetime.datetime:
    seconds = float(_CLOCK.read_text())
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None)


moto.s3.models.utcnow = _now  # type: ignore[attr-defined]

if __name__ == "__main__":
    main(sys.argv[1:])
