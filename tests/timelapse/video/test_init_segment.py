"""Where a video begins: the edit list of the init segment, judged by another decoder, and reels without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import fragments
from tests.mp4 import find, numbers
from tests.probe import ffmpeg_numbers, ffprobe_frames
from tests.timelapse.video.segments import COUNT, settings, video, write
from tests.world import World
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.video.boxes import walk_boxes
from timelapse_runtime.timelapse.video.fit import Picture
from timelapse_runtime.timelapse.video.init_segment import (
    init_sha256,
    is_init_segment,
    with_edit_list,
    without_edit_list,
)
from timelapse_runtime.timelapse.video.read import decode_segment

PLAIN = fragments.init_segment(b"parameter sets")
TICKS = fragments.TICKS


def edits(init_segment: bytes) -> list[tuple[int, ...]]:
    """Duration, start and rate of each edit."""
    return [row for elst in find(init_segment, "moov", "trak", "edts", "elst") for row in numbers(elst, 4, "IiI")]


def test_an_edit_list_goes_in_and_comes_out_and_nothing_else_changes() -> None:
    changed = with_edit_list(PLAIN, 2 * TICKS)
    assert edits(changed) == [(0, 2 * TICKS, 0x10000)]
    (track,) = find(changed, "moov", "trak")
    assert [box.type for box in walk_boxes(track)] == ["tkhd", "edts", "mdia"]
    assert without_edit_list(changed) == without_edit_list(PLAIN) == PLAIN
    assert init_sha256(changed) == init_sha256(PLAIN)


def test_an_encoder_without_delay_needs_no_edit_list() -> None:
    assert with_edit_list(PLAIN, 0) == PLAIN


@pytest.mark.parametrize("damaged", [b"", PLAIN[:-1], b"\0\0\0\x10moov" + bytes(8), bytes(40)])
def test_what_is_no_init_segment_is_found_out(damaged: bytes) -> None:
    assert not is_init_segment(damaged, init_sha256(PLAIN), start_ticks=1024)
    with pytest.raises(SegmentCorrupt):
        with_edit_list(damaged, 1024)


def test_an_init_segment_with_another_edit_list_is_found_out() -> None:
    sha256 = init_sha256(PLAIN)
    assert is_init_segment(PLAIN, sha256, start_ticks=1024)
    assert is_init_segment(with_edit_list(PLAIN, 1024), sha256, start_ticks=1024)
    assert not is_init_segment(with_edit_list(PLAIN, 512), sha256, start_ticks=1024)
    assert not is_init_segment(with_edit_list(PLAIN, 1024), sha256, start_ticks=0)
    assert not is_init_segment(fragments.init_segment(b"others"), sha256, start_ticks=1024)


@pytest.mark.parametrize(
    ("preset", "low_delay", "start"), [("veryfast", False, 2), ("ultrafast", False, 0), ("veryfast", True, 0)]
)
def test_a_video_begins_at_zero(
    pictures: list[Picture], tmp_path: Path, preset: str, start: int, *, low_delay: bool
) -> None:
    segments = list(write(pictures, settings(preset=preset, low_delay=low_delay), cut_every=10))
    init = segments[0][2]
    assert edits(init) == ([(0, start * TICKS, 0x10000)] if start else [])
    probe = ffprobe_frames(video(segments, tmp_path / "video.mp4"))
    assert (probe.messages, probe.pts) == ("", [number * TICKS for number in range(COUNT)])
    earlier = [(first, count, without_edit_list(init), body) for first, count, _, body in segments]
    probe = ffprobe_frames(video(earlier, tmp_path / "earlier.mp4"))
    assert (probe.messages, probe.pts) == ("", [(number + start) * TICKS for number in range(COUNT)])


def test_segments_of_both_kinds_give_the_same_frames(pictures: list[Picture]) -> None:
    for first, count, init, body in write(pictures, settings(), cut_every=10):
        for one in (init, without_edit_list(init)):
            kept = decode_segment(one, body, first=first, count=count, reorder_frames=2, keep=count)
            assert [number for number, _ in kept] == list(range(first, first + count))


def test_a_reel_that_was_open_at_an_upgrade_is_continued(tmp_path: Path) -> None:
    world = World()
    before = world.environment()
    world.shoot(before, range(20))
    world.shut_down(before)
    world.upgrade()
    (reel,) = world.reels()
    earlier = world.video.get(world.keys.init(reel.name)).body
    assert edits(earlier) == []

    after = world.environment()
    world.shoot(after, range(20, 40))
    world.sweep(after, close=True)
    assert world.video.get(world.keys.init(reel.name)).body == earlier
    world.shoot(after, range(40, 50))
    world.sweep(after, close=True)
    first, second = world.reels()
    assert (first.name, first.frame_count, second.frame_count) == (reel.name, 40, 10)
    assert first.init_sha256 == second.init_sha256
    assert len(edits(world.video.get(world.keys.init(second.name)).body)) == 1
    assert len(world.keys_in_video()) == 50
    assert world.verify().findings == []
    path = tmp_path / "video.mp4"
    for played, photos in ((first, range(40)), (second, range(40, 50))):
        path.write_bytes(world.video_bytes(played))
        assert (ffprobe_frames(path).pts[0], ffmpeg_numbers(path)) == (0, list(photos))
