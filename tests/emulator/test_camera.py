"""Photos of a folder, and photos of the sample scene."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from timelapse_runtime.emulator.camera import LINK, NO_FILE, NO_KEY, OUTPUT, NoPhotos, photos_in_folder, sample_scene
from timelapse_runtime.timelapse.model.photo_filter import HIDDEN, OTHER_TYPE, TEMPORARY, THUMBNAIL, parse_photo_filter


def fill(folder: Path, *names: str) -> None:
    """Files with their name as content."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def test_photos_come_in_natural_order_with_those_of_folders(tmp_path: Path) -> None:
    names = ["2.jpg", "10.JPG", "day 2/9.png", "day 2/10.heic", "day 10/1.webp", "img"]
    fill(tmp_path, *reversed(names))
    photos = photos_in_folder(tmp_path)
    assert len(photos.names) == len(names)
    assert list(photos.bodies()) == [(name, name.encode()) for name in names]
    assert photos.left_out == {}


def test_in_byte_order_they_come_as_s3_lists_their_keys(tmp_path: Path) -> None:
    names = ["10.jpg", "2.jpg", "A/1.jpg", "a.jpg", "a/1.jpg", "\uffff.jpg", "\U00010000.jpg"]
    fill(tmp_path, *reversed(names))
    assert [name for name, _ in photos_in_folder(tmp_path, byte_order=True).bodies()] == names


def test_what_is_left_out_is_named_with_the_reason(tmp_path: Path) -> None:
    fill(tmp_path, "1.jpg", "notes.txt", "1.xmp", "2.jpg.part", ".DS_Store", "thumbs/2.jpg", "thumbs/10.jpg", "y" * 240)
    fill(tmp_path, "/".join(["x" * 200] * 4) + ".jpg")
    fill(tmp_path, "new\nline.jpg")
    (tmp_path / "3.jpg").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "4.jpg")
    (tmp_path / "copy").symlink_to(tmp_path / "thumbs")
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff.jpg", os.O_CREAT))
    photos = photos_in_folder(tmp_path, parse_photo_filter("photos, !y*"))
    assert [name for name, _ in photos.bodies()] == ["1.jpg"]
    assert dict(photos.left_out) == {
        OTHER_TYPE: ["1.xmp", "notes.txt"],
        TEMPORARY: ["2.jpg.part"],
        HIDDEN: [".DS_Store"],
        THUMBNAIL: ["thumbs/2.jpg", "thumbs/10.jpg"],
        "excluded": ["y" * 240],
        NO_FILE: ["3.jpg", "4.jpg"],
        LINK: ["copy"],
        NO_KEY: ["new\nline.jpg", "/".join(["x" * 200] * 4) + ".jpg", "\udcff.jpg"],
    }


def test_an_earlier_output_in_the_folder_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "1.jpg", "out/latest.jpg", "out/segments/1.m4s", "out-of-town/1.jpg")
    monkeypatch.chdir(tmp_path)
    photos = photos_in_folder(Path(), output=Path("out"))
    assert [name for name, _ in photos.bodies()] == ["1.jpg", "out-of-town/1.jpg"]
    assert dict(photos.left_out) == {OUTPUT: ["out/latest.jpg", "out/segments/1.m4s"]}
    assert len(photos_in_folder(Path("out"), output=Path("out")).names) == 1
    assert len(photos_in_folder(Path("out"), output=tmp_path).names) == 1


def test_a_link_to_a_photo_is_a_photo(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.jpg")
    (tmp_path / "2.jpg").symlink_to(tmp_path / "a" / "1.jpg")
    assert list(photos_in_folder(tmp_path).bodies()) == [("2.jpg", b"a/1.jpg"), ("a/1.jpg", b"a/1.jpg")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "cannot read .*missing: No such file or directory"),
        ("x" * 300, "cannot read .*x: File name too long"),
        ("file.jpg", "cannot read .*file.jpg: Not a directory"),
        ("empty", "empty is empty; give a folder with photos"),
        (
            "strays",
            r"holds no photo, .*: 2 hidden \(\.a, …\), 1 not a photo's suffix \(1\.txt\); TIMELAPSE_INCLUDE says",
        ),
    ],
)
def test_a_folder_without_photos_is_refused_with_what_to_do(tmp_path: Path, name: str, said: str) -> None:
    fill(tmp_path, "file.jpg", "strays/.a", "strays/.b", "strays/1.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoPhotos, match=said):
        photos_in_folder(tmp_path / name)


def test_a_photo_that_disappears_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "1.jpg", "2.jpg")
    photos = photos_in_folder(tmp_path)
    (tmp_path / "2.jpg").unlink()
    bodies = photos.bodies()
    assert next(bodies) == ("1.jpg", b"1.jpg")
    with pytest.raises(NoPhotos, match=r"cannot read .*2\.jpg: No such file"):
        next(bodies)


def test_the_sample_scene_has_names_that_sort_in_order() -> None:
    photos = sample_scene(11, (16, 16))
    names = [name for name, _ in photos.bodies()]
    assert len(photos.names) == len(names) == 11
    assert names == sorted(names)
    assert names[0] == "000000.jpg"


def test_photos_that_are_done_are_left_out_and_the_others_are_the_same(tmp_path: Path) -> None:
    fill(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    assert [name for name, _ in photos_in_folder(tmp_path).bodies({"2.jpg"})] == ["1.jpg", "3.jpg"]
    scene = sample_scene(5, (32, 16))
    assert list(scene.bodies({"000000.jpg", "000001.jpg", "other"})) == list(scene.bodies())[2:]
