"""Runs of a stream in arrival order: overwritten keys, counters that wrap, stray photos, content that comes later.

Each photo carries a number, which rises with its upload time; the frames of the video show it. What must hold after
every change of the video bucket is said in terms of numbers, not of keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from unittest.mock import patch

from tests.recovery.fake_media import fake_photo, photos_in, sources_in
from tests.recovery.fault_run import FaultRun
from tests.recovery.faults import Fault
from tests.recovery.watch import Watch, number_of
from tests.world import STREAM, World
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import REMOVED
from timelapse_runtime.timelapse.model import ahead_parts, arrival_tracker, pace
from timelapse_runtime.timelapse.model.checkpoint import NAME_ORDER, Checkpoint, Reel
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame

_ENVIRONMENTS = 3
_DAY_MS = 24 * 3_600_000
_SCHEDULE_MS = 300_000
SLACK_MS = 20_000
"""Of the product it is five minutes, which no run here lasts."""


@dataclass
class Photo:
    """An upload. `reason`: why it must be rejected."""

    number: int
    source: SourceFrame
    reason: str = ""
    is_told: bool = False
    """An invocation with its event succeeded while S3 had the photo, in an environment that knew the checkpoint."""


class ArrivalWatch(Watch):
    """Knows the uploads by their numbers."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.photos: dict[int, Photo] = {}

    @property
    def generation(self) -> int:
        """Of the stored checkpoint; 0 if there is none."""
        return self._checkpoint.generation if self._checkpoint is not None else 0

    def rejected_etag(self, key: str) -> str | None:
        """The ETag in the key's rejection record."""
        record = self._world.video.peek(self._world.keys.rejected(key))
        return None if record is None else json.loads(record)["etag"]

    def numbers(self) -> list[tuple[int, Role]]:
        """The committed frames in video order."""
        reels = list(self._reels(self._checkpoint.reel)) if self._checkpoint else []
        places = (segment_key(self._world.keys, reel, one) for reel in reversed(reels) for one in reel.segments)
        return [entry for where in places for entry in self._numbers_in(where)]

    def _check_sum(self, checkpoint: Checkpoint | None, reels: list[Reel]) -> Iterator[str]:
        places = (segment_key(self._world.keys, reel, one) for reel in reversed(reels) for one in reel.segments)
        frames = [entry for where in places for entry in self._numbers_in(where)]
        video = [number for number, role in frames if role is not Role.STAND_IN]
        yield from (
            f"photo {one} is in the video {video.count(one)} times" for one in set(video) if video.count(one) > 1
        )
        if checkpoint is None:
            return
        removed = sum(reel.removed_count for reel in reels)
        if checkpoint.frame_count != len(frames) + removed:
            yield f"the checkpoint counts {checkpoint.frame_count} frames; the video has {len(frames)}, {removed} less"
        for photo in self.photos.values():
            position = photo.source.key if checkpoint.order == NAME_ORDER else photo.source.position
            is_named = position in checkpoint.ahead
            is_covered = is_named or key_order(position) <= key_order(checkpoint.watermark)
            is_settled = photo.number in video or self.rejected_etag(photo.source.key) is not None
            if photo.number in video and not is_covered:
                yield f"photo {photo.number} is in the video, and not covered"
            if is_named and not is_settled and self.is_current(photo):
                yield f"photo {photo.number} is named as covered, and neither in the video nor rejected"

    def is_current(self, photo: Photo) -> bool:
        """Whether S3 still has this content."""
        return all(
            other.source.key != photo.source.key or other.number <= photo.number for other in self.photos.values()
        )

    def _numbers_in(self, where: str) -> list[tuple[int, Role]]:
        body = self._world.video.peek(where)
        if body is None:
            return []
        sources = sources_in(body)
        shown = photos_in(body)
        for frame, number in zip(sources, shown, strict=True):
            claimed = self.photos.get(number)
            named = frame.identity if frame.etag else frame.key
            is_same = claimed is not None and named in (claimed.source.identity, claimed.source.key)
            is_same = is_same or (not frame.is_photo and number == number_of(frame))
            if not is_same and frame.role is not Role.STAND_IN:
                self.violations.append(f"{where} names {frame.identity} and shows photo {number}")
        return [(number, frame.role) for number, frame in zip(shown, sources, strict=True)]


