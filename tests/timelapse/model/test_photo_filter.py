"""What counts as a photo: the names that cameras, copying tools and servers give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.model.photo_filter import (
    DEFAULT_FILTER,
    EXCLUDED,
    FOLDER,
    HIDDEN,
    OTHER_TYPE,
    PHOTO_SUFFIXES,
    TEMPORARY,
    THUMBNAIL,
    parse_photo_filter,
)

PHOTOS = [
    "0001.jpg",
    "IMG_0001.JPG",
    "2026/11/25/12-00-00.jpeg",
    "./0001.jpg",
    "DCIM/100GOPRO/GOPR0001.JPG",
    "IMG_0001.HEIC",
    "IMG_0001~2.jpg",  # an edited copy, as Android names it
    "Photo 1 (copy).png",
    "a.b.c.jpg",
    "v2.0 garden.webp",
    "école/été.jpg",
    "0001.jpg ",
    "snapshot",
    "20261125T120000",
    "2026-11-25T12.00.05Z",
    "192.168.0.20_2026-11-25_12-00-00",
    "3f2b8a6e-7c55-4a8e-9a3a-2f4f0a1d9c11",
    "cam v2.0 at noon",
    "snapshot.1",
    "snapshot.jpg.1",  # as wget names a file that it fetches again
    "snapshot.jpg?ts=1700000000.5",
    "thumb.jpg",
    "thumb-cam-0001.jpg",
    "thumb_cam/0001.jpg",
    "cam_thumb_0001.jpg",
    "thumbnails-cam/0001.jpg",
    "tmpcam/0001.jpg",
    "tmp1/0001.jpg",
    "cam-temp.jpg",  # of a thermometer, perhaps
    "attempt.jpg",
    "part.jpg",
    "cam-part.jpg",
    "4th.jpg",
    "latest.jpg",
    "README.jpg",
]

NO_PHOTOS = {
    FOLDER: ["", "2026/", "2026/11/", "2026_$folder$"],
    HIDDEN: [
        ".DS_Store",
        "2026/.DS_Store",
        "._IMG_0001.JPG",
        ".nomedia",
        ".in.0001.jpg.",  # ProFTPD
        ".0001.jpg.Xy12Ab",  # rsync
        ".~tmp~/0001.jpg",  # rsync --delay-updates
        ".rsync-partial/0001.jpg",
        ".goutputstream-AB12CD",
        ".pureftpd-upload.5f1e.15.1a2b.3c",
        ".pending-1700000000-IMG_0001.jpg",  # Android
        ".trashed-1700000000-IMG_0001.jpg",
        ".trash/0001.jpg",
        ".thumbnails/0001.jpg",
        ".@__thumb/s8000001.jpg",  # QNAP
        "@eaDir/0001.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "#recycle/0001.jpg",
        "$RECYCLE.BIN/0001.jpg",
        "__MACOSX/0001.jpg",
        "lost+found/0001.jpg",
    ],
    TEMPORARY: [
        "0001.jpg.tmp",
        "0001.JPG.TMP",
        "0001.jpg.part",
        "0001.jpg.filepart",  # WinSCP
        "0001.jpg.1a2b3c4d.partial",  # rclone
        "0001.jpg.crdownload",
        "0001.jpg._COPYING_",  # Hadoop
        "0001.jpg~",
        "0001.jpg_",
        "0001.tmp",
        "0001.tmp.jpg",
        "0001.part.jpg",
        "0001_tmp.jpg",
        "0001~.jpg",
        "tmp.jpg",
        "tmp_0001.jpg",
        "~syncthing~0001.jpg.tmp",
        "~0001.jpg",
        "_tmp",
        "tmp/0001.jpg",
        "a/_temporary/0/0001.jpg",
    ],
    THUMBNAIL: [
        "thumbnails/0001.jpg",
        "2026/Thumbs/0001.jpg",
        "thumb/0001.jpg",
        "0001_thumb.jpg",
        "0001-thumbnail.JPG",
        "0001.thumb.jpg",
        "im_0001_20261125_120000.jpg.i0001.th.jpg",
        "SYNOPHOTO_THUMB_M.jpg",
    ],
    OTHER_TYPE: [
        "Thumbs.db",
        "desktop.ini",
        "README",
        "README.txt",
        "index.html",
        "0001.xmp",
        "0001.jpg.xmp",
        "0001.json",
        "0001.THM",
        "0001.LRV",
        "0001.DNG",
        "0001.jpg.6eF5b5da",
        "0001.jpg_original",
        "0001.jpg:Zone.Identifier",
        "motion.mp4",
        "motion.3gp",
        "photos.zip",
        "photos.tar.gz",
        "_SUCCESS",
    ],
}


@pytest.mark.parametrize("key", PHOTOS)
def test_by_default_these_are_photos(key: str) -> None:
    assert DEFAULT_FILTER.why_ignored(key) is None


@pytest.mark.parametrize(("reason", "key"), [(reason, key) for reason, keys in NO_PHOTOS.items() for key in keys])
def test_by_default_these_are_none_for_a_reason(reason: str, key: str) -> None:
    assert DEFAULT_FILTER.why_ignored(key) == reason


def documented() -> Iterator[tuple[str, str]]:
    """The examples of docs/names.md: a name, and what the document says that it is."""
    text = (Path(__file__).parents[3] / "docs" / "names.md").read_text()
    rows = text.partition("<!-- examples")[2].partition("<!-- end of examples -->")[0].splitlines()
    for row in rows:
        names = re.findall(r"`([^`]+)`", row)
        yield from ((name, row.rstrip(" |").rpartition("| ")[2]) for name in names)


@pytest.mark.parametrize(("key", "said"), list(documented()))
def test_the_documents_examples_are_true(key: str, said: str) -> None:
    assert (DEFAULT_FILTER.why_ignored(key) or "photo") == said


def test_the_document_names_all_suffixes_and_reasons() -> None:
    text = (Path(__file__).parents[3] / "docs" / "names.md").read_text()
    named = set(re.findall(r"`([a-z]+)`", text.partition("By default")[2].partition("or none")[0]))
    assert named == PHOTO_SUFFIXES
    assert {said for _, said in documented()} == {"photo", *NO_PHOTOS}


@given(st.from_regex(r"[A-Za-z0-9 ()]{1,12}", fullmatch=True), st.sampled_from(sorted(PHOTO_SUFFIXES)), st.booleans())
def test_any_plain_name_with_a_pictures_suffix_is_a_photo(stem: str, suffix: str, is_upper: bool) -> None:
    name = f"x{stem}.{suffix.upper() if is_upper else suffix}"
    assert DEFAULT_FILTER.takes(name)
    for without in (f"{name}.tmp", f".{name}", f"thumbnails/{name}", f".a/{name}", f"{name}/", f"{name}.json"):
        assert not DEFAULT_FILTER.takes(without)


@given(st.text())
def test_any_key_is_decided(key: str) -> None:
    assert DEFAULT_FILTER.why_ignored(key) in {None, *NO_PHOTOS}


@pytest.mark.parametrize(
    ("patterns", "photos", "excluded"),
    [
        ("*.dat", ["a.dat", "x/y/A.DAT", ".hidden.dat"], ["a.jpg", "dat", "a.dat.tmp"]),
        ("photos, *.dat", ["a.dat", "a.jpg", "snapshot"], []),
        ("!*_small.jpg", ["a.jpg"], ["a_small.jpg", "x/a_SMALL.jpg"]),
        ("photos, !preview/", ["a.jpg", "previews/a.jpg"], ["preview/a.jpg", "x/Preview/y/a.jpg"]),
        ("photos, thumbnails/", ["thumbnails/a.jpg", "thumbnails/a.txt", "a.jpg"], []),
        ("photos,!raw/*.jpg", ["a.jpg", "x/raw/a.jpg"], ["raw/a.jpg", "raw/x/a.jpg"]),
        ("photos, !a/b/", ["a.jpg", "x/a/b/1.jpg", "a/c.jpg"], ["a/b/1.jpg", "a/b/c/1.jpg"]),
        ("Photos, !photos/", ["a.jpg"], ["photos/a.jpg"]),
        ("cam[0-9].jpg", ["cam1.jpg"], ["cam.jpg", "cam10.jpg"]),
        ("cam?.jpg, !cam0.jpg", ["cam1.jpg"], ["cam0.jpg"]),
        ("!*.jpg, a*.jpg", ["a1.jpg", "1.png"], ["b1.jpg"]),
        ("*", ["a.txt", ".b", "c"], []),
        ("ÉTÉ*", ["été1", "Été.jpg"], ["ete.jpg"]),
    ],
)
def test_patterns_say_what_is_a_photo_and_the_last_that_matches_counts(
    patterns: str, photos: list[str], excluded: list[str]
) -> None:
    photo_filter = parse_photo_filter(patterns)
    assert [key for key in photos if not photo_filter.takes(key)] == []
    assert {key: photo_filter.why_ignored(key) for key in excluded} == dict.fromkeys(excluded, EXCLUDED)
    assert photo_filter.why_ignored("a/") == FOLDER


def test_beside_patterns_the_default_rule_still_gives_its_reasons() -> None:
    assert parse_photo_filter("photos, *.dat").why_ignored("a.jpg.tmp") == TEMPORARY
    assert parse_photo_filter("!*.png").why_ignored("thumbs/a.jpg") == THUMBNAIL
