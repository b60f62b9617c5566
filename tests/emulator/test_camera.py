"""Photos of a folder, and photos of the sample scene."""

from __future__ import annotations

from pathlib import Path

import pytest

from timelapse_runtime.emulator.camera import NoPhotos, photos_in_folder, sample_scene


def test_photos_of_a_folder_come_by_name_and_other_files_are_left_out(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.jpeg", "notes.txt", "d.jpg.part"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "e.jpg").mkdir()
    photos = photos_in_folder(tmp_path)
    assert photos.count == 3
    assert list(photos.bodies) == [("a.png", b"a.png"), ("b.JPG", b"b.JPG"), ("c.jpeg", b"c.jpeg")]


@pytest.mark.parametrize(("name", "message"), [("missing", "is not a folder"), (".", "holds no photo")])
def test_a_folder_without_photos_is_refused_by_name(tmp_path: Path, name: str, message: str) -> None:
    folder = tmp_path / name
    with pytest.raises(NoPhotos, match=message) as error:
        photos_in_folder(folder)
    assert str(folder) in str(error.value)
    assert ".jpg" in str(error.value)


def test_the_sample_scene_has_names_that_sort_in_order() -> None:
    photos = sample_scene(11, (16, 16))
    names = [name for name, _ in photos.bodies]
    assert photos.count == len(names) == 11
    assert names == sorted(names)
    assert names[0] == "000000.jpg"
