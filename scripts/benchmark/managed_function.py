"""The timelapse function as a handler with globals, under AWS's own runtime client: why a custom runtime?

What it lacks there: SIGTERM with a flush at the environment's end (see docs/architecture.md).
"""

from __future__ import annotations

import os
import uuid
from typing import Any

from timelapse_runtime.runtime.function import Environment
from timelapse_runtime.timelapse.function import Timelapse

_FUNCTION = Timelapse()
_FUNCTION.open(Environment(dict(os.environ), None, cold_start_id=uuid.uuid4().hex))


def handler(event: Any, context: Any) -> dict[str, Any]:
    """One invocation."""
    return _FUNCTION.invoke(event, context)
