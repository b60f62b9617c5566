"""The photos' side of a verification: what is rejected, ignored, waiting, gone, late or out of place."""

from __future__ import annotations

from dataclasses import replace

from tests.recovery.fake_media import fake_photo, fake_world
from tests.world import STREAM, World
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.verify_photos import FlushRule, in_the_way, out_of_place
from timelapse_runtime.timelapse.verify_report import InTheWay, Outcome

_MINUTE_MS = 60_000


def photos(names: list[str], first_epoch_ms: int = 0) -> list[SourceFrame]:
    """One a second."""
    return [SourceFrame(name, first_epoch_ms + 1_000 * number) for number, name in enumerate(names)]


def committed(count: int = 10, **settings: str) -> World:
    """A stream of fake photos, all in the video."""
    world = fake_world({f"TIMELAPSE_{name.upper()}": value for name, value in settings.items()})
    function = world.environment()
    world.shoot(function, range(count))
    world.sweep(function, drain=True)
    return world


def test_a_stray_photo_that_sorts_last_is_in_the_way_of_all_later_ones() -> None:
    before = photos([f"2026112512{number:04d}.jpg" for number in range(30)])
    stray = SourceFrame("image.jpg", 30_000)
    late = photos([f"2026112513{number:04d}.jpg" for number in range(150)], 31_000)
    assert in_the_way(late, [*before, stray]) == [InTheWay("image.jpg", 150)]


def test_of_a_counter_that_wrapped_the_highest_name_is_in_the_way() -> None:
    before = photos([f"IMG_{number}.jpg" for number in range(9990, 10000)])
    late = photos([f"IMG_{number:04d}.jpg" for number in range(1, 81)], 10_000)
    assert in_the_way(late, before) == [InTheWay("IMG_9999.jpg", 80)]


def test_a_photo_is_in_the_way_of_those_alone_that_were_uploaded_after_it() -> None:
    one, two = SourceFrame("m.jpg", 1_000), SourceFrame("z.jpg", 9_000)
    late = [SourceFrame("b.jpg", 2_000), SourceFrame("c.jpg", 3_000), SourceFrame("d.jpg", 9_000)]
    assert in_the_way(late, [two, one]) == [InTheWay("m.jpg", 2), InTheWay("z.jpg", 1)]
    assert in_the_way([SourceFrame("x.jpg", 500)], [one, two]) == []


def test_the_highest_key_is_in_the_way_not_the_newest() -> None:
    others = [SourceFrame("z.jpg", 1_000), SourceFrame("m.jpg", 2_000)]
    assert in_the_way([SourceFrame("b.jpg", 3_000)], others) == [InTheWay("z.jpg", 1)]


def test_frames_are_out_of_place_beyond_a_minute_and_in_arrival_order_alone() -> None:
    times = (0, 90_000, 30_000, 29_999, 200_000, 139_999)
    assert out_of_place([SourceFrame(str(time), time, etag="x") for time in times]) == 1
    assert out_of_place([SourceFrame(str(time), time) for time in times]) == 0
    told = [SourceFrame(str(time), time, etag="x", taken_epoch_ms=place) for place, time in enumerate(times)]
    assert out_of_place(told) == 0, "they were taken in this order"
    assert out_of_place([replace(one, taken_epoch_ms=-(one.taken_epoch_ms or 0)) for one in told]) == 1


def test_a_photo_is_due_when_a_flush_is_full_or_the_stream_is_idle() -> None:
    rule = FlushRule(flush_every=10, flush_after_seconds=300)
    grace = rule.due_epoch_ms([0], 0) - 300_000
    assert rule.due_epoch_ms([0], 50_000) == 350_000 + grace
    many = [1_000 * number for number in range(200)]
    assert rule.due_epoch_ms(many, many[-1]) == 137_000 + grace  # ten, and 128 that may be held back
    assert rule.due_epoch_ms(many[:128], many[-1]) == 199_000 + 300_000 + grace


def test_a_photo_is_due_when_it_has_waited_too_long_however_many_come() -> None:
    rule = FlushRule(flush_every=10_000, flush_after_seconds=60)
    grace = rule.due_epoch_ms([0], 0) - 60_000
    fast, slow = [2_000 * number for number in range(500)], [60_000 * number for number in range(500)]
    assert rule.due_epoch_ms(fast, fast[-1]) == 256_000 + grace
    assert rule.due_epoch_ms(slow, slow[-1]) == 16 * 60_000 + grace
    assert rule.due_epoch_ms(slow[:3], slow[2]) == 180_000 + grace


