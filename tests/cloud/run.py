"""The package in ministack: numbered photos by PUT, events by one of the templates' routes, the videos judged.

    python -m tests.cloud.run --photos 600 --rate 5 --route fifo

prints the figures as JSON. Needs what scripts/package wrote into dist/, ffmpeg, and
`scripts/install dev ministack infra`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cloud.account import Account, Archives
from tests.infra.conftest import ROOT
from tests.photos import make_photos
from tests.probe import ffmpeg_numbers, ffprobe_frames
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.runtime.state.s3 import S3Store
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.verify import Verifier

TEMPLATES = {"direct": "template", "fifo": "cameras"}
"""The template of each route: S3 to the function; S3, EventBridge, router, SQS FIFO, dispatcher to the function."""
_CONCURRENCY = {"direct": 10, "fifo": 100}
"""The limit of a new account; and what lets each router and dispatcher run that ministack starts."""
_IDLE_SECONDS = 6
"""TIMELAPSE_FLUSH_AFTER_SECONDS: a sweep takes the last frames out of the encoder after so long."""
_POLL_SECONDS = 0.25
_SWEEP_EVERY_SECONDS = 2.0
_SETTLE_SECONDS, _SETTLE_SECONDS_PER_PHOTO = 180, 2
"""How long all may take to be committed. ministack takes the messages of a FIFO queue one by one."""
_NUMBERS = 10_000
"""The first camera's photos are numbered from 0, the second's from 10,000."""


@dataclass(frozen=True)
class Plan:
    """What is uploaded, and how its events travel. `rate` is photos per second, of all cameras together."""

    photos: int
    rate: float
    route: str
    reserved: bool
    cameras: int
    size: tuple[int, int]
    flush_every: int
    concurrency: int
    """The account's limit."""

    @property
    def settle_seconds(self) -> int:
        return _SETTLE_SECONDS + _SETTLE_SECONDS_PER_PHOTO * self.photos

    @property
    def names(self) -> list[str]:
        return [f"camera-{number:02d}" for number in range(self.cameras)]

    @property
    def parameters(self) -> dict[str, str]:
        """The template's, where they are not the defaults. A reel for ever: midnight may pass during a test."""
        return {
            "FlushEvery": str(self.flush_every),
            "FlushAfterSeconds": str(_IDLE_SECONDS),
            "Reel": "never",
            "Threads": "1",
        }


@dataclass
class Commits:
    """When the checkpoints of the cameras showed how many frames. Times are monotonic."""

    times: dict[str, list[tuple[float, int]]] = field(default_factory=dict)

    def note(self, camera: str, frame_count: int) -> None:
        seen = self.times.setdefault(camera, [(0.0, 0)])
        if frame_count > seen[-1][1]:
            seen.append((time.monotonic(), frame_count))

    def frame_count(self, camera: str) -> int:
        return self.times.get(camera, [(0.0, 0)])[-1][1]

    def lags(self, camera: str, uploaded: list[float]) -> list[float]:
        """From each upload to the checkpoint that has it, in the order of uploads; committed photos only."""
        seen = self.times.get(camera, [])
        found = [
            next((at - begun for at, count in seen if count > position), None)
            for position, begun in enumerate(uploaded)
        ]
        return [lag for lag in found if lag is not None]


def run(account: Account, plan: Plan) -> dict[str, Any]:
    """Deploy, upload, sweep until all is committed, judge. The figures; raises AssertionError on a bad video."""
    account.deploy(TEMPLATES[plan.route], reserved=1 if plan.reserved else None, parameters=plan.parameters)
    account.requests.watch("camera-", {})
    frames, video = account.store("FramesBucket"), account.store("VideoBucket")
    with watched(video, plan.names) as commits:
        uploaded = _upload(frames, plan)
        begun = time.monotonic()
        sweeps = _settle(account, plan, commits)
        settled_seconds = time.monotonic() - begun
        orphans = sum(count_orphans(frames, video, camera) for camera in plan.names)
        _sweep(account, plan)  # what the last commit left behind
        _wait_until_idle(account, plan)
    lags = [lag for camera in plan.names for lag in commits.lags(camera, uploaded[camera])]
    invocations, requests = account.invocations(), account.request_counts()
    return {
        "route": plan.route,
        "reserved": plan.reserved,
        "photos": plan.photos,
        "frames": sum(commits.frame_count(camera) for camera in plan.names),
        "out_of_place": sum(judge(account, camera, len(uploaded[camera])) for camera in plan.names),
        "orphans_before_last_sweep": orphans,
        "orphans": sum(count_orphans(frames, video, camera) for camera in plan.names),
        "invocations": invocations.started,
        "failed_invocations": invocations.failed,
        "undeliverable": sum(account.messages(queue) for queue in _queues_of_failures(plan)),
        "environments": account.environments(),
        "requests": requests,
        "requests_per_photo": round(sum(requests.values()) / plan.photos, 3),
        "counts": invocations.counts,
        "lag_median_seconds": round(statistics.median(lags), 2),
        "lag_maximum_seconds": round(max(lags), 2),
        "settled_after_seconds": round(settled_seconds, 1),
        "sweeps": sweeps,
    }


