"""Shared options: what a connection's options change, and what wrong arguments are told."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from timelapse_runtime.cli import main as cli
from timelapse_runtime.cli.options import add_connection, connected, describe_config_error
from timelapse_runtime.timelapse.errors import ConfigError

ROOT = Path(__file__).parents[2]
SHELL = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-north-1",
    "TIMELAPSE_FPS": "12",
}


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_connection(parser)
    return parser.parse_args(arguments)


def test_without_options_the_shell_decides() -> None:
    assert connected(options(), SHELL) == SHELL
    assert connected(argparse.Namespace(), SHELL) == SHELL


def test_options_come_before_the_shell() -> None:
    said = connected(options("--region", "eu-central-1", "--endpoint-url", "http://127.0.0.1:9000"), SHELL)
    assert said == {**SHELL, "AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"}


@pytest.mark.parametrize(
    ("variable", "given", "said"),
    [
        ("AWS_PROFILE", {"profile": "x"}, "argument --profile: 'x'; allowed: y"),
        ("AWS_ENDPOINT_URL_S3", {"endpoint_url": "x"}, "argument --endpoint-url: 'x'; allowed: y"),
        ("TIMELAPSE_MAXIMUM_SIZE", {"setting_maximum_size": "x"}, "argument --maximum-size: 'x'; allowed: y"),
        ("AWS_PROFILE", {"profile": None}, "environment variable AWS_PROFILE: it is 'x'; allowed: y"),
        ("TIMELAPSE_FPS", {"setting_crf": "x"}, "environment variable TIMELAPSE_FPS: it is 'x'; allowed: y"),
    ],
)
def test_a_wrong_value_is_told_by_the_name_under_which_it_was_given(
    variable: str, given: dict[str, str | None], said: str
) -> None:
    assert describe_config_error(ConfigError(variable, "x", "y"), argparse.Namespace(**given)) == said


def test_a_named_profile_takes_the_place_of_the_shells_credentials() -> None:
    said = connected(options("--profile", "camera"), SHELL)
    assert said == {"AWS_PROFILE": "camera", "AWS_REGION": "eu-north-1", "TIMELAPSE_FPS": "12"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--endpoint-url", "127.0.0.1:9000"), "http:// or https:// and a host"),
        (("--endpoint-url", "notaurl"), "http:// or https:// and a host"),
        (("--endpoint-url", "http://"), "http:// or https:// and a host"),
        (("--endpoint-url", "http://host:port"), "http:// or https:// and a host"),
        (("--endpoint-url", "http://[::1"), "http:// or https:// and a host"),
        (("--region", "eu-central-1/x"), "a region's name"),
        (("--region", ""), "a region's name"),
    ],
)
@pytest.mark.parametrize("command", [("verify", "s3://bucket/video/camera"), ("retry-rejected", "s3://bucket/camera")])
def test_a_wrong_connection_is_refused_with_what_is_allowed(
    command: tuple[str, ...], arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main([*command, *arguments])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("place", ["s3://my_bucket/video", "s3://Photos/", "s3://ab/"])
def test_a_wrong_buckets_name_is_told(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["verify", place])
    assert "is not a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens" in capsys.readouterr().err


def test_help_needs_nothing_but_the_standard_library() -> None:
    """`-S` leaves site-packages out: boto3, av and the like cannot be imported."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from timelapse_runtime.cli.main import main; main()"
    for command in (["--help"], *([name, "--help"] for name in ("replay", "backfill", "verify", "inspect"))):
        shown = subprocess.run(
            [sys.executable, "-S", "-c", program, *command], capture_output=True, text=True, check=True
        )
        assert shown.stdout.startswith("usage: timelapse")
