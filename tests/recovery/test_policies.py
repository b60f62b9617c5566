"""What is configured for frames that come late or cannot be used, and how they are tried again."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.probe import ffmpeg_numbers
from tests.world import STREAM, InvocationContext, World
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.timelapse import Timelapse


@pytest.fixture
def world() -> World:
    return World()


def retry(function: Timelapse, **what: str) -> None:
    function.invoke({"retry_rejected": {"stream": STREAM, **what}}, InvocationContext())


def right(world: World) -> bool:
    report = world.verify()
    assert report.findings == []
    return report.pending == []


def numbers(world: World, folder: Path) -> list[int]:
    video = folder / "video.mp4"
    video.write_bytes(world.video_bytes())
    return list(ffmpeg_numbers(video))


def test_a_late_frame_is_appended_where_that_is_the_policy(world: World, tmp_path: Path) -> None:
    function = world.environment(late="append")
    world.shoot(function, [0, *range(2, 12)])
    world.sweep(function, drain=True)
    world.shoot(function, [1])
    world.shoot(function, range(12, 20))
    world.sweep(function, drain=True)
    assert right(world)
    assert world.rejections() == {}
    assert numbers(world, tmp_path) == [0, *range(2, 12), 1, *range(12, 20)]


def test_an_appended_late_frame_is_known_when_its_event_comes_again(world: World) -> None:
    function = world.environment(late="append")
    world.shoot(function, [0, *range(2, 12)])
    world.sweep(function, drain=True)
    world.shoot(function, [1])
    world.deliver(function, world.key(1))
    world.sweep(function, close=True)
    function = world.environment(late="append")
    world.shoot(function, range(12, 16))
    world.deliver(function, world.key(1), world.key(0), world.key(5))
    world.sweep(function, drain=True)
    assert right(world)
    assert world.keys_in_video().count(world.key(1)) == 1
    assert len(world.keys_in_video()) == 16


def test_a_late_frame_that_is_dropped_again_keeps_its_record(world: World) -> None:
    """While it is appended, the flush's listing shows a frame out of order, and uncommitted work is redone."""
    function = world.environment(late="append", reorder_window="0", flush_every="60")
    world.shoot(function, [0, *range(2, 12)])
    world.sweep(function, drain=True)
    world.upload(1)
    world.shoot(function, [13])
    lists = 0

    def upload_before_the_second_listing(operation: str, _key: str) -> None:
        nonlocal lists
        if operation == "ListObjectsV2":
            lists += 1
            if lists == 2:
                world.upload(12)

    world.frames.on_request = upload_before_the_second_listing
    world.deliver(function, world.key(1))
    assert lists >= 2
    in_video, rejected = world.keys_in_video(), world.rejections()
    assert (in_video.count(world.key(1)), world.key(1) in rejected) in {(1, False), (0, True)}
    retry(function)
    assert right(world)
    assert world.rejections() == {}
    assert sorted(world.keys_in_video()) == [world.key(number) for number in range(14)]


def test_a_crash_before_a_late_frame_is_committed_leaves_its_record(world: World) -> None:
    function = world.environment(late="append")
    world.shoot(function, [0, *range(2, 12)])
    world.sweep(function, drain=True)
    world.upload(1)

    def refuse(operation: str, key: str) -> None:
        if operation == "PutObject" and key == world.keys.checkpoint:
            raise StorageUnavailable(operation, "bucket", key, "503")

    world.video.on_request = refuse
    with pytest.raises(StorageUnavailable):
        world.deliver(function, world.key(1))
    world.video.on_request = lambda _operation, _key: None
    function = world.environment(late="append")
    world.sweep(function, drain=True)
    assert world.rejections() == {world.key(1): "late"}
    assert right(world)
    retry(function, reason="late")
    assert world.rejections() == {}
    assert right(world)
    assert world.keys_in_video()[-1] == world.key(1)


