"""What may happen to each photo, derived from the bucket alone: the model that the machine's runs are compared with.

The video is the sorted list of usable frames, but for those that were *passed*: something above them was committed
while they were neither in the video nor rejected. A passed frame may be rejected as late. It may even be *overtaken*:
below the watermark, where only its event or a sweep can settle it. Both are allowed for
only where nobody could know better: not where the process that committed had been told of the frame (passed), had
listed the photos since it was uploaded, or had never seen one above it in a listing (overtaken).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.recovery.races import Actor
from tests.recovery.watch import Watch, stream_key
from tests.world import STREAM, World
from timelapse_runtime.runtime.outbox import JOB_SUFFIX
from timelapse_runtime.runtime.state.contract import ObjectInfo
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import Role


@dataclass(eq=False)
class Process:
    """An environment with its /tmp (`outbox`), and what it was told since it started."""

    function: Timelapse
    outbox: Path | None
    actor: Actor | None = None
    told: set[str] = field(default_factory=set)
    """Photos whose events it processed in an invocation that succeeded."""
    is_disturbed: bool = False
    """Its current work is disturbed: by a fault, or it is paused while others continue."""
    listed: set[str] = field(default_factory=set)
    """Photos that existed at its last listing."""

    @property
    def has_job(self) -> bool:
        """Whether a job waits in the outbox."""
        return self.outbox is not None and any(self.outbox.glob(f"*{JOB_SUFFIX}"))

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint as this process knows it, if its stream is open."""
        stream = self.function._streams.get(STREAM)
        return stream.checkpoint if stream else None


class Model(Watch):
    """A watch that knows which process is running."""

    def __init__(self, world: World, running: Process) -> None:
        super().__init__(world)
        self.running = running
        self.passed: set[str] = set()

    def upload(self, key: str) -> None:
        """A photo that is uploaded below what is committed is passed from the beginning."""
        self.uploaded[key] = None
        if self._checkpoint is not None and key_order(key) < _committed(self._checkpoint):
            self.passed.add(key)
            if key_order(key) <= key_order(self._checkpoint.watermark):
                self.overtaken.add(key)

    def listed(self, shown: Sequence[ObjectInfo]) -> None:
        """The running process has listed the photos: those after its watermark, or, to reconcile, those before."""
        known = self.running.checkpoint
        watermark = stream_key(known.watermark) if known else ""
        if not shown or key_order(shown[0].key) > key_order(watermark):
            self.running.listed = set(self.uploaded)

    def took(self, keys: set[str]) -> None:
        """The running process processed these events in an invocation that succeeded."""
        self.running.told |= keys

    def swept(self, uploaded: set[str]) -> None:
        """The running process swept all reels in an invocation that succeeded. `uploaded` existed when it began."""
        if self.running.checkpoint == self._checkpoint:
            for key in uploaded & self.overtaken:
                self.violations.append(f"{key} is below the watermark, all was swept, and it has no record")
                self.overtaken.remove(key)

    def is_rejected(self, key: str) -> bool:
        """Whether there is a record."""
        return self._world.video.peek(self._world.keys.rejected(key)) is not None

    def _check_progress(self) -> Iterator[str]:
        before = self._checkpoint
        yield from super()._check_progress()
        if self._checkpoint is not None and self._checkpoint is not before:
            yield from self._check_passed(self._checkpoint)
        self.overtaken = {key for key in self.overtaken if not self.is_rejected(key)}

    def _check_passed(self, checkpoint: Checkpoint) -> Iterator[str]:
        video = {key for key, role in self.video() if role is not Role.STAND_IN}
        listed = self.running.listed
        horizon = max(map(key_order, listed), default=b"")
        for key in self.uploaded:
            if key_order(key) >= _committed(checkpoint) or key in video or self.is_rejected(key):
                continue
            if key in self.running.told and key not in self.passed:
                yield f"{key} is passed by a process that had taken its event"
            self.passed.add(key)
            if key_order(key) <= key_order(checkpoint.watermark) and key not in self.overtaken | listed:
                if key_order(key) > horizon:
                    yield f"{key} is below the watermark, and no listing has shown anything above it"
                self.overtaken.add(key)


def _committed(checkpoint: Checkpoint) -> bytes:
    """The highest key that is covered."""
    return max(map(key_order, (checkpoint.watermark, *checkpoint.ahead)))
