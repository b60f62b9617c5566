"""Uploads as real cameras and tools make them, through the real runtime: the frames are right, and in the right order.

S3's clock is set by the test, so that a run of minutes takes seconds; it has whole seconds, as S3's has.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.photos import make_photos
from tests.probe import ffmpeg_numbers
from tests.timelapse.test_field_cases import NAMES
from timelapse_runtime.emulator.deployment import INSTALLED
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.verify import Verifier

START = 1_790_000_000
STREAM = "camera"
PHOTOS = list(make_photos(130, (128, 72)))
STRAY = next(make_photos(1, (128, 72), first=3000))
SERVER = (sys.executable, "-P", "-m", "tests.integration.s3_with_clock", "-H", "127.0.0.1", "-p", "{port}")


@dataclass
class Player:
    """Uploads photos and delivers their events. A stream of its own for each test."""

    store: S3Store
    environment: LocalLambda
    clock: Path
    lines: list[str]
    """What the runtime has printed."""

    def at(self, seconds: float) -> None:
        """Set S3's clock to `seconds` from the start."""
        self.clock.write_text(str(START + seconds))

    def event(self, key: str, etag: str, size_bytes: int) -> dict[str, object]:
        return object_created_event(self.store.bucket, f"frames/{STREAM}/{key}", etag=etag, size_bytes=size_bytes)

    def upload(self, key: str, body: bytes) -> dict[str, object]:
        """Upload; the answer is the event."""
        return self.event(key, self.store.put(f"frames/{STREAM}/{key}", body), len(body))

    def deliver(self, event: object) -> None:
        result = self.environment.invoke(event)
        assert result.error_type is None, (result, self.lines[-5:])

    def put(self, key: str, body: bytes, seconds: float) -> None:
        self.at(seconds)
        self.deliver(self.upload(key, body))

    def finish(self, folder: Path) -> list[int]:
        """Close the reel; the numbers that ffmpeg sees in the videos."""
        self.deliver({"sweep": {"stream": STREAM, "close": True, "all_reels": True}})
        self.environment.shutdown()
        report = Verifier(self.store, self.store, f"video/{STREAM}/", f"frames/{STREAM}/").run()
        assert (report.findings, report.pending) == ([], [])
        numbers: list[int] = []
        for info in self.store.list_after(f"video/{STREAM}/reels/"):
            if info.key.endswith("video.mp4"):
                video = folder / "video.mp4"
                video.write_bytes(self.store.get(info.key).body)
                numbers += ffmpeg_numbers(video)
        return numbers

    def rejected(self) -> list[str]:
        return [info.key for info in self.store.list_after(f"video/{STREAM}/rejected/")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedS3, Path]]:
    clock = tmp_path_factory.mktemp("clock") / "clock"
    clock.write_text(str(START))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOCK", str(clock))
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        with EmbeddedS3(SERVER) as running:
            yield running, clock


@pytest.fixture
def player(server: tuple[EmbeddedS3, Path], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Player]:
    running, clock = server
    bucket = f"photos-{abs(hash(request.node.name))}"
    client = make_client(variables=running.variables())
    client.create_bucket(Bucket=bucket)
    store = S3Store(client, bucket)
    variables = {
        **running.variables(),
        "STATEFUL_RUNTIME_PYTHON": sys.executable,
        "TIMELAPSE_FRAMES": f"s3://{bucket}/frames/",
        "TIMELAPSE_VIDEO": f"s3://{bucket}/video/",
        "TIMELAPSE_FLUSH_EVERY": "20",
        "TIMELAPSE_PRESET": "superfast",
        "TIMELAPSE_REEL": "never",
    }
    lines: list[str] = []
    with LocalLambda(
        deployment=INSTALLED,
        variables=variables,
        temp_folder=tmp_path,
        on_log=lambda source, line: lines.append(f"{source}: {line}"),
    ) as environment:
        yield Player(store, environment, clock, lines)


def play(player: Player, names: list[str], restart: int, *, end: Callable[[], object], start: float = 0) -> None:
    for number, name in enumerate(names):
        if number == restart:
            end()
        player.put(name, PHOTOS[number], start + number)


@pytest.mark.parametrize("case", sorted(NAMES))
def test_photos_are_in_the_order_in_which_they_were_taken(player: Player, case: str, tmp_path: Path) -> None:
    names = NAMES[case][:100]
    play(player, names, 37, end=player.environment.kill)
    assert player.finish(tmp_path) == list(range(len(names)))
    assert player.rejected() == []


@pytest.mark.parametrize("stray", ["Thumbs.db", "README.txt", "image.jpg", "20380119T031407.jpg"])
def test_a_stray_object_stops_nothing(player: Player, stray: str, tmp_path: Path) -> None:
    names = [f"20261125T12{i // 60:02d}{i % 60:02d}.jpg" for i in range(90)]
    is_photo = stray.endswith(".jpg")
    for number, name in enumerate(names):
        player.put(name, PHOTOS[number], number)
        if number == 29:
            player.put(stray, STRAY if is_photo else b"\xd0\xcf" * 50, 29.5)
        if number == 60:
            player.environment.kill()
    expected = [*range(30), *([3000] if is_photo else []), *range(30, 90)]
    assert player.finish(tmp_path) == expected
    assert player.rejected() == []


@pytest.mark.parametrize("first", ["empty", "half"])
def test_content_that_comes_later_becomes_a_frame(player: Player, first: str, tmp_path: Path) -> None:
    for number in range(20):
        name, body = f"{number:04d}.jpg", PHOTOS[number]
        player.put(name, b"" if first == "empty" else body[: len(body) // 2], 2 * number)
        player.put(name, body, 2 * number + 1)
        if number == 8:
            player.environment.kill()
    assert player.finish(tmp_path) == list(range(20))
    assert player.rejected() == []


def test_temporary_names_and_sidecars_are_no_photos(player: Player, tmp_path: Path) -> None:
    for number in range(20):
        name, body = f"{number:04d}.jpg", PHOTOS[number]
        player.put(f"{name}.tmp", body, number)
        player.put(name, body, number)
        player.store.delete([f"frames/{STREAM}/{name}.tmp"])
        player.put(f"{number:04d}.xmp", b"<x/>", number)
        player.put(f"thumbnails/{name}", STRAY, number)
    assert player.finish(tmp_path) == list(range(20))
    assert player.rejected() == []


def test_events_that_come_late_change_nothing(player: Player, tmp_path: Path) -> None:
    late: list[tuple[int, object]] = []
    for number in range(100):
        player.at(number)
        event = player.upload(f"{number:04d}.jpg", PHOTOS[number])
        if number % 10 == 5:
            late.append((number + 4, event))
        else:
            player.deliver(event)
        while late and late[0][0] <= number:
            player.deliver(late.pop(0)[1])
    assert player.finish(tmp_path) == list(range(100))


def test_a_folder_that_is_copied_ten_at_a_time_is_in_natural_order(player: Player, tmp_path: Path) -> None:
    draw = random.Random(7)
    for place, number in enumerate(sorted(range(120), key=lambda i: i + draw.uniform(0, 10))):
        player.put(f"img_{number}.jpg", PHOTOS[number], place / 20)
    assert player.finish(tmp_path) == list(range(120))


def test_events_in_reverse_after_all_uploads(player: Player, tmp_path: Path) -> None:
    events = []
    for number in range(60):
        player.at(number / 5)
        events.append(player.upload(f"{number}.jpg", PHOTOS[number]))
    for event in reversed(events):
        player.deliver(event)
    assert player.finish(tmp_path) == list(range(60))