def test_the_retried_event_of_a_late_frame_does_not_double_it(world: World) -> None:
    function = world.environment(late="append")
    world.shoot(function, [0, *range(2, 12)])
    world.sweep(function, drain=True)
    world.upload(1)
    refused: list[str] = []

    def refuse_once(operation: str, key: str) -> None:
        if operation == "PutObject" and key == world.keys.checkpoint and not refused:
            refused.append(key)
            raise StorageUnavailable(operation, "bucket", key, "503")

    world.video.on_request = refuse_once
    with pytest.raises(StorageUnavailable):
        world.deliver(function, world.key(1))
    world.deliver(function, world.key(1))
    retry(function)
    world.sweep(function, drain=True)
    assert right(world)
    assert world.keys_in_video().count(world.key(1)) == 1
    assert world.rejections() == {}


@pytest.mark.parametrize("bad", [{5}, {0, 1}, {5, 6, 7}, {11}])
def test_a_bad_photo_is_replaced_by_the_frame_before_it_where_that_is_the_policy(
    world: World, tmp_path: Path, bad: set[int]
) -> None:
    function = world.environment(rejected="repeat")
    for number in range(12):
        world.deliver(function, world.upload(number, b"no photo" if number in bad else None))
        if number == 6:
            world.shut_down(function)
            function = world.environment(rejected="repeat")
    world.sweep(function, drain=True)
    assert right(world)
    assert set(world.rejections()) == {world.key(number) for number in bad}
    expected: list[int] = []
    for number in range(12):
        if number not in bad:
            expected.append(number)
        elif expected:
            expected.append(expected[-1])
    assert numbers(world, tmp_path) == expected
    assert world.checkpoint().rejected_count == len(bad)


def test_a_rejected_photo_that_was_fixed_is_tried_again(world: World) -> None:
    function = world.environment()
    for number in range(10):
        world.deliver(function, world.upload(number, b"no photo" if number in (4, 7) else None))
    world.sweep(function, drain=True)
    world.upload(4)  # the user replaces one of the two
    retry(function)
    assert set(world.rejections()) == {world.key(7)}
    assert world.keys_in_video()[-1] == world.key(4)
    assert right(world)
    retry(function)
    assert world.keys_in_video().count(world.key(4)) == 1


def test_a_photo_that_was_fixed_before_its_rejection_was_committed_is_there_once(world: World) -> None:
    world.shoot(world.environment(), range(6))
    world.deliver(world.environment(), world.upload(6, b"no photo"))  # recorded, and gone before it is committed
    world.upload(6)
    function = world.environment()
    world.shoot(function, [7])  # both are taken, and wait
    retry(function)
    assert world.keys_in_video() == [world.key(number) for number in range(8)]
    assert world.rejections() == {}
    assert right(world)


def test_a_record_that_another_instance_writes_during_a_retry_doubles_nothing(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(4))

    def reject_and_fix(operation: str, key: str) -> None:
        if operation == "ListObjectsV2" and key.endswith("/rejected/"):
            world.video.on_request = lambda _operation, _key: None
            world.deliver(world.environment(), world.upload(4, b"no photo"))  # it does not commit
            world.upload(4)

    world.video.on_request = reject_and_fix
    retry(function)
    retry(function)
    assert world.keys_in_video() == [world.key(number) for number in range(5)]
    assert right(world)


def test_a_missing_photo_that_appears_during_a_retry_is_there_once(world: World) -> None:
    function = world.environment(flush_every="1")
    world.shoot(function, range(4))
    record = b'{"key": "frames/camera/000004.jpg", "reason": "missing"}'
    world.video.put(world.keys.rejected(world.key(4)), record)
    lists = 0

    def upload_before_the_second_listing(operation: str, _key: str) -> None:
        nonlocal lists
        if operation == "ListObjectsV2":
            lists += 1
            if lists == 2:
                world.upload(4)

    world.frames.on_request = upload_before_the_second_listing
    retry(function)
    retry(function)
    assert lists > 2
    assert world.keys_in_video() == [world.key(number) for number in range(5)]
    assert right(world)