class ArrivalRun(FaultRun):
    """One run. Steps upload photos in the order of their numbers."""

    def __init__(
        self,
        faults: Mapping[int, Fault] | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        with_extension: bool = False,
        are_owners_distinct: bool = False,
    ) -> None:
        order = {"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_REORDER_WINDOW": "3"}
        super().__init__(
            faults,
            settings={**order, **(settings or {})},
            with_extension=with_extension,
            are_owners_distinct=are_owners_distinct,
        )
        self.others: list[Timelapse] = []
        """Environments that are frozen."""
        self.numbered = ArrivalWatch(self.world)
        self.watch = self.numbered
        self.is_ordered = True
        """Whether the order of the frames is judged: only if names or times tell it."""
        self.rank: Callable[[int], int] = lambda number: number
        """Where a photo belongs among the others."""
        self.may_be_late: set[int] = set()
        """Their events were lost, or their invocations failed."""

    def add(self, key: str, body: bytes | None = None, *, reason: str = "", seconds: float = 1) -> Photo:
        """Upload the next photo, `seconds` after the one before."""
        number = len(self.numbered.photos)
        content = fake_photo(number) if body is None else body
        self.world.clock.advance(1000 * seconds)
        with self.aside():
            etag = self.world.frames.put(f"frames/{STREAM}/{key}", content)
        source = SourceFrame(key, self.world.clock.now_epoch_ms(), etag=etag)
        self.numbered.photos[number] = Photo(number, source, reason)
        return self.numbered.photos[number]

    def tell(self, *photos: Photo) -> None:
        """Deliver the events of these photos, in one."""
        for photo in photos:
            where = f"frames/{STREAM}/{photo.source.key}"
            event = object_created_event(self.world.frames.bucket, where, etag=photo.source.etag)
            is_current, is_behind = self.numbered.is_current(photo), self._is_behind
            if self.invoke(event) and not self.was_left:
                photo.is_told |= is_current and not is_behind
            else:  # a later listing shows it
                self.may_be_late.add(photo.number)

    @property
    def _is_behind(self) -> bool:
        """Whether others have committed since this environment read the checkpoint. It does not know which keys are
        written over since, and keeps no copies of those."""
        stream = self.function._streams.get(STREAM)
        known = stream.checkpoint if stream is not None else None
        return known is not None and known.generation < self.numbered.generation

    def take(self, *keys: str, seconds: float = 1) -> None:
        """Upload a photo under each key, and deliver its event."""
        for key in keys:
            self.tell(self.add(key, seconds=seconds))

    def take_out(self, key: str) -> None:
        """`timelapse remove` of the photo under a key that was used once."""
        self.remove_key(key)

    def untold(self, *keys: str) -> list[Photo]:
        """Upload photos, and lose their events, or deliver them later."""
        photos = [self.add(key) for key in keys]
        self.may_be_late |= {photo.number for photo in photos}
        return photos

    def sweep_by_schedule(self) -> None:
        """The schedule's event. If it succeeds, no photo waits whose event was taken more than a minute ago."""
        if not self.invoke({"sweep": {"stream": STREAM, "scheduled": True}}) or self.was_left:
            return
        watch, video = self.numbered, {number for number, _ in self.numbered.numbers()}
        for photo in watch.photos.values():
            is_due = photo.is_told and self.world.clock.now_epoch_ms() - photo.source.uploaded_epoch_ms > 60_000
            if is_due and photo.number not in video and watch.rejected_etag(photo.source.key) is None:
                watch.violations.append(f"photo {photo.number} waits although the schedule's sweep has succeeded")

    def thaw(self) -> None:
        """Lambda freezes the environment, and thaws the one that was frozen for the longest time; or starts another.
        The order is not judged any more: two environments may take photos, until one of them is fenced."""
        self.is_ordered = False
        self.others.append(self.function)
        if len(self.others) < _ENVIRONMENTS:
            self.new_environment()
        else:
            self.function, self._is_fresh = self.others.pop(0), False

    def finish(self) -> None:
        """See FaultRun."""
        with patch.object(arrival_tracker, "SLACK_MS", SLACK_MS):
            super().finish()

    def check(self) -> list[str]:
        """See FaultRun."""
        watch, wrong = self.numbered, list(self.numbered.violations)
        report = self.world.verify()
        wrong += [f"verify: {finding.kind} {finding.where}: {finding.detail}" for finding in report.findings]
        wrong += [f"verify: pending {key}" for key in report.pending]
        wrong += self.check_adopted([number for number, role in watch.numbers() if role is Role.ADOPTED])
        wrong += self.wrong_quality()
        video = [number for number, role in watch.numbers() if role not in (Role.STAND_IN, Role.ADOPTED)]
        for photo in self._removed_photos():
            photo.reason = REMOVED
            wrong += [f"photo {photo.number} was removed, and is in the video"] if photo.number in video else []
        for photo in watch.photos.values():
            is_rejected = watch.rejected_etag(photo.source.key) == photo.source.etag
            if photo.reason and watch.is_current(photo) and not is_rejected:
                wrong.append(f"photo {photo.number} should be rejected: {photo.reason}")
            if not photo.reason and is_rejected:
                wrong.append(f"photo {photo.number} is rejected")
            if not photo.reason and photo.number not in video and not self._may_be_overwritten(photo, video):
                wrong.append(f"photo {photo.number} is not in the video")
        in_order = [number for number in video if number not in self.may_be_late]
        if self.is_ordered and in_order != sorted(in_order, key=self.rank):
            wrong.append(f"the video shows {video}; only {sorted(self.may_be_late)} may be out of place")
        for reel in self.world.reels():
            if len(self.world.media_bytes(reel)) != reel.media_size_bytes:
                wrong.append(f"video.mp4 of {reel.name} has {len(self.world.media_bytes(reel))} bytes")
        return wrong

    def _removed_photos(self) -> Iterator[Photo]:
        """Those that a removal found in the video, or began to remove. Others were not there yet, and may come."""
        for photo in self.numbered.photos.values():
            key, etag = photo.source.key, photo.source.etag
            if key in self.removed or (key in self.removals and self.numbered.rejected_etag(key) == etag):
                yield photo

    def _may_be_overwritten(self, photo: Photo, video: Sequence[int]) -> bool:
        """Whether S3 may have lost the photo before a copy was kept: its event had no success while S3 had it, or it
        was the first under its key, as far as anything stored tells."""
        same_key = [one.number for one in self.numbered.photos.values() if one.source.key == photo.source.key]
        is_first = not any(photo.number - 8 < number < photo.number and number in video for number in same_key)
        return not self.numbered.is_current(photo) and (not photo.is_told or is_first)


