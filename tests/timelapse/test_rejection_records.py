"""Whether there is a record: known from few listings, and right whatever is asked in which order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.world import STREAM, World
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.left_out_notes import LeftOutNotes
from timelapse_runtime.timelapse.rejection_records import RejectionRecords

KEYS = ["", "a", "a.jpg", "a/b.jpg", "b.jpg", "b.json", "b.json.json", "é.jpg", "z" * 1_000, "z" * 900, "😀", "\uffff"]
STEPS = st.tuples(st.sampled_from(["has", "add", "remove"]), st.sampled_from(KEYS))


def records(world: World) -> RejectionRecords:
    return RejectionRecords(
        STREAM, world.video, world.keys, f"frames/{STREAM}/", world.clock, LeftOutNotes(world.clock)
    )


@given(st.sets(st.sampled_from(KEYS)), st.lists(STEPS))
def test_it_is_known_of_each_key_whether_there_is_a_record(before: set[str], steps: list[tuple[str, str]]) -> None:
    world = World()
    for key in before:
        records(world).add(key, None, FrameRejected("empty", "test"))
    here, there = records(world), set(before)
    for action, key in steps:
        if action == "add":
            here.add(key, None, FrameRejected("empty", "test"), replaces=True)
            there.add(key)
        elif action == "remove":
            here.remove([key])
            there.discard(key)
        assert here.has(key) == (key in there)
    assert {key for key in KEYS if here.has(key)} == there


def test_names_that_rise_cost_one_listing_however_many_records_there_are() -> None:
    world = World()
    for number in range(2_500):
        world.video.put(world.keys.rejected(f"{number:06d}.jpg"), b"{}")
    before = world.video.request_counts.get("ListObjectsV2", 0)
    here = records(world)
    assert not any(here.has(f"{number:06d}.jpg") for number in range(2_500, 2_700))
    assert world.video.request_counts["ListObjectsV2"] == before + 1
    assert here.has("002499.jpg")
    assert world.video.request_counts["ListObjectsV2"] == before + 2
