"""How soon a camera's photos are in the video, and what they cost, at any pace: `python -m
tests.timelapse.slow_cameras`.

The function with x264, stores in memory, a clock that is set. Each photo has its event; a sweep comes every five
minutes.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from tests.world import PHOTOS, STREAM, InvocationContext, World

SWEEP_SECONDS = 300
DEFAULTS = {"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_FLUSH_EVERY": "60", "TIMELAPSE_KEYFRAME_INTERVAL": "180"}


@dataclass
class Result:
    """`waits_seconds` by photo, from its upload to the commit with its frame; None if it is in none yet. `requests` are
    those of photos' invocations, `sweep_requests` those of sweeps."""

    waits_seconds: list[int | None] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    sweep_requests: Counter[str] = field(default_factory=Counter)
    segment_frames: list[list[int]] = field(default_factory=list)

    def per_photo(self, requests: Counter[str]) -> float:
        """Requests of these, by photo."""
        return requests.total() / len(self.waits_seconds)


class SlowCamera:
    """One photo every `step_seconds`, with sweeps or without."""

    def __init__(self, step_seconds: float, *, has_sweeps: bool = True, **settings: str) -> None:
        self.world = World(settings=DEFAULTS | settings)
        self.function = self.world.environment()
        self.result, self._uploaded = Result(), list[int]()
        self._step_ms, self._has_sweeps = round(step_seconds * 1000), has_sweeps
        self._next_sweep = self.world.clock.now_epoch_ms() + SWEEP_SECONDS * 1000

    def run(self, count: int) -> Result:
        """So many photos more, and the time until one more would come."""
        for _ in range(count):
            number = len(self._uploaded)
            name = f"{number:06d}.jpg"
            self.world.frames.put(f"frames/{STREAM}/{name}", PHOTOS[number % len(PHOTOS)] + b"%d" % number)
            self._uploaded.append(self.world.clock.now_epoch_ms())
            self._invoke(self.world.event(name), self.result.requests)
            self._let_time_pass()
        self.result.segment_frames = [[segment.count for segment in reel.segments] for reel in self.world.reels()]
        return self.result

    def restart(self) -> None:
        """Another environment goes on."""
        self.function = self.world.environment()

    @property
    def pace_seconds(self) -> float:
        return self._step_ms / 1000

    @pace_seconds.setter
    def pace_seconds(self, seconds: float) -> None:
        self._step_ms = round(seconds * 1000)

    def _let_time_pass(self) -> None:
        clock = self.world.clock
        end = clock.now_epoch_ms() + self._step_ms
        while self._has_sweeps and self._next_sweep < end:
            clock.advance(self._next_sweep - clock.now_epoch_ms())
            self._invoke({"sweep": True}, self.result.sweep_requests)
            self._next_sweep += SWEEP_SECONDS * 1000
        clock.advance(end - clock.now_epoch_ms())

    def _invoke(self, event: dict[str, object], counts: Counter[str]) -> None:
        before = self._requests()
        self.function.invoke(event, InvocationContext())
        counts.update(self._requests() - before)
        checkpoint = self.world.video.peek(self.world.keys.checkpoint)
        committed = self.world.checkpoint().frame_count if checkpoint else 0
        waits, now = self.result.waits_seconds, self.world.clock.now_epoch_ms()
        waits += [None] * (len(self._uploaded) - len(waits))
        for number in range(committed):
            if waits[number] is None:
                waits[number] = (now - self._uploaded[number]) // 1000

    def _requests(self) -> Counter[str]:
        return Counter(self.world.frames.request_counts) + Counter(self.world.video.request_counts)


def main() -> None:
    """Print a table."""
    logging.disable(logging.CRITICAL)
    print("| a photo every | longest wait, s | requests per photo | and of sweeps | reels | longest segment |")
    print("|---:|---:|---:|---:|---:|---:|")
    for step, count in ((1, 600), (2, 600), (5, 400), (6, 400), (10, 360), (30, 200), (60, 200), (90, 200), (300, 200)):
        result = SlowCamera(step).run(count)
        longest = max(wait for wait in result.waits_seconds[1:] if wait is not None)
        costs = f"{result.per_photo(result.requests):.2f} | {result.per_photo(result.sweep_requests):.2f}"
        frames = max(max(frames) for frames in result.segment_frames)
        print(f"| {step} s | {longest} | {costs} | {len(result.segment_frames)} | {frames} |", flush=True)


if __name__ == "__main__":
    main()
