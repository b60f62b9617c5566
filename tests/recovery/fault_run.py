"""One run with faults at given requests. A killed process is replaced, a failed invocation is tried twice more, as
Lambda does, and at the end another environment completes the stream.

Requests of the environment and of the extension are numbered from 1, over both buckets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.recovery.adopted import ADOPTED_DAY, ADOPTED_FRAMES, adopted_video, adoption_of
from tests.recovery.fake_media import fake_world, photos_in_picture
from tests.recovery.faults import SHUTDOWN_MS, Fault, FaultyStores, Killed, new_outbox
from tests.recovery.remade import remaking_of
from tests.recovery.watch import MUTATIONS, Watch
from tests.world import NO_DEADLINE_EPOCH_MS, STREAM, World
from timelapse_runtime.adopt.errors import CannotAdopt
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.runtime.interrupts import DeadlineReached, SigtermReceived
from timelapse_runtime.runtime.state.errors import StateError
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.errors import REMOVED, TimelapseError
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import Role
from timelapse_runtime.timelapse.model.stream_settings import StreamSettings
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint

_LARGEST_SKEW_MS = 180_000


class FaultRun(FaultyStores):
    """One run of a scenario. `faults` by request number."""

    def __init__(
        self,
        faults: Mapping[int, Fault] | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        with_extension: bool = False,
        shows_photos: bool = True,
        are_owners_distinct: bool = False,
    ) -> None:
        super().__init__(faults)
        outbox = new_outbox() if with_extension else None
        small = {"TIMELAPSE_KEYFRAME_INTERVAL": "6", "TIMELAPSE_FLUSH_EVERY": "3", "TIMELAPSE_REORDER_WINDOW": "1"}
        self.world = self._make_world({**small, **(settings or {})}, outbox, shows_photos=shows_photos)
        self.world.are_owners_distinct = are_owners_distinct
        self.watch = Watch(self.world, shows_photos=shows_photos)
        self.rejected: dict[str, str] = {}
        """What must be rejected, and why."""
        self.may_be_rejected: dict[str, str] = {}
        """What may be rejected: its event was lost or came out of order, or its segment was destroyed."""
        self.was_left, self._is_fresh = False, True
        """Whether the last invocation left its photos to another environment."""
        self.skew_ms = 0
        """How far the clock of the next environment is ahead of S3's."""
        self.quality: int | None = None
        """What the last frames must show: that of the stream's settings, which came five minutes before them."""
        self.is_appended_late = self.world.settings.get("TIMELAPSE_LATE") == "append"
        self.removals: list[str] = []
        """The keys of the photos that were to be removed."""
        self.removed: set[str] = set()
        """Those of them that a run of `timelapse remove` took out of the video."""
        self.is_adopted = False
        """Whether a run of `timelapse adopt` said so."""
        for store in (self.world.frames, self.world.video):
            store.around = self.around_of(store)
        self.function = self.world.environment()

    @staticmethod
    def _make_world(settings: dict[str, str], outbox: Path | None, *, shows_photos: bool) -> World:
        return fake_world(settings, outbox) if shows_photos else World(settings, outbox)

    # ---- between the product and the store

    def _done(self, store: MemoryStore, operation: str, key: str, effect: Callable[[], Any]) -> Any:
        answer = effect()
        if store is self.world.video and operation in MUTATIONS:
            self.watch.after(operation, key)
        return answer

    # ---- Lambda

    def new_environment(self) -> None:
        """The environment is gone; the next one has nothing in memory."""
        self._is_dead, self._is_fresh = False, True
        self.function = self.world.environment(skew_ms=self.skew_ms)

    def invoke(self, event: Any) -> bool:
        """An asynchronous invocation, with two more attempts. Returns whether one of them succeeded."""
        return self.answer_to(event) is not None

    def answer_to(self, event: Any) -> dict[str, Any] | None:
        """The answer of an asynchronous invocation, with two more attempts; None if all fail."""
        for _ in range(3):
            try:
                answer = self.function.invoke(event, self.world.context(self.deadline_epoch_ms()))
            except Killed:
                self.new_environment()
            except SigtermReceived:
                self.shut_down()
            except (StateError, TimelapseError, DeadlineReached):
                pass
            else:
                self.was_left = "left_to_owner" in answer.get("streams", {}).get(STREAM, {})
                if self.was_left and self._is_fresh:
                    self._check_owner()
                self._is_fresh = False
                return answer
        return None

    def _check_owner(self) -> None:
        """An environment that has read the checkpoint just now leaves photos to nobody but a live owner."""
        with self.aside():
            stored = read_checkpoint(self.world.video, self.world.keys)
        checkpoint = stored.checkpoint
        latest_ms = stored.info.last_modified_epoch_ms + checkpoint.lease_ms + _LARGEST_SKEW_MS
        if checkpoint.lease_ms == 0 or latest_ms < self.world.clock.now_epoch_ms():
            self.watch.violations.append(f"photos are left to {checkpoint.owner}, whose lease has ended")

    def deadline_epoch_ms(self) -> int:
        """When an invocation that begins now has to end."""
        return NO_DEADLINE_EPOCH_MS

    def deliver(self, *keys: str) -> None:
        """The events of `keys`."""
        if self.invoke(self.world.event(*keys)):
            if not self.was_left:
                self.watch.overtaken -= set(keys)
        else:
            self.lose(*keys)

    def lose(self, *keys: str) -> None:
        """These events were lost."""
        self.may_be_rejected.update(dict.fromkeys(keys, "late"))

    def sweep(self, **what: bool) -> None:
        """A sweep of the stream."""
        self.invoke({"sweep": {"stream": STREAM, **what}})

    def shut_down(self, *, outbox_sent: bool = True) -> None:
        """SIGTERM, and what the extension does with the outbox; then there is a new environment."""
        deadline = Deadline(self.world.clock.now_epoch_ms() + SHUTDOWN_MS)
        try:
            self.function.flush(deadline)
            self.function.close(deadline)
        except (Killed, SigtermReceived, DeadlineReached):  # the deadline alarm ends what hangs now
            self._is_dead = False
        if outbox_sent:
            self.send_outbox()
        self.new_environment()

    def send_outbox(self) -> None:
        """Let the extension send the outbox, now or later; then it ends."""
        if self.world.outbox is not None:
            self.send_left(self.world.outbox, self.world.video, self.world.clock)

    # ---- the camera, and others

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Requests in here are not the product's: they get no number and no fault."""
        held = [(store, store.around) for store in (self.world.frames, self.world.video)]
        for store, _ in held:
            store.around = lambda _operation, _key, effect: effect()
        yield
        for store, around in held:
            store.around = around

    def upload(self, number: int, body: bytes | None = None, *, reason: str = "") -> str:
        """A photo; with `reason`, one that must be rejected for it."""
        key = self.world.key(number)
        if key not in self.watch.uploaded:
            self.watch.upload(key)
            with self.aside():
                self.world.upload(number, body)
            if reason:
                self.rejected[key] = reason
        return key

    def shoot(self, numbers: Sequence[int]) -> None:
        """Photos, each with its event."""
        for number in numbers:
            self.deliver(self.upload(number))

    def configure(self, quality: int, **settings: str) -> None:
        """Somebody gives the stream settings of its own, with a greater quality each time: the frames show it."""
        self.quality = quality
        own = StreamSettings({"crf": str(quality), **settings}, revision=quality)
        with self.aside():
            self.world.video.put(self.world.keys.settings, own.to_json())

    def damage_settings(self) -> None:
        """Somebody writes settings that cannot be used."""
        with self.aside():
            self.world.video.put(self.world.keys.settings, b'{"format": 1, "settings": {"crf": "best"}}')

    def destroy_last_segment(self) -> None:
        """Cut the newest segment in half. Its photos may be rejected for that."""
        self.watch.is_damaged = True
        with self.aside():
            reel = self.world.checkpoint().reel
            if reel is not None and reel.segments:
                where = segment_key(self.world.keys, reel, reel.segments[-1])
                body = self.world.video.get(where).body
                self.world.video.put(where, body[: len(body) // 2])
        self.may_be_rejected.update(dict.fromkeys(self.watch.uploaded, "segment-damaged"))

    # ---- timelapse adopt

    def adopt(self) -> None:
        """`timelapse adopt`, repeated until it succeeds or is refused."""
        for _ in range(4):
            try:
                with adopted_video() as prepared:
                    adoption_of(self.world).run(prepared, ADOPTED_DAY)
            except CannotAdopt:
                return
            except (Killed, SigtermReceived, DeadlineReached):
                self._is_dead = False
            except (StateError, TimelapseError):
                pass
            else:
                self.is_adopted = True
                return

    def check_adopted(self, found: Sequence[object]) -> list[str]:
        """What is wrong with the adopted frames: there are all of them or none, in the first reel and nowhere else."""
        first = next(iter(self.world.reels()), None)  # a run may end before its first frame
        expected = first.frame_count if first is not None and first.date == ADOPTED_DAY else 0
        if len(found) != expected or expected not in (0, ADOPTED_FRAMES) or (self.is_adopted and not expected):
            return [f"the video has {len(found)} adopted frames, its first reel {expected}"]
        return []

    # ---- timelapse render, timelapse remove

    def render(self) -> None:
        """`timelapse render` of the oldest reel, repeated until it succeeds."""

        def work() -> None:
            again = remaking_of(self.world, lambda: self.sweep(close=True))
            oldest = list(again.editions.reels())[-1]
            list(again.render([oldest.name], again.config))

        self._repeated(work)

    def remove(self, number: int) -> None:
        """`timelapse remove` of a photo, repeated until it succeeds; if it never did, once more at the end."""
        key = self.world.key(number)
        self.may_be_rejected[key] = REMOVED
        self.remove_key(key)

    def remove_key(self, key: str) -> None:
        """The same, by the photo's key."""
        self.removals.append(key)
        self._repeated(lambda: self._remove(key))

    def _remove(self, key: str) -> None:
        if remaking_of(self.world, lambda: self.sweep(close=True)).remove([key]):
            self.removed.add(key)

    def _repeated(self, work: Callable[[], None]) -> None:
        for _ in range(4):
            try:
                work()
            except (Killed, SigtermReceived, DeadlineReached):
                self._is_dead = False
            except (StateError, TimelapseError):
                pass
            else:
                return

    # ---- the end

    def finish(self) -> None:
        """A new environment finishes without faults; a last one sweeps once more. Before that, whoever removed photos
        does it again."""
        self._faults.clear()
        self.skew_ms = 0
        for key in self.removals:
            self.new_environment()
            self._remove(key)
            if self.world.keys_in_video().count(key):
                self.watch.violations.append(f"{key} was removed, and is in the video")
        for _ in range(2):
            self.new_environment()
            self.sweep(drain=True, all_reels=True)
            if self.is_appended_late:
                self.invoke({"retry_rejected": {"stream": STREAM, "reason": "late"}})

    def wrong_quality(self) -> list[str]:
        """Whether the last frames are of the stream's newest settings, if the photos after the change came."""
        is_known = self.quality is not None and Fault.POWER_OFF not in self.fired
        shown = self.watch.qualities()[-1:] if is_known else []
        return [f"the last segment has quality {one}, not {self.quality}" for one in shown if one != self.quality]

    def _is_drawn(self, key: str) -> bool:
        """Whether any stored picture of the day, named or not, shows the photo."""
        stored = (self.world.video.peek(where) or b"" for where in self.world.object_keys() if where.endswith(".png"))
        return any(self.world.key(photo) == key for body in stored for photo, _ in photos_in_picture(body))

    def check(self) -> list[str]:
        """What is wrong at the end, and what was wrong on the way."""
        world, wrong = self.world, list(self.watch.violations)
        report = world.verify()
        wrong += [f"verify: {finding.kind} {finding.where}: {finding.detail}" for finding in report.findings]
        wrong += [f"verify: pending {key}" for key in report.pending]
        wrong += self.wrong_quality()
        wrong += self.watch.incomplete_pictures(parse_config(world.variables()).day_pictures)
        wrong += [f"{key} was removed, and a picture shows it" for key in self.removals if self._is_drawn(key)]
        reasons = world.rejections()
        for key, reason in self.rejected.items():
            if reasons.get(key) != reason:
                wrong.append(f"{key} should be rejected as {reason}; its record says {reasons.get(key)}")
        for key, reason in reasons.items():
            if reason not in (self.rejected.get(key), self.may_be_rejected.get(key)):
                wrong.append(f"{key} is rejected as {reason}")
        wrong += self.check_adopted([key for key, role in self.watch.video() if role is Role.ADOPTED])
        video = [key for key, role in self.watch.video() if role not in (Role.STAND_IN, Role.ADOPTED)]
        expected = sorted((key for key in self.watch.uploaded if key not in reasons), key=key_order)
        if sorted(video, key=key_order) != expected or (video != expected and not self.is_appended_late):
            wrong.append(f"the video has {video}; it should have {expected}")
        for reel in world.reels():
            if len(world.media_bytes(reel)) != reel.media_size_bytes:
                wrong.append(
                    f"video.mp4 of {reel.name} has {len(world.media_bytes(reel))} of {reel.media_size_bytes} bytes"
                )
        return wrong
