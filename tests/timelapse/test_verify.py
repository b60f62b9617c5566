"""A stream is damaged by hand, in one way after the other: the verifier names each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.recovery.fake_media import fake_world
from tests.world import PHOTOS, STREAM, World
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.verify import Verifier
from timelapse_runtime.timelapse.verify_report import Outcome, VerifyReport


@pytest.fixture
def world() -> World:
    """Two reels, a rejected photo, everything committed and published."""
    world = World()
    function = world.environment()
    world.shoot(function, range(14))
    world.deliver(function, world.upload(14, b"no photo"))
    world.sweep(function, close=True)
    world.shoot(function, range(15, 45))
    world.sweep(function, drain=True)
    return world


def verify(world: World) -> VerifyReport:
    return Verifier(world.frames, world.video, world.keys.folder, f"frames/{STREAM}/", clock=world.clock).run()


def test_an_undamaged_stream_is_right(world: World) -> None:
    report = verify(world)
    assert report.findings == []
    assert (report.frame_count, report.rejected_count, report.uploaded_count) == (44, 1, 45)
    assert report.pending == []


def test_photos_that_are_not_committed_yet_are_no_damage(world: World) -> None:
    world.upload(45)
    report = verify(world)
    assert report.is_right
    assert report.pending == [world.key(45)]


def newest(world: World) -> Reel:
    reel = world.checkpoint().reel
    assert reel is not None
    return reel


def segment(world: World, position: int) -> str:
    return segment_key(world.keys, newest(world), newest(world).segments[position])


def change(world: World, key: str, damage: Callable[[bytes], bytes]) -> None:
    world.video.put(key, damage(world.video.get(key).body))


def flip(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes(255 - byte for byte in body[middle : middle + 64]) + body[middle + 64 :]


def change_a_byte(body: bytes) -> bytes:
    """Within a picture's data: it still decodes, to another picture."""
    return body[:-40] + bytes([body[-40] ^ 1]) + body[-39:]


def leave_a_damaged_video_alone(world: World) -> None:
    """A closed reel's segments are gone, and its video has one byte changed."""
    reel = old_reel(world)
    change(world, world.keys.video(reel.name), change_a_byte)
    world.video.delete([segment_key(world.keys, reel, one) for one in reel.segments])


def edit(world: World, **fields: object) -> None:
    checkpoint = replace(world.checkpoint(), **fields)  # type: ignore[arg-type]
    world.video.put(world.keys.checkpoint, checkpoint.to_json())


def forget_a_segment(world: World) -> None:
    """The segments after it are renumbered, as a careless tool would."""
    reel = newest(world)
    gone, *kept = reel.segments
    moved = tuple(replace(one, first=one.first - gone.count) for one in kept)
    edit(world, reel=replace(reel, segments=moved))


def repeat_a_segment(world: World) -> None:
    reel = newest(world)
    last = reel.segments[-1]
    again = replace(last, first=last.first + last.count, attempt="abcdefabcdef")
    world.video.put(segment_key(world.keys, reel, again), world.video.get(segment(world, -1)).body)
    edit(world, reel=replace(reel, segments=(*reel.segments, again)))


def swap_segments(world: World) -> None:
    first, second = segment(world, 0), segment(world, 1)
    bodies = world.video.get(first).body, world.video.get(second).body
    world.video.put(first, bodies[1])
    world.video.put(second, bodies[0])


def reject_a_frame_of_the_video(world: World) -> None:
    record = json.dumps({"key": f"frames/{STREAM}/{world.key(3)}"}).encode()
    world.video.put(world.keys.rejected(world.key(3)), record)


def old_reel(world: World) -> Reel:
    return world.reels()[0]


