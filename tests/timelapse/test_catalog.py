"""Is a frame in the video? Over reels, roles, and segments that are in `video.mp4` alone."""

from __future__ import annotations

import pytest

from tests.timelapse.stored_reels import StoredReels, frames
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import CheckpointCorrupt
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame


@pytest.fixture
def reels() -> StoredReels:
    return StoredReels()


def two_reels(reels: StoredReels) -> Reel:
    """b d f | h j, then m o | q s. The newest reel."""
    first = reels.begin(1)
    for keys in ("bdf", "hj"):
        first = reels.append(first, frames(*keys))
    second = reels.begin(2, previous=reels.close(first))
    for keys in ("mo", "qs"):
        second = reels.append(second, frames(*keys))
    return second


def found(reels: StoredReels, reel: Reel | None) -> str:
    return "".join(key for key in "abcdefghijklmnopqrstuvwxyz" if reels.catalog.is_in_video(reel, SourceFrame(key, 0)))


def test_just_the_frames_of_all_reels_are_found(reels: StoredReels) -> None:
    assert found(reels, None) == ""
    assert found(reels, reels.begin(1)) == ""
    assert found(reels, two_reels(reels)) == "bdfhjmoqs"


def test_one_segment_is_read_for_an_answer(reels: StoredReels) -> None:
    reel = two_reels(reels)
    for key, requests in (("q", 1), ("r", 1), ("z", 0), ("d", 3), ("l", 2)):
        before = reels.store.request_counts.get("GetObject", 0)
        reels.catalog.is_in_video(reel, SourceFrame(key, 0))
        assert reels.store.request_counts.get("GetObject", 0) - before == requests, key


def test_a_frame_out_of_order_is_found_where_the_checkpoint_names_it(reels: StoredReels) -> None:
    reel = reels.append(reels.begin(1), frames("b", "d"))
    reel = reels.append(reel, [*frames("a", "c", role=Role.OUT_OF_ORDER), *frames("f")])
    reel = reels.append(reel, frames("e", role=Role.OUT_OF_ORDER))
    assert found(reels, reel) == "abcdef"
    newer = reels.append(reels.begin(2, previous=reels.close(reel)), frames("h"))
    assert found(reels, newer) == "abcdefh"


@pytest.mark.parametrize("alone", [True, False])
def test_a_reel_that_begins_with_frames_out_of_order_hides_no_earlier_one(reels: StoredReels, *, alone: bool) -> None:
    first = reels.append(reels.begin(1), frames("b", "d", "f"))
    second = reels.begin(2, previous=reels.close(first))
    if alone:  # in a segment of their own
        second = reels.append(second, frames("a", "e", role=Role.OUT_OF_ORDER))
        second = reels.append(second, frames("h", "j"))
    else:
        second = reels.append(second, [*frames("a", "e", role=Role.OUT_OF_ORDER), *frames("h", "j")])
    assert found(reels, second) == "abdefhj"


def test_a_stand_in_is_in_the_video_unless_a_picture_of_its_own_is_asked_for(reels: StoredReels) -> None:
    reel = reels.append(reels.begin(1), [*frames("b"), *frames("c", role=Role.STAND_IN), *frames("d")])
    assert found(reels, reel) == "bcd"
    assert not reels.catalog.is_in_video(reel, SourceFrame("c", 0), as_itself=True)
    fixed = reels.append(reel, frames("c", role=Role.OUT_OF_ORDER))
    assert reels.catalog.is_in_video(fixed, SourceFrame("c", 0), as_itself=True)


def test_a_closed_reel_whose_segments_are_gone_is_read_from_its_video(reels: StoredReels) -> None:
    newest = two_reels(reels)
    assert newest.previous is not None
    reel = reels.append(reels.append(reels.begin(1), frames(*"bdf")), frames(*"hj"))
    reels.store.put(reels.keys.video(reel.name), reels.video(reel))
    closed = reels.close(reel)
    reels.store.delete([segment_key(reels.keys, closed, segment) for segment in closed.segments])
    assert found(reels, newest) == "bdfhjmoqs"
    assert found(reels, closed) == "bdfhj"


def test_what_is_gone_from_an_open_reel_is_an_error_and_no_answer(reels: StoredReels) -> None:
    reel = reels.append(reels.begin(1), frames("b", "d"))
    reels.store.put(reels.keys.video(reel.name), reels.video(reel))
    reels.store.delete([segment_key(reels.keys, reel, reel.segments[0])])
    with pytest.raises(ObjectNotFound):
        reels.catalog.is_in_video(reel, SourceFrame("b", 0))


def test_a_damaged_manifest_is_an_error_and_no_answer(reels: StoredReels) -> None:
    newest = two_reels(reels)
    assert newest.previous is not None
    reels.store.put(reels.keys.manifest(newest.previous), b'{"format": 1}')
    with pytest.raises(CheckpointCorrupt, match=r"reel\.json"):
        reels.catalog.is_in_video(newest, SourceFrame("b", 0))


def test_keys_are_compared_by_their_bytes(reels: StoredReels) -> None:
    reel = reels.append(reels.begin(1), frames("\uffff"))
    reel = reels.append(reel, frames("\U00010000"))
    for key in ("\uffff", "\U00010000"):
        assert reels.catalog.is_in_video(reel, SourceFrame(key, 0))
    assert not reels.catalog.is_in_video(reel, SourceFrame("\ufffe", 0))