def test_a_photo_that_waits_for_hours_is_not_right() -> None:
    world = committed()
    world.upload(10)
    world.clock.advance(10 * _MINUTE_MS)
    report = world.verify()
    assert (report.outcome, report.oldest_pending_seconds) == (Outcome.ALL_IN_VIDEO, 600)
    world.clock.advance(180 * _MINUTE_MS)
    report = world.verify()
    (finding,) = report.findings
    assert (finding.kind, finding.where) == ("overdue", world.key(10))
    assert "3 h 10 min" in finding.detail
    world.sweep(world.environment(), drain=True)
    assert world.verify().outcome is Outcome.ALL_IN_VIDEO


def test_late_photos_are_counted_and_the_photo_in_the_way_is_named() -> None:
    world = fake_world()
    function = world.environment()
    world.shoot(function, range(5))
    world.deliver(function, world.upload(5, key="image.jpg"))
    world.sweep(function, drain=True)
    world.shoot(function, range(6, 16))
    world.sweep(function, drain=True)
    report = world.verify()
    assert (report.outcome, report.rejected) == (Outcome.LEFT_OUT, {"late": 10})
    assert (report.in_the_way, report.order) == ([InTheWay("image.jpg", 10)], "name")
    world.frames.delete([f"frames/{STREAM}/image.jpg", f"frames/{STREAM}/{world.key(9)}"])
    assert world.verify().in_the_way == [InTheWay("image.jpg", 10)]


def test_late_photos_become_frames_in_arrival_order() -> None:
    """As the report advises."""
    world = committed()
    function = world.environment()
    world.deliver(function, world.upload(10, key="image.jpg"))
    world.sweep(function, drain=True)
    world.shoot(function, range(11, 15))
    world.sweep(function, drain=True)
    assert world.verify().rejected == {"late": 4}
    function = world.environment(order="arrival")
    function.invoke({"retry_rejected": {"stream": STREAM, "reason": "late"}}, world.context(10**15))
    world.shoot(function, range(15, 20))
    world.sweep(function, drain=True)
    report = world.verify()
    assert (report.findings, report.outcome, report.frame_count) == ([], Outcome.ALL_IN_VIDEO, 20)


def test_what_is_no_photo_is_counted_by_reason_with_a_few_keys() -> None:
    world = committed()
    for name in ("Thumbs.db", "a.xmp", "b.xmp", "c.xmp", ".DS_Store"):
        world.frames.put(f"frames/{STREAM}/{name}", b"no photo")
    report = world.verify()
    assert {reason: one.count for reason, one in report.ignored.items()} == {"not a photo's suffix": 4, "hidden": 1}
    assert report.ignored["not a photo's suffix"].examples == ["Thumbs.db", "a.xmp", "b.xmp"]
    assert (report.outcome, report.uploaded_count) == (Outcome.LEFT_OUT, 10)


def test_a_photo_that_is_gone_is_no_damage_and_without_any_there_is_nothing_to_check() -> None:
    world = committed(order="arrival")
    world.frames.delete([f"frames/{STREAM}/{world.key(3)}"])
    world.upload(20, key=world.key(4))
    world.sweep(world.environment(), drain=True)
    report = world.verify()
    assert (report.outcome, report.gone_count, report.frame_count) == (Outcome.ALL_IN_VIDEO, 2, 11)
    world.frames.delete([f"frames/{STREAM}/{world.key(number)}" for number in range(10)])
    report = world.verify()
    assert report.findings == []
    assert report.outcome is Outcome.NOTHING_THERE
    assert "lifecycle" in report.nothing


def test_a_copy_of_an_overwritten_photo_waits_as_photos_do() -> None:
    world = fake_world({"TIMELAPSE_ORDER": "arrival"})
    function = world.environment()
    for number in range(4):
        world.deliver(function, world.upload(0, fake_photo(number), key="snapshot.jpg"))
    report = world.verify()
    assert report.kept_count > 0
    assert report.uploaded_count == 1
    assert report.frame_count + len(report.pending) == 4
    world.sweep(function, drain=True)
    report = world.verify()
    assert (report.frame_count, report.pending, report.kept_count, report.gone_count) == (4, [], 0, 3)


def test_a_photo_with_an_older_upload_time_than_the_frames_before_it_is_out_of_place_and_no_damage() -> None:
    world = committed(order="arrival")
    world.clock.advance(-5 * _MINUTE_MS)
    key = world.upload(10)
    world.clock.advance(5 * _MINUTE_MS)
    function = world.environment()
    world.deliver(function, key)
    world.sweep(function, drain=True)
    report = world.verify()
    assert (report.outcome, report.frame_count, report.out_of_place_count) == (Outcome.ALL_IN_VIDEO, 11, 1)