DAMAGES: dict[str, tuple[Callable[[World], object], set[str]]] = {
    "checkpoint removed": (lambda w: w.video.delete([w.keys.checkpoint]), {"checkpoint-missing"}),
    "checkpoint cut off": (lambda w: change(w, w.keys.checkpoint, lambda b: b[:50]), {"checkpoint-corrupt"}),
    "segment removed": (lambda w: w.video.delete([segment(w, 1)]), {"segment-missing", "missing", "frame-count"}),
    "segment flipped": (lambda w: change(w, segment(w, 1), flip), {"segment-changed", "undecodable", "video"}),
    "a byte of a picture changed": (lambda w: change(w, segment(w, 1), change_a_byte), {"segment-changed", "video"}),
    "a byte of a closed video changed": (leave_a_damaged_video_alone, {"segment-changed"}),
    "segment cut off": (
        lambda w: change(w, segment(w, 1), lambda b: b[:-100]),
        {"segment-size", "undecodable", "missing", "frame-count", "video"},
    ),
    "segments swapped": (
        swap_segments,
        {"segment-size", "segment-changed", "segment-frames", "disordered", "undecodable", "video"},
    ),
    "segment forgotten": (
        forget_a_segment,
        {"missing", "frame-count", "orphan", "segment-missing", "playlist", "video"},
    ),
    "segment repeated": (
        repeat_a_segment,
        {"segment-frames", "double", "disordered", "undecodable", "frame-count", "playlist"},
    ),
    "watermark set back": (lambda w: edit(w, watermark=w.key(40)), {"unclaimed"}),
    "init segment removed": (lambda w: w.video.delete([w.keys.init(newest(w).name)]), {"init-missing", "undecodable"}),
    "init segment changed": (
        lambda w: change(w, w.keys.init(newest(w).name), flip),
        {"init-changed", "undecodable", "video"},
    ),
    "playlist removed": (lambda w: w.video.delete([w.keys.index(newest(w).name)]), {"playlist"}),
    "live playlist stale": (lambda w: change(w, w.keys.live, lambda b: b[: b.rindex(b"#EXTINF")]), {"playlist"}),
    "video removed": (lambda w: w.video.delete([w.keys.video(newest(w).name)]), {"video"}),
    "video flipped": (lambda w: change(w, w.keys.video(newest(w).name), flip), {"video"}),
    "closed video cut off": (lambda w: change(w, w.keys.video(old_reel(w).name), lambda b: b[:-9]), {"video"}),
    "manifest removed": (
        lambda w: w.video.delete([w.keys.manifest(old_reel(w).name)]),
        {"manifest-missing", "missing", "frame-count", "orphan"},
    ),
    "rejection removed": (lambda w: w.video.delete([w.keys.rejected(w.key(14))]), {"missing"}),
    "rejection of a frame that is in the video": (reject_a_frame_of_the_video, {"rejected-and-in-video"}),
    "orphan": (lambda w: w.video.put(w.keys.segments(newest(w).name) + "00000099-1-x.m4s", b"left"), {"orphan"}),
    "photo below the watermark": (
        lambda w: w.frames.put(f"frames/{STREAM}/000010-b.jpg", PHOTOS[0]),
        {"missing"},
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_each_damage_is_named(world: World, name: str) -> None:
    damage, kinds = DAMAGES[name]
    damage(world)
    report = verify(world)
    assert {finding.kind for finding in report.findings} & kinds
    assert {finding.kind for finding in report.findings} <= kinds, report.findings
    assert not report.is_right


def test_what_is_ready_for_the_next_reel_is_no_damage(world: World) -> None:
    number = newest(world).number
    world.video.put(world.keys.init(f"2026-11-21-{number + 1:04d}"), b"left by who never committed")
    assert verify(world).findings == []
    world.video.put(world.keys.init(f"2026-11-20-{number:04d}"), b"the same, before another one began the reel")
    assert [finding.kind for finding in verify(world).findings] == ["orphan"]


def test_a_closed_reel_may_live_in_its_video_alone(world: World) -> None:
    reel = old_reel(world)
    world.video.delete([segment_key(world.keys, reel, one) for one in reel.segments])
    assert verify(world).findings == []


def test_a_checkpoint_of_another_format_is_not_guessed_at(world: World) -> None:
    body = world.checkpoint().to_json().replace(b'"format":2', b'"format":4')
    world.video.put(world.keys.checkpoint, body)
    (finding,) = verify(world).findings
    assert finding.kind == "checkpoint-corrupt"
    assert "format 4" in finding.detail


def test_a_stream_that_does_not_exist_is_nothing_to_check() -> None:
    report = verify(World())
    assert report.outcome is Outcome.NOTHING_THERE
    assert report.nothing == (
        "no video at s3://video-bucket/video/camera/; no photo at s3://frames-bucket/frames/camera/"
    )


def test_photos_without_a_video_are_nothing_to_check_until_they_wait_for_too_long() -> None:
    world = World()
    world.upload(0)
    report = verify(world)
    assert report.outcome is Outcome.NOTHING_THERE
    assert "; 1 photo waiting at s3://frames-bucket/frames/camera/, the oldest for 0 s" in report.nothing
    world.clock.advance(86_400_000)
    assert [finding.kind for finding in verify(world).findings] == ["overdue"]


def test_photos_that_are_all_rejected_are_checked() -> None:
    world = World()
    world.deliver(world.environment(), world.upload(0, b"no photo"))
    report = verify(world)
    assert (report.findings, report.outcome) == ([], Outcome.LEFT_OUT)
    assert report.rejected == {"unsupported-type": 1}


def test_a_wrong_folder_is_named_as_what_it_is(world: World) -> None:
    def nothing(folder: str, prefix: str = f"frames/{STREAM}/") -> str:
        report = Verifier(world.frames, world.video, folder, prefix, clock=world.clock).run()
        assert {finding.kind for finding in report.findings} <= {"overdue"}
        assert report.outcome is Outcome.NOTHING_THERE
        return report.nothing

    assert "folder of streams: name one of them, such as s3://video-bucket/video/camera/" in nothing("video/")
    assert "there are s3://video-bucket/video/camera/" in nothing("video/camear/")
    assert "other objects" in nothing(f"{world.keys.folder}reels/")
    assert "the stream's photos are at s3://frames-bucket/frames/camera/" in nothing(world.keys.folder, "frames/other/")


@pytest.mark.parametrize("order", ["name", "arrival"])
def test_the_photos_of_another_stream_are_not_taken_for_missing_ones(order: str) -> None:
    world = fake_world({"TIMELAPSE_ORDER": order})
    world.frames.put("frames/garden/0000.jpg", b"of another camera")
    world.clock.advance(86_400_000)
    function = world.environment()
    world.shoot(function, range(5))
    world.sweep(function, drain=True)
    places = world.keys.folder, "frames/garden/"
    report = Verifier(world.frames, world.video, *places, world.codec, clock=world.clock).run()
    assert (report.findings, report.outcome) == ([], Outcome.NOTHING_THERE)
    assert report.nothing == (
        "none of 1 photo at s3://frames-bucket/frames/garden/ is in the video; "
        "the checkpoint says that the stream's photos are at s3://frames-bucket/frames/camera/"
    )


def test_a_stream_whose_photos_were_moved_is_still_compared() -> None:
    world = fake_world({"TIMELAPSE_ORDER": "arrival"})
    function = world.environment()
    world.shoot(function, range(5))
    world.sweep(function, drain=True)
    for number in range(5):
        world.frames.put(f"archive/{world.key(number)}", PHOTOS[number])
    places = world.keys.folder, "archive/"
    report = Verifier(world.frames, world.video, *places, world.codec, clock=world.clock).run()
    assert (report.findings, report.pending, report.outcome) == ([], [], Outcome.ALL_IN_VIDEO)


def test_what_is_no_copy_among_the_copies_is_an_orphan(world: World) -> None:
    world.video.put(world.keys.kept + "notes.txt", b"left")
    report = verify(world)
    assert [(finding.kind, finding.where) for finding in report.findings] == [("orphan", f"{world.keys.kept}notes.txt")]
    assert report.kept_count == 0


def test_without_a_checkpoint_that_was_there_no_photo_is_called_overdue(world: World) -> None:
    world.video.delete([world.keys.checkpoint])
    world.clock.advance(86_400_000)
    assert [finding.kind for finding in verify(world).findings] == ["checkpoint-missing"]
