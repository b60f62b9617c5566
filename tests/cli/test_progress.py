"""What the progress bar prints to something that is not a terminal."""

from __future__ import annotations

import pytest

from timelapse_runtime.cli.progress import Progress


def test_without_a_terminal_one_line_is_printed_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(4) as progress:
        for _ in range(3):
            progress.step()
        assert capsys.readouterr().err == ""
    (line,) = capsys.readouterr().err.splitlines()
    assert "3/4 frames" in line


def test_a_quiet_bar_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(1, quiet=True) as progress:
        progress.step()
    assert capsys.readouterr() == ("", "")
