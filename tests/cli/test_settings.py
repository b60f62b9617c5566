"""The function's settings as options: each has one, and wrong ones are told what is meant or allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from timelapse_runtime.cli.main import main, parse
from timelapse_runtime.cli.replay_plan import make_plan
from timelapse_runtime.cli.settings import SETTINGS, option_of
from timelapse_runtime.timelapse.variables import VARIABLES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes(b"never read")
    return tmp_path / "photos"


def test_each_variable_but_the_places_is_an_option() -> None:
    assert {one.name for one in VARIABLES} - {one.name for one in SETTINGS} == {"FRAMES", "VIDEO", "STREAM"}
    for variable in SETTINGS:
        assert variable.default is not None
        assert parse(["replay", f"{option_of(variable)}={variable.default}"]).command == "replay"


def test_an_option_comes_before_the_shells_variable(folder: Path) -> None:
    shell = {"TIMELAPSE_FPS": "12", "TIMELAPSE_CRF": "30"}
    options = parse(["replay", str(folder), "--out", str(folder.parent / "out"), "--fps", "5", "--order", "name"])
    variables = make_plan(options, shell).variables
    assert {name: variables[f"TIMELAPSE_{name}"] for name in ("FPS", "CRF", "ORDER", "REEL")} == {
        "FPS": "5",
        "CRF": "30",
        "ORDER": "name",
        "REEL": "never",
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fps", "300"), "argument --fps: '300'; allowed: 1 to 120"),
        (("--preset", "quick"), "allowed: auto, ultrafast"),
        (("--fsp", "12"), "did you mean --fps?"),
        (("--keyframe_interval=9",), "did you mean --keyframe-interval?"),
    ],
)
def test_a_wrong_setting_is_told_at_once(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["replay", *arguments])
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert len(printed.splitlines()) == 2  # with the usage


def test_the_list_of_settings_has_them_all_with_the_commands_own_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["replay", "--help-settings"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    for variable in SETTINGS:
        assert f"\n{option_of(variable)}  (default: " in printed
    assert "--reel  (default: never)" in printed
    assert max(map(len, printed.splitlines())) <= 80
