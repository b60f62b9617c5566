"""Does anything of a stream grow without bound? `python -m tests.timelapse.year [reel] [bulk] [year]`.

The real function with stores in memory, a clock that is set, and a codec that costs microseconds.

`reel`: 100,000 photos at one a second into one open reel, in order and in worse ways: how large does the checkpoint
become, how many reels are there? `bulk`: the photos of 20 days, uploaded at once in a shuffled order of the days: the
largest checkpoint, and the bytes of all of them. `year`: 365 days of a camera, scaled down to PHOTOS_A_DAY; photos are
deleted after 30 days, environments restart, sweeps come every hour. A line for each quarter: sizes, objects, and
requests a photo.
"""

from __future__ import annotations

import gc
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from types import FunctionType, ModuleType
from typing import Any

from tests.recovery.fake_media import fake_photo, fake_world
from tests.timelapse.listing_cost import requests_of
from tests.timelapse.test_field_cases import Camera
from tests.world import STREAM, World
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.state.memory import MemoryStore

LIMIT_BYTES = 256_000
"""Of an open reel's checkpoint."""
REEL_FRAMES = 100_000
PHOTOS_A_DAY = 96
_DAY_SECONDS = 86_400
_SETTINGS = {"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_FLUSH_EVERY": "60", "TIMELAPSE_KEYFRAME_INTERVAL": "180"}
_KEPT_FRAMES = 2_000
"""Of the reel's photos in the store: older ones are deleted, which makes listings of the test cheap."""


@dataclass
class Largest:
    """The largest size so far, by object."""

    bytes_by_name: Counter[str] = field(default_factory=Counter)

    def look(self, world: World) -> None:
        """Measure what is stored now."""
        keys = world.keys
        playlists = {"video.m3u8": keys.newest_video, "live.m3u8": keys.live, "week.m3u8": keys.week}
        for name, key in ({"checkpoint": keys.checkpoint} | playlists).items():
            if (stored := world.video.peek(key)) is not None:
                self.bytes_by_name[name] = max(self.bytes_by_name[name], len(stored))


# ---- one reel


def in_order(_random: random.Random, _number: int) -> float:
    """Each photo is visible when it was uploaded."""
    return 0


def late(chance: random.Random, _number: int) -> float:
    """One in ten is visible 20 to 200 seconds after its time, as after a slow multipart upload."""
    return chance.uniform(20, 200) if chance.random() < 0.1 else 0


def reversed_runs(_random: random.Random, number: int) -> float:
    """Runs of 100 photos are visible backwards."""
    return 2 * (number % 100) + 1


@dataclass(frozen=True, slots=True)
class Way:
    """How photos come: `delay_of` says how many seconds after its time a photo becomes visible."""

    title: str
    delay_of: Callable[[random.Random, int], float] = in_order
    count: int = REEL_FRAMES
    restart_every: int = 0
    name_length: int = 20


