"""The timelapse function: `_HANDLER=timelapse_runtime.timelapse.Timelapse`. It knows nothing of Lambda's APIs."""

from timelapse_runtime.timelapse.function import Timelapse

__all__ = ["Timelapse"]
