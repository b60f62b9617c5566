"""The timelapse function as a handler with globals, under AWS's own runtime client: why a custom runtime?

What it lacks there: SIGTERM with a flush at the environment's end (see docs/architecture.md).
"""

from __future__ import annotations

import os
import time
import uuid
from typing import Any, cast

from timelapse_runtime.runtime.function import Context, Environment
from timelapse_runtime.timelapse.function import Timelapse

_FUNCTION = Timelapse()
_FUNCTION.open(Environment(dict(os.environ), None, cold_start_id=uuid.uuid4().hex))


class _WithDeadline:
    """AWS's context, with the one attribute that ours has and it lacks."""

    def __init__(self, context: Any) -> None:
        self.deadline_epoch_ms = time.time_ns() // 1_000_000 + context.get_remaining_time_in_millis()


def handler(event: Any, context: Any) -> dict[str, Any]:
    """One invocation."""
    return _FUNCTION.invoke(event, cast(Context, _WithDeadline(context)))
