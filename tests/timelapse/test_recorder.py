"""The steps of a commit, and what a shutdown may save, over a store in memory and the fake codec."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.recovery.fake_media import FakeCodec
from tests.world import PHOTOS
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.day_pictures import DayPictures
from timelapse_runtime.timelapse.derived import Derived
from timelapse_runtime.timelapse.ingest import Photo
from timelapse_runtime.timelapse.left_out_notes import LeftOutNotes
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.frame_tracker import FrameTracker, Place
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.recorder import Counts, Recorder
from timelapse_runtime.timelapse.time_left import TimeLeft

DAY_MS = 24 * 3600 * 1000
TIME_ENOUGH = TimeLeft(Deadline(10**15), ManualClock(), reserve_ms=0)
NO_TIME = TimeLeft(Deadline(0), ManualClock(), reserve_ms=1)
CODEC = FakeCodec()


@dataclass
class Desk:
    """A recorder with its parts."""

    store: MemoryStore = field(default_factory=lambda: MemoryStore("video"))
    preset: str = "superfast"
    window: int = 0

    def __post_init__(self) -> None:
        places = {"TIMELAPSE_FRAMES": "s3://frames/", "TIMELAPSE_VIDEO": "s3://video/"}
        small = {"TIMELAPSE_KEYFRAME_INTERVAL": "6", "TIMELAPSE_REORDER_WINDOW": str(self.window)}
        config = parse_config({**places, **small, "TIMELAPSE_PRESET": self.preset})
        self.keys, self.tracker, self.counts = StreamKeys("camera/"), FrameTracker(), Counts()
        self.checkpoints = CheckpointStore("camera", self.store, self.keys, "s3://frames/camera/")
        derived = Derived("camera", self.store, self.keys, self.checkpoints.is_current, ManualClock())
        parts = self.tracker, self.checkpoints, derived, self.counts
        clock = ManualClock()
        pictures = DayPictures("camera", (), CODEC, self.store, self.keys, clock, self.checkpoints.is_current)
        catalog = Catalog(MemoryStore("frames", clock=clock), self.store, self.keys, "camera/")
        self.recorder = Recorder("camera", config, CODEC, catalog, *parts, clock, LeftOutNotes(clock), pictures)
        checkpoint = self.checkpoints.load()
        if checkpoint is not None:
            self.tracker.resume(checkpoint.watermark, checkpoint.ahead)
        self.recorder.discard_uncommitted()

    def append(self, *numbers: int, day: int = 0) -> None:
        decoder = CODEC.photo_decoder(maximum_pixels=10**6, background=(0, 0, 0))
        for number in numbers:
            source = SourceFrame(f"{number:03d}", day * DAY_MS + number)
            self.recorder.append(Photo(source, decoder.decode(PHOTOS[number])))
            self.tracker.listed_to(source.key)

    def checkpoint(self) -> Checkpoint:
        return Checkpoint.from_json(self.store.get(self.keys.checkpoint).body)


def test_a_commit_stores_complete_frames_and_tells_the_tracker() -> None:
    desk = Desk()
    desk.append(*range(8))
    desk.recorder.commit()
    committed = desk.checkpoint()
    assert 0 < committed.frame_count < 8
    assert desk.tracker.watermark == committed.watermark == f"{committed.frame_count - 1:03d}"
    assert (desk.counts.appended, desk.counts.flushes, desk.tracker.since_flush) == (8, 1, 0)


def test_nothing_new_is_no_commit() -> None:
    desk = Desk()
    desk.append(0)
    desk.recorder.commit(drain=True)
    desk.recorder.commit(drain=True)
    assert (desk.counts.flushes, desk.checkpoint().generation) == (1, 1)
    desk.recorder.commit(force=True)
    assert desk.checkpoint().generation == 2


def test_the_window_puts_photos_in_order_and_is_emptied_by_a_drain() -> None:
    desk = Desk(window=2)
    desk.append(1, 0, 2)
    assert desk.counts.appended == 1
    assert desk.tracker.last_encoded_key == "000"
    desk.recorder.flush(drain=True, close=False, force=False)
    assert (desk.counts.appended, desk.checkpoint().watermark) == (3, "002")


def test_a_photo_of_the_next_day_ends_the_reel() -> None:
    desk = Desk()
    desk.append(0, 1)
    desk.append(2, day=1)
    first = desk.checkpoint().reel
    assert first is not None
    assert first.is_closed
    assert first.frame_count == 2
    desk.recorder.commit(drain=True)
    second = desk.checkpoint().reel
    assert second is not None
    assert (second.previous, second.frame_count, desk.checkpoint().frame_count) == (first.name, 1, 3)
    assert desk.store.peek(desk.keys.manifest(first.name)) is not None


def test_an_encoder_with_other_parameter_sets_ends_the_reel_and_keeps_its_frames() -> None:
    before = Desk()
    before.append(0, 1)
    before.recorder.commit(drain=True)
    desk = Desk(before.store, preset="slow")
    desk.append(2, 3)
    desk.recorder.commit(drain=True)
    reel = desk.checkpoint().reel
    assert reel is not None
    assert (reel.number, reel.frame_count, desk.checkpoint().watermark) == (2, 2, "003")
    assert desk.counts.flushes == 2, "the end of one, and the beginning of the other"


def test_a_rejected_photo_with_no_frame_before_it_is_not_repeated() -> None:
    desk = Desk()
    desk.recorder.append(Photo(SourceFrame("000", 0, Role.STAND_IN), None))
    desk.tracker.listed_to("000")
    desk.recorder.commit()
    assert (desk.checkpoint().frame_count, desk.checkpoint().rejected_count) == (0, 1)


def test_a_commit_that_fails_is_made_by_the_next_one() -> None:
    desk = Desk()
    desk.append(0, 1)

    def refuse(operation: str, key: str) -> None:
        if key == desk.keys.checkpoint:
            raise StorageUnavailable(operation, "video", key, "503")

    desk.store.on_request = refuse
    with pytest.raises(StorageUnavailable):
        desk.recorder.commit(drain=True)
    desk.store.on_request = lambda _operation, _key: None
    desk.append(2)
    desk.recorder.commit(drain=True)
    assert (desk.checkpoint().frame_count, desk.checkpoint().watermark) == (3, "002")


def test_discarded_frames_are_not_committed() -> None:
    desk = Desk(window=1)
    desk.append(0, 1)
    desk.recorder.discard_uncommitted()
    desk.recorder.flush(drain=True, close=False, force=False)
    assert desk.store.peek(desk.keys.checkpoint) is None
    assert desk.tracker.place("000") is Place.NEXT


# ---- shutdown


@pytest.mark.parametrize(("time_left", "frame_count"), [(TIME_ENOUGH, 8), (NO_TIME, 4)])
def test_a_shutdown_saves_what_there_is_time_for_without_a_request(time_left: TimeLeft, frame_count: int) -> None:
    desk = Desk()
    desk.append(*range(8))
    before = desk.store.request_counts
    plan = desk.recorder.prepare_shutdown(time_left, drain=True)
    assert plan is not None
    # Without time one more packet comes, a P-frame whose B-frames do not: it is not complete.
    assert plan.checkpoint.frame_count == frame_count
    assert plan.init is not None
    assert desk.store.request_counts == before
    desk.recorder.commit_shutdown(plan, time_left)
    assert desk.checkpoint() == plan.checkpoint


def test_a_shutdown_with_nothing_to_save_has_no_plan() -> None:
    assert Desk().recorder.prepare_shutdown(TIME_ENOUGH, drain=True) is None


def test_a_shutdown_begins_no_reel_before_the_last_one_is_finished() -> None:
    before = Desk()
    before.append(0)
    before.recorder.commit(drain=True, close=True)
    desk = Desk(before.store)  # does not know that the closed reel is finished
    desk.append(1, day=1)
    assert desk.recorder.prepare_shutdown(TIME_ENOUGH, drain=True) is None
    before.append(2, day=1)
    assert before.recorder.prepare_shutdown(TIME_ENOUGH, drain=True) is not None


def test_a_shutdown_saves_no_frames_that_do_not_fit_the_reel() -> None:
    before = Desk()
    before.append(0)
    before.recorder.commit(drain=True)
    desk = Desk(before.store, preset="slow")
    desk.append(1)
    assert desk.recorder.prepare_shutdown(TIME_ENOUGH, drain=True) is None
