"""Repetitions of photos, and content that comes back under its key."""

from __future__ import annotations

from timelapse_runtime.timelapse.model.seen_photos import SeenPhotos
from timelapse_runtime.timelapse.model.source_frame import SourceFrame


def photo(content: str, seconds: int, key: str = "snapshot.jpg") -> SourceFrame:
    return SourceFrame(key, 1_000 * seconds, etag=content)


def test_the_same_content_again_is_repeated_under_its_key_alone() -> None:
    seen = SeenPhotos(10)
    seen.add(photo("a", 1))
    assert seen.is_repeated(photo("a", 1))
    assert seen.is_repeated(photo("a", 5))
    assert not seen.is_repeated(photo("b", 5))
    assert not seen.is_repeated(photo("a", 5, "other.jpg"))


def test_content_that_comes_back_after_other_content_is_new() -> None:
    seen = SeenPhotos(10)
    seen.add(photo("a", 1))
    seen.add(photo("b", 2))
    assert not seen.is_repeated(photo("a", 3))
    assert seen.is_repeated(photo("a", 1))
    assert not seen.is_newest("snapshot.jpg", photo("a", 1).identity)
    seen.add(photo("a", 3))
    seen.add(photo("b", 2))  # encoded only now
    assert seen.newest_position("snapshot.jpg") == photo("a", 3).position
    assert seen.is_repeated(photo("a", 4))


def test_content_that_was_only_named_is_known_without_a_position() -> None:
    seen = SeenPhotos(10)
    seen.add_identity(photo("a", 1).identity)
    assert seen.is_repeated(photo("a", 1))
    assert not seen.has_key("snapshot.jpg")
    assert seen.is_newest("snapshot.jpg", "whatever")


def test_the_oldest_are_forgotten() -> None:
    seen = SeenPhotos(2)
    for number in range(3):
        seen.add(photo("a", number, f"{number}.jpg"))
    assert [seen.has_key(f"{number}.jpg") for number in range(3)] == [False, True, True]
    assert [seen.is_repeated(photo("a", number, f"{number}.jpg")) for number in range(3)] == [False, True, True]
