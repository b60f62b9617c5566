"""Uploads as real cameras make them, in arrival order: each photo in the video once, in the order in which it was
taken.

The same kinds go through the real runtime in tests/integration.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tests.recovery.fake_media import fake_photo, fake_world, photos_in
from tests.world import STREAM, World
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.commit_plan import segment_key


@dataclass
class Camera:
    """Uploads fake photos into a world and delivers their events, at given times in seconds."""

    world: World = field(default_factory=lambda: fake_world({"TIMELAPSE_ORDER": "arrival"}))
    event_names_content: bool = True

    def __post_init__(self) -> None:
        self.start = self.world.clock.now_epoch_ms()
        self.function: Timelapse = self.world.environment()
        self.counts: dict[str, int] = {}

    def at(self, seconds: float) -> None:
        """Move the clock to `seconds` from the start."""
        self.world.clock.advance(self.start + 1000 * seconds - self.world.clock.now_epoch_ms())

    def put(self, key: str, body: bytes) -> dict[str, object]:
        """Upload; the answer is the event."""
        where = f"frames/{STREAM}/{key}"
        etag = self.world.frames.put(where, body)
        return object_created_event(self.world.frames.bucket, where, etag=etag if self.event_names_content else None)

    def deliver(self, event: object) -> None:
        answer = self.function.invoke(event, self.world.context(10**15))
        for name, count in answer["streams"].get(STREAM, {}).items():
            self.counts[name] = self.counts.get(name, 0) + count

    def shoot(self, names: Sequence[str], first: int = 0, *, start: float = 0, step: float = 1) -> None:
        """One photo after the other, each with its event."""
        for number, name in enumerate(names):
            self.at(start + number * step)
            self.deliver(self.put(name, fake_photo(first + number)))

    def restart(self) -> None:
        self.function = self.world.environment()

    def finish(self) -> list[int]:
        """Sweep, check, and return the numbers that the frames show."""
        self.world.sweep(self.function, drain=True)
        report = self.world.verify()
        assert (report.findings, report.pending) == ([], [])
        return [
            number
            for reel in self.world.reels()
            for segment in reel.segments
            for number in photos_in(self.world.video.get(segment_key(self.world.keys, reel, segment)).body)
        ]


@pytest.fixture(params=[True, False], ids=["etag in event", "key alone"])
def camera(request: pytest.FixtureRequest) -> Camera:
    return Camera(event_names_content=request.param)


def _minutes_over_the_end_of_summer_time() -> list[str]:
    minutes = [f"20261025T0{hour}{m:02d}00.jpg" for hour in (1, 2) for m in range(60)]
    return [
        *minutes,
        *(f"20261025T02{m:02d}30.jpg" for m in range(60)),
        *(f"20261025T03{m:02d}00.jpg" for m in range(30)),
    ]


_draw = random.Random(3)
NAMES: dict[str, list[str]] = {
    "padded": [f"{i:06d}.jpg" for i in range(100)],
    "unpadded": [f"{i}.jpg" for i in range(1, 131)],
    "six digits": [f"frame{i}.jpg" for i in range(99960, 100050)],
    "a counter that wraps": [f"IMG_{i % 10000:04d}.JPG" for i in range(9950, 10050)],
    "a clock that falls back": [f"{1970 if 40 <= i < 70 else 2026}-{i:04d}.jpg" for i in range(100)],
    "the end of summer time": _minutes_over_the_end_of_summer_time(),
    "a counter that restarts": [f"{i % 100:06d}.jpg" for i in range(300)],
    "weekdays": [f"{day}/{i:02d}.jpg" for day in ("thu", "fri", "sat", "sun", "mon") for i in range(30)],
    "random names": [f"{uuid.UUID(int=_draw.getrandbits(128))}.jpg" for _ in range(120)],
    "one name": ["snapshot.jpg"] * 60,
    "two cameras": [f"{'ab'[i % 2]}/{i:04d}.jpg" for i in range(100)],
    "odd names": [f"{'é ü%+&'[i % 6]}{i}\u20ac.jpg" for i in range(60)],
}


@pytest.mark.parametrize("restart", [0, 7, 33])
@pytest.mark.parametrize("step", [1, 20])
@pytest.mark.parametrize("case", NAMES)
def test_photos_that_arrive_one_by_one_are_in_that_order(camera: Camera, case: str, step: float, restart: int) -> None:
    names = NAMES[case]
    for start in range(0, len(names), restart or len(names)):
        batch = names[start : start + (restart or len(names))]
        camera.shoot(batch, start, start=start * step, step=step)
        camera.restart()
    assert camera.finish() == list(range(len(names)))
    assert camera.world.rejections() == {}


@pytest.mark.parametrize("stray", ["image.jpg", "20380119T031407.jpg", "!.jpg", "zzz/9999.jpg"])
def test_a_stray_photo_is_one_frame(camera: Camera, stray: str) -> None:
    names = [f"20261125T12{i // 60:02d}{i % 60:02d}.jpg" for i in range(120)]
    camera.shoot(names[:30])
    camera.at(30)
    camera.deliver(camera.put(stray, fake_photo(3000)))
    camera.shoot(names[30:60], 30, start=31)
    camera.restart()
    camera.shoot(names[60:], 60, start=63)
    assert camera.finish() == [*range(30), 3000, *range(30, 120)]
