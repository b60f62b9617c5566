"""A backfill by many functions at once: plan → encode each range → join. AWS Step Functions goes through the steps
(`infra/backfill.yaml`); each is an invocation.

- *plan* lists the photos that are not in the video yet, and cuts them into ranges. It changes nothing but the plan.
- *encode* reads and encodes one range (`ranges/`), in as many environments at once as there are.
- *join* is a sweep that takes what was encoded: the stream's owner commits it in order. It says whether it is done, or
  is to be invoked again: an invocation may be too short for all photos.

Each step may be repeated, fail, or run beside a live camera. A range that was not encoded is encoded by the join.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import DeadlineTooClose
from timelapse_runtime.timelapse.events import EncodeRange, JoinRanges, PlanRanges
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.reel_day import is_day_over
from timelapse_runtime.timelapse.photo_reader import PhotoReader, ReadElsewhere
from timelapse_runtime.timelapse.ranges.plan import ranges
from timelapse_runtime.timelapse.ranges.range_encoder import RangeEncoder
from timelapse_runtime.timelapse.ranges.stored_ranges import StoredElsewhere, StoredPlan, remove_objects
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint
from timelapse_runtime.timelapse.stream import Stream
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.codec import Codec

Sweep = Callable[[str, dict[str, bool], ReadElsewhere], dict[str, Any]]
"""Sweeps a stream, with others who have read its photos, and says what happened."""


class Backfill:
    """The steps. `open_stream` gives a stream of its own, that nobody else has; `sweep` sweeps the function's."""

    def __init__(
        self,
        config: Config,
        frames: Store,
        video: Store,
        codec: Codec,
        clock: Clock,
        open_stream: Callable[[str], Stream],
        sweep: Sweep,
    ) -> None:
        self._config, self._frames, self._video, self._codec, self._clock = config, frames, video, codec, clock
        self._open_stream, self._sweep = open_stream, sweep

    def run(self, step: PlanRanges | EncodeRange | JoinRanges, time_left: TimeLeft) -> dict[str, Any]:
        """Do one step; the answer is what the next one needs. Raises TimelapseError."""
        self._config.require_apart(step.stream)
        if isinstance(step, PlanRanges):
            return self._plan(step)
        if isinstance(step, EncodeRange):
            return self._encode(step, time_left)
        return self._join(step)

    def _keys(self, stream: str) -> StreamKeys:
        return StreamKeys(f"{self._config.video.prefix}{stream}/")

    def _plan(self, step: PlanRanges) -> dict[str, Any]:
        plan, keys = f"{self._clock.now_epoch_ms():013d}-{secrets.token_hex(4)}", self._keys(step.stream)
        photos = self._open_stream(step.stream).new_photos()
        names = StoredPlan(self._video, keys, plan).write(ranges(photos, self._config))
        remove_objects(self._video, keys.backfills, but=keys.backfill(plan))
        return {"stream": step.stream, "plan": plan, "photos": len(photos), "ranges": names}

    def _encode(self, step: EncodeRange, time_left: TimeLeft) -> dict[str, Any]:
        plan = StoredPlan(self._video, self._keys(step.stream), step.plan)
        reader = PhotoReader(self._config, self._frames, self._config.photos_prefix(step.stream), self._codec)
        encoder = RangeEncoder(self._config, reader, self._codec, may_stop=lambda: not time_left.is_enough)
        encoded = encoder.encode(plan.photos(step.range))
        plan.write_range(step.range, encoded)
        frames = sum(len(group.photos) for group in encoded.groups)
        return {"range": step.range, "photos": len(encoded.photos), "frames": frames}

    def _join(self, step: JoinRanges) -> dict[str, Any]:
        plan = StoredPlan(self._video, self._keys(step.stream), step.plan)
        read_elsewhere: list[str] = []
        elsewhere = StoredElsewhere(plan, read_elsewhere.append)
        try:
            counts = self._sweep(step.stream, {"drain": True}, elsewhere)
            if self._is_day_over(step.stream):
                counts = self._sweep(step.stream, {"close": True}, elsewhere)
        except DeadlineTooClose:
            return {"stream": step.stream, "plan": step.plan, "done": False, "read_elsewhere": len(read_elsewhere)}
        plan.remove()
        done = {"stream": step.stream, "plan": step.plan, "done": True, "read_elsewhere": len(read_elsewhere)}
        return {**done, "frames_in_video": counts["frames_in_video"]}

    def _is_day_over(self, stream: str) -> bool:
        """Whether the open reel is to be closed: a reel is of a day, and that is over."""
        try:
            checkpoint = read_checkpoint(self._video, self._keys(stream)).checkpoint
        except ObjectNotFound:
            return False
        now_epoch_ms, zone = self._clock.now_epoch_ms(), self._config.timezone
        return self._config.reel == "day" and is_day_over(checkpoint.reel, now_epoch_ms, zone)
