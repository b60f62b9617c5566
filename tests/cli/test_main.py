"""The parser and the exit codes of the `timelapse` command; nothing here reaches a server."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from timelapse_runtime import __version__
from timelapse_runtime.cli import EXIT_ERROR, EXIT_FINDINGS, EXIT_LEFT_OUT, EXIT_NOTHING_THERE, EXIT_OK
from timelapse_runtime.cli.main import main


def parser_commands() -> list[str]:
    """The names of the commands, from the error about an unknown one."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        main(["no-such-command"])
    return re.findall(r"[a-z-]+", said.getvalue().partition("choose from")[2])


def test_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert (EXIT_OK, EXIT_FINDINGS, EXIT_ERROR, EXIT_LEFT_OUT, EXIT_NOTHING_THERE) == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "COMMAND"),
        (("wacht",), "invalid choice"),
        (("verify",), "stream"),
        (("verify", "bucket/video"), "s3://BUCKET/PREFIX/"),
        (("verify", "s3://bucket"), "the folder of a stream: s3://BUCKET/PREFIX/STREAM"),
        (("verify", "s3://bucket/video/.hidden/"), "the folder of a stream: s3://BUCKET/PREFIX/STREAM"),
        (("retry-rejected", "s3://bucket/video/camera", "--reason", "foo"), "undecodable"),
        (("retry-rejected", "s3://bucket/video", "--frames", "frames"), "s3://BUCKET/PREFIX/"),
        (("replay", "--size", "17x3"), "even"),
        (("replay", "--flush-every", "0"), "1 to 10000"),
        (("replay", "--stream", "a/b"), "without a slash"),
        (("replay", "--kill-every", "3", "--restart-every", "3"), "not allowed with"),
    ],
)
def test_wrong_arguments_say_what_is_allowed(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == EXIT_ERROR
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("replay", "/no/such/folder"), "cannot read /no/such/folder"),
        (("replay", "."), "is empty"),
        (("replay", "--endpoint-url", "http://127.0.0.1:9"), "AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_failed_command_prints_one_sentence(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    assert main(arguments) == EXIT_ERROR
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("timelapse: ")
    assert message in line
    assert printed.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [*parser_commands(), ""])
def test_help_fits_a_screen(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal of 80 columns and 24 lines."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as end:
        main([*command.split(), "--help"])
    assert end.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    "command", sorted({*parser_commands()} - {"replay", "cost", "simulate", "policy", "completion"})
)
def test_each_command_has_the_shared_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    printed = capsys.readouterr().out
    for option in ("--json", "--endpoint-url", "--profile", "--region"):
        assert option in printed


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"timelapse-runtime {__version__}\n"
