"""The timelapse, waiting a second for S3's answers instead of ten: the handler of points at which none comes."""

from __future__ import annotations

from timelapse_runtime.runtime.state import s3
from timelapse_runtime.timelapse import Timelapse

s3.READ_TIMEOUT_SECONDS = 1.0


class Impatient(Timelapse):
    """Nothing else is different."""
