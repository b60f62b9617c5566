"""Runs of a stream in arrival order whose photos are read and encoded apart, by ranges, and joined."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.recovery.arrival import ArrivalRun
from tests.recovery.fake_media import fake_world
from tests.world import STREAM, World
from timelapse_runtime.timelapse.ranges import plan

_RANGE_PHOTOS = 6
SETTINGS = {"TIMELAPSE_KEYFRAME_INTERVAL": "3"}


class RangesRun(ArrivalRun):
    """One run. No filter is on, because with one no range is encoded apart. Ranges have six photos, groups three."""

    @staticmethod
    def _make_world(settings: dict[str, str], outbox: Path | None, *, shows_photos: bool) -> World:
        assert shows_photos
        return fake_world(settings, outbox, has_filters=False)

    def step(self, name: str, value: Any) -> dict[str, Any] | None:
        """A step of a backfill by functions, in an environment of its own; its answer, or None if it fails."""
        live, self.function = self.function, self.world.environment()
        try:
            with patch.object(plan, "_RANGE_PHOTOS", _RANGE_PHOTOS):
                answer = self.answer_to({"backfill": {name: value}})
        finally:
            self.function = live
        if answer is None and not self.fired:
            self.watch.violations.append(f"{name} fails, and nothing has disturbed it")
        return answer

    def plan(self) -> tuple[str, list[str]] | None:
        """Plan a backfill: its ID and its ranges, or None if that fails."""
        planned = self.step("plan", STREAM)
        return None if planned is None else (planned["plan"], planned["ranges"])

    def encode(self, planned: tuple[str, list[str]] | None, *numbers: int) -> None:
        """Encode these ranges, each of them once."""
        name, ranges = planned or ("", [])
        for number in numbers:
            if number < len(ranges):
                self.step("encode", {"stream": STREAM, "plan": name, "range": ranges[number]})

    def join(self, planned: tuple[str, list[str]] | None) -> None:
        """Join what was encoded."""
        if planned is not None:
            self.step("join", {"stream": STREAM, "plan": planned[0]})

    def finish(self) -> None:
        """See FaultRun. Plans that were given up are removed by the next one."""
        super().finish()
        self.join(self.plan())

    def check(self) -> list[str]:
        """See FaultRun."""
        left = [key for key in self.world.object_keys() if key.startswith(self.world.keys.backfills)]
        return [*super().check(), *(f"{key} is left of a plan" for key in left)]


def read_ahead(run: RangesRun) -> None:
    """Ranges of a backlog are encoded ahead, as a command's processes do it. A photo cannot be used. Some are written
    over: before their turn, when their range was read, and one twice. Another run continues."""
    run.world.has_ranges = True
    run.new_environment()
    for number in range(14):
        is_bad = number == 4
        photo = run.add(f"{number}.jpg", b"no photo" if is_bad else None, reason="undecodable" if is_bad else "")
        run.may_be_late.add(photo.number)
    overwritten_at = {"9.jpg": ("10.jpg", "1.jpg", "7.jpg", "10.jpg")}

    def overwrite(operation: str, key: str) -> None:
        if operation == "GetObject":
            run.untold(*overwritten_at.pop(key.rpartition("/")[2], ()))

    run.world.frames.on_request = overwrite
    with patch.object(plan, "_RANGE_PHOTOS", _RANGE_PHOTOS):
        run.sweep()
        run.untold("14.jpg", "15.jpg", "16.jpg")
        run.new_environment()
        run.sweep(drain=True)
        run.take("17.jpg", "18.jpg")
    run.world.frames.on_request = lambda _operation, _key: None


def by_functions(run: RangesRun) -> None:
    """Plan, encode and join by functions, beside one that takes the camera's events. A range is missing, one comes
    twice; photos are written over when they were planned, and when they were encoded; a plan is given up."""
    run.take("00.jpg", "01.jpg")
    bad = run.add("02.jpg", b"no photo", reason="undecodable")
    run.may_be_late.add(bad.number)
    run.untold(*(f"{number:02d}.jpg" for number in range(3, 13)))
    planned = run.plan()
    run.untold("03.jpg")
    run.encode(planned, 2, 0, 0)
    run.untold("12.jpg")  # it has a range of its own, and is the last photo still
    run.join(planned)
    run.take("13.jpg", "14.jpg")
    run.untold("15.jpg", "16.jpg", "17.jpg")
    given_up = run.plan()
    run.encode(given_up, 0)
    planned = run.plan()
    run.encode(planned, 0)
    run.untold("15.jpg")
    run.join(planned)


def behind_others(run: RangesRun) -> None:
    """Settings change before a join, and a live function is ahead of another."""
    run.untold(*(f"{number}.jpg" for number in range(5)))
    planned = run.plan()
    run.encode(planned, 0)
    run.world.settings |= {"TIMELAPSE_PRESET": "ultrafast", "TIMELAPSE_KEYFRAME_INTERVAL": "2"}
    run.join(planned)
    run.untold(*(f"{number}.jpg" for number in range(5, 9)))
    planned = run.plan()
    run.encode(planned, 0)
    run.new_environment()
    run.take("9.jpg")
    run.join(planned)
