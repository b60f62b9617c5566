"""`timelapse completion`: what a shell offers after the script that it prints."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from timelapse_runtime.cli import EXIT_ERROR, EXIT_OK
from timelapse_runtime.cli.main import main


def script_for(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == EXIT_OK
    return capsys.readouterr().out


def offered_by_bash(script: str, line: str, folder: Path) -> set[str]:
    """What bash offers for the last word of a line."""
    words = line.split(" ")
    program = f"""{script}
COMP_WORDS=({" ".join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}
COMP_LINE='{line}'; COMP_POINT={len(line)}
_shtab_timelapse timelapse '{words[-1]}' '{words[-2]}'
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("timelapse in", {"inspect"}),
        ("timelapse replay --key", {"--keyframe-interval"}),
        ("timelapse replay --help-s", {"--help-settings"}),
        ("timelapse export --codec a", {"av1"}),
        ("timelapse retry-rejected --reason too-", {"too-large", "too-small"}),
        ("timelapse completion z", {"zsh"}),
        ("timelapse replay ph", {"photos"}),
        ("timelapse export --out ph", {"photos", "photo.txt"}),
    ],
)
def test_bash_completes_commands_options_values_and_files(
    line: str, offered: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photo.txt").touch()
    assert offered_by_bash(script_for("bash", capsys), line, tmp_path) == offered


@pytest.mark.parametrize("shell", ["bash", "fish", "tcsh", "zsh"])
def test_there_is_a_script_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    script = script_for(shell, capsys)
    assert "inspect" in script
    assert "keyframe-interval" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n", "/dev/stdin"], input=script, text=True, check=True)


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["completion", "cmd.exe"])
    assert stopped.value.code == EXIT_ERROR
    assert "zsh" in capsys.readouterr().err
