"""What scaling out and disorder cost: 60 photos in three seconds with ten environments allowed, against one; events
that come late, and photos that parallel uploads bring out of order.

Environments are warm when the burst begins: their starts are Lambda's answer to the burst, whatever runs in them. As on
Lambda, an event goes to an environment that is idle, else to another one, and waits if there is none. The sweep after
the burst goes to an environment that is not the owner, and has to do again what the owner had not committed.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from scripts.benchmark.counting_s3 import BenchS3, S3Latency
from scripts.benchmark.ratios import Ratio
from scripts.benchmark.stage import BUCKET, STREAM, Stage
from timelapse_runtime.emulator.result import InvocationResult
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint

_LIKE_S3 = S3Latency(15, 80e6)
_BURST, _BURST_SECONDS, _ENVIRONMENTS = 60, 3.0, 10
_BEFORE = 70
"""Frames that the stream has before: it is open, and nobody holds it."""
_LATE_SHARE, _LATE_BY, _UPLOADERS = 0.1, (3, 6), 20


def measure(photos: Sequence[bytes], *, rounds: int, count: int) -> tuple[dict[str, Any], list[Ratio]]:
    """The figures of the bursts, and of `count` photos in disorder; the ratios `burst_cost` and `disorder_encodes`."""
    bursts = [{count: _burst(photos, count) for count in (1, _ENVIRONMENTS)} for _ in range(rounds)]
    costs = [
        max(burst[_ENVIRONMENTS][name] / burst[1][name] for name in ("cpu_seconds", "requests")) for burst in bursts
    ]
    disorder = {name: _disordered(photos, name, count) for name in ("in order", "10 % late", "20 uploaders")}
    encodes = max(one["encodes_per_frame"] for one in disorder.values())
    ratios = [Ratio("burst_cost", tuple(costs)), Ratio("disorder_encodes", (encodes,))]
    return {"bursts": bursts, "disorder": disorder}, ratios


def _burst(photos: Sequence[bytes], environments: int) -> dict[str, Any]:
    with ExitStack() as stack:
        server = stack.enter_context(BenchS3(_LIKE_S3))
        server.create_buckets(BUCKET)
        stages = [stack.enter_context(Stage({}, server=server)) for _ in range(environments + 1)]
        camera, *others = stages
        for number in range(_BEFORE):
            camera.feed(photos[number % len(photos)])
        camera.invoke({"sweep": {"stream": STREAM, "drain": True}})
        camera.environment.shutdown()
        for stage in others:
            stage.invoke({"Event": "s3:TestEvent"})
        before, used = server.counts(), [stage.environment.usage.cpu_seconds for stage in others]
        answers = _send(camera, others, photos)
        others[-1].invoke({"sweep": {"stream": STREAM, "drain": True}})
        requests = _requests(server.counts() - before)
        cpu = sum(stage.environment.usage.cpu_seconds for stage in others) - sum(used)
        store = camera.store
        checkpoint = read_checkpoint(store, StreamKeys(f"video/{STREAM}/")).checkpoint
        segments = [info for info in store.list_after(f"video/{STREAM}/reels/") if info.key.endswith(".m4s")]
        return {
            "environments": environments,
            "frames": checkpoint.frame_count - _BEFORE,
            "left_to_owner": sum(answer.get("left_to_owner", 0) for answer in answers),
            "cpu_seconds": round(cpu, 2),
            "requests": requests,
            "segment_objects": len(segments),
        }


def _send(camera: Stage, stages: Sequence[Stage], photos: Sequence[bytes]) -> list[dict[str, Any]]:
    """Upload at an even pace; each event goes to an idle environment. The answers' part on the stream."""
    idle: queue.LifoQueue[Stage] = queue.LifoQueue()  # as Lambda does: the one that was used last
    for stage in reversed(stages):
        idle.put(stage)
    answers: list[dict[str, Any]] = []
    failures: list[BaseException] = []

    def work(stage: Stage, event: dict[str, Any]) -> None:
        try:
            answers.append(_told(stage.invoke(event)))
        except BaseException as error:  # noqa: BLE001 - raised in the caller
            failures.append(error)
        finally:
            idle.put(stage)

    began, threads = time.monotonic(), []
    for number in range(_BURST):
        time.sleep(max(0.0, began + number * _BURST_SECONDS / _BURST - time.monotonic()))
        event = camera.upload(photos[(_BEFORE + number) % len(photos)])
        thread = threading.Thread(target=work, args=(idle.get(), event))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return answers


def _disordered(photos: Sequence[bytes], kind: str, count: int) -> dict[str, Any]:
    """One environment, `count` photos."""
    draw = random.Random(7)  # noqa: S311 - the same disorder each time
    order = _upload_order(count, draw) if kind == "20 uploaders" else list(range(count))
    with BenchS3(S3Latency()) as server:
        server.create_buckets(BUCKET)
        with Stage({}, server=server) as stage:
            late: dict[int, list[dict[str, Any]]] = {}
            appended = 0
            for place, number in enumerate(order):
                event = stage.upload_as(number, photos[number % len(photos)])
                by = draw.randint(*_LATE_BY) if kind == "10 % late" and draw.random() < _LATE_SHARE else 0
                late.setdefault(min(place + by, count - 1), []).append(event)
                for due in late.pop(place, ()):
                    appended += _told(stage.invoke(due)).get("appended", 0)
            appended += _told(stage.invoke({"sweep": {"stream": STREAM, "drain": True}})).get("appended", 0)
            counts = server.counts()
            checkpoint = read_checkpoint(stage.store, StreamKeys(f"video/{STREAM}/")).checkpoint
    reel = checkpoint.reel
    return {
        "frames": checkpoint.frame_count,
        "encodes_per_frame": round(appended / checkpoint.frame_count, 4),
        "gets_per_photo": round(counts["GET"] / count, 4),
        "requests_per_photo": round(_requests(counts) / count, 4),
        "segments": len(reel.segments) if reel else 0,
    }


def _upload_order(count: int, draw: random.Random) -> list[int]:
    """In which order so many uploads end, each of 50 to 300 ms, of which twenty run at a time."""
    free = [0.0] * _UPLOADERS
    ends = []
    for number in range(count):
        worker = min(range(_UPLOADERS), key=free.__getitem__)
        free[worker] += draw.uniform(0.05, 0.3)
        ends.append((free[worker], number))
    return [number for _, number in sorted(ends)]


def _told(outcome: InvocationResult) -> dict[str, Any]:
    """What the answer says of the stream."""
    assert outcome.payload is not None
    found: dict[str, Any] = outcome.payload["streams"][STREAM]
    return found


def _requests(counts: Counter[str]) -> int:
    return sum(count for kind, count in counts.items() if not kind.startswith("bytes_"))
