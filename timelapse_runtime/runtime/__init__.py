"""The runtime: a Lambda custom runtime for any stateful Python function. It knows nothing of video or of S3's layout.

A function meets it in the names below, which are all that it needs, and in nothing else: `function.py` is the contract.
Each module is imported when one of its names is asked for: the extension's process needs few of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timelapse_runtime.runtime.aws_runtime import managed
    from timelapse_runtime.runtime.batch import BatchRecords
    from timelapse_runtime.runtime.clock import Clock, SystemClock
    from timelapse_runtime.runtime.function import Context, Deadline, Environment, StatefulFunction
    from timelapse_runtime.runtime.interrupts import DeadlineReached, SigtermReceived
    from timelapse_runtime.runtime.outbox import Outbox, OutboxPut
    from timelapse_runtime.runtime.result import Result
    from timelapse_runtime.runtime.state.checkpoint import StoredCheckpoint
    from timelapse_runtime.runtime.state.contract import Store
    from timelapse_runtime.runtime.state.errors import Fenced, StateError, StorageError
    from timelapse_runtime.runtime.state.memory import MemoryStore
    from timelapse_runtime.runtime.state.open_states import OpenStates
    from timelapse_runtime.runtime.state.put import Put, leave
    from timelapse_runtime.runtime.state.s3 import S3Store, make_client

__all__ = [
    "BatchRecords",
    "Clock",
    "Context",
    "Deadline",
    "DeadlineReached",
    "Environment",
    "Fenced",
    "MemoryStore",
    "OpenStates",
    "Outbox",
    "OutboxPut",
    "Put",
    "Result",
    "S3Store",
    "SigtermReceived",
    "StateError",
    "StatefulFunction",
    "StorageError",
    "Store",
    "StoredCheckpoint",
    "SystemClock",
    "leave",
    "make_client",
    "managed",
]

_MODULES = {
    "aws_runtime": ("managed",),
    "batch": ("BatchRecords",),
    "clock": ("Clock", "SystemClock"),
    "function": ("Context", "Deadline", "Environment", "StatefulFunction"),
    "interrupts": ("DeadlineReached", "SigtermReceived"),
    "outbox": ("Outbox", "OutboxPut"),
    "result": ("Result",),
    "state.checkpoint": ("StoredCheckpoint",),
    "state.contract": ("Store",),
    "state.errors": ("Fenced", "StateError", "StorageError"),
    "state.memory": ("MemoryStore",),
    "state.open_states": ("OpenStates",),
    "state.put": ("Put", "leave"),
    "state.s3": ("S3Store", "make_client"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
