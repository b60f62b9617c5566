"""What a commit puts, in which order and under which conditions."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tests.timelapse.stored_reels import INIT, new_reel
from timelapse_runtime.runtime.state.contract import IfAbsent, IfMatch
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.commit_plan import (
    CommitPlan,
    SegmentData,
    init_put,
    plan_commit,
    reel_object_keys,
)
from timelapse_runtime.timelapse.model import ahead_parts
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, Segment, checksum
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.playlist import main_playlist

KEYS = StreamKeys("video/camera/")
COVERAGE = Coverage("b", ("d",), 1, 12)


def data(first: int, count: int, body: bytes) -> SegmentData:
    return SegmentData(Segment(first, count, "", len(body), checksum(body), "b"), body)


def plan(
    reel: Reel | None, *changed: SegmentData, base: tuple[Checkpoint, str] | None = None, **changes: Any
) -> CommitPlan:
    arguments: dict[str, Any] = {
        "source": "s3://frames/camera/",
        "order": "name",
        "init": None,
        "last_is_open": True,
        "coverage": COVERAGE,
        "attempt": "attempt1",
        "derive_playlists": False,
    }
    return plan_commit(KEYS, base, reel, changed, **(arguments | changes))


def base_of(made: CommitPlan, etag: str = '"etag"') -> tuple[Checkpoint, str]:
    return made.checkpoint, etag


def test_the_first_commit_expects_no_checkpoint() -> None:
    made = plan(new_reel(), data(0, 12, b"first"))
    assert made.commit.condition == IfAbsent()
    assert (made.checkpoint.generation, made.checkpoint.frame_count, made.checkpoint.rejected_count) == (1, 12, 1)
    assert (made.checkpoint.watermark, made.checkpoint.ahead) == ("b", ("d",))
    assert Checkpoint.from_json(made.commit.body) == made.checkpoint


def test_a_later_commit_replaces_just_the_checkpoint_that_it_follows() -> None:
    first = plan(new_reel(), data(0, 12, b"first"))
    second = plan(first.checkpoint.reel, data(12, 3, b"second"), base=base_of(first))
    assert second.commit.condition == IfMatch('"etag"')
    assert (second.checkpoint.generation, second.checkpoint.frame_count) == (2, 15)


def test_segments_come_before_the_checkpoint_and_playlists_after_it() -> None:
    reel = new_reel()
    init = init_put(KEYS, reel, INIT)
    made = plan(reel, data(0, 180, b"closed"), data(180, 2, b"open"), init=init)
    order = [put.key.removeprefix("video/camera/") for put in made.puts()]
    assert order == [
        f"reels/{reel.name}/init.mp4",
        f"reels/{reel.name}/segments/00000000-180-attempt1.m4s",
        f"reels/{reel.name}/segments/00000180-2-attempt1.m4s",
        "checkpoint.json",
        "video.m3u8",
        "main.m3u8",
        f"reels/{reel.name}/index.m3u8",
        "live.m3u8",
    ]
    assert [put.condition for put in made.segments] == [IfAbsent(), IfAbsent()]
    assert [put.body for put in made.segments] == [b"closed", b"open"]


def test_what_is_too_long_for_the_checkpoint_comes_right_before_it() -> None:
    with patch.object(ahead_parts, "MAXIMUM_AHEAD_BYTES", 3):
        made = plan(new_reel(), data(0, 12, b"first"))
    order = [put.key.removeprefix("video/camera/") for put in made.puts()]
    assert order[order.index("checkpoint.json") - 1] == "ahead/attempt1.json"
    assert made.ahead_part is not None
    assert (made.ahead_part.body, made.ahead_part.condition) == (b'["d"]', IfAbsent())
    assert made.checkpoint.own_ahead == ()
    again = plan(made.checkpoint.reel, base=base_of(made), attempt="attempt2")
    assert again.ahead_part is None
    assert again.checkpoint.ahead_parts == ()


def test_a_longer_segment_replaces_the_open_one() -> None:
    first = plan(new_reel(), data(0, 12, b"first"))
    second = plan(first.checkpoint.reel, data(0, 15, b"first, longer"), base=base_of(first), attempt="attempt2")
    assert second.checkpoint.reel is not None
    assert [(segment.count, segment.attempt) for segment in second.checkpoint.reel.segments] == [(15, "attempt2")]


def derived_of(made: CommitPlan) -> list[str]:
    return [put.key.removeprefix("video/camera/") for put in made.derived]


def test_a_flush_within_a_segment_changes_one_playlist() -> None:
    first = plan(new_reel(), data(0, 12, bytes(1000)))
    assert derived_of(first) == ["video.m3u8", "main.m3u8"], "the others would be empty"
    longer = data(0, 15, bytes(1200))
    assert derived_of(plan(first.checkpoint.reel, longer, base=base_of(first))) == ["video.m3u8"]


def test_the_other_playlists_change_if_a_segment_closes_or_all_are_asked_for() -> None:
    first = plan(new_reel(), data(0, 12, bytes(1000)), data(12, 1, b"open"))
    reel = first.checkpoint.reel
    assert reel is not None
    everything = ["video.m3u8", "main.m3u8", f"reels/{reel.name}/index.m3u8", "live.m3u8"]
    assert derived_of(first) == everything
    longer = data(12, 3, b"open, longer")
    assert derived_of(plan(reel, longer, base=base_of(first))) == ["video.m3u8"]
    assert derived_of(plan(reel, longer, base=base_of(first), derive_playlists=True)) == everything
    without_main = [name for name in everything if name != "main.m3u8"]
    assert derived_of(plan(reel, longer, base=base_of(first), last_is_open=False)) == without_main
    assert derived_of(plan(reel, base=base_of(first), last_is_open=False)) == without_main[1:], "the last one closes"
    assert derived_of(plan(reel, base=base_of(first))) == []


def test_the_greatest_bit_rate_counts_a_last_segment_that_closes_as_it_is() -> None:
    first = plan(new_reel(), data(0, 12, bytes(1000)), data(12, 1, bytes(1000)))
    closed = plan(first.checkpoint.reel, base=base_of(first), last_is_open=False)
    assert "main.m3u8" in derived_of(closed)
    reel = closed.checkpoint.reel
    assert reel is not None
    assert next(put.body for put in closed.derived if put.key == KEYS.main) == main_playlist(reel)


def test_the_end_of_a_reel_ends_its_index() -> None:
    first = plan(new_reel(), data(0, 12, b"first"))
    reel = first.checkpoint.reel
    assert reel is not None
    last = plan(replace(reel, is_closed=True), base=base_of(first), last_is_open=False)
    assert last.ends_reel
    assert last.checkpoint.reel == replace(reel, is_closed=True, last_is_open=False)
    index = next(put for put in last.derived if put.key == KEYS.index(reel.name))
    assert index.body.endswith(b"#EXT-X-ENDLIST\n")


def test_a_new_reel_follows_the_end_of_the_one_before_in_the_live_playlist() -> None:
    first = plan(new_reel(), data(0, 12, b"first"))
    reel = first.checkpoint.reel
    assert reel is not None
    closed = plan(replace(reel, is_closed=True), base=base_of(first), last_is_open=False)
    made = plan(new_reel(2, previous=reel.name), data(0, 5, b"second"), base=base_of(closed))
    assert [tail.name for tail in made.checkpoint.tail] == [reel.name]
    assert Checkpoint.from_json(made.commit.body) == made.checkpoint
    again = plan(made.checkpoint.reel, data(0, 6, b"longer"), base=base_of(made), last_is_open=False)
    live = next(put.body.decode() for put in again.derived if put.key == KEYS.live)
    assert live.index(f"reels/{reel.name}/segments/") < live.index("#EXT-X-DISCONTINUITY\n") < live.index("-0002/init")


def test_a_commit_without_frames_keeps_the_closed_reel() -> None:
    first = plan(new_reel(), data(0, 12, b"first"))
    reel = first.checkpoint.reel
    assert reel is not None
    closed = plan(replace(reel, is_closed=True), base=base_of(first), last_is_open=False)
    made = plan(None, base=base_of(closed), last_is_open=False)
    assert made.checkpoint.reel == closed.checkpoint.reel
    assert (made.checkpoint.frame_count, made.segments, made.ends_reel) == (12, (), False)


def test_frames_of_all_reels_are_counted() -> None:
    first = plan(new_reel(), data(0, 12, b"first"))
    reel = first.checkpoint.reel
    assert reel is not None
    closed = plan(replace(reel, is_closed=True), base=base_of(first), last_is_open=False)
    made = plan(new_reel(2, previous=reel.name), data(0, 5, b"second"), base=base_of(closed))
    assert made.checkpoint.frame_count == 17


def test_a_put_sends_itself_with_its_headers() -> None:
    store = MemoryStore("video")
    reel = new_reel()
    put = init_put(KEYS, reel, INIT)
    etag = put.send(store)
    assert store.head(put.key).etag == etag
    assert hashlib.sha256(store.get(put.key).body).hexdigest() == reel.init_sha256


def test_a_reels_objects_are_all_named() -> None:
    made = plan(new_reel(), data(0, 12, b"first"))
    assert made.checkpoint.reel is not None
    names = {key.rpartition("/")[2] for key in reel_object_keys(KEYS, made.checkpoint.reel)}
    derived = {"index.m3u8", "video.m3u8", "video.mp4", "reel.json", "keogram.png", "lighten.png", "digest.mp4"}
    assert names == derived | {"init.mp4", "00000000-12-attempt1.m4s"}
