"""CloudWatch metrics of each stream, written as log lines in the embedded metric format.

A line has the sums since the stream's last one and its state now. It is written when an invocation has flushed, by
sweeps, and otherwise once a minute at most: custom metrics cost by name and stream, log lines by size. `basic` declares
the four metrics that the templates' alarms and dashboard use; the other values stay fields of the same line, which Logs
Insights can query, and `all` declares them too.

Source: Amazon CloudWatch user guide, 'Specification: Embedded metric format', read November 2026. Powertools for AWS
Lambda writes the same; it would add 7.6 MB and 80 ms of imports to each cold start (version 3.37, November 2026).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timelapse_runtime.timelapse.errors import is_skip

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)  # an alarm must not depend on the level that somebody chose for the log

_BASIC = {"NewestPhotoAge": "Seconds", "Lag": "Seconds", "Frames": "Count", "Rejected": "Count"}
_OTHERS = {
    "Photos": "Count",
    "Skipped": "Count",
    "Flushes": "Count",
    "Duplicates": "Count",
    "Ignored": "Count",
    "Late": "Count",
    "Overwritten": "Count",
    "Fenced": "Count",
    "ColdStarts": "Count",
    "BytesWritten": "Bytes",
}
_NAMES = {
    "appended": "Frames",
    "rejected": "Rejected",
    "flushes": "Flushes",
    "duplicates": "Duplicates",
    "ignored": "Ignored",
    "late": "Late",
    "overwritten": "Overwritten",
    "fenced": "Fenced",
    "bytes_written": "BytesWritten",
}
"""The metrics that are counted, by the names of the function's answer."""
DECLARED = {"off": {}, "basic": _BASIC, "all": _BASIC | _OTHERS}
"""The metrics by the value of `TIMELAPSE_METRICS`, with their units."""
_EVERY_MS = 60_000
_FORGOTTEN_AFTER_MS = 7 * 24 * 3_600_000
"""A camera that has been silent for so long was taken away: no alarm sounds for it any more."""


@dataclass(slots=True)
class _Sums:
    """Of one stream, since its last line."""

    counts: Counter[str] = field(default_factory=Counter)
    rejected_reasons: Counter[str] = field(default_factory=Counter)
    written_epoch_ms: int = 0


@dataclass(frozen=True, slots=True)
class StreamState:
    """What is known of a stream now. 0 stands for not known; `oldest_waiting_epoch_ms` is the upload time of the oldest
    photo that is not committed."""

    newest_photo_epoch_ms: int = 0
    oldest_waiting_epoch_ms: int = 0
    frames_in_video: int = 0


class StreamMetrics:
    """Owns the sums of all streams. `level` is that of `TIMELAPSE_METRICS`."""

    def __init__(self, level: str, function_name: str) -> None:
        self._units, self._namespace = DECLARED[level], f"Timelapse/{function_name}"
        self._streams: dict[str, _Sums] = {}
        self._cold_starts = 1

    def add(self, stream: str, counts: Mapping[str, int], rejected_reasons: Mapping[str, int] | None = None) -> None:
        """Count what happened in a stream, by the names of the function's answer, and rejected photos by reason."""
        if not self._units:
            return
        sums = self._streams.setdefault(stream, _Sums())
        for name, count in counts.items():
            sums.counts[_NAMES[name]] += count
        sums.counts["Photos"] += counts.get("appended", 0) + counts.get("rejected", 0)
        reasons = rejected_reasons or {}
        skipped = sum(count for reason, count in reasons.items() if is_skip(reason))
        sums.counts["Rejected"] -= skipped  # of which there is an alarm
        sums.counts["Skipped"] += skipped
        sums.rejected_reasons.update(reasons)

    def write(self, stream: str, state: StreamState, now_epoch_ms: int, *, at_once: bool = False) -> None:
        """Write the stream's line if it is due, or `at_once`."""
        sums = self._streams.get(stream)
        if sums is None:
            return
        is_due = sums.counts["Flushes"] or now_epoch_ms - sums.written_epoch_ms >= _EVERY_MS
        if not (is_due or at_once):
            return
        sums.counts["ColdStarts"] += self._cold_starts
        self._cold_starts = 0
        values: dict[str, Any] = dict.fromkeys([*_BASIC, *_OTHERS], 0) | dict(sums.counts)
        values |= {"Lag": _seconds(now_epoch_ms, state.oldest_waiting_epoch_ms), "NewestPhotoAge": None}
        if now_epoch_ms - state.newest_photo_epoch_ms < _FORGOTTEN_AFTER_MS:
            values["NewestPhotoAge"] = _seconds(now_epoch_ms, state.newest_photo_epoch_ms)
        declared = [{"Name": name, "Unit": unit} for name, unit in self._units.items() if values[name] is not None]
        # Once by stream, and once over all of them: an alarm needs no list of the cameras.
        directive = {"Namespace": self._namespace, "Dimensions": [["stream"], []], "Metrics": declared}
        fields = {name: value for name, value in values.items() if value is not None}
        fields |= {"stream": stream, "rejected_reasons": dict(sums.rejected_reasons)}
        fields |= {"frames_in_video": state.frames_in_video}
        header = {"Timestamp": now_epoch_ms, "CloudWatchMetrics": [directive]}
        _log.info("metrics", extra={"_aws": header, **fields})
        self._streams[stream] = _Sums(written_epoch_ms=now_epoch_ms)


def _seconds(now_epoch_ms: int, since_epoch_ms: int) -> float:
    return max(0, now_epoch_ms - since_epoch_ms) / 1000 if since_epoch_ms else 0
