"""What a verification amounts to."""

from __future__ import annotations

import json

import pytest

from timelapse_runtime.timelapse.model.photo_filter import FOLDER, HIDDEN
from timelapse_runtime.timelapse.verify_report import Outcome, VerifyReport, duration

REJECTED, NOTHING, FINDING = "rejected", "nothing", "finding"


@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        (set(), Outcome.ALL_IN_VIDEO),
        ({REJECTED}, Outcome.LEFT_OUT),
        ({NOTHING, REJECTED}, Outcome.NOTHING_THERE),
        ({FINDING, NOTHING, REJECTED}, Outcome.DAMAGED),
        ({FINDING}, Outcome.DAMAGED),
    ],
)
def test_the_worst_that_holds_is_the_outcome(what: set[str], outcome: Outcome) -> None:
    report = VerifyReport(rejected={"empty": 1} if REJECTED in what else {})
    report.nothing = "no photo is left" if NOTHING in what else ""
    if FINDING in what:
        report.add("segment-missing", "reels/x", "gone")
    assert report.outcome is outcome


@pytest.mark.parametrize(
    ("key", "reason", "outcome"), [("", FOLDER, Outcome.ALL_IN_VIDEO), (".DS_Store", HIDDEN, Outcome.LEFT_OUT)]
)
def test_an_ignored_object_is_left_out_but_a_folder_marker_is_not(key: str, reason: str, outcome: Outcome) -> None:
    report = VerifyReport()
    report.ignore(key, reason)
    assert report.outcome is outcome


def test_json_has_all_of_it() -> None:
    report = VerifyReport(rejected={"late": 2, "empty": 1})
    for number in range(5):
        report.ignore(f".{number}", HIDDEN)
    value = json.loads(json.dumps(report.to_value()))
    assert (value["outcome"], value["is_right"]) == ("rejected-or-ignored", True)
    assert (value["rejected_count"], value["rejected"]) == (3, {"late": 2, "empty": 1})
    assert value["ignored"] == {HIDDEN: {"count": 5, "examples": [".0", ".1", ".2"]}}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (11_100, "3 h 5 min"), (187_200, "2 d 4 h")],
)
def test_a_duration_has_two_units_at_most(seconds: int, text: str) -> None:
    assert duration(seconds) == text
