"""What a replay reports: its totals, what it leaves out, and the table that it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from timelapse_runtime.cli.replay_report import Totals, describe_left_out, format_next, format_table

ROOT = Path(__file__).parents[2]
REPORT: dict[str, Any] = {
    "frames_in": 300,
    "frames_in_video": 299,
    "rejected": 1,
    "rejected_by_reason": {"undecodable": 1},
    "verified": "rejected-or-ignored",
    "interrupted": False,
    "photos": 300,
    "video": "/out/video.mp4",
    "playlist": "/out/index.m3u8",
    "video_bytes": 4_528_116,
    "invocations": 301,
    "cold_starts": 2,
    "flushes": 5,
    "s3_requests": {"GetObject": 305, "PutObject": 31},
    "runtime_cpu_seconds": 8.04,
    "runtime_peak_rss_bytes": 151 * 1024**2,
    "wall_seconds": 27.02,
}


def response(environment: str, *, flushes: int, **requests: int) -> dict[str, Any]:
    return {"streams": {}, "environment": {"id": environment, "flushes": flushes, "s3_requests": requests}}


def test_an_environments_last_response_has_its_totals_and_environments_are_added() -> None:
    totals = Totals()
    totals.add_response(response("a", flushes=1, GetObject=3))
    totals.add_response(response("a", flushes=2, GetObject=7))
    totals.add_response(response("b", flushes=1, GetObject=2, PutObject=1))
    totals.finish()
    assert totals.flushes == 3
    assert totals.requests == {"GetObject": 9, "PutObject": 1}


def test_an_outbox_job_of_the_extension_counts_as_a_flush_with_its_puts() -> None:
    totals = Totals()
    totals.add_log_record(
        {"message": "any text", "outbox_job": "camera", "outbox_put_count": 5, "outbox_sent_count": 4}
    )
    totals.add_log_record({"message": "any text", "stream": "camera"})
    totals.finish()
    assert (totals.flushes, totals.requests["PutObject"]) == (1, 4)


def test_the_table_has_the_rows_of_the_readme() -> None:
    table = f"{format_table(REPORT)}\n\n{format_next({**REPORT, 'rejected': 0})}".splitlines()
    readme = (ROOT / "README.md").read_text().splitlines()
    first = next(number for number, line in enumerate(readme) if line.startswith(table[0][:20]))
    assert [line[:20] for line in table] == [line[:20] for line in readme[first : first + len(table)]]
    assert table[2] == "photos rejected      1: 1 undecodable"
    assert table[3] == "verified             each photo is in the video, once, or rejected"
    assert table[7] == "S3 requests          336: 305 GetObject, 31 PutObject"
    assert table[11] == "bytes of video       4,528,116"


def test_the_end_says_what_to_do_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    video = {"video": str(tmp_path / "my out" / "video.mp4")}
    watch, rejected, deploy = format_next({**REPORT, **video}).splitlines()
    assert watch.endswith("open 'my out/video.mp4'")
    assert rejected == "rejected photos      my out/rejected says which, and why"
    assert deploy.startswith("to deploy")
    *_, interrupted = format_next({**REPORT, **video, "interrupted": True, "frames_in": 100}).splitlines()
    assert interrupted == "interrupted          the same command continues with the other 200 photos"


def test_what_is_left_out_is_told_with_a_few_names() -> None:
    assert describe_left_out({}) == ""
    left_out = {"hidden": [".é\n\udcff"], "thumbnail": [f"thumbs/{number}.jpg" for number in range(12)]}
    assert describe_left_out(left_out).splitlines() == [
        "left out 13 other files:",
        "    12 thumbnail: thumbs/0.jpg, thumbs/1.jpg, thumbs/2.jpg, …",
        "     1 hidden: .é\\n\\udcff",
    ]