WAYS = (
    Way("in order"),
    Way("in order, names of 200 characters", name_length=200),
    Way("one in ten late", late),
    Way("runs of 100 backwards", reversed_runs),
    Way("closed and opened every 5 photos", count=REEL_FRAMES // 20, restart_every=5),
)


def long_reel(way: Way) -> tuple[Largest, int]:
    """The largest sizes, and how many reels there are in the end."""
    count = way.count
    camera = Camera(fake_world(_SETTINGS | {"TIMELAPSE_REEL": "never"}))
    chance, largest = random.Random(1), Largest()
    visible = sorted((number + way.delay_of(chance, number), number) for number in range(count))
    names = [f"{number:0{way.name_length - 4}d}.jpg" for number in range(count)]
    for position, (at, number) in enumerate(visible):
        camera.at(number)  # its Last-Modified
        event = camera.put(names[number], fake_photo(number))
        camera.at(at)
        camera.deliver(event)
        if position >= _KEPT_FRAMES:
            camera.world.frames.delete([f"frames/{STREAM}/{names[visible[position - _KEPT_FRAMES][1]]}"])
        if position % 100 == 0:
            largest.look(camera.world)
        if way.restart_every and position % way.restart_every == way.restart_every - 1:
            camera.world.sweep(camera.function, drain=True)
            camera.restart()
    camera.world.sweep(camera.function, drain=True)
    largest.look(camera.world)
    return largest, len(camera.world.reels())


def print_reels() -> bool:
    """A line for each way; whether the checkpoint stays small in all of them."""
    is_small = True
    print("One photo a second, TIMELAPSE_REEL=never")
    for way in WAYS:
        began = time.monotonic()
        largest, reels = long_reel(way)
        sizes = ", ".join(f"{name} {size / 1000:.0f} kB" for name, size in largest.bytes_by_name.items())
        is_small &= largest.bytes_by_name["checkpoint"] <= LIMIT_BYTES
        print(
            f"{way.count:,} {way.title}: reels {reels}; at most {sizes} ({time.monotonic() - began:.0f} s)", flush=True
        )
    return is_small


# ---- bulk uploads


@dataclass(frozen=True, slots=True)
class Bulk:
    """What the checkpoints of a bulk upload have, in bytes."""

    photos: int
    largest_bytes: int
    all_bytes: int
    commits: int


def bulk_upload(per_day: int, days: int = 20) -> Bulk:
    """Photos of several days, the days in a shuffled order and the photos of each in theirs; one sweep takes them."""
    world = fake_world(_SETTINGS | {"TIMELAPSE_REEL": "day"})
    world.clock.advance(1_000 * _DAY_SECONDS * 365 * 40)
    order = random.Random(1).sample(range(days), days)
    for number, (day, place) in enumerate((day, place) for day in order for place in range(per_day)):
        moment = datetime(2024, 5, 1, 6) + timedelta(days=day, seconds=30 * place)
        world.clock.advance(100)
        world.frames.put(f"frames/{STREAM}/day{day:02d}/IMG_{place:05d}.jpg", fake_photo(number, moment))
    sizes: list[int] = []

    def measure(operation: str, key: str, effect: Callable[[], Any]) -> Any:
        answer = effect()
        if operation == "PutObject" and key == world.keys.checkpoint:
            sizes.append(len(world.video.peek(key) or b""))
        return answer

    world.video.around = measure
    world.sweep(world.environment(), drain=True)
    assert world.checkpoint().frame_count == per_day * days
    return Bulk(per_day * days, max(sizes), sum(sizes), len(sizes))


def print_bulk() -> bool:
    """A line for each size of a bulk upload; whether the checkpoint stays small in all of them."""
    is_small = True
    print("\n20 days, uploaded at once in a shuffled order")
    for per_day in (50, 150, 300, 500, 950):
        one = bulk_upload(per_day)
        sizes = f"at most {one.largest_bytes / 1000:.0f} kB, {one.all_bytes / 1e6:.0f} MB in {one.commits} commits"
        print(f"{one.photos:,} photos: checkpoints of {sizes}", flush=True)
        is_small &= one.largest_bytes <= LIMIT_BYTES
    return is_small


# ---- a year


@dataclass(frozen=True, slots=True)
class Quarter:
    """What there is after a quarter. `objects_a_day` are the video bucket's; requests are those of the quarter."""

    days: int
    checkpoint_bytes: int
    live_bytes: int
    week_bytes: int
    video_playlist_bytes: int
    objects_a_day: float
    photos_kept: int
    lists_a_photo: float
    requests_a_photo: float
    state_bytes: int


@dataclass
class Year:
    """A camera's year of four quarters. A new environment takes over every `restart_days`; without it, one lives for
    the whole year, as on a machine of one's own."""

    days: int = 364
    photos_a_day: int = PHOTOS_A_DAY
    expire_days: int = 30
    restart_days: int = 0

    def run(self) -> list[Quarter]:
        """Live it."""
        camera = self._camera = Camera(fake_world(_SETTINGS | {"TIMELAPSE_REEL": "day"}))
        quarters, before = list[Quarter](), Counter[str]()
        for day in range(self.days):
            camera.shoot(self._names(day), day * self.photos_a_day, start=day * _DAY_SECONDS, step=1)
            for hour in range(6, 24, 6):
                camera.at(day * _DAY_SECONDS + hour * 3600)
                camera.world.sweep(camera.function)
            if day >= self.expire_days:
                old = self._names(day - self.expire_days)
                camera.world.frames.delete([f"frames/{STREAM}/{name}" for name in old])
            if self.restart_days and day % self.restart_days == self.restart_days - 1:
                camera.restart()
            if (day + 1) % (self.days // 4) == 0:
                counted = requests_of(camera)
                quarters.append(self._quarter(day + 1, counted - before))
                before = counted
        return quarters

    def _names(self, day: int) -> list[str]:
        return [f"day{day:04d}/{number:04d}.jpg" for number in range(self.photos_a_day)]

    def _quarter(self, days: int, counted: Counter[str]) -> Quarter:
        world, photos = self._camera.world, self.days // 4 * self.photos_a_day
        keys = world.keys
        sizes = [len(world.video.get(key).body) for key in (keys.checkpoint, keys.live, keys.week, keys.newest_video)]
        checkpoint, live, week, newest_video = sizes
        return Quarter(
            days,
            checkpoint,
            live,
            week,
            newest_video,
            sum(1 for _ in world.video.list_after("")) / days,
            sum(1 for _ in world.frames.list_after("")),
            counted["ListObjectsV2"] / photos,
            counted.total() / photos,
            state_size_bytes(self._camera.function),
        )


def state_size_bytes(root: object) -> int:
    """What an object holds in Python's memory, without stores, code and the clock."""
    seen, waiting, total = set[int](), [root], 0
    left_out = (MemoryStore, ManualClock, type, ModuleType, FunctionType, Executor, logging.Logger)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, left_out):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        waiting += gc.get_referents(one)
    return total


def print_year() -> bool:
    """The quarters, of an environment that lives on and of one that is replaced every other day; whether the last is
    like the second."""
    is_flat = True
    for restart_days in (0, 2):
        how = f"a restart every {restart_days} days" if restart_days else "no restart"
        print(f"\n364 days of {PHOTOS_A_DAY} photos, {how}")
        quarters = [asdict(quarter) for quarter in Year(restart_days=restart_days).run()]
        for quarter in quarters:
            print(", ".join(f"{name} {value:.4g}" for name, value in quarter.items()), flush=True)
        grown = [
            name for name, value in quarters[-1].items() if name != "days" and not is_like(value, quarters[0][name])
        ]
        is_flat &= not grown
        print(f"grown: {', '.join(grown) or 'nothing'}")
    return is_flat


def is_like(last: float, first: float) -> bool:
    """Whether it has grown by a tenth at most: names have a digit more."""
    return last <= 1.1 * first + 0.01


def main() -> int:
    """Print the tables; 1 if something grows, or is too large."""
    logging.disable(logging.CRITICAL)
    wanted = sys.argv[1:] or ["reel", "bulk", "year"]
    is_good = True
    if "reel" in wanted:
        is_good &= print_reels()
    if "bulk" in wanted:
        is_good &= print_bulk()
    if "year" in wanted:
        is_good &= print_year()
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
