"""Is a frame in the film? Over reels, roles, and segments that are in `video.mp4` alone."""

from __future__ import annotations

import pytest

from tests.timelapse.films import Films, frames
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import CheckpointCorrupt, ObjectNotFound
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.video.boxes import Role


@pytest.fixture
def films() -> Films:
    return Films()


def two_reels(films: Films) -> Reel:
    """b d f | h j, then m o | q s. The newest reel."""
    first = films.begin(1)
    for keys in ("bdf", "hj"):
        first = films.append(first, frames(*keys))
    second = films.begin(2, previous=films.close(first))
    for keys in ("mo", "qs"):
        second = films.append(second, frames(*keys))
    return second


def found(films: Films, reel: Reel | None) -> str:
    return "".join(key for key in "abcdefghijklmnopqrstuvwxyz" if films.catalog.is_in_video(reel, key))


def test_just_the_frames_of_all_reels_are_found(films: Films) -> None:
    assert found(films, None) == ""
    assert found(films, films.begin(1)) == ""
    assert found(films, two_reels(films)) == "bdfhjmoqs"


def test_one_segment_is_read_for_an_answer(films: Films) -> None:
    reel = two_reels(films)
    for key, requests in (("q", 1), ("r", 1), ("z", 0), ("d", 3), ("l", 2)):
        before = films.store.request_counts.get("GetObject", 0)
        films.catalog.is_in_video(reel, key)
        assert films.store.request_counts.get("GetObject", 0) - before == requests, key


def test_a_frame_out_of_order_is_found_where_the_checkpoint_names_it(films: Films) -> None:
    reel = films.append(films.begin(1), frames("b", "d"))
    reel = films.append(reel, [*frames("a", "c", role=Role.OUT_OF_ORDER), *frames("f")])
    reel = films.append(reel, frames("e", role=Role.OUT_OF_ORDER))
    assert found(films, reel) == "abcdef"
    newer = films.append(films.begin(2, previous=films.close(reel)), frames("h"))
    assert found(films, newer) == "abcdefh"


@pytest.mark.parametrize("alone", [True, False])
def test_a_reel_that_begins_with_frames_out_of_order_hides_no_earlier_one(films: Films, *, alone: bool) -> None:
    first = films.append(films.begin(1), frames("b", "d", "f"))
    second = films.begin(2, previous=films.close(first))
    if alone:  # in a segment of their own
        second = films.append(second, frames("a", "e", role=Role.OUT_OF_ORDER))
        second = films.append(second, frames("h", "j"))
    else:
        second = films.append(second, [*frames("a", "e", role=Role.OUT_OF_ORDER), *frames("h", "j")])
    assert found(films, second) == "abdefhj"


def test_a_stand_in_is_in_the_film_unless_a_picture_of_its_own_is_asked_for(films: Films) -> None:
    reel = films.append(films.begin(1), [*frames("b"), *frames("c", role=Role.STAND_IN), *frames("d")])
    assert found(films, reel) == "bcd"
    assert not films.catalog.is_in_video(reel, "c", as_itself=True)
    mended = films.append(reel, frames("c", role=Role.OUT_OF_ORDER))
    assert films.catalog.is_in_video(mended, "c", as_itself=True)


def test_a_closed_reel_whose_segments_are_gone_is_read_from_its_video(films: Films) -> None:
    newest = two_reels(films)
    assert newest.previous is not None
    reel = films.append(films.append(films.begin(1), frames(*"bdf")), frames(*"hj"))
    films.store.put(films.keys.video(reel.name), films.film(reel))
    closed = films.close(reel)
    films.store.delete([segment_key(films.keys, closed, segment) for segment in closed.segments])
    assert found(films, newest) == "bdfhjmoqs"
    assert found(films, closed) == "bdfhj"


def test_what_is_gone_from_an_open_reel_is_an_error_and_no_answer(films: Films) -> None:
    reel = films.append(films.begin(1), frames("b", "d"))
    films.store.put(films.keys.video(reel.name), films.film(reel))
    films.store.delete([segment_key(films.keys, reel, reel.segments[0])])
    with pytest.raises(ObjectNotFound):
        films.catalog.is_in_video(reel, "b")


def test_a_damaged_manifest_is_an_error_and_no_answer(films: Films) -> None:
    newest = two_reels(films)
    assert newest.previous is not None
    films.store.put(films.keys.manifest(newest.previous), b'{"format": 1}')
    with pytest.raises(CheckpointCorrupt, match=r"reel\.json"):
        films.catalog.is_in_video(newest, "b")


def test_keys_are_compared_by_their_bytes(films: Films) -> None:
    reel = films.append(films.begin(1), frames("\uffff"))
    reel = films.append(reel, frames("\U00010000"))
    for key in ("\uffff", "\U00010000"):
        assert films.catalog.is_in_video(reel, key)
    assert not films.catalog.is_in_video(reel, "\ufffe")
