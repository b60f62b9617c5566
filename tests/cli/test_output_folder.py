"""The output folder of a replay: it is checked first, and what was there is never lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.cli.output_folder import STATE, OutputFolder, require_usable

SESSION = {"photos": "/photos", "TIMELAPSE_FPS": "30"}


def put(output: OutputFolder, **files: str) -> None:
    """Publish a result of these files."""
    result = output.new_folder("result")
    for name, text in files.items():
        (result / name).write_text(text)
    output.publish(result, {"frames": 1})


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file() and path.name != "replay.json"}


def test_a_result_takes_the_place_of_the_last_one_and_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for text in ("first", "second"):
        with OutputFolder.opened(tmp_path) as output:
            output.begin(SESSION)
            put(output, **({"video": text, "first-only": ""} if text == "first" else {"video": text}))
            output.finish()
    assert content(tmp_path) == {"notes.txt": "mine", "video": "second"}
    assert not (tmp_path / STATE).exists()


def test_a_file_that_no_replay_wrote_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "video").write_text("mine")
    with OutputFolder.opened(tmp_path) as output:
        output.begin(SESSION)
        with pytest.raises(CommandFailed, match="video is not from a replay and would be written over"):
            put(output, video="new")
    assert content(tmp_path) == {"video": "mine"}


@pytest.mark.parametrize("name", ["video.mp4", "latest.jpg", "segments"])
def test_it_is_refused_before_the_replay_begins(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(CommandFailed, match="name another --out"):
        require_usable(tmp_path, None)


def test_a_result_with_a_name_that_is_taken_leaves_the_last_video_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with OutputFolder.opened(tmp_path) as output:
        output.begin(SESSION)
        put(output, video="first")
        with pytest.raises(CommandFailed, match="notes is not from a replay"):
            put(output, video="second", notes="new")
    assert content(tmp_path) == {"video": "first", "notes": "mine"}


def test_out_that_is_a_file_or_below_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(CommandFailed, match="file is not a folder; name another --out"):
            require_usable(out, None)
    assert (tmp_path / "file").read_text() == "mine"


def test_the_folder_of_the_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="is the folder of the photos"):
        require_usable(tmp_path / "x" / "..", tmp_path)


def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # root may write everywhere
    try:
        with pytest.raises(CommandFailed, match="you may not write to"):
            require_usable(tmp_path / "out", None)
    finally:
        if is_root:
            os.seteuid(0)


def test_nothing_is_left_of_a_folder_in_which_nothing_happened(tmp_path: Path) -> None:
    with OutputFolder.opened(tmp_path / "a" / "out") as output:
        output.begin(SESSION)
        output.forget_if_nothing_happened(happened=False)
    assert list((tmp_path / "a").iterdir()) == []


def test_a_replay_that_is_not_complete_is_continued_with_the_same_settings_only(tmp_path: Path) -> None:
    with OutputFolder.opened(tmp_path) as output:
        assert not output.began_before
        output.begin(SESSION)
    with OutputFolder.opened(tmp_path) as output:
        assert output.began_before
        output.begin(SESSION)
        with pytest.raises(CommandFailed, match=r"not complete.*TIMELAPSE_CRF was not set, TIMELAPSE_FPS was 30"):
            output.begin({"photos": "/photos", "TIMELAPSE_FPS": "12", "TIMELAPSE_CRF": "20"})


def test_two_replays_do_not_share_a_folder(tmp_path: Path) -> None:
    with OutputFolder.opened(tmp_path), pytest.raises(CommandFailed, match="another replay writes to"):
        OutputFolder.opened(tmp_path).__enter__()