# ---- the steps


def grow(run: ArrivalRun) -> None:
    """Names that rise; events lost, twice, too late; a photo that cannot be used; a stray one that sorts last."""
    run.take(*(f"{number}.jpg" for number in range(7, 12)))
    run.tell(run.add("bad.jpg", b"no photo", reason="undecodable"))
    run.untold("12.jpg")
    run.take("13.jpg")
    run.take("zzz.jpg", "14.jpg", seconds=3)
    run.take("15.jpg")
    again = run.add("16.jpg")
    run.tell(again, again)
    later, overtaking = run.untold("17.jpg"), [run.add("18.jpg")]
    run.tell(*overtaking, *later)
    run.take(*(f"{number}.jpg" for number in range(19, 26)))


def adopt(run: ArrivalRun) -> None:
    """A video is adopted while a photo lies there that nothing announced, and an environment has rejected another."""
    run.untold("1.jpg")
    run.tell(run.add("bad.jpg", b"no photo", reason="undecodable"))
    run.adopt()
    run.take(*(f"{number}.jpg" for number in range(2, 10)))
    run.sweep(close=True)
    run.take("10.jpg", "11.jpg")


def remake(run: ArrivalRun) -> None:
    """A closed reel is rendered again, with players that show it; photos are removed: of the open reel, of one that has
    closed; one of them has come late, and one is told of again."""
    run.take(*(f"{number}.jpg" for number in range(1, 6)))
    run.world.clock.advance(_DAY_MS)
    run.take(*(f"{number}.jpg" for number in range(6, 11)))
    run.render()
    run.take("11.jpg")
    run.take_out("7.jpg")
    run.tell(*(photo for photo in run.numbered.photos.values() if photo.source.key == "7.jpg"))
    run.untold("12.jpg")
    run.take(*(f"{number}.jpg" for number in range(13, 18)))
    run.sweep(close=True)
    run.take_out("12.jpg")
    run.take("18.jpg")
    run.sweep(drain=True, all_reels=True)


def wrap(run: ArrivalRun) -> None:
    """A counter wraps, with restarts before and after."""
    run.take(*(f"IMG_{number:02d}.jpg" for number in (*range(88, 100), 0, 1)))
    run.new_environment()
    run.take(*(f"IMG_{number:02d}.jpg" for number in range(2, 8)))
    run.new_environment()
    run.sweep(drain=True)
    run.take(*(f"19700101-{number}.jpg" for number in range(4)))


