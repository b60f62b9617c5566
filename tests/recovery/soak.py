"""Streams of thousands of frames through real processes that are killed, frozen and shut down at random.

`python -m tests.recovery.soak --streams 8 --frames 5000`: each stream has an environment of its own (the real
bootstrap and extension in the local Lambda environment) and a bucket of its own in the embedded S3 server. Every photo
is uploaded, and its event delivered up to three times, as Lambda does it. In the end each stream is swept and verified,
ffmpeg reads the number of each frame, and the growth of the processes' memory is told. Prints one line of JSON; exit
code 0 only if every photo is in its video once, `verify` finds nothing, and memory is flat.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.benchmark.long_run import rss_bytes
from tests.photos import make_photos
from tests.probe import ffmpeg_numbers
from tests.programs import require_program
from timelapse_runtime.emulator.deployment import INSTALLED
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.verify import Verifier

STREAM = "camera"
SIZE = (128, 64)
"""The least that has room for a number that a video frame shows."""
_TRIES = 3
_AT_ONCE = 2
_ROUND_FRAMES = 25
_SAMPLE_EVERY = 20
_WARM_FRAMES = 2_000
"""So many frames of a process do not count for its growth: it remembers its last 2,000 photos, which fills up first."""
_SHORTEST_LIFE = 3_000
_FLAT_KB_PER_THOUSAND = 1_000
_SECONDS = 60


@dataclass(frozen=True)
class Life:
    """The memory of one process: `points` are frames since its start, and its resident set in bytes."""

    points: list[tuple[int, int]] = field(default_factory=list)

    @property
    def frame_count(self) -> int:
        """How many frames it saw."""
        return self.points[-1][0] if self.points else 0

    @property
    def growth_kb(self) -> float:
        """By how many kB it grows in a thousand frames: the slope of a straight line."""
        warm = [point for point in self.points if point[0] >= _WARM_FRAMES]
        return statistics.linear_regression(*zip(*warm, strict=True)).slope


@dataclass(frozen=True)
class Outcome:
    """What came of a stream."""

    frames: int
    wrong: list[str]
    out_of_order: int
    invocations: int
    failed_invocations: int
    lost_events: int
    cold_starts: int
    disturbances: dict[str, int]
    lives: list[Life]


class Camera:
    """One stream. `every`: a disturbance every so many frames on average; 0: none."""

    def __init__(self, number: int, server: EmbeddedS3, folder: Path, *, every: int, settings: dict[str, str]) -> None:
        self._draw, self._every = random.Random(number), every
        self._counts: Counter[str] = Counter()
        self._disturbed: Counter[str] = Counter()
        self._lives: dict[int, Life] = {}
        self._seen: Counter[int] = Counter()
        self._uploaded = 0
        bucket = f"soak-{number}"
        server.create_buckets(bucket)
        self._store = S3Store(make_client(variables=server.variables()), bucket)
        variables = {
            **server.variables(),
            "STATEFUL_RUNTIME_PYTHON": sys.executable,
            "TIMELAPSE_FRAMES": f"s3://{bucket}/frames/",
            "TIMELAPSE_VIDEO": f"s3://{bucket}/video/",
            "TIMELAPSE_PRESET": "superfast",
            "TIMELAPSE_REEL": "never",
            "TIMELAPSE_THREADS": "1",
            **settings,
        }
        self._environments = [
            LocalLambda(deployment=INSTALLED, variables=variables, temp_folder=folder / name, timeout_seconds=_SECONDS)
            for name in (f"{number}-a", f"{number}-b")
        ]
        self._waits = 0
        """So many events more go to the second environment, while the first one is frozen."""

    def close(self) -> None:
        """End the processes."""
        for environment in self._environments:
            environment.close()

    # ---- photos

    def play(self, photos: Sequence[bytes]) -> None:
        """Upload the next photos, and deliver their events."""
        for body in photos:
            key = f"frames/{STREAM}/{self._uploaded:06d}.jpg"
            self._uploaded += 1
            etag = self._store.put(key, body, content_type="image/jpeg")
            event = object_created_event(self._store.bucket, key, size_bytes=len(body), etag=etag)
            is_disturbed = self._every and self._draw.random() < 1 / self._every
            with self._disturbance() if is_disturbed else ExitStack():
                self._deliver(event)
            self._note_memory()

    def _deliver(self, event: Any) -> bool:
        environment = self._environments[self._waits > 0]
        for _ in range(_TRIES):
            self._counts["invocations"] += 1
            if environment.invoke(event).error_type is None:
                break
            self._counts["failed"] += 1
        else:
            self._counts["lost"] += 1
            return False
        if self._waits:
            self._waits -= 1
            if not self._waits:
                environment.kill()
        return True

    def _note_memory(self) -> None:
        process = self._environments[0].process_ids.get("runtime")
        if process is None or self._waits:
            return
        self._seen[process] += 1
        if self._seen[process] % _SAMPLE_EVERY == 0:
            life = self._lives.setdefault(process, Life())
            life.points.append((self._seen[process], rss_bytes(process)))

    # ---- disturbances

    @contextmanager
    def _disturbance(self) -> Iterator[None]:
        """One of several, while an event is delivered."""
        kinds: dict[str, Callable[[], None]] = {
            "host lost": self._lose_host,
            "runtime killed": self._kill_runtime,
            "stopped within an invocation": self._stop_for_a_moment,
        }
        before: dict[str, Callable[[], object]] = {
            "shut down": self._environments[0].shutdown,
            "frozen while another takes over": self._freeze,
            "host lost while idle": self._environments[0].kill,
        }
        kind = self._draw.choice([*kinds, *before])
        self._disturbed[kind] += 1
        if kind in before:
            before[kind]()
            yield
            return
        timer = threading.Timer(self._draw.uniform(0, 0.03), kinds[kind])
        timer.start()
        yield
        timer.join()

    def _freeze(self) -> None:
        self._waits = self._draw.randint(5, 60)

    def _lose_host(self) -> None:
        self._environments[self._waits > 0].kill()

    def _kill_runtime(self) -> None:
        self._signal(signal.SIGKILL)

    def _stop_for_a_moment(self) -> None:
        self._signal(signal.SIGSTOP)
        time.sleep(0.2)
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        process = self._environments[self._waits > 0].process_ids.get("runtime")
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process, number)

    # ---- the end

    def finish(self, folder: Path) -> Outcome:
        """Finish the video, end the processes, and look at all that is there."""
        self._waits = 0
        failed = not self._deliver({"sweep": {"stream": STREAM, "close": True, "all_reels": True}})
        for environment in self._environments:
            environment.shutdown()
        wrong = ["the last sweep fails"] if failed else []
        report = Verifier(self._store, self._store, f"video/{STREAM}/", f"frames/{STREAM}/").run()
        wrong += [f"verify: {finding.kind} {finding.where}: {finding.detail}" for finding in report.findings]
        wrong += [f"verify: pending {key}" for key in report.pending]
        numbers = list(self._numbers(folder))
        times = Counter(numbers)
        wrong += [f"photo {one} is there {times[one]} times" for one in range(self._uploaded) if times[one] != 1]
        return Outcome(
            frames=len(numbers),
            wrong=wrong,
            out_of_order=sum(after < before for before, after in itertools.pairwise(numbers)),
            invocations=self._counts["invocations"],
            failed_invocations=self._counts["failed"],
            lost_events=self._counts["lost"],
            cold_starts=sum(environment.cold_starts for environment in self._environments),
            disturbances=dict(self._disturbed),
            lives=list(self._lives.values()),
        )

    def _numbers(self, folder: Path) -> Iterator[int]:
        """The photos that ffmpeg sees, in the order of the frames."""
        for info in self._store.list_after(f"video/{STREAM}/reels/"):
            if info.key.endswith("video.mp4"):
                video = folder / f"{self._store.bucket}.mp4"
                video.write_bytes(self._store.get(info.key).body)
                yield from ffmpeg_numbers(video)


def soak(
    streams: int, frames: int, *, every: int = 150, settings: dict[str, str] | None = None, quiet: bool = True
) -> list[Outcome]:
    """The outcome of each stream. The first one is not disturbed: its process lives to the end."""
    photos = list(make_photos(frames, SIZE))
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedS3())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="timelapse-soak-")))
        cameras = [
            Camera(number, server, folder, every=every if number else 0, settings=settings or {})
            for number in range(streams)
        ]
        for camera in cameras:
            stack.callback(camera.close)
        pool = stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
        for first in range(0, frames, _ROUND_FRAMES):
            list(pool.map(lambda camera: camera.play(photos[first : first + _ROUND_FRAMES]), cameras))  # noqa: B023
            if not quiet:
                print(f"{first + _ROUND_FRAMES} frames of each stream", file=sys.stderr, flush=True)
        return list(pool.map(lambda camera: camera.finish(folder), cameras))


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All streams together."""
    lives = [life for outcome in outcomes for life in outcome.lives if life.frame_count >= _SHORTEST_LIFE]
    disturbed = sum((Counter(outcome.disturbances) for outcome in outcomes), Counter[str]())
    names = ("frames", "out_of_order", "invocations", "failed_invocations", "lost_events", "cold_starts")
    return {
        **{name: sum(asdict(outcome)[name] for outcome in outcomes) for name in names},
        "disturbances": dict(disturbed),
        "wrong": [one for outcome in outcomes for one in outcome.wrong],
        "lives": [
            {"frames": life.frame_count, "growth_kb_per_thousand_frames": round(life.growth_kb)}
            | {"mb": [round(life.points[place][1] / 1e6, 1) for place in (_WARM_FRAMES // _SAMPLE_EVERY, -1)]}
            for life in lives
        ],
    }


def main() -> int:
    """Run, and print the line."""
    parser = argparse.ArgumentParser(prog="python -m tests.recovery.soak", description=__doc__.split("\n\n")[1])
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--frames", type=int, default=5_000)
    parser.add_argument("--every", type=int, default=150, help="frames between two disturbances of a stream")
    arguments = parser.parse_args()
    require_program("ffmpeg")
    began, cpu = time.monotonic(), os.times()
    line = summary(soak(arguments.streams, arguments.frames, every=arguments.every, quiet=False))
    used = os.times()
    line["seconds"] = round(time.monotonic() - began)
    line["cpu_seconds"] = round(sum(used[:4]) - sum(cpu[:4]))
    print(json.dumps(line))
    is_flat = all(life["growth_kb_per_thousand_frames"] <= _FLAT_KB_PER_THOUSAND for life in line["lives"])
    return 0 if is_flat and not line["wrong"] else 1


if __name__ == "__main__":
    sys.exit(main())
