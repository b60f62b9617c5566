"""The parser and the exit codes of the `timelapse` command; nothing here reaches a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from timelapse_runtime import __version__
from timelapse_runtime.cli import EXIT_ERROR, EXIT_FINDINGS, EXIT_LEFT_OUT, EXIT_NOTHING_THERE, EXIT_OK
from timelapse_runtime.cli.main import main


def test_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert (EXIT_OK, EXIT_FINDINGS, EXIT_ERROR, EXIT_LEFT_OUT, EXIT_NOTHING_THERE) == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "COMMAND"),
        (("watch",), "invalid choice"),
        (("verify",), "stream"),
        (("verify", "bucket/video"), "s3://BUCKET/PREFIX/"),
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


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"timelapse-runtime {__version__}\n"