def overwrite(run: ArrivalRun) -> None:
    """One name, written again and again; another one now and then."""
    run.take(*["snapshot.jpg"] * 5)
    run.new_environment()
    run.take(*["snapshot.jpg"] * 3, "other.jpg", "snapshot.jpg")
    run.shut_down()
    run.take(*["snapshot.jpg"] * 3)
    unread, newest = run.add("snapshot.jpg"), run.add("snapshot.jpg")
    run.tell(unread, newest)
    run.untold("snapshot.jpg")
    run.take(*["snapshot.jpg"] * 2)
    run.sweep(drain=True)


def content_later(run: ArrivalRun) -> None:
    """An empty or damaged upload, and then the whole photo under the same key."""
    for number in range(4):
        run.tell(run.add(f"{number}.jpg", b"", reason="empty"))
        run.take(f"{number}.jpg")
    run.tell(run.add("4.jpg", b"half", reason="undecodable"))
    run.sweep(drain=True)
    run.new_environment()
    run.take("4.jpg", "5.jpg")
    run.tell(run.add("6.jpg", b"", reason="empty"))
    run.sweep()


def hang(run: ArrivalRun) -> None:
    """A camera hangs: it sends one picture again and again, under new names, before and after restarts."""

    def hangs(*keys: str) -> None:
        same = fake_photo(max(number for number, photo in run.numbered.photos.items() if not photo.reason))
        for key in keys:
            run.tell(run.add(key, same, reason="skipped-frozen"))

    run.take("00.jpg")
    hangs("01.jpg", "02.jpg")
    run.take("03.jpg", "04.jpg")
    run.new_environment()
    hangs("05.jpg", "06.jpg")
    run.tell(run.add("07.jpg", b"no photo", reason="undecodable"))
    hangs("08.jpg")
    run.sweep(drain=True)
    run.new_environment()
    hangs("09.jpg")
    run.take("10.jpg")
    hangs("11.jpg")
    run.shut_down()
    hangs("12.jpg", "13.jpg", "14.jpg", "15.jpg")
    run.take("16.jpg", "17.jpg")
    run.invoke({"retry_rejected": {"stream": STREAM}})


def late(run: ArrivalRun) -> None:
    """Photos become visible after their time was covered; one's event comes, one's does not."""
    with patch.object(arrival_tracker, "SLACK_MS", 2_000):
        run.tell(run.add("zz.jpg", b"", reason="empty"))
        run.take(*(f"{number}.jpg" for number in range(4)), seconds=12)
        run.take(*(f"{number}.jpg" for number in range(4, 12)))
        for key in ("a.jpg", "zz.jpg"):
            photo = run.add(key, seconds=-15)
            run.may_be_late.add(photo.number)
            run.world.clock.advance(15_000)
            if key == "a.jpg":
                run.tell(photo)
        run.take(*(f"{number}.jpg" for number in range(12, 17)))
        run.sweep(drain=True)
        run.new_environment()
        run.take(*(f"{number}.jpg" for number in range(17, 21)))


def backlog(run: ArrivalRun) -> None:
    """Photos whose events come only with the last of them: more than one commit takes, with names of two runs. Of each
    two, the second has the earlier upload time, and its name says that it is the second."""
    for first in (0, 15):
        numbers = range(first, first + 15)
        photos = [run.add(f"{(95 + one) % 100}.jpg", seconds=2 if one % 2 or not one else -0.6) for one in numbers]
        run.tell(photos[-1])
        run.new_environment()
    run.sweep(drain=True)