def judge(account: Account, camera: str, count: int) -> int:
    """Play a camera's video.m3u8 as a player does: each photo is in it, and once. How many are out of place."""
    url = f"{account.endpoint_url}/{account.resource('VideoBucket')}/video/{camera}/video.m3u8"
    probe, first = ffprobe_frames(url), int(camera.rpartition("-")[2]) * _NUMBERS
    numbers = ffmpeg_numbers(url)
    assert sorted(numbers) == list(range(first, first + count)), f"{camera}: {numbers}"
    assert (probe.frame_count, probe.messages, len(probe.steps)) == (count, "", 1)
    return sum(after < before for before, after in itertools.pairwise(numbers))


def count_orphans(frames: S3Store, video: S3Store, camera: str) -> int:
    """Objects of a stream that nothing names. Any other finding of `timelapse verify` is an error."""
    report = Verifier(frames, video, f"video/{camera}/", f"frames/{camera}/").run()
    kinds = Counter(finding.kind for finding in report.findings)
    assert set(kinds) <= {"orphan"}, report.findings
    return kinds["orphan"]


@contextmanager
def watched(video: S3Store, cameras: list[str]) -> Iterator[Commits]:
    """Reads the cameras' checkpoints all the while."""
    commits, ended = Commits(), threading.Event()

    def watch() -> None:
        while not ended.wait(_POLL_SECONDS):
            for camera in cameras:
                try:
                    body = video.get(StreamKeys(f"video/{camera}/").checkpoint).body
                except ObjectNotFound:
                    continue
                commits.note(camera, Checkpoint.from_json(body).frame_count)

    with ThreadPoolExecutor(1) as pool:
        watcher = pool.submit(watch)
        try:
            yield commits
        finally:
            ended.set()
            watcher.result()


def _upload(frames: S3Store, plan: Plan) -> dict[str, list[float]]:
    """PUT the photos at the plan's rate, each camera in turn. When each was put, by camera."""
    made = [
        make_photos(-(-plan.photos // plan.cameras), plan.size, first=number * _NUMBERS)
        for number in range(plan.cameras)
    ]
    bodies = [next(made[position % plan.cameras]) for position in range(plan.photos)]  # made before the clock runs
    times: dict[str, list[float]] = {camera: [] for camera in plan.names}
    begun = time.monotonic()
    for position, body in enumerate(bodies):
        time.sleep(max(0.0, begun + position / plan.rate - time.monotonic()))
        camera = plan.names[position % plan.cameras]
        frames.put(f"frames/{camera}/{position // plan.cameras:06d}.jpg", body)
        times[camera].append(time.monotonic())
    return times


def _settle(account: Account, plan: Plan, commits: Commits) -> int:
    """Sweep until every photo is committed; how many sweeps it took."""
    expected = {camera: len(range(number, plan.photos, plan.cameras)) for number, camera in enumerate(plan.names)}
    deadline = time.monotonic() + plan.settle_seconds
    time.sleep(_IDLE_SECONDS)
    sweeps = 0
    while missing := {camera for camera, count in expected.items() if commits.frame_count(camera) < count}:
        assert time.monotonic() < deadline, f"not all photos of {missing} were committed in {plan.settle_seconds} s"
        _sweep(account, plan)
        sweeps += 1
        time.sleep(_SWEEP_EVERY_SECONDS)
    return sweeps


def _wait_until_idle(account: Account, plan: Plan) -> None:
    """Return when no event and no message is under way."""
    deadline, before = time.monotonic() + plan.settle_seconds, -1
    while (done := account.invocations().started) != before or (
        plan.route == "fifo" and account.messages("FrameQueue")
    ):
        assert time.monotonic() < deadline, "events are still under way"
        before = done
        time.sleep(_SWEEP_EVERY_SECONDS)


def _sweep(account: Account, plan: Plan) -> None:
    """Invoke what the template's schedule invokes, when there is room for it."""
    while not account.invoke("Router" if plan.route == "fifo" else "TimelapseFunction", {"sweep": True}):
        time.sleep(_POLL_SECONDS)


def _queues_of_failures(plan: Plan) -> list[str]:
    return ["FailureQueue", "DeadLetters"] if plan.route == "fifo" else ["FailureQueue"]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.cloud.run", description=__doc__)
    parser.add_argument("--photos", type=int, default=600, help="how many, of all cameras")
    parser.add_argument("--rate", type=float, default=5.0, help="photos per second, of all cameras")
    parser.add_argument("--route", choices=sorted(TEMPLATES), default="direct")
    parser.add_argument("--reserved", action=argparse.BooleanOptionalAction, default=False, help="a concurrency of 1")
    parser.add_argument("--cameras", type=int, default=1)
    parser.add_argument("--concurrency", type=int, help=f"the account's limit; default: {_CONCURRENCY}")
    parser.add_argument("--flush-every", type=int, default=60)
    parser.add_argument("--size", default="640x480", help="of the photos")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="where scripts/package wrote to")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run once, and print the figures."""
    options = _parse(arguments)
    width, height = map(int, options.size.split("x"))
    plan = Plan(
        photos=options.photos,
        rate=options.rate,
        route=options.route,
        reserved=options.reserved,
        cameras=options.cameras,
        size=(width, height),
        flush_every=options.flush_every,
        concurrency=options.concurrency or _CONCURRENCY[options.route],
    )
    archives = Archives(options.dist / "function.zip", options.dist / "extension.zip")
    with tempfile.TemporaryDirectory() as scratch:
        with Account(archives, Path(scratch), concurrency=plan.concurrency) as account:
            print(json.dumps(run(account, plan), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
