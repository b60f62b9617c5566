"""A backfill by many functions: plan, encode each range, join. Whatever a step does not do, the join does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.recovery.fake_media import FakeCodec, fake_photo, photos_in
from tests.world import STREAM, World
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import UnknownEvent
from timelapse_runtime.timelapse.model.stream_settings import StreamSettings

COUNT = 500
DAY_MS = 86_400_000


def world_of(count: int = COUNT, **variables: str) -> World:
    world = World({"TIMELAPSE_ORDER": "arrival", **variables}, codec=FakeCodec())
    upload(world, range(count))
    return world


def upload(world: World, numbers: Sequence[int]) -> None:
    for number in numbers:
        world.clock.advance(100)
        world.frames.put(f"frames/{STREAM}/{number:06d}.jpg", fake_photo(number))


def step(world: World, name: str, value: Any, remaining_ms: int = 10**9) -> dict[str, Any]:
    """One step, in an environment of its own."""
    context = world.context(world.clock.now_epoch_ms() + remaining_ms)
    return world.environment().invoke({"backfill": {name: value}}, context)


def encode(world: World, plan: dict[str, Any], names: Sequence[str]) -> None:
    for name in names:
        step(world, "encode", {"stream": STREAM, "plan": plan["plan"], "range": name})


def join(world: World, plan: dict[str, Any]) -> dict[str, Any]:
    return step(world, "join", {"stream": STREAM, "plan": plan["plan"]})


def shown(world: World) -> list[int]:
    assert world.keys_in_video()
    return [
        number
        for reel in world.reels()
        for one in reel.segments
        for number in photos_in(world.video.get(segment_key(world.keys, reel, one)).body)
    ]


def leftovers(world: World) -> set[str]:
    return {key for key in world.object_keys() if "/backfill/" in key}


@pytest.mark.parametrize("order", ["arrival", "name"])
def test_ranges_that_others_encode_are_joined_without_reading_a_photo_again(order: str) -> None:
    world = world_of(TIMELAPSE_ORDER=order)
    plan = step(world, "plan", STREAM)
    assert (plan["photos"], len(plan["ranges"])) == (COUNT, 3)
    assert set(leftovers(world)) == {f"{world.keys.backfill(plan['plan'])}photos"}
    encode(world, plan, plan["ranges"][::-1])
    reads = world.frames.request_counts["GetObject"]
    assert reads == COUNT
    done = join(world, plan)
    assert (done["done"], done["frames_in_video"], done["read_elsewhere"]) == (True, COUNT, COUNT)
    assert world.frames.request_counts["GetObject"] == reads
    assert shown(world) == list(range(COUNT))
    assert leftovers(world) == set()
    assert world.verify().is_right


def test_what_is_missing_or_damaged_is_read_by_the_join() -> None:
    world = world_of()
    plan = step(world, "plan", STREAM)
    encode(world, plan, plan["ranges"][:2])
    world.video.put(world.keys.backfill(plan["plan"]) + plan["ranges"][1], b"damaged")
    assert join(world, plan)["read_elsewhere"] == 180
    assert shown(world) == list(range(COUNT))


def test_a_join_of_a_plan_that_is_gone_is_a_sweep() -> None:
    world = world_of()
    old = step(world, "plan", STREAM)
    encode(world, old, old["ranges"])
    new = step(world, "plan", STREAM)
    assert leftovers(world) == {f"{world.keys.backfill(new['plan'])}photos"}, "the new plan takes its place"
    assert join(world, old)["done"]
    assert shown(world) == list(range(COUNT))
    assert join(world, new)["done"]
    assert leftovers(world) == set()


def test_photos_that_come_after_the_plan_are_in_the_video_too() -> None:
    world = world_of()
    plan = step(world, "plan", STREAM)
    encode(world, plan, plan["ranges"])
    upload(world, range(COUNT, COUNT + 20))
    assert join(world, plan)["frames_in_video"] == COUNT + 20
    assert shown(world) == list(range(COUNT + 20))


@pytest.mark.parametrize("order", ["arrival", "name"])
def test_a_photo_that_is_written_over_after_its_range_was_encoded_is_read_by_the_join(order: str) -> None:
    world = world_of(50, TIMELAPSE_ORDER=order)
    plan = step(world, "plan", STREAM)
    encode(world, plan, plan["ranges"])
    world.clock.advance(1_000)
    world.frames.put(f"frames/{STREAM}/{20:06d}.jpg", fake_photo(1020))
    assert join(world, plan)["frames_in_video"] == 50
    assert sorted(shown(world)) == [*range(20), *range(21, 50), 1020]
    assert world.verify().is_right


def test_a_join_without_enough_time_continues_where_it_was() -> None:
    world = world_of()
    plan = step(world, "plan", STREAM)
    encode(world, plan, plan["ranges"])
    answers: list[dict[str, Any]] = []
    world.video.on_request = lambda _operation, _key: world.clock.advance(1_000)
    while not answers or not answers[-1]["done"]:
        answers.append(step(world, "join", {"stream": STREAM, "plan": plan["plan"]}, remaining_ms=60_000))
        assert len(answers) < 20
    assert len(answers) > 1
    assert answers[0] == {"stream": STREAM, "plan": plan["plan"], "done": False, "read_elsewhere": any_count(answers)}
    assert shown(world) == list(range(COUNT))


def any_count(answers: list[dict[str, Any]]) -> int:
    count = answers[0]["read_elsewhere"]
    assert 0 < count < COUNT
    return int(count)


def test_a_join_that_is_killed_at_any_commit_loses_nothing() -> None:
    world = world_of()
    plan = step(world, "plan", STREAM)
    encode(world, plan, plan["ranges"])
    for kill in range(1, 12):
        refuse_the(world, kill)
        try:
            join(world, plan)
        except StorageUnavailable:
            continue
        break
    world.video.on_request = lambda _operation, _key: None
    join(world, plan)
    assert shown(world) == list(range(COUNT))
    world.clock.advance(2 * 3_600_000)  # shorter versions of a segment stay for an hour
    world.sweep(world.environment(), all_reels=True)
    assert world.orphans() == set()
    assert world.verify().is_right


def refuse_the(world: World, number: int) -> None:
    puts = 0

    def refuse(operation: str, key: str) -> None:
        nonlocal puts
        puts += operation == "PutObject"
        if puts >= number and operation == "PutObject":
            raise StorageUnavailable(operation, "video-bucket", key, "503")

    world.video.on_request = refuse


def test_a_live_environment_beside_it_shares_the_stream() -> None:
    world = world_of(200)
    live: Timelapse = world.environment()
    plan = step(world, "plan", STREAM)
    encode(world, plan, plan["ranges"])
    world.sweep(live)
    upload(world, range(200, 230))
    assert join(world, plan)["done"]
    world.sweep(live, drain=True)
    assert sorted(shown(world)) == list(range(230))


def test_the_reel_of_a_day_that_is_over_is_closed() -> None:
    world = world_of(TIMELAPSE_REEL="day")
    world.clock.advance(2 * DAY_MS)
    plan = step(world, "plan", STREAM)
    encode(world, plan, plan["ranges"])
    assert join(world, plan)["done"]
    assert [reel.is_closed for reel in world.reels()] == [True]


def test_a_stream_without_new_photos_has_a_plan_without_ranges() -> None:
    world = world_of(50)
    world.sweep(world.environment(), drain=True)
    plan = step(world, "plan", STREAM)
    assert (plan["photos"], plan["ranges"]) == (0, [])
    assert join(world, plan)["frames_in_video"] == 50


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"plan": ""},
        {"plan": STREAM, "more": 1},
        {"encode": {"stream": STREAM, "plan": "a", "range": "../../1-2"}},
        {"encode": {"stream": STREAM, "plan": "../a", "range": "1-2"}},
        {"join": {"stream": STREAM}},
        {"join": {"stream": STREAM, "plan": "a/b"}},
        None,
    ],
)
def test_a_step_that_is_not_understood_says_what_is_allowed(value: Any) -> None:
    with pytest.raises(UnknownEvent, match="allowed:"):
        world_of(0).environment().invoke({"backfill": value}, world_of(0).context(10**15))


def test_ranges_are_encoded_with_the_streams_own_settings() -> None:
    world = world_of()
    own = {"size": "64x48", "fps": "12", "keyframe_interval": "60", "crf": "30", "maximum_photo_bytes": "8"}
    world.video.put(world.keys.settings, StreamSettings(own).to_json())
    plan = step(world, "plan", STREAM)
    encode(world, plan, plan["ranges"])
    done = join(world, plan)
    assert (done["done"], done["frames_in_video"], done["read_elsewhere"]) == (True, 100, COUNT)
    (reel,) = world.reels()
    assert (reel.width, reel.fps, reel.segments[0].count) == (64, 12, 60)
    assert shown(world) == [*range(10), *range(10, 100)], "of two digits: the others are too large"
    assert len(world.rejections()) == COUNT - 100


def test_a_range_of_settings_that_have_changed_since_is_encoded_again() -> None:
    world = world_of()
    plan = step(world, "plan", STREAM)
    encode(world, plan, plan["ranges"])
    world.video.put(world.keys.settings, StreamSettings({"crf": "30"}).to_json())
    done = join(world, plan)
    assert (done["done"], done["frames_in_video"]) == (True, COUNT)
    assert world.frames.request_counts["GetObject"] == 2 * COUNT
    assert shown(world) == list(range(COUNT))
