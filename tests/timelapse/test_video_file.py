"""`video.mp4`: what is written when, how many bytes that takes, and that it never holds anything wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.timelapse.stored_reels import INIT, StoredReels, frames
from timelapse_runtime.runtime.state.contract import MULTIPART_MINIMUM_BYTES
from timelapse_runtime.runtime.state.errors import ObjectNotFound, PreconditionFailed, StorageUnavailable
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.video.sample_table import SampleTable
from timelapse_runtime.timelapse.video_file import GROWTH, CachedSegments, VideoFile

MIB = 1024**2


class Meter:
    """Counts the bytes of a store's requests. `sent` are those that came from here, `copied` those on S3's side."""

    def __init__(self, reels: StoredReels) -> None:
        self.bytes: Counter[str] = Counter()
        reels.store.around = self._around

    def _around(self, operation: str, _key: str, effect: Callable[[], Any]) -> Any:
        answer = effect()
        if operation in {"UploadPart", "UploadPartCopy"}:
            self.bytes[operation] += len(answer)
        return answer

    def take(self) -> dict[str, int]:
        """What was counted since the last call."""
        taken, self.bytes = dict(self.bytes), Counter()
        return taken


NOTHING: CachedSegments = {}


def in_memory(reels: StoredReels, reel: Reel) -> CachedSegments:
    return {(segment.first, segment.count): reels.body(reel, segment) for segment in reel.segments}


def grown(reels: StoredReels, reel: Reel, size: int, *, times: int = 1) -> Reel:
    for _ in range(times):
        reel = reels.append(reel, frames(f"{reel.frame_count:08d}"), padding=size)
    return reel


def stored(reels: StoredReels, reel: Reel) -> bytes | None:
    return reels.store.peek(reels.keys.video(reel.name))


@pytest.fixture
def reels() -> StoredReels:
    return StoredReels()


@pytest.fixture(scope="module")
def seven() -> tuple[StoredReels, Reel]:
    reels = StoredReels()
    return reels, grown(reels, reels.begin(), MIB, times=7)


@pytest.fixture
def large(seven: tuple[StoredReels, Reel]) -> tuple[StoredReels, Reel]:
    """7 segments of 1 MiB, nothing published. Add segments; remove none."""
    reels, reel = seven
    forget(reels, reel)
    return reels, reel


def forget(reels: StoredReels, reel: Reel) -> None:
    reels.store.on_request, reels.store.around = quiet, undisturbed
    reels.store.delete([reels.keys.video(reel.name)])


def quiet(_operation: str, _key: str) -> None:
    """Let each request be."""


def undisturbed(_operation: str, _key: str, effect: Callable[[], Any]) -> Any:
    return effect()


def cut(reel: Reel, count: int) -> Reel:
    """The reel as it was when it had `count` segments."""
    return replace(reel, segments=reel.segments[:count])


def test_a_small_file_is_written_whole_at_each_publish(reels: StoredReels) -> None:
    reel = reels.begin()
    video_file = VideoFile(reels.store, reels.keys, reel.name)
    for count in range(1, 6):
        reel = grown(reels, reel, 1000)
        assert video_file.publish(reel, NOTHING)
        assert stored(reels, reel) == reels.video(reel)
        info = reels.store.head(reels.keys.video(reel.name))
        head_bytes = str(len(reels.head(reel)))
        assert info.metadata == {"frames": str(count), "reel": reel.name, "head-size-bytes": head_bytes}
        assert not video_file.publish(reel, NOTHING), "there is nothing new"
    assert not any("Multipart" in operation for operation in reels.store.request_counts)


def test_a_reel_without_a_segment_is_a_head(reels: StoredReels) -> None:
    reel = reels.begin()
    assert VideoFile(reels.store, reels.keys, reel.name).publish(reel, NOTHING)
    assert stored(reels, reel) == SampleTable().head(INIT)


def test_segments_that_are_in_memory_are_not_read(reels: StoredReels) -> None:
    reel = grown(reels, reels.begin(), 1000, times=3)
    video_file = VideoFile(reels.store, reels.keys, reel.name)
    video_file.publish(reel, in_memory(reels, reel))
    assert reels.store.request_counts["GetObject"] == 1  # the init segment
    reel = grown(reels, reel, 1000, times=3)
    video_file.publish(reel, in_memory(reels, reel))
    assert reels.store.request_counts["GetObject"] == 1
    assert stored(reels, reel) == reels.video(reel)


def test_an_open_segment_that_grew_is_added_to_from_where_it_was(reels: StoredReels) -> None:
    """The open segment is stored under a new name, longer, each time; what is published of it is its beginning."""
    reel = grown(reels, reels.begin(), 1000)
    video_file = VideoFile(reels.store, reels.keys, reel.name)
    video_file.publish(reel, NOTHING)
    last = reel.segments[-1]
    longer = reels.body(reel, last) + reels.fragment(1, frames("more"))
    segment = replace(last, count=2, attempt="f" * 12, size_bytes=len(longer))
    reel = replace(reel, segments=(segment,))
    reels.store.put(segment_key(reels.keys, reel, segment), longer)
    for fresh in (video_file, VideoFile(reels.store, reels.keys, reel.name)):
        fresh.publish(reel, NOTHING)
        assert stored(reels, reel) == reels.video(reel)


def test_a_large_file_is_copied_but_for_its_first_part(large: tuple[StoredReels, Reel]) -> None:
    reels, reel = large
    reel = grown(reels, reel, MIB, times=7)
    video_file, meter = VideoFile(reels.store, reels.keys, reel.name), Meter(reels)
    assert video_file.publish(cut(reel, 12), NOTHING)
    assert meter.take() == {"UploadPart": len(reels.video(cut(reel, 12)))}
    assert video_file.publish(cut(reel, 13), NOTHING, force=True)
    copied = cut(reel, 12).media_size_bytes - MULTIPART_MINIMUM_BYTES
    sent = len(reels.video(cut(reel, 13))) - copied
    assert meter.take() == {"UploadPartCopy": copied, "UploadPart": sent}
    read = reels.store.request_counts["GetObject"]
    another = VideoFile(reels.store, reels.keys, reel.name)
    assert another.publish(reel, NOTHING, force=True), "another instance continues"
    assert reels.store.request_counts["GetObject"] - read == 4, "the head, the init segment, the first part, a segment"
    copied = cut(reel, 13).media_size_bytes - MULTIPART_MINIMUM_BYTES
    assert meter.take() == {"UploadPartCopy": copied, "UploadPart": len(reels.video(reel)) - copied}
    assert stored(reels, reel) == reels.video(reel)


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_two_multipart_minimums_are_where_the_way_of_writing_changes(reels: StoredReels, extra: int) -> None:
    """All parts but the last have to have the minimum: the first with the head, and what is copied."""
    limit = 2 * MULTIPART_MINIMUM_BYTES
    reel = grown(reels, reels.begin(), 1000)
    padding = limit + extra - reel.media_size_bytes
    probe = grown(reels, reel, padding)
    reel = grown(reels, reel, padding - (probe.media_size_bytes - limit - extra))
    assert reel.media_size_bytes == limit + extra
    video_file = VideoFile(reels.store, reels.keys, reel.name)
    video_file.publish(reel, NOTHING)
    assert ("CompleteMultipartUpload" in reels.store.request_counts) == (extra >= 0)
    reel = grown(reels, reel, MIB)
    for one in (video_file, VideoFile(reels.store, reels.keys, reel.name)):
        one.publish(reel, NOTHING, force=True)
        assert ("UploadPartCopy" in reels.store.request_counts) == (extra >= 0)
        assert stored(reels, reel) == reels.video(reel)


def test_a_large_file_is_written_when_it_has_grown_or_is_asked_for(large: tuple[StoredReels, Reel]) -> None:
    reels, reel = large
    video_file = VideoFile(reels.store, reels.keys, reel.name)
    assert video_file.publish(reel, NOTHING)
    slightly = grown(reels, reel, MIB)
    assert not video_file.publish(slightly, NOTHING)
    assert not VideoFile(reels.store, reels.keys, reel.name).publish(slightly, NOTHING)
    assert stored(reels, reel) == reels.video(reel)
    enough = grown(reels, slightly, MIB)
    assert enough.media_size_bytes >= reel.media_size_bytes * (1 + GROWTH)
    assert video_file.publish(enough, NOTHING)
    assert stored(reels, enough) == reels.video(enough)
    asked = grown(reels, enough, 1000)
    assert video_file.publish(asked, NOTHING, force=True)
    assert stored(reels, asked) == reels.video(asked)


def test_new_fragments_that_do_not_fit_into_memory_are_read_twice(
    large: tuple[StoredReels, Reel], monkeypatch: pytest.MonkeyPatch
) -> None:
    reels, reel = large
    monkeypatch.setattr("timelapse_runtime.timelapse.video_file._IN_MEMORY_BYTES", MIB)
    before = reels.store.request_counts["GetObject"]
    assert VideoFile(reels.store, reels.keys, reel.name).publish(reel, NOTHING)
    assert stored(reels, reel) == reels.video(reel)
    assert reels.store.request_counts["GetObject"] - before == 2 * 7 + 1


@pytest.mark.parametrize("size", [1000, MIB], ids=["small", "large"])
def test_the_file_of_a_closed_reel_is_final_and_may_be_cached_for_ever(reels: StoredReels, size: int) -> None:
    reel = grown(reels, reels.begin(), size, times=11)
    sent = list[tuple[str | None, bool]]()
    for name in ("put", "put_multipart"):
        record_cache_control(reels, name, sent)
    video_file = VideoFile(reels.store, reels.keys, reel.name)
    video_file.publish(reel, NOTHING)
    closed = replace(reel, is_closed=True)
    assert video_file.publish(closed, NOTHING, force=True), "nothing new but its end"
    for one in (video_file, VideoFile(reels.store, reels.keys, reel.name)):
        assert not one.publish(closed, NOTHING, force=True)
        assert one.head_size_bytes == len(reels.head(reel))
    assert stored(reels, reel) == reels.video(reel)
    assert sent == [("no-cache", False), ("public, max-age=31536000, immutable", True)]


def record_cache_control(reels: StoredReels, name: str, sent: list[tuple[str | None, bool]]) -> None:
    """The headers of the next writes by this method of the store: Cache-Control, and whether the file is final."""
    method = getattr(reels.store, name)

    def recorded(*arguments: Any, **headers: Any) -> str:
        sent.append((headers["cache_control"], "is-final" in headers["metadata"]))
        return str(method(*arguments, **headers))

    setattr(reels.store, name, recorded)


@pytest.mark.parametrize("is_closed", [False, True])
@pytest.mark.parametrize("size", [1000, MIB], ids=["small", "large"])
@pytest.mark.parametrize("kind", ["of an earlier version", "damaged", "with the head of another video"])
def test_a_file_without_a_good_head_is_made_anew(reels: StoredReels, size: int, kind: str, *, is_closed: bool) -> None:
    reel = replace(grown(reels, reels.begin(), size, times=7), is_closed=is_closed)
    body, metadata = INIT + reels.media(reel), dict[str, str]()
    if kind != "of an earlier version":
        head = reels.head(cut(reel, 3))
        metadata = {"head-size-bytes": str(len(head))}
        body = head + reels.media(reel) if kind != "damaged" else bytes(len(head)) + reels.media(reel)
    reels.store.put(reels.keys.video(reel.name), body, metadata=metadata)
    assert VideoFile(reels.store, reels.keys, reel.name).publish(reel, NOTHING, force=True)
    assert stored(reels, reel) == reels.video(reel)


def test_a_large_file_waits_for_a_segment_to_close(large: tuple[StoredReels, Reel]) -> None:
    reels, reel = large
    video_file = VideoFile(reels.store, reels.keys, reel.name)
    assert video_file.publish(reel, NOTHING)
    for number in range(1, 4):
        grows = replace(grown(reels, reel, number * MIB), last_is_open=True)
        assert not video_file.publish(grows, NOTHING)
    next_one = replace(grown(reels, replace(grows, last_is_open=False), MIB), last_is_open=True)
    assert video_file.publish(next_one, NOTHING)
    assert stored(reels, next_one) == reels.video(next_one), "all that is committed, not only what has closed"


def test_the_bytes_of_a_long_video_are_copied_a_bounded_number_of_times(reels: StoredReels) -> None:
    reel = reels.begin()
    video_file, meter = VideoFile(reels.store, reels.keys, reel.name), Meter(reels)
    flush, published = 256 * 1024, 0
    while reel.media_size_bytes < 2 * MULTIPART_MINIMUM_BYTES:  # the small beginning is written whole, each time
        reel = grown(reels, reel, flush)
    video_file.publish(reel, in_memory(reels, reel))
    small = reel.media_size_bytes
    meter.take()
    while reel.media_size_bytes < 40 * MIB:
        reel = grown(reels, reel, flush)
        published += video_file.publish(reel, in_memory(reels, cut_to_last(reel)))
    published += video_file.publish(reel, NOTHING, force=True)
    counted = meter.take()
    first_parts = published * (MULTIPART_MINIMUM_BYTES + len(reels.head(reel)))
    assert counted["UploadPart"] <= reel.media_size_bytes - small + first_parts
    assert counted["UploadPartCopy"] <= reel.media_size_bytes / GROWTH
    assert published <= math.log(reel.media_size_bytes / small, 1 + GROWTH) + 1
    assert stored(reels, reel) == reels.video(reel)


def cut_to_last(reel: Reel) -> Reel:
    return replace(reel, segments=reel.segments[-1:])


def test_one_who_lags_behind_takes_nothing_away(large: tuple[StoredReels, Reel]) -> None:
    reels, reel = large
    for count, ahead in ((2, 3), (5, 7)):  # small, large
        VideoFile(reels.store, reels.keys, reel.name).publish(cut(reel, ahead), NOTHING)
        before = stored(reels, reel)
        assert not VideoFile(reels.store, reels.keys, reel.name).publish(cut(reel, count), NOTHING, force=True)
        assert stored(reels, reel) == before


def never_shorter(reels: StoredReels, reel: Reel) -> Callable[[str, str, Callable[[], Any]], Any]:
    longest = 0

    def watch(_operation: str, _key: str, effect: Callable[[], Any]) -> Any:
        nonlocal longest
        answer = effect()
        size = len(stored(reels, reel) or b"")
        assert size >= longest, "a viewer would see the video's end go away"
        longest = size
        return answer

    return watch


@pytest.mark.parametrize("sizes", [(1, 2, 3), (5, 6, 7), (4, 6, 7)], ids=["small", "large", "from small to large"])
def test_another_video_file_at_any_request_leaves_nothing_wrong(
    large: tuple[StoredReels, Reel], sizes: tuple[int, int, int]
) -> None:
    """Another one publishes, a little more or a little less than this one wants to, before each of its requests."""
    (reels, reel), (start, middle, end) = large, sizes
    for mine, others in ((middle, end), (end, middle)):
        at = 0
        while True:
            forget(reels, reel)
            VideoFile(reels.store, reels.keys, reel.name).publish(cut(reel, start), NOTHING)
            video_file = VideoFile(reels.store, reels.keys, reel.name)
            requests = iter(range(10_000))

            def interfere(
                _operation: str,
                _key: str,
                requests: Any = requests,
                others: int = others,
                at: int = at,
            ) -> None:
                if next(requests) == at:
                    reels.store.on_request = quiet
                    VideoFile(reels.store, reels.keys, reel.name).publish(cut(reel, others), NOTHING, force=True)

            reels.store.on_request, reels.store.around = interfere, never_shorter(reels, reel)
            try:
                video_file.publish(cut(reel, mine), NOTHING, force=True)
            except PreconditionFailed:
                assert stored(reels, reel) == reels.video(cut(reel, others))
            was_reached = next(requests) > at
            reels.store.on_request = quiet
            assert stored(reels, reel) in {reels.video(cut(reel, count)) for count in (mine, others)}
            video_file.publish(cut(reel, end), NOTHING, force=True)
            assert stored(reels, reel) == reels.video(cut(reel, end))
            if not was_reached:
                break
            at += 1
        assert at >= 2


@pytest.mark.parametrize("is_done", [False, True], ids=["not done", "done, and the answer lost"])
@pytest.mark.parametrize(("before", "count"), [(1, 2), (5, 7), (4, 7)], ids=["small", "large", "from small to large"])
def test_a_failure_at_any_request_is_repaired_by_the_next_publish(
    large: tuple[StoredReels, Reel], before: int, count: int, *, is_done: bool
) -> None:
    reels, reel, at = large[0], cut(large[1], count), 0
    while True:
        forget(reels, reel)
        VideoFile(reels.store, reels.keys, reel.name).publish(cut(reel, before), NOTHING)
        video_file = VideoFile(reels.store, reels.keys, reel.name)
        requests = iter(range(10_000))
        failed = False

        def fail(operation: str, key: str, effect: Callable[[], Any], requests: Any = requests, at: int = at) -> Any:
            nonlocal failed
            if next(requests) != at:
                return effect()
            failed = True
            if is_done:
                effect()
            raise StorageUnavailable(operation, "reels", key, "no answer")

        reels.store.around = fail
        try:
            video_file.publish(reel, NOTHING, force=True)
        except StorageUnavailable:
            assert stored(reels, reel) in {reels.video(cut(reel, before)), reels.video(reel)}
        reels.store.around = undisturbed
        video_file.publish(reel, NOTHING, force=True)
        assert stored(reels, reel) == reels.video(reel)
        if not failed:
            break
        at += 1
    assert at >= 3


@pytest.mark.parametrize(("count", "published"), [(2, 3), (2, 7), (5, 7)])
def test_the_file_of_a_closed_reel_that_is_too_long_is_made_anew(
    large: tuple[StoredReels, Reel], count: int, published: int
) -> None:
    """A damaged segment ends its reel before it, and the published file may have held it already."""
    reels, reel = large
    video_file = VideoFile(reels.store, reels.keys, reel.name)
    video_file.publish(cut(reel, published), NOTHING)
    closed = replace(cut(reel, count), is_closed=True)
    for one in (video_file, VideoFile(reels.store, reels.keys, reel.name)):
        one.publish(closed, NOTHING, force=True)
        assert stored(reels, reel) == reels.video(closed)


@pytest.mark.parametrize("size", [1000, 2 * MIB], ids=["small", "large"])
def test_a_segment_that_is_gone_is_an_error_and_leaves_the_file(reels: StoredReels, size: int) -> None:
    reel = grown(reels, reels.begin(), size, times=3)
    video_file = VideoFile(reels.store, reels.keys, reel.name)
    video_file.publish(cut(reel, 1), NOTHING)
    reels.store.delete([segment_key(reels.keys, reel, reel.segments[1])])
    with pytest.raises(ObjectNotFound):
        video_file.publish(reel, NOTHING, force=True)
    assert stored(reels, reel) == reels.video(cut(reel, 1))
