"""What the watch page's server answers, without a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from tests.world import STREAM, World
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import AccessDenied, StorageError, StorageUnavailable
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.watch import site as site_module
from timelapse_runtime.watch.site import Answer, Site
from timelapse_runtime.watch.streams import Streams

DIGITS = b"0123456789"


def photos_of(world: World) -> Streams:
    return site_of(world.video, world.frames)[0]


def site_of(video: Store, frames: Store | None = None, prefix: str = "video/") -> tuple[Streams, Site]:
    streams = Streams(video, Location(video.bucket, prefix), lambda _bucket: frames or MemoryStore("frames"))
    return streams, Site(streams)


@pytest.fixture
def digits() -> Site:
    store = MemoryStore("video-bucket")
    store.put(f"video/{STREAM}/reels/2026-11-20-0001/video.mp4", DIGITS)
    return site_of(store)[1]


@pytest.fixture(scope="module")
def world() -> World:
    world = World({"TIMELAPSE_ORDER": "arrival"})
    function = world.environment()
    world.shoot(function, range(14))
    world.deliver(function, world.upload(20, b"no picture"))
    world.sweep(function, drain=True)
    return world


def body(answer: Answer) -> bytes:
    found = b"".join(answer.body)
    assert len(found) == answer.size_bytes
    return found


VIDEO = f"/{STREAM}/reels/2026-11-20-0001/video.mp4"


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "expected"),
    [
        (None, 200, None, DIGITS),
        ("bytes=0-3", 206, "bytes 0-3/10", b"0123"),
        ("bytes=7-", 206, "bytes 7-9/10", b"789"),
        ("bytes=7-99", 206, "bytes 7-9/10", b"789"),
        ("bytes=-2", 206, "bytes 8-9/10", b"89"),
        ("bytes=-99", 206, "bytes 0-9/10", DIGITS),
        ("bytes=9-9", 206, "bytes 9-9/10", b"9"),
        ("bytes=10-", 416, "bytes */10", b""),
        ("bytes=-0", 416, "bytes */10", b""),
        ("bytes=3-2", 200, None, DIGITS),
        ("bytes=-", 200, None, DIGITS),
        ("bytes=0-1,4-5", 200, None, DIGITS),
        ("frames=0-1", 200, None, DIGITS),
    ],
)
def test_ranges_are_those_of_rfc_9110(
    digits: Site, asked: str | None, status: int, content_range: str | None, expected: bytes
) -> None:
    answer = digits.answer(VIDEO, {} if asked is None else {"Range": asked})
    assert (answer.status, answer.headers.get("Content-Range"), body(answer)) == (status, content_range, expected)
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_a_range_of_another_version_is_answered_with_the_whole(digits: Site) -> None:
    etag = digits.answer(VIDEO, {}).headers["ETag"]
    assert digits.answer(VIDEO, {"Range": "bytes=0-3", "If-Range": etag}).status == 206
    assert digits.answer(VIDEO, {"Range": "bytes=0-3", "If-Range": '"other"'}).status == 200


def test_what_a_browser_has_is_not_sent_again(digits: Site) -> None:
    etag = digits.answer(VIDEO, {}).headers["ETag"]
    again = digits.answer(VIDEO, {"If-None-Match": etag})
    assert (again.status, body(again)) == (304, b"")
    assert digits.answer(VIDEO, {"If-None-Match": '"other"'}).status == 200


def test_a_long_object_comes_in_pieces(digits: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_module, "PIECE_BYTES", 4)
    assert list(digits.answer(VIDEO, {}).body) == [b"0123", b"4567", b"89"]
    assert list(digits.answer(VIDEO, {"Range": "bytes=3-8"}).body) == [b"3456", b"78"]


def test_pieces_of_two_versions_are_never_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_module, "PIECE_BYTES", 4)
    store = MemoryStore("video-bucket")
    store.put(f"video{VIDEO}", DIGITS)
    pieces: Iterator[bytes] = site_of(store)[1].answer(VIDEO, {}).body
    assert next(pieces) == b"0123"
    store.put(f"video{VIDEO}", b"abcdefghij")
    with pytest.raises(StorageError):
        next(pieces)


@pytest.mark.parametrize(
    "path",
    [
        f"/{STREAM}/checkpoint.json",
        f"/{STREAM}/rejected/a.jpg.json",
        f"/{STREAM}/kept/a",
        f"/{STREAM}/reels/../checkpoint.json",
        f"/{STREAM}/reels/2026-11-20-0001/../../checkpoint.json",
        f"/{STREAM}/reels/../../other/live.m3u8",
        f"/{STREAM}/../../secret/live.m3u8",
        f"/{STREAM}%2F..%2F../secret/live.m3u8",
        f"//secret/{STREAM}/live.m3u8",
        "/../secret/live.m3u8",
        "/live.m3u8",
        "/watch/../checkpoint.json",
        "/watch/site.py",
        "/watch/page/index.html",
        f"/{STREAM}/",
        "/nothing",
    ],
)
def test_nothing_else_is_served(path: str) -> None:
    store = MemoryStore("video-bucket")
    for key in (
        "checkpoint.json",
        "secret/live.m3u8",
        "video/live.m3u8",
        "video/checkpoint.json",
        "video/other/live.m3u8",
        f"video/{STREAM}/live.m3u8",
        f"video/{STREAM}/checkpoint.json",
        f"video/{STREAM}/kept/a",
        f"video/{STREAM}/rejected/a.jpg.json",
        f"video/{STREAM}/reels/2026-11-20-0001/../../checkpoint.json",
        f"video/{STREAM}/reels/../checkpoint.json",
    ):
        store.put(key, b"hidden")
    answer = site_of(store)[1].answer(path, {})
    assert (answer.status, b"hidden" in body(answer).replace(path.encode(), b"")) == (404, False)


@pytest.mark.parametrize(
    ("path", "content_type", "cache_control"),
    [
        ("/watch/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/watch/main.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/watch/watch.css", "text/css; charset=utf-8", "no-cache"),
        ("/watch/streams.json", "application/json", "no-cache"),
        (f"/{STREAM}/video.m3u8", "application/vnd.apple.mpegurl", "no-cache"),
        (f"/{STREAM}/latest.jpg", "image/jpeg", "no-cache"),
        (f"/{STREAM}/reels/REEL/init.mp4", "video/mp4", "public, max-age=31536000, immutable"),
        (f"/{STREAM}/reels/REEL/segments/SEGMENT", "video/iso.segment", "public, max-age=31536000, immutable"),
    ],
)
def test_types_and_caching(world: World, path: str, content_type: str, cache_control: str) -> None:
    reel = world.reels()[0]
    segment = next(key for key in sorted(world.object_keys()) if key.endswith(".m4s")).rpartition("/")[2]
    path = path.replace("REEL", reel.name).replace("SEGMENT", segment)
    answer = site_of(world.video, world.frames)[1].answer(path, {})
    assert answer.status == HTTPStatus.OK
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (content_type, cache_control)


def test_the_streams_are_those_with_a_checkpoint(world: World) -> None:
    world.video.put("video/watch/index.html", b"published")
    streams, site = site_of(world.video, world.frames)
    assert json.loads(body(site.answer("/watch/streams.json", {}))) == {"streams": [STREAM], "is_served": True}
    assert not streams.is_one


def test_a_streams_folder_is_one_stream(world: World) -> None:
    streams, site = site_of(world.video, world.frames, f"video/{STREAM}/")
    assert (streams.is_one, streams.names()) == (True, [STREAM])
    assert site.answer(f"/{STREAM}/video.m3u8", {}).status == 200
    assert site.answer("/other/video.m3u8", {}).status == 404


def test_details_name_reels_and_where_photos_are(world: World) -> None:
    details = photos_of(world).details(STREAM)
    reels = [reel.name for reel in world.reels()]
    assert details == {"reels": reels, "photos": f"s3://{world.frames.bucket}/frames/{STREAM}/"}


def test_a_photo_is_served_if_it_is_still_the_frames(world: World) -> None:
    site = site_of(world.video, world.frames)[1]
    key = f"frames/{STREAM}/000003.jpg"
    photo = world.frames.get(key)
    answer = site.answer(f"/watch/photos/{STREAM}/000003.jpg?etag={photo.info.etag.replace(chr(34), '%22')}", {})
    assert (answer.status, answer.headers["Content-Type"], body(answer)) == (200, "image/jpeg", photo.body)
    assert site.answer(f"/watch/photos/{STREAM}/000003.jpg?etag=%22other%22", {}).status == 410
    assert site.answer(f"/watch/photos/{STREAM}/nothing.jpg", {}).status == 404
    assert site.answer(f"/watch/photos/{STREAM}/", {}).status == 404


def test_a_photo_is_never_something_that_a_browser_runs(world: World) -> None:
    world.frames.put(f"frames/{STREAM}/page.html", b"<script>")
    answer = site_of(world.video, world.frames)[1].answer(f"/watch/photos/{STREAM}/page.html", {})
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("error", "status"), [(AccessDenied, 403), (StorageUnavailable, 502)])
def test_what_s3_refuses_becomes_a_status(error: type[StorageError], status: int) -> None:
    store = MemoryStore("video-bucket")
    site = site_of(store)[1]

    def refuse(operation: str, key: str) -> None:
        raise error(operation, "video-bucket", key, "no")

    store.on_request = refuse
    assert site.answer(VIDEO, {}).status == status