def bulk_upload(run: ArrivalRun) -> None:
    """Photos of two days, the second day's uploaded first, and no event came. They belong in the order of the days."""
    per_day, taken = 17, datetime(2024, 5, 1, 12)
    run.rank = lambda number: number if number >= 2 * per_day else (number + per_day) % (2 * per_day)
    for number in range(2 * per_day):
        rank = run.rank(number)
        moment = taken + timedelta(days=rank // per_day, minutes=rank)
        run.add(f"IMG_{rank}.JPG", fake_photo(number, moment), seconds=0.2)
    run.world.clock.advance(60_000)
    run.sweep()
    run.new_environment()
    run.sweep(drain=True)


def bulk_upload_in_parts(run: ArrivalRun) -> None:
    """The same, with checkpoints that hold a few photos beyond the watermark: other objects hold the rest, until the
    watermark passes them. Environments end with such objects, and one of them is written at a shutdown."""
    with patch.object(arrival_tracker, "SLACK_MS", 4_000), patch.object(ahead_parts, "MAXIMUM_AHEAD_BYTES", 200):
        bulk_upload(run)
        run.take(*(f"IMG_{number}.JPG" for number in range(34, 40)))
        run.shut_down()
        run.take(*(f"IMG_{number}.JPG" for number in range(40, 46)))
        run.sweep()
        run.new_environment()
        run.take("IMG_46.JPG", "IMG_47.JPG", seconds=9)
        run.sweep(drain=True)


def shut_down(run: ArrivalRun) -> None:
    """Environments of a few frames, with photos that wait at the end."""
    for first in (0, 2, 7, 16):
        run.take(*(f"{number}.jpg" for number in range(first, {0: 2, 2: 7, 7: 16, 16: 19}[first])))
        run.shut_down()
    run.untold("0.jpg")
    run.take("1.jpg", "x.jpg")
    run.shut_down()


def change_pace(run: ArrivalRun) -> None:
    """A slow camera, whose first reel begins again with low delay; a day's end; it becomes fast, and slow again."""
    with patch.multiple(pace, _STEPS_UNTIL_SLOW=3, _STEPS_UNTIL_FAST=4):
        run.take("0.jpg")
        run.take(*(f"{number}.jpg" for number in range(1, 5)), seconds=60)
        run.tell(run.add("bad.jpg", b"no photo", reason="undecodable", seconds=60))
        run.untold("5.jpg")
        run.sweep()
        run.take("6.jpg", "7.jpg", seconds=100)
        run.shut_down()
        run.take("8.jpg", seconds=400)
        run.take(*(f"{number}.jpg" for number in range(9, 18)))
        run.take(*(f"{number}.jpg" for number in range(18, 22)), seconds=30)
        run.sweep()


def take_turns(run: ArrivalRun) -> None:
    """Three environments with clocks that differ by minutes take turns, photo by photo, and then for longer than a
    lease lasts; one is killed, one shut down, one stays frozen while another one takes over."""
    run.take("0.jpg", "1.jpg")
    run.shut_down()
    for number in range(2, 10):
        run.take(f"{number}.jpg")
        run.skew_ms = (-180_000, 0, 180_000)[number % 3]
        run.thaw()
    run.take("10.jpg", "11.jpg", seconds=40)
    run.thaw()
    run.take("12.jpg", seconds=40)
    run.take(*(f"{number}.jpg" for number in range(13, 17)))
    run.new_environment()
    run.take(*(f"{number}.jpg" for number in range(17, 20)))
    run.sweep()
    run.take("20.jpg", seconds=80)
    run.take("21.jpg", "22.jpg")
    run.shut_down()
    run.take("23.jpg")
    run.thaw()
    run.sweep(drain=True)
    run.take(*(f"{number}.jpg" for number in range(24, 27)))
    run.thaw()
    run.take("27.jpg", "28.jpg", seconds=100)
    run.new_environment()
    run.take("29.jpg", seconds=400)


def told_in_part(run: ArrivalRun) -> None:
    """Most events reach an environment that leaves the photos to this one. So those announced here wait unread: until a
    flush is due, a sweep, a restart, a shutdown, or the event of a photo that no listing would show."""
    run.take("50.jpg", "51.jpg")
    run.new_environment()
    run.untold(*(f"{number}.jpg" for number in range(52, 56)))
    run.take(*(f"{number}.jpg" for number in range(56, 63)))
    run.untold("63.jpg", "64.jpg")
    run.take("65.jpg")
    run.shut_down()
    run.untold(*(f"{number}.jpg" for number in range(66, 70)))
    run.take("70.jpg", "10.jpg")
    run.new_environment()
    run.take(*(f"{number}.jpg" for number in range(72, 78)))
    run.sweep()
    run.untold(*(f"{number}.jpg" for number in range(78, 82)))
    run.take("82.jpg", "83.jpg", "84.jpg")
    run.sweep(drain=True)
    run.take("85.jpg")


def overwrite_in_turns(run: ArrivalRun) -> None:
    """One name, written again and again, while two environments take turns: what one leaves to the other may be
    overwritten, so it leaves nothing that was written over another photo."""
    run.take(*["snapshot.jpg"] * 4)
    run.sweep(drain=True)
    for _ in range(6):
        run.take("snapshot.jpg", "snapshot.jpg")
        run.thaw()


def rest(run: ArrivalRun) -> None:
    """A camera rests for days, and its stream is not swept by each schedule. Photos end that, each with a few
    others."""
    run.take(*(f"{number}.jpg" for number in range(5)))
    for first in (5, 7, 8):
        run.world.clock.advance(10 * _DAY_MS)
        run.sweep_by_schedule()
        run.world.clock.advance(_SCHEDULE_MS)
        run.sweep_by_schedule()
        run.take(*(f"{number}.jpg" for number in range(first, {5: 7, 7: 8, 8: 10}[first])))
        run.world.clock.advance(_SCHEDULE_MS)
        run.sweep_by_schedule()
    run.take("10.jpg")
    run.new_environment()
    run.world.clock.advance(_SCHEDULE_MS)
    run.sweep_by_schedule()


def change_settings_in_turns(run: ArrivalRun) -> None:
    """Three environments take turns while the settings change. Each comes back within five minutes of its last reading
    of them, and takes over what another one has gone on with, by newer ones."""
    run.take(*(f"{number}.jpg" for number in range(4)))
    for quality in range(24, 29):
        run.sweep(drain=True)
        run.configure(quality)
        run.thaw()
        run.take(*(f"{number}.jpg" for number in range(quality * 3, quality * 3 + 3)), seconds=30)
    run.damage_settings()
    run.new_environment()
    run.take("87.jpg", "88.jpg", seconds=200)
    run.thaw()
    run.take("89.jpg", "90.jpg", seconds=200)
    run.sweep(drain=True)
    run.configure(29)
    run.take("91.jpg", "92.jpg", "93.jpg", "94.jpg", seconds=400)


def change_order(run: ArrivalRun) -> None:
    """A stream in name order continues in arrival order, with a photo that was uploaded below the watermark."""
    run.world.settings["TIMELAPSE_ORDER"] = "name"
    run.new_environment()
    run.take(*(f"{number:03d}.jpg" for number in range(10, 19)))
    run.world.settings["TIMELAPSE_ORDER"] = "arrival"
    run.new_environment()
    run.take(*(f"{number:03d}.jpg" for number in (19, 20, 1, 2, 21, 3)))
    run.sweep(drain=True)
    run.take("004.jpg")


def live(run: ArrivalRun, draw: Random) -> None:
    """A random life: names of every kind, lost and late events, content that changes, environments that end."""
    waiting: list[Photo] = []
    names: dict[str, Callable[[int], str]] = {
        "rising": lambda n: f"{n:06d}.jpg",
        "unpadded": lambda n: f"{n}.jpg",
        "wrapping": lambda n: f"IMG_{(95 + n) % 100:02d}.jpg",
        "one": lambda _n: "snapshot.jpg",
        "restarting": lambda n: f"{n % 50:02d}.jpg",
        "random": lambda n: f"{hash((n, 7)) % 10**8:x}.jpg",
    }
    kind, steps = draw.choice(list(names)), draw.choice([[2, 2, 2, 15, 70], [60], [1, 1, 1, 300]])
    run.is_ordered = kind in ("rising", "unpadded")
    for _ in range(draw.randint(8, 40)):
        if draw.random() < 0.05:
            kind, run.is_ordered = draw.choice(list(names)), False
        key, seconds = names[kind](len(run.numbered.photos)), draw.choice(steps)
        action = draw.random()
        if action < 0.6:
            run.take(key, seconds=seconds)
        elif action < 0.68:
            waiting += run.untold(key)
        elif action < 0.74 and waiting:
            run.tell(waiting.pop(draw.randrange(len(waiting))))
        elif action < 0.8:
            run.tell(run.add(key, b"no photo", reason="undecodable", seconds=seconds))
        elif action < 0.84:
            run.tell(run.numbered.photos[draw.randrange(len(run.numbered.photos))]) if run.numbered.photos else None
        elif action < 0.9:
            run.sweep(**draw.choice([{}, {"drain": True}, {"close": True}, {"all_reels": True}]))
        elif action < 0.95:
            if run.world.are_owners_distinct:
                run.skew_ms = draw.choice([-180_000, 0, 0, 180_000])
            run.new_environment() if draw.random() < 0.5 else run.thaw()
        else:
            run.shut_down(outbox_sent=draw.random() < 0.7)