def test_a_late_frame_that_was_tried_again_is_not_appended_once_more(world: World) -> None:
    function = world.environment(late="append", reorder_window="0")
    world.shoot(function, range(2))
    world.upload(2)  # its event is lost, and a shutdown commits what is above it
    world.shoot(function, [3])
    world.shut_down(function)
    function = world.environment(late="append")
    retry(function)  # looks at the records before it finds that this one is late
    assert world.rejections() == {world.key(2): "late"}
    retry(function)
    world.shoot(function, range(4, 6))
    world.sweep(function, drain=True)
    assert world.keys_in_video() == [world.key(number) for number in (0, 1, 3, 2, 4, 5)]
    assert right(world)


def test_a_record_stays_while_its_frame_waits_for_the_first_commit_of_a_reel(world: World) -> None:
    function = world.environment(flush_every="1", late="append")
    world.shoot(function, [0, 1, 3])
    world.deliver(function, world.upload(4, b"no photo"))
    world.sweep(function, close=True)
    fixed = world.upload(4)

    def upload_a_bad_photo(operation: str, key: str) -> None:
        if operation == "GetObject" and key.endswith(fixed):
            world.frames.on_request = lambda _operation, _key: None
            world.upload(5, b"no photo")  # its rejection is committed while `fixed` is in the new reel's encoder

    def refuse(operation: str, key: str) -> None:
        if operation == "PutObject" and "/segments/" in key:
            raise StorageUnavailable(operation, "bucket", key, "503")

    world.frames.on_request, world.video.on_request = upload_a_bad_photo, refuse
    with pytest.raises(StorageUnavailable):
        retry(function)
    with contextlib.suppress(StorageUnavailable):
        world.deliver(function, world.upload(2, b"no photo"))  # late, and of no use
    assert fixed not in world.keys_in_video()
    assert fixed in world.rejections()
    world.video.on_request = lambda _operation, _key: None
    retry(world.environment())
    assert world.keys_in_video() == [world.key(number) for number in (0, 1, 3, 4)]
    assert right(world)


def test_the_record_of_a_frame_that_is_in_the_video_is_removed(world: World) -> None:
    function = world.environment()
    world.shoot(function, range(8))
    world.sweep(function, drain=True)
    record = b'{"key": "frames/camera/000003.jpg", "reason": "late"}'
    world.video.put(world.keys.rejected(world.key(3)), record)
    assert not world.verify().is_right
    retry(function, reason="undecodable")
    assert right(world)
    assert world.keys_in_video().count(world.key(3)) == 1


def test_a_kill_while_late_frames_are_appended_loses_nothing(world: World) -> None:
    for victim in range(40):
        world = World()
        left = victim

        class Killed(BaseException):
            pass

        def kill(_operation: str, _key: str, killed: type[BaseException] = Killed) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise killed

        function = world.environment(late="append", rejected="repeat")
        world.shoot(function, [0, *range(3, 9)])
        world.sweep(function, drain=True)
        world.upload(1)
        world.upload(2, b"no photo")
        world.video.on_request = world.frames.on_request = kill
        try:
            world.deliver(function, world.key(1), world.key(2))
            world.shoot(function, range(9, 12))
            world.sweep(function, drain=True)
        except Killed:
            pass
        world.video.on_request = world.frames.on_request = lambda _operation, _key: None
        function = world.environment(late="append", rejected="repeat")
        for number in range(9, 12):
            world.upload_once(number)
        world.deliver(function, world.key(1), world.key(2))
        world.sweep(function, drain=True)
        retry(function)
        assert right(world)
        assert sorted(set(world.keys_in_video()) - {world.key(2)}) == [
            world.key(number) for number in (0, 1, *range(3, 12))
        ]
        assert world.rejections() == {world.key(2): "late"}
