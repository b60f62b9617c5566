"""What a replay tells: which files it leaves out, what was counted, and the table at the end."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timelapse_runtime.timelapse.verify_report import Outcome

_NAMES_SHOWN = 3
_VERIFIED = {
    None: "not yet: the replay is not complete",
    Outcome.ALL_IN_VIDEO.value: "each photo is in the video, once",
    Outcome.LEFT_OUT.value: "each photo is in the video, once, or rejected",
    Outcome.DAMAGED.value: "problems found; they are above",
    Outcome.NOTHING_THERE.value: "there is nothing to verify",
}


@dataclass(slots=True)
class Totals:
    """What the environments reported, and what was counted here."""

    frames_in: int = 0
    invocations: int = 0
    flushes: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    _environments: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add_response(self, response: Any) -> None:
        """A response of the function: it has the running totals of its environment."""
        environment = response["environment"]
        self._environments[environment["id"]] = environment

    def add_log_record(self, record: Mapping[str, Any]) -> None:
        """A line of the extension's log counts if it reports an outbox job: one flush, with so many PUTs."""
        if "outbox_sent_count" in record:
            self.requests["PutObject"] += record["outbox_sent_count"]
            self.flushes += 1

    def finish(self) -> None:
        """Add the environments' totals."""
        for environment in self._environments.values():
            self.flushes += environment.get("flushes", 0)
            self.requests.update(environment["s3_requests"])


def describe_left_out(left_out: Mapping[str, Sequence[str]]) -> str:
    """The files that are not replayed: how many, why, and some of their names. Empty if there are none."""
    lines = [f"left out {sum(map(len, left_out.values()))} other files:"] if left_out else []
    for reason, names in sorted(left_out.items(), key=lambda item: -len(item[1])):
        shown = ", ".join(map(_printable, names[:_NAMES_SHOWN])) + ", …" * (len(names) > _NAMES_SHOWN)
        lines.append(f"{len(names):>6} {reason}: {shown}")
    return "\n".join(lines)


def _printable(name: str) -> str:
    """The name on one line: control characters, and bytes that are no UTF-8, as escapes."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in name)


def format_table(report: Mapping[str, Any]) -> str:
    """The report as lines of a label and a value."""
    requests: dict[str, int] = report["s3_requests"]
    reasons: dict[str, int] = report["rejected_by_reason"]
    rejected = f"{report['rejected']}" + f": {', '.join(f'{n} {why}' for why, n in reasons.items())}" * bool(reasons)
    rows = [
        ("photos", report["frames_in"]),
        ("frames in the video", report["frames_in_video"]),
        ("photos rejected", rejected),
        ("verified", _VERIFIED[report["verified"]]),
        ("invocations", report["invocations"]),
        ("cold starts", report["cold_starts"]),
        ("flushes", report["flushes"]),
        ("S3 requests", f"{sum(requests.values())}: " + ", ".join(f"{n} {kind}" for kind, n in requests.items())),
        ("CPU of the runtime", f"{report['runtime_cpu_seconds']:.1f} s"),
        ("its peak memory", f"{report['runtime_peak_rss_bytes'] / 1024**2:.0f} MiB"),
        ("wall time", f"{report['wall_seconds']:.1f} s"),
        ("bytes of video", f"{report['video_bytes']:,}"),
        ("video", _short(report["video"])),
        ("playlist", _short(report["playlist"])),
    ]
    return "\n".join(f"{label:<20} {value}" for label, value in rows)


def format_next(report: Mapping[str, Any]) -> str:
    """What to do now."""
    video = Path(report["video"])
    rows = [("to watch", f"{'open' if sys.platform == 'darwin' else 'xdg-open'} {shlex.quote(_short(video))}")]
    if report["rejected"]:
        rows.append(("rejected photos", f"{_short(video.parent / 'rejected')} says which, and why"))
    if report["interrupted"]:
        left = report["photos"] - report["frames_in"]
        rows.append(("interrupted", f"the same command continues with the other {left} photos"))
    else:
        rows.append(("to deploy", "scripts/package, then infra/README.md"))
    return "\n".join(f"{label:<20} {value}" for label, value in rows)


def _short(path: str | Path) -> str:
    """The path from the working directory on, if it is in it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else str(path)
