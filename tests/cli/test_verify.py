"""`timelapse verify`: it changes nothing; a repair renews what is derived and takes what is missing."""

from __future__ import annotations

from tests.cli.streams import VARIABLES, make_stream, target_of
from tests.world import PHOTOS, STREAM, World
from timelapse_runtime.cli.verify import format_report, repair, verify
from timelapse_runtime.timelapse.verify import VerifyReport


def test_verify_finds_a_damaged_playlist_and_leaves_it_as_it_is() -> None:
    world = World()
    make_stream(world, 6)
    assert verify(target_of(world), {}).is_right
    key = f"{world.keys.folder}live.m3u8"
    world.video.put(key, b"#EXTM3U\n")
    report = verify(target_of(world), {})
    assert [finding.kind for finding in report.findings] == ["playlist"]
    assert world.video.get(key).body == b"#EXTM3U\n"


def test_verify_counts_what_is_configured_as_a_photo() -> None:
    world = World()
    make_stream(world, 6)
    world.frames.put(f"frames/{STREAM}/notes.dat", b"no photo")
    assert verify(target_of(world), {}).uploaded_count == 6
    report = verify(target_of(world), {"TIMELAPSE_INCLUDE": "photos, *.dat"})
    assert (report.uploaded_count, report.pending) == (7, ["notes.dat"])


def test_repair_renews_a_damaged_playlist() -> None:
    world = World()
    make_stream(world, 6)
    key = f"{world.keys.folder}live.m3u8"
    whole = world.video.get(key).body
    world.video.put(key, b"#EXTM3U\n")
    assert repair(target_of(world), VARIABLES).is_right
    assert world.video.get(key).body == whole


def test_repair_takes_a_photo_that_came_late_while_another_was_deleted() -> None:
    world = World()
    make_stream(world, 6)
    world.frames.delete([f"frames/{STREAM}/{world.key(4)}"])
    late = f"{world.key(1)}-late.jpg"
    world.frames.put(f"frames/{STREAM}/{late}", PHOTOS[9])
    (finding,) = verify(target_of(world), {}).findings
    assert (finding.kind, finding.where) == ("missing", late)
    assert repair(target_of(world), VARIABLES).is_right
    assert world.rejections() == {late: "late"}


def test_the_report_names_each_problem_and_ends_with_the_counts() -> None:
    report = VerifyReport(frame_count=3, rejected_count=1, uploaded_count=6, pending=["a"])
    assert format_report(report) == (
        "6 photos: 3 frames in the video, 1 rejected, 1 waiting for the next flush; no problems found"
    )
    report.add("missing", "000004.jpg", "uploaded, and neither in the video nor rejected")
    first, second, last = format_report(report).splitlines()
    assert first.split() == ["missing", "000004.jpg"]
    assert second.strip() == "uploaded, and neither in the video nor rejected"
    assert last.endswith("; problems found: 1")
