"""The timelapse function: `_HANDLER=timelapse_runtime.timelapse.Timelapse`. It knows nothing of Lambda's APIs.

The function is imported when it is asked for: its configuration is also read where boto3 and av are not installed, by
`timelapse --help` and by scripts/replay before its set-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timelapse_runtime.timelapse.function import Timelapse

__all__ = ["Timelapse"]


def __getattr__(name: str) -> Any:
    if name == "Timelapse":
        from timelapse_runtime.timelapse.function import Timelapse  # noqa: PLC0415  see the module

        return Timelapse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
