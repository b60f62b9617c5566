"""Damaged photos in a watched process: nothing happens that must not, and it would be noticed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import fuzzer as fuzz
from tests.photos import make_photos

COUNT = 400


def ignore(_number: int) -> None:
    """No progress to show."""


def test_damaged_photos_crash_nothing_hang_nothing_and_leave_nothing_in_memory(tmp_path: Path) -> None:
    for number, body in enumerate(make_photos(8, (320, 180))):
        (tmp_path / f"{number}.jpg").write_bytes(body)
    found = fuzz.fuzz(tmp_path, count=COUNT, seed=20261121, on_progress=ignore)
    assert (found.crashes, found.hangs, found.are_good) == ([], [], True)
    assert found.outcomes.total() == COUNT
    assert min(found.outcomes["decoded"], found.outcomes["undecodable"], found.outcomes["unsupported-type"]) > 5


def test_a_damage_is_the_same_each_time() -> None:
    bodies = list(make_photos(3, (128, 64)))
    once, again = ([fuzz.damaged(bodies, seed=1, number=number) for number in range(40)] for _ in range(2))
    assert once == again
    assert len(set(once)) > 35
    assert once != [fuzz.damaged(bodies, seed=2, number=number) for number in range(40)]


def child(folder: Path, at_three: str) -> str:
    """A program in the place of Python: decodes by word of mouth, and does `at_three` when it comes to number 3."""
    program = folder / "python"
    program.write_text(
        "#!/bin/sh\n"
        "number=$6; count=$7\n"
        "while [ $number -lt $count ]; do\n"
        f"  [ $number -ne 3 ] || {at_three}\n"
        '  echo "$number decoded 100"; number=$((number + 1))\n'
        "done\n"
    )
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(("at_three", "crashes", "hangs"), [("kill -9 $$", [3], []), ("exec sleep 1000", [], [3])])
def test_a_crash_and_a_hang_are_noticed_and_the_next_process_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_three: str, crashes: list[int], hangs: list[int]
) -> None:
    monkeypatch.setattr(sys, "executable", child(tmp_path, at_three))
    monkeypatch.setattr(fuzz, "LONGEST_SECONDS", 1.0)
    found = fuzz.fuzz(None, count=6, seed=1, on_progress=ignore)
    assert (found.crashes, found.hangs, found.outcomes["decoded"], found.are_good) == (crashes, hangs, 5, False)


def test_growing_memory_is_noticed() -> None:
    found = fuzz.Findings(1, memory_kib=[*range(1000, 2000, 10)])
    assert found.memory_ratio > fuzz.MEMORY_GROWTH
    assert not found.are_good


def test_a_folder_without_photos_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="to damage"):
        fuzz.photos(tmp_path)
