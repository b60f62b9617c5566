"""Which changes are noticed, and when."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from timelapse_runtime.dev.source_files import SourceFiles


def write(path: Path, text: str, time_ns: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(time_ns, time_ns))


def test_a_change_is_reported_once_and_not_before_the_files_stay_the_same(tmp_path: Path) -> None:
    write(tmp_path / "app.py", "one")
    files = SourceFiles(tmp_path)
    assert files.changed() == []
    write(tmp_path / "app.py", "tw", time_ns=2)
    assert files.changed() == []  # it may be half of a change
    write(tmp_path / "app.py", "two", time_ns=2)
    assert files.changed() == []
    assert files.changed() == ["app.py"]
    assert files.changed() == []


def test_a_file_of_the_same_size_that_is_new_or_that_is_gone_is_a_change(tmp_path: Path) -> None:
    for name in ("same", "gone"):
        write(tmp_path / f"{name}.py", "text")
    files = SourceFiles(tmp_path)
    write(tmp_path / "same.py", "TEXT", time_ns=2)
    write(tmp_path / "package" / "new.py", "")
    (tmp_path / "gone.py").unlink()
    assert files.changed() == []
    assert files.changed() == ["gone.py", "package/new.py", "same.py"]


def test_a_change_that_is_taken_back_is_none(tmp_path: Path) -> None:
    write(tmp_path / "app.py", "one")
    files = SourceFiles(tmp_path)
    write(tmp_path / "app.py", "two", time_ns=2)
    assert files.changed() == []
    write(tmp_path / "app.py", "one", time_ns=1)
    assert files.changed() == files.changed() == []


@pytest.mark.parametrize(
    "name", ["state.json", ".git/hook.py", ".hidden.py", "__pycache__/a.py", "node_modules/a.py", "env/lib/a.py"]
)
def test_what_is_not_the_functions_source_is_not_looked_at(name: str, tmp_path: Path) -> None:
    write(tmp_path / "env" / "pyvenv.cfg", "")
    files = SourceFiles(tmp_path)
    write(tmp_path / name, "")
    assert files.changed() == files.changed() == []
