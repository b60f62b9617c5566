"""From photos to reels: which encoder and which reel a photo finds, and what a commit may store of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import pytest
from av.video.frame import VideoFrame

from tests.recovery.fake_media import FakeCodec, FakePicture
from tests.world import PHOTOS, SIZE
from timelapse_runtime.timelapse.config import Config, parse_config
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.video.decode import DecodedPhoto
from timelapse_runtime.timelapse.writer import Cut, VideoWriter

DAY_MS = 24 * 3600 * 1000
CODEC = FakeCodec()


def config(**variables: str) -> Config:
    places = {"TIMELAPSE_FRAMES": "s3://frames/", "TIMELAPSE_VIDEO": "s3://video/"}
    small = {"TIMELAPSE_KEYFRAME_INTERVAL": "6"}
    return parse_config(places | small | {f"TIMELAPSE_{name}": value for name, value in variables.items()})


def picture(number: int) -> DecodedPhoto:
    return CODEC.photo_decoder(maximum_pixels=10**6, background=(0, 0, 0)).decode(PHOTOS[number])


def source(number: int, *, day: int = 0) -> SourceFrame:
    return SourceFrame(f"{number:03d}", day * DAY_MS + number)


def append(writer: VideoWriter, *numbers: int, reel: Reel | None = None, day: int = 0) -> list[int]:
    return [writer.append(source(number, day=day), picture(number), reel) for number in numbers]


def stored(cut: Cut, last: Reel | None = None) -> Reel:
    """The reel after a commit of all of `cut`, which begins it."""
    assert cut.start is not None
    return replace(cut.start.reel_after(last), segments=tuple(data.segment for data in cut.segments))


def written(*numbers: int, **variables: str) -> tuple[Reel, Cut]:
    """A committed reel of these photos, and its segments."""
    writer = VideoWriter("camera", config(**variables), CODEC)
    append(writer, *numbers)
    cut = writer.cut(drain=True)
    return stored(cut), cut


def test_nothing_was_written() -> None:
    writer = VideoWriter("camera", config(), CODEC)
    assert writer.cut(drain=True) == Cut()
    assert Cut().fits(None)
    assert (writer.is_writing, writer.is_drained, writer.newest_uploaded_epoch_ms, writer.thumbnail()) == (
        False,
        False,
        0,
        None,
    )
    assert writer.release_segments() == {}


def test_the_first_reel_has_the_first_photos_day_and_size() -> None:
    reel, cut = written(0, 1, 2)
    assert (reel.number, reel.name, reel.previous, reel.first_sequence) == (1, "1970-01-01-0001", None, 0)
    assert ((reel.width, reel.height), reel.frame_count, cut.frame_count) == (SIZE, 3, 3)
    assert cut.fits(reel)


def test_a_reel_follows_the_last_one() -> None:
    last, _ = written(*range(8))
    writer = VideoWriter("camera", config(), CODEC)
    append(writer, 9, day=1)
    reel = stored(writer.cut(drain=True), last)
    assert (reel.name, reel.previous, reel.first_sequence) == ("1970-01-02-0002", last.name, 2)


def test_a_new_instance_continues_the_reel() -> None:
    reel, cut = written(*range(8))
    assert cut.start is not None
    writer = VideoWriter("camera", config(), CODEC)
    writer.discard_uncommitted(reel)
    sources = writer.resume(reel, cut.start.init_segment.body, cut.segments[-1].body)
    assert [source.key for source in sources] == ["006", "007"]
    assert (writer.newest_uploaded_epoch_ms, writer.thumbnail()) == (7, b"thumbnail of 7")
    assert append(writer, 8, 9, reel=reel) == [8, 9]
    more = writer.cut(drain=True)
    assert more.fits(reel)
    assert [(data.segment.first, data.segment.count) for data in more.segments] == [(8, 2)]


@pytest.mark.parametrize("damage", ["bytes", "frames"])
def test_a_segment_that_is_not_what_was_committed_is_refused(damage: str) -> None:
    reel, cut = written(*range(4))
    assert cut.start is not None
    body = cut.segments[-1].body
    if damage == "bytes":
        body = body[:-1] + b"?"
    else:
        reel = replace(reel, segments=(replace(reel.segments[-1], count=3),))
    with pytest.raises(SegmentCorrupt):
        VideoWriter("camera", config(), CODEC).resume(reel, cut.start.init_segment.body, body)


def test_a_reel_ends_with_its_day() -> None:
    writer = VideoWriter("camera", config(), CODEC)
    assert not writer.needs_new_reel(source(0, day=5), None), "none is open"
    append(writer, 0, day=5)
    assert not writer.needs_new_reel(source(1, day=5), None)
    assert not writer.needs_new_reel(source(1, day=4), None), "a late photo does not end it"
    assert writer.needs_new_reel(source(1, day=6), None)


def test_a_new_instance_knows_the_uploads_of_the_reels_last_frames() -> None:
    """Else a stream whose clock is wrong would get a reel from each environment."""
    writer = VideoWriter("camera", config(), CODEC)
    wrong = [replace(source(number, day=9_000), taken_epoch_ms=8_000 * DAY_MS) for number in range(3)]
    for number in range(2):
        writer.append(wrong[number], picture(number), None)
    cut = writer.cut(drain=True)
    reel = stored(cut)
    assert cut.start is not None
    resumed = VideoWriter("camera", config(), CODEC)
    resumed.discard_uncommitted(reel)
    resumed.resume(reel, cut.start.init_segment.body, cut.segments[-1].body)
    assert not resumed.needs_new_reel(wrong[2], reel)
    assert resumed.needs_new_reel(replace(wrong[2], uploaded_epoch_ms=9_001 * DAY_MS), reel)


def test_a_photo_of_an_earlier_day_is_logged_once_per_reel(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "timelapse_runtime.timelapse.writer")
    writer = VideoWriter("camera", config(), CODEC)
    append(writer, 0, day=9_000)
    for number in range(1, 4):
        writer.append(replace(source(number, day=9_000), taken_epoch_ms=8_000 * DAY_MS), picture(number), None)
    (record,) = [one for one in caplog.records if "earlier day" in one.message]
    assert record.__dict__["frame"] == "001"
    assert (record.__dict__["day"], record.__dict__["reel_day"]) == ("1991-11-27", "1994-08-23")


def test_a_reel_that_never_ends_does_not_end_with_its_day() -> None:
    writer = VideoWriter("camera", config(REEL="never"), CODEC)
    append(writer, 0)
    assert not writer.needs_new_reel(source(1, day=1), None)


@pytest.mark.parametrize(
    ("variables", "ends"),
    [
        ({}, False),
        ({"CRF": "40"}, False),
        ({"FPS": "25"}, True),
        ({"SIZE": "64x32"}, True),
        ({"KEYFRAME_INTERVAL": "5"}, True),
    ],
)
def test_a_reel_ends_if_settings_that_its_segments_share_have_changed(variables: dict[str, str], *, ends: bool) -> None:
    reel, _ = written(0)
    writer = VideoWriter("camera", config(**variables), CODEC)
    writer.discard_uncommitted(reel)
    assert writer.needs_new_reel(source(1), reel) == ends


def test_frames_of_a_changed_encoder_begin_a_reel_on_their_own_day() -> None:
    reel, _ = written(0, 1)
    writer = VideoWriter("camera", config(PRESET="slow", REEL="never"), CODEC)
    writer.discard_uncommitted(reel)
    append(writer, 2, 3, reel=reel, day=3)
    cut = writer.cut(drain=True)
    assert not cut.fits(reel)
    writer.committed(0)  # the commit that ends the reel before
    assert writer.cut().segments == cut.segments
    begun = stored(cut, replace(reel, is_closed=True))
    assert (begun.name, begun.frame_count) == ("1970-01-04-0002", 2)
    assert cut.fits(begun)


def test_committed_frames_are_not_given_again() -> None:
    writer = VideoWriter("camera", config(), CODEC)
    append(writer, *range(9))
    cut = writer.cut()
    writer.committed(cut.frame_count)
    assert writer.cut().segments == ()
    assert writer.is_writing


def test_after_a_drain_another_encoder_begins() -> None:
    writer = VideoWriter("camera", config(), CODEC)
    append(writer, 0, 1)
    reel = stored(writer.cut(drain=True))
    writer.committed(2)
    was_drained = writer.is_drained
    assert was_drained
    assert append(writer, 2, reel=reel) == [2]
    assert not writer.is_drained
    more = writer.cut(drain=True)
    assert [(data.segment.first, data.segment.count) for data in more.segments] == [(2, 1)]


def test_after_its_end_a_reel_takes_no_frame() -> None:
    writer = VideoWriter("camera", config(), CODEC)
    append(writer, 0)
    last = stored(writer.cut(drain=True))
    writer.committed(1)
    writer.end_reel()
    assert not writer.is_writing
    assert append(writer, 1, day=2) == [0]
    assert stored(writer.cut(drain=True), last).name == "1970-01-03-0002"


def test_the_newest_picture_can_be_repeated_but_begins_no_reel() -> None:
    writer = VideoWriter("camera", config(), CODEC)
    assert writer.repeated_picture(None) is None
    append(writer, 0)
    assert writer.repeated_picture(None) is not None
    writer.cut(drain=True)
    writer.committed(1)
    writer.end_reel()
    assert writer.repeated_picture(None) is None


def test_discarded_frames_leave_no_trace() -> None:
    writer = VideoWriter("camera", config(), CODEC)
    append(writer, 0, 1)
    writer.discard_uncommitted(None)
    assert writer.cut(drain=True) == Cut()


def of_size(width: int, height: int) -> DecodedPhoto:
    return DecodedPhoto(cast("VideoFrame", FakePicture(0, width, height)))


def sizes_of_reels(writer: VideoWriter, sizes: Iterable[tuple[int, int]], *, day: int = 0) -> list[tuple[int, int]]:
    """Append photos of these sizes; the size of each reel that was begun for them, one that was open included."""
    reels: list[tuple[int, int]] = []
    for number, size in enumerate(sizes):
        if writer.needs_new_reel(source(number, day=day), None):
            writer.end_reel()
        is_new = not writer.is_writing
        writer.append(source(number, day=day), of_size(*size), None)
        if is_new and writer.video_size is not None:
            reels.append(writer.video_size)
    return reels


SMALL, LARGE = (40, 30), (1920, 1080)


def test_an_automatic_size_is_scaled_down_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    writer = VideoWriter("camera", config(), CODEC)
    assert sizes_of_reels(writer, [(6000, 4000)]) == [(3240, 2160)]
    record = next(record for record in caplog.records if "video scaled down to 3240x2160" in record.getMessage())
    assert (vars(record)["photo"], vars(record)["limit"]) == ("6000x4000", "TIMELAPSE_MAXIMUM_SIZE")


def test_a_size_that_is_configured_is_not_scaled_down() -> None:
    writer = VideoWriter("camera", config(SIZE="4096x2304"), CODEC)
    assert sizes_of_reels(writer, [(6000, 4000)]) == [(4096, 2304)]


def test_little_memory_makes_a_smaller_video(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    writer = VideoWriter("camera", replace(config(), memory_mb=512), CODEC)
    ((width, height),) = sizes_of_reels(writer, [(3840, 2160)])
    assert 1920 <= width < 3840
    assert abs(width / height - 16 / 9) < 0.01
    assert "the function's memory" in {vars(record).get("limit") for record in caplog.records}


def test_a_thumbnail_that_came_first_does_not_decide_the_reel() -> None:
    writer = VideoWriter("camera", config(), CODEC)
    assert sizes_of_reels(writer, [SMALL, *[LARGE] * 10]) == [SMALL]
    assert sizes_of_reels(writer, [SMALL]) == [LARGE], "the eleventh photo begins it, whatever its own size"


def test_photos_that_take_turns_begin_no_reels() -> None:
    writer = VideoWriter("camera", config(), CODEC)
    assert sizes_of_reels(writer, [SMALL, LARGE] * 50) == [SMALL]
    assert sizes_of_reels(writer, [*[SMALL] * 9, LARGE] * 20) == []


def test_bursts_of_turns_begin_fewer_and_fewer_reels() -> None:
    writer = VideoWriter("camera", config(), CODEC)
    assert len(sizes_of_reels(writer, ([SMALL] * 50 + [LARGE] * 50) * 20)) == 4


@pytest.mark.parametrize("count", [1, 3, 9, 10])
def test_a_restart_does_not_interrupt_a_run_of_another_size(count: int) -> None:
    """A new instance after each photo."""
    writer, reel = VideoWriter("camera", config(), CODEC), None
    for number in range(1 + count):
        writer.append(source(number), of_size(*(LARGE if number else SMALL)), reel)
        cut = writer.cut(drain=True)
        assert cut.start is not None
        done = reel or cut.start.reel_after(None)
        reel = replace(done, segments=(*done.segments, *(data.segment for data in cut.segments)))
        writer = VideoWriter("camera", config(), CODEC)
        writer.discard_uncommitted(reel)
        writer.resume(reel, cut.start.init_segment.body, cut.segments[-1].body)
    assert writer.needs_new_reel(source(99), reel) == (count >= 10)


def test_repeated_frames_do_not_interrupt_a_run_of_another_size() -> None:
    writer = VideoWriter("camera", config(NEW_SIZE_AFTER="3"), CODEC)
    sizes_of_reels(writer, [SMALL, LARGE, LARGE])
    repeated = writer.repeated_picture(None)
    assert repeated is not None
    writer.append(replace(source(4), role=Role.STAND_IN), repeated, None)
    assert not writer.needs_new_reel(source(5), None)
    writer.append(source(5), of_size(*LARGE), None)
    assert writer.needs_new_reel(source(6), None)


def test_a_size_that_is_configured_stays() -> None:
    writer = VideoWriter("camera", config(SIZE="64x32"), CODEC)
    assert sizes_of_reels(writer, [SMALL, *[LARGE] * 50]) == [(64, 32)]


@pytest.mark.parametrize(("variables", "memory_mb"), [({"MAXIMUM_SIZE": "100x60"}, None), ({}, 512)])
def test_a_reel_that_is_larger_than_is_allowed_now_ends(variables: dict[str, str], memory_mb: int | None) -> None:
    reel, _ = written(0)
    reel = reel if memory_mb is None else replace(reel, width=3840, height=2160)
    writer = VideoWriter("camera", replace(config(**variables), memory_mb=memory_mb), CODEC)
    writer.discard_uncommitted(reel)
    assert writer.needs_new_reel(source(1), reel)
