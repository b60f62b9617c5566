"""Derived objects follow the commit: never wrong, never newer than it, and renewed after a failure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.timelapse.films import Films, frames, new_reel
from timelapse_runtime.timelapse.commit_plan import CommitPlan, plan_commit, playlist_puts, segment_key
from timelapse_runtime.timelapse.derived import Derived, PlaylistWriter
from timelapse_runtime.timelapse.errors import StorageUnavailable
from timelapse_runtime.timelapse.model.checkpoint import Reel, reel_to_json
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.playlist import index_playlist, live_playlist
from timelapse_runtime.timelapse.storage.contract import IfAbsent, IfMatch


@pytest.fixture
def films() -> Films:
    return Films()


def derived(films: Films, *, is_current: bool = True) -> Derived:
    return Derived("camera", films.store, films.keys, lambda: is_current)


def grown(films: Films, *, count: int = 2) -> Reel:
    reel = films.begin()
    for number in range(count):
        reel = films.append(reel, frames(f"{number}"))
    return reel


def commit_of(films: Films, reel: Reel) -> CommitPlan:
    """The plan of a commit after which `reel` is the newest one."""
    return plan_commit(
        films.keys,
        None,
        reel,
        (),
        source="s3://frames/camera/",
        init=None,
        last_is_open=False,
        coverage=Coverage("b", (), 0, reel.frame_count),
        attempt="attempt",
        derive_playlists=True,
    )


def stored(films: Films, key: str) -> bytes | None:
    return films.store.peek(key)


def refuse(films: Films, suffix: str) -> None:
    def on_request(operation: str, key: str) -> None:
        if operation == "PutObject" and key.endswith(suffix):
            raise StorageUnavailable(operation, "films", key, "503")

    films.store.on_request = on_request


def accept(films: Films) -> None:
    films.store.on_request = lambda _operation, _key: None


def test_an_open_reel_gets_playlists_a_video_and_the_newest_frame(films: Films) -> None:
    reel, objects = grown(films), derived(films)
    objects.update(reel, {}, latest=b"a JPEG", force=False)
    assert stored(films, films.keys.index(reel.name)) == index_playlist(reel)
    assert stored(films, films.keys.live) == live_playlist(reel)
    assert stored(films, films.keys.video(reel.name)) == films.film(reel)
    assert stored(films, films.keys.latest) == b"a JPEG"
    assert not objects.is_behind


def test_without_a_reel_there_is_nothing_to_derive(films: Films) -> None:
    derived(films).update(None, {}, latest=b"a JPEG", force=True)
    assert films.store.request_counts == {}


@pytest.mark.parametrize("suffix", ["live.m3u8", "video.mp4", "latest.jpg"])
def test_what_could_not_be_written_is_renewed_next_time(
    films: Films, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    reel, objects = grown(films), derived(films)
    refuse(films, suffix)
    objects.update(reel, {}, latest=b"a JPEG", force=False)
    was_behind = objects.is_behind
    assert was_behind
    assert "could not write" in caplog.text
    assert caplog.records[-1].__dict__["stream"] == "camera"
    accept(films)
    objects.update(reel, {}, latest=b"a JPEG", force=False)
    assert not objects.is_behind
    assert stored(films, films.keys.live) == live_playlist(reel)
    assert stored(films, films.keys.video(reel.name)) == films.film(reel)


def test_a_closed_reel_is_finished_once(films: Films) -> None:
    reel, objects = replace(grown(films), is_closed=True), derived(films)
    films.store.put(films.keys.segments(reel.name) + "00000009-1-orphan.m4s", b"of an attempt that failed")
    assert not objects.is_finished(reel)
    objects.update(reel, {}, latest=None, force=False)
    assert objects.is_finished(reel)
    assert stored(films, films.keys.manifest(reel.name)) == reel_to_json(reel)
    assert stored(films, films.keys.video(reel.name)) == films.film(reel)
    assert stored(films, films.keys.index(reel.name)) == index_playlist(reel)
    segments = {info.key for info in films.store.list_after(films.keys.segments(reel.name))}
    assert segments == {segment_key(films.keys, reel, segment) for segment in reel.segments}
    before = films.store.request_counts
    objects.update(reel, {}, latest=None, force=False)
    assert films.store.request_counts == before


def test_a_closed_reel_is_finished_before_a_checkpoint_leaves_it(films: Films) -> None:
    reel, objects = replace(grown(films), is_closed=True), derived(films)
    objects.before_commit(reel, commit_of(films, reel))
    assert stored(films, films.keys.manifest(reel.name)) is None, "the checkpoint still holds it"
    objects.before_commit(reel, commit_of(films, new_reel(2, previous=reel.name)))
    assert stored(films, films.keys.manifest(reel.name)) == reel_to_json(reel)


def test_a_manifest_that_cannot_be_written_stops_the_commit(films: Films) -> None:
    reel = replace(grown(films), is_closed=True)
    refuse(films, "reel.json")
    with pytest.raises(StorageUnavailable):
        derived(films).before_commit(reel, commit_of(films, new_reel(2, previous=reel.name)))


def test_replaced_segments_are_removed_after_the_commit(films: Films) -> None:
    reel = grown(films)
    old = films.keys.segments(reel.name) + "00000000-1-old.m4s"
    films.store.put(old, b"shorter")
    derived(films).after_commit(replace(commit_of(films, reel), replaced=(old,)))
    assert stored(films, old) is None
    assert stored(films, films.keys.live) == live_playlist(reel)


# ---- playlists


def test_a_playlist_of_an_instance_that_was_overtaken_is_not_written(films: Films) -> None:
    newer, older = grown(films, count=3), films.begin()
    films.store.put(films.keys.live, live_playlist(newer))
    PlaylistWriter(films.store, lambda: False).write(playlist_puts(films.keys, older))
    assert stored(films, films.keys.live) == live_playlist(newer)


def test_a_playlist_is_written_over_the_one_that_was_seen(films: Films) -> None:
    """Another instance commits and writes while this one is frozen between its look and its write."""
    reel = grown(films, count=3)
    current, looks = [True], list[str]()
    writer = PlaylistWriter(films.store, lambda: current[0])

    def on_request(operation: str, key: str) -> None:
        if operation == "PutObject" and key == films.keys.live and not looks:
            looks.append(key)
            current[0] = False
            films.store.put(key, b"newer")

    films.store.on_request = on_request
    writer.write(playlist_puts(films.keys, reel))
    assert stored(films, films.keys.live) == b"newer"


def test_another_process_may_send_just_the_playlists_whose_condition_is_known(films: Films) -> None:
    reel, objects = grown(films), derived(films)
    plan = commit_of(films, reel)
    first = objects.with_known_conditions(plan, is_first_commit=True)
    assert [put.condition for put in first.derived] == [IfAbsent(), IfAbsent()]
    assert objects.with_known_conditions(plan, is_first_commit=False).derived == ()
    objects.after_commit(plan)
    etags = [films.store.head(put.key).etag for put in plan.derived]
    known = objects.with_known_conditions(plan, is_first_commit=False)
    assert [put.condition for put in known.derived] == [IfMatch(etag) for etag in etags]
