"""The timelapse: `_HANDLER=timelapse_runtime.timelapse.Timelapse`."""

from timelapse_runtime.timelapse.timelapse import Timelapse

__all__ = ["Timelapse"]
