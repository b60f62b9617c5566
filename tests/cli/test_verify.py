"""`timelapse verify`: it changes nothing; a repair renews what is derived and takes what is missing."""

from __future__ import annotations

from tests.cli.streams import VARIABLES, make_stream, target_of
from tests.world import PHOTOS, STREAM, World
from timelapse_runtime.cli import EXIT_FINDINGS, EXIT_NOTHING_THERE
from timelapse_runtime.cli.target import NoCheckpoint
from timelapse_runtime.cli.verify import EXIT_CODES, format_report, repair, report_without_photos, verify
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.timelapse.model.photo_filter import OTHER_TYPE
from timelapse_runtime.timelapse.model.stream_settings import StreamSettings
from timelapse_runtime.timelapse.verify_report import InTheWay, VerifyReport


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
    report = VerifyReport(frame_count=3, uploaded_count=4, pending=["a"], oldest_pending_seconds=250)
    waiting, last = format_report(report).splitlines()
    assert waiting.split(maxsplit=1) == ["waiting", "1 photo, the oldest for 4 min"]
    assert last == "4 photos: 3 frames in the video, 0 rejected, 1 waiting for the next flush; no problems found"
    report.add("missing", "000004.jpg", "uploaded, and neither in the video nor rejected")
    first, second, *_, last = format_report(report).splitlines()
    assert first.split() == ["missing", "000004.jpg"]
    assert second.strip() == "uploaded, and neither in the video nor rejected"
    assert last.endswith("; problems found: 1")


def test_what_is_left_out_is_counted_by_reason() -> None:
    report = VerifyReport(uploaded_count=254, frame_count=101, rejected={"late": 150, "undecodable": 3}, order="name")
    report.in_the_way = [InTheWay("image.jpg", 150)]
    for key in ("Thumbs.db", "a.xmp", "b.xmp", "c.xmp"):
        report.ignore(key, OTHER_TYPE)
    text = format_report(report)
    assert "late: 150, undecodable: 3" in text
    assert "image.jpg sorts above 150 late photos uploaded after it" in text
    assert "TIMELAPSE_ORDER=arrival" in text
    assert "not a photo's suffix: 4 (Thumbs.db, a.xmp, b.xmp, …)" in text
    assert text.endswith("; nothing is missing or damaged; rejected or ignored: 157")
    report.order = "arrival"
    assert "TIMELAPSE_ORDER" not in format_report(report)


def test_a_stream_that_is_not_there_is_named_as_such() -> None:
    world = World()
    make_stream(world, 3)
    error = NoCheckpoint(Location(world.video.bucket, "video/camear/"), world.video)
    report = report_without_photos(error)
    assert EXIT_CODES[report.outcome] == EXIT_NOTHING_THERE
    assert "no video at s3://video-bucket/video/camear/ (there are s3://video-bucket/video/camera/)" in report.nothing
    assert "--frames" in report.nothing
    assert format_report(report).endswith("; nothing there to check")


def test_a_lost_checkpoint_is_damage_even_if_nobody_says_where_the_photos_are() -> None:
    world = World()
    make_stream(world, 3)
    world.video.delete([world.keys.checkpoint])
    report = report_without_photos(NoCheckpoint(Location(world.video.bucket, world.keys.folder), world.video))
    assert EXIT_CODES[report.outcome] == EXIT_FINDINGS
    assert [finding.kind for finding in report.findings] == ["checkpoint-missing"]
    assert "--frames" in report.findings[0].detail


def test_the_report_says_if_the_photos_are_not_those_that_the_checkpoint_names() -> None:
    report = VerifyReport(uploaded_count=3, frame_count=3, source="s3://b/old/", source_in_checkpoint="s3://b/new/")
    assert "compared with s3://b/old/; the checkpoint says s3://b/new/" in format_report(report)
    report.source = report.source_in_checkpoint
    assert "the checkpoint says" not in format_report(report)


def test_a_streams_own_settings_say_what_a_photo_is() -> None:
    world = World()
    world.video.put(world.keys.settings, StreamSettings({"include": "*.dat"}).to_json())
    function = world.environment()
    for number in range(5):
        world.deliver(function, world.upload(number, key=f"{number}.dat"), world.upload(number, key=f"{number}.jpg"))
    world.sweep(function, close=True)
    report = verify(target_of(world), VARIABLES, world.clock)
    assert (report.frame_count, report.uploaded_count, report.findings, report.pending) == (5, 5, [], [])
