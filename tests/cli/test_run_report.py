"""The lines of `timelapse run`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from tests.world import STREAM, World
from timelapse_runtime.cli.run_report import ProgressLines, Troubles, Warnings
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.state.errors import AccessDenied, Fenced, StorageUnavailable

LOGGER = logging.getLogger("timelapse_runtime.timelapse.test")
DOWN = StorageUnavailable("GetObject", "bucket", "key", "down", code="EndpointConnectionError")
DENIED = AccessDenied("PutObject", "bucket", "key", "AccessDenied (HTTP 403)", code="AccessDenied")


class Lines:
    """What was said, by a clock in seconds."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.clock = ManualClock(0)

    def now(self) -> float:
        return self.clock.now_epoch_ms() / 1000


@pytest.fixture
def lines() -> Lines:
    return Lines()


def test_a_trouble_is_said_once_and_once_that_it_is_over(lines: Lines) -> None:
    troubles = Troubles(lines.said.append, lines.now)
    for name in ("garden", "roof", "garden", "roof"):
        troubles.failed(name, DOWN)
        lines.clock.advance(3_600_000)
    assert len(lines.said) == 1
    assert lines.said[0].startswith("garden: GetObject s3://bucket/key: down; check the network")
    troubles.works("garden")
    troubles.works("attic")
    assert len(lines.said) == 1
    troubles.works("roof")
    assert lines.said[1:] == ["roof: works again, after 4 h 0 min"]
    troubles.works("roof")
    troubles.failed("roof", DOWN)
    assert len(lines.said) == 3


def test_another_trouble_is_said_too_and_takes_the_place_of_the_first(lines: Lines) -> None:
    troubles = Troubles(lines.said.append, lines.now)
    troubles.failed("garden", DOWN)
    troubles.failed("garden", DENIED)
    assert "s3:PutObject on arn:aws:s3:::bucket/key" in lines.said[1]
    troubles.works("garden")
    assert lines.said[2:] == ["garden: works again, after 0 s"]


def test_cameras_are_said_when_they_are_new(lines: Lines) -> None:
    troubles = Troubles(lines.said.append, lines.now)
    troubles.cameras([])
    troubles.cameras([])
    troubles.cameras(["garden", "roof"])
    troubles.cameras(["garden", "roof", "attic"])
    assert [line.split(":")[0] for line in lines.said] == ["no camera yet", "2 cameras", "1 camera"]
    assert lines.said[2] == "1 camera: attic"


def test_a_warning_is_said_once_an_hour_for_each_camera(lines: Lines, caplog: pytest.LogCaptureFixture) -> None:
    handler = Warnings(lines.said.append, lines.now)
    LOGGER.addHandler(handler)
    try:
        for _ in range(2):
            for name in ("garden", "roof"):
                LOGGER.warning("frame rejected", extra={"stream": name, "frame": "1.jpg", "reason": "empty"})
            LOGGER.info("committed")
        assert lines.said == [
            f"frame rejected: stream {name}, frame 1.jpg, reason empty" for name in ("garden", "roof")
        ]
        lines.clock.advance(3_600_000)
        LOGGER.warning("frame rejected", extra={"stream": "roof"}, exc_info=Fenced("another instance"))
        assert lines.said[2:] == ["frame rejected: stream roof, another instance"]
    finally:
        LOGGER.removeHandler(handler)
    assert caplog.records


@pytest.fixture(params=[False, True])
def printed(request: pytest.FixtureRequest) -> Iterator[ProgressLines]:
    handler = ProgressLines(is_json=request.param)
    logger = logging.getLogger("timelapse_runtime")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_progress_is_a_line_where_something_happened(
    printed: ProgressLines, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(settings={"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_REORDER_WINDOW": "0"})
    function = world.environment()
    world.shoot(function, range(9))
    world.deliver(function, world.upload(9, b"no photo"))
    world.sweep(function, drain=True)
    lines = capsys.readouterr().out.splitlines()
    world.sweep(function)
    assert capsys.readouterr().out == "", "nothing has happened"
    if lines[0].startswith("{"):
        found = [json.loads(line) for line in lines]
        assert sum(line["frames"] for line in found) == 9
        assert sum(line["rejected"] for line in found) == 1
        assert (found[-1]["frames_in_video"], found[-1]["stream"]) == (9, STREAM)
    else:
        assert lines[0][20:] == f"{STREAM}: 1 frame more, 0 in the video, newest photo 0 s old"
        assert "in the video, 1 rejected" in lines[-2]
        assert lines[-1][20:] == f"{STREAM}: 0 frames more, 9 in the video, newest photo 0 s old"
    assert printed.level == logging.INFO
