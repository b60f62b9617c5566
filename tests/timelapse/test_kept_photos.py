"""Copies of photos that their camera writes over."""

from __future__ import annotations

import pytest

from tests.timelapse.test_field_cases import Camera
from tests.world import STREAM
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.kept_photos import KeptPhotos
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.source_frame import arrival_position

KEYS = StreamKeys("video/camera/")
POSITION = arrival_position("day 1/snapshot ü.jpg", '"etag"', 1_790_000_000_000)


def test_a_copy_is_read_as_the_photo_that_it_was() -> None:
    kept = KeptPhotos(MemoryStore("video"), KEYS)
    kept.keep(POSITION, b"body")
    assert kept.positions() == {POSITION}
    fetched = kept.fetch(POSITION)
    assert (fetched.info.key, fetched.info.etag, fetched.body) == ("day 1/snapshot ü.jpg", '"etag"', b"body")
    assert fetched.info.last_modified_epoch_ms == 1_790_000_000_000
    kept.remove([POSITION])
    assert kept.positions() == set()
    with pytest.raises(FrameRejected, match="gone"):
        kept.fetch(POSITION)


def test_an_object_of_another_name_is_no_copy() -> None:
    store = MemoryStore("video")
    for name in ("", "notes.txt", "a b c", "1"):
        store.put(KEYS.kept + name, b"")
    assert KeptPhotos(store, KEYS).positions() == set()


def test_strange_objects_in_the_streams_folder_end_no_stream() -> None:
    camera = Camera()
    camera.shoot(["snapshot.jpg"] * 5)
    camera.deliver(camera.put("bad.jpg", b"no photo"))
    for place in ("kept/notes.txt", "rejected/bad.jpg.json", "rejected/other.json"):
        camera.world.video.put(f"{camera.world.keys.folder}{place}", b"not ours")
    camera.restart()
    camera.shoot(["snapshot.jpg"] * 5, 5, start=20)
    camera.world.sweep(camera.function, drain=True, all_reels=True)
    camera.function.invoke({"retry_rejected": {"stream": STREAM}}, camera.world.context(10**15))
    assert [key for key in camera.world.keys_in_video() if key == "snapshot.jpg"] == ["snapshot.jpg"] * 10
