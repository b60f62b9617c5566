"""Derived objects follow the commit: never wrong, never newer than it, and renewed after a failure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.hls import MediaPlaylist
from tests.timelapse.stored_reels import INIT, StoredReels, frames, new_reel
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.state.contract import IfAbsent, IfMatch
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.commit_plan import CommitPlan, plan_commit, playlist_put, playlist_puts, segment_key
from timelapse_runtime.timelapse.derived import Derived, PlaylistWriter
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, reel_to_json
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.playlist import (
    index_playlist,
    live_playlist,
    ranges_playlist,
    video_playlist,
)
from timelapse_runtime.timelapse.model.segment_versions import REPLACED_KEPT_SECONDS

CLOCK = ManualClock()


@pytest.fixture
def reels() -> StoredReels:
    return StoredReels(MemoryStore("reels", clock=CLOCK))


def derived(reels: StoredReels) -> Derived:
    return Derived("camera", reels.store, reels.keys, lambda: True, CLOCK)


def holding(reel: Reel) -> Checkpoint:
    return Checkpoint("s3://frames/camera/", 1, "attempt", "b", (), reel.frame_count, 0, reel)


def grown(reels: StoredReels, *, count: int = 2) -> Reel:
    reel = reels.begin()
    for number in range(count):
        reel = reels.append(reel, frames(f"{number}"))
    return reel


def commit_of(reels: StoredReels, reel: Reel) -> CommitPlan:
    """The plan of a commit after which `reel` is the newest one."""
    return plan_commit(
        reels.keys,
        None,
        reel,
        (),
        source="s3://frames/camera/",
        order="name",
        init=None,
        last_is_open=False,
        coverage=Coverage("b", (), 0, reel.frame_count),
        attempt="attempt",
        derive_playlists=True,
    )


def stored(reels: StoredReels, key: str) -> bytes | None:
    return reels.store.peek(key)


def refuse(reels: StoredReels, suffix: str) -> None:
    def on_request(operation: str, key: str) -> None:
        if operation == "PutObject" and key.endswith(suffix):
            raise StorageUnavailable(operation, "reels", key, "503")

    reels.store.on_request = on_request


def accept(reels: StoredReels) -> None:
    reels.store.on_request = lambda _operation, _key: None


def test_an_open_reel_gets_playlists_a_video_and_the_newest_frame(reels: StoredReels) -> None:
    reel, objects = grown(reels), derived(reels)
    objects.update(holding(reel), {}, latest=b"a JPEG", force=False)
    assert stored(reels, reels.keys.index(reel.name)) == index_playlist(reel)
    assert stored(reels, reels.keys.live) == live_playlist(holding(reel))
    assert stored(reels, reels.keys.video(reel.name)) == reels.video(reel)
    assert stored(reels, reels.keys.latest) == b"a JPEG"
    assert stored(reels, reels.keys.newest_video) == video_playlist(reel)
    assert not objects.playlists_are_behind


def test_a_flush_may_ask_for_playlists_only(reels: StoredReels) -> None:
    """One PUT each, once it is known what is stored: what a camera with one photo a minute can afford."""
    reel, objects = grown(reels), derived(reels)
    objects.after_commit(commit_of(reels, reel))
    for _ in range(3):
        before = Counter(reels.store.request_counts)
        longer = reels.append(reel, frames("2"))
        reels_written = Counter(reels.store.request_counts) - before
        plan = plan_commit(
            reels.keys,
            (holding(reel), "etag"),
            longer,
            (),
            source="s3://frames/camera/",
            order="name",
            init=None,
            last_is_open=True,
            coverage=Coverage("b", (), 0, longer.frame_count),
            attempt="attempt",
            derive_playlists=objects.playlists_are_behind,
        )
        reel = replace(longer, last_is_open=True)
        objects.after_commit(plan)
        objects.update(holding(reel), {}, latest=None, force=False, playlists_only=True)
        sent = Counter(reels.store.request_counts) - before - reels_written
        assert sent == {"PutObject": len(plan.derived)}
        assert stored(reels, reels.keys.newest_video) == video_playlist(reel)
    assert stored(reels, reels.keys.video(reel.name)) is None


def test_playlists_only_still_renews_what_is_behind(reels: StoredReels) -> None:
    reel, objects = grown(reels), derived(reels)
    refuse(reels, "video.m3u8")
    objects.after_commit(commit_of(reels, reel))
    assert objects.playlists_are_behind
    accept(reels)
    objects.update(holding(reel), {}, latest=None, force=False, playlists_only=True)
    assert stored(reels, reels.keys.live) == live_playlist(holding(reel))
    assert stored(reels, reels.keys.newest_video) == video_playlist(reel)


def test_a_plan_that_was_written_is_not_written_again(reels: StoredReels) -> None:
    reel, objects = grown(reels), derived(reels)
    objects.after_commit(commit_of(reels, reel))
    before = reels.store.request_counts
    objects.update(holding(reel), {}, latest=None, force=False, playlists_only=True)
    assert reels.store.request_counts == before


def test_without_a_reel_there_is_nothing_to_derive(reels: StoredReels) -> None:
    derived(reels).update(None, {}, latest=b"a JPEG", force=True)
    assert reels.store.request_counts == {}


@pytest.mark.parametrize("suffix", ["live.m3u8", "/camera/video.m3u8", "video.mp4", "latest.jpg"])
def test_what_could_not_be_written_is_renewed_next_time(
    reels: StoredReels, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    reel, objects = grown(reels), derived(reels)
    refuse(reels, suffix)
    objects.update(holding(reel), {}, latest=b"a JPEG", force=False)
    assert objects.playlists_are_behind == suffix.endswith("m3u8")
    assert "could not write" in caplog.text
    assert caplog.records[-1].__dict__["stream"] == "camera"
    accept(reels)
    objects.update(holding(reel), {}, latest=b"a JPEG", force=False)
    assert not objects.playlists_are_behind
    assert stored(reels, reels.keys.latest) == b"a JPEG"
    assert stored(reels, reels.keys.live) == live_playlist(holding(reel))
    assert stored(reels, reels.keys.video(reel.name)) == reels.video(reel)


def test_a_closed_reel_is_finished_once(reels: StoredReels) -> None:
    reel, objects = replace(grown(reels), is_closed=True), derived(reels)
    reels.store.put(reels.keys.segments(reel.name) + "00000009-1-orphan.m4s", b"of an attempt that failed")
    assert not objects.is_finished(reel)
    objects.update(holding(reel), {}, latest=None, force=False)
    assert objects.is_finished(reel)
    assert stored(reels, reels.keys.manifest(reel.name)) == reel_to_json(reel)
    assert stored(reels, reels.keys.video(reel.name)) == reels.video(reel)
    assert stored(reels, reels.keys.index(reel.name)) == index_playlist(reel)
    assert stored(reels, reels.keys.ranges(reel.name)) == ranges_playlist(reel, len(reels.head(reel)))
    segments = {info.key for info in reels.store.list_after(reels.keys.segments(reel.name))}
    assert segments == {segment_key(reels.keys, reel, segment) for segment in reel.segments}
    before = reels.store.request_counts
    objects.update(holding(reel), {}, latest=None, force=False)
    assert reels.store.request_counts == before


def test_a_closed_reel_is_finished_before_a_checkpoint_leaves_it(reels: StoredReels) -> None:
    reel, objects = replace(grown(reels), is_closed=True), derived(reels)
    objects.before_commit(reel, commit_of(reels, reel))
    assert stored(reels, reels.keys.manifest(reel.name)) is None, "the checkpoint still holds it"
    objects.before_commit(reel, commit_of(reels, new_reel(2, previous=reel.name)))
    assert stored(reels, reels.keys.manifest(reel.name)) == reel_to_json(reel)


def test_a_manifest_that_cannot_be_written_stops_the_commit(reels: StoredReels) -> None:
    reel = replace(grown(reels), is_closed=True)
    refuse(reels, "reel.json")
    with pytest.raises(StorageUnavailable):
        derived(reels).before_commit(reel, commit_of(reels, new_reel(2, previous=reel.name)))


def test_the_ranges_of_a_closed_reel_wait_for_its_video(reels: StoredReels) -> None:
    reel, objects = replace(grown(reels), is_closed=True), derived(reels)
    refuse(reels, "video.mp4")
    objects.update(holding(reel), {}, latest=None, force=False)
    assert not objects.is_finished(reel)
    assert stored(reels, reels.keys.ranges(reel.name)) is None
    assert stored(reels, reels.keys.index(reel.name)) == index_playlist(reel)


def closed(reels: StoredReels, number: int, previous: Reel | None, *, day: str = "2026-11-20") -> Reel:
    """A reel that is closed and finished."""
    begun = replace(reels.begin(number, previous=previous), name=f"{day}-{number:04d}")
    reels.store.put(reels.keys.init(begun.name), INIT)
    reel = replace(reels.append(begun, frames(str(number))), is_closed=True)
    derived(reels).update(holding(reel), {}, latest=None, force=False)
    return reel


def test_the_closed_reels_of_a_week_are_in_one_playlist(reels: StoredReels) -> None:
    dates = ["2026-11-10", "2026-11-14", "2026-11-19", "2026-11-20"]
    last: Reel | None = None
    for number, day in enumerate(dates, start=1):
        last = closed(reels, number, last, day=day)
    playlist = MediaPlaylist.parse(stored(reels, reels.keys.week) or b"")
    folders = [f"reels/{day}-{number:04d}/" for number, day in enumerate(dates, start=1)][1:]
    assert [entry.uri for entry in playlist.entries] == [f"{folder}video.mp4" for folder in folders]
    assert [entry.map for entry in playlist.entries] == [f"{folder}init.mp4" for folder in folders]
    assert [entry.discontinuity for entry in playlist.entries] == [0, 1, 2]
    assert playlist.has_end


def test_a_week_begins_after_a_reel_without_ranges(reels: StoredReels) -> None:
    first = closed(reels, 1, None)
    reels.store.delete([reels.keys.ranges(first.name)])
    second = closed(reels, 2, first)
    playlist = MediaPlaylist.parse(stored(reels, reels.keys.week) or b"")
    assert [entry.map for entry in playlist.entries] == [f"reels/{second.name}/init.mp4"]


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_a_segment_that_is_lost_does_not_keep_the_next_reel_from_beginning(
    reels: StoredReels, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    reel, objects = replace(grown(reels), is_closed=True), derived(reels)
    where = segment_key(reels.keys, reel, reel.segments[1])
    if harm == "gone":
        reels.store.delete([where])
    else:
        reels.store.put(where, bytes(reel.segments[1].size_bytes))
    objects.before_commit(reel, commit_of(reels, new_reel(2, previous=reel.name)))
    assert "gone or damaged" in caplog.text
    assert stored(reels, reels.keys.manifest(reel.name)) == reel_to_json(reel)
    assert stored(reels, reels.keys.ranges(reel.name)) is None


def test_a_segment_that_was_replaced_stays_for_who_is_still_playing(reels: StoredReels) -> None:
    reel = replace(grown(reels), is_closed=True)
    old = reels.keys.segments(reel.name) + "00000000-1-old.m4s"
    reels.store.put(old, b"shorter")
    derived(reels).update(holding(reel), {}, latest=None, force=False)
    assert stored(reels, old) == b"shorter"
    CLOCK.advance(REPLACED_KEPT_SECONDS * 1000)
    derived(reels).update(holding(reel), {}, latest=None, force=False)
    assert stored(reels, old) is None


# ---- playlists


def test_a_playlist_of_an_instance_that_was_overtaken_is_not_written(reels: StoredReels) -> None:
    newer, older = grown(reels, count=3), reels.begin()
    reels.store.put(reels.keys.live, live_playlist(holding(newer)) or b"")
    PlaylistWriter(reels.store, lambda: False).write(playlist_puts(reels.keys, holding(older)))
    assert stored(reels, reels.keys.live) == live_playlist(holding(newer))


def test_a_playlist_is_written_over_the_one_that_was_seen(reels: StoredReels) -> None:
    """Another instance commits and writes while this one is frozen between its look and its write."""
    reel = grown(reels, count=3)
    current, looks = [True], list[str]()
    writer = PlaylistWriter(reels.store, lambda: current[0])

    def on_request(operation: str, key: str) -> None:
        if operation == "PutObject" and key == reels.keys.live and not looks:
            looks.append(key)
            current[0] = False
            reels.store.put(key, b"newer")

    reels.store.on_request = on_request
    writer.write(playlist_puts(reels.keys, holding(reel)))
    assert stored(reels, reels.keys.live) == b"newer"


def test_another_process_may_send_just_the_playlists_whose_condition_is_known(reels: StoredReels) -> None:
    reel, objects = grown(reels), derived(reels)
    plan = commit_of(reels, reel)
    first = objects.with_known_conditions(plan, is_first_reel=True)
    assert [put.condition for put in first.derived] == [IfAbsent()] * 4
    assert objects.with_known_conditions(plan, is_first_reel=False).derived == ()
    objects.after_commit(plan)
    etags = [reels.store.head(put.key).etag for put in plan.derived]
    known = objects.with_known_conditions(plan, is_first_reel=False)
    assert [put.condition for put in known.derived] == [IfMatch(etag) for etag in etags]


def test_a_closed_reels_playlists_are_forgotten_and_looked_up_if_they_are_written_again() -> None:
    """A process that lives for years closes a reel a day."""
    store = MemoryStore("video")
    writer, put = PlaylistWriter(store, lambda: True), playlist_put("reels/1/index.m3u8", b"#EXTM3U")
    writer.write([put])
    looked = store.request_counts["HeadObject"]
    writer.write([put])
    assert store.request_counts["HeadObject"] == looked
    writer.forget([put.key, "reels/1/video.m3u8"])
    writer.write([put])
    assert store.request_counts["HeadObject"] == looked + 1
