"""The options of `timelapse-runtime dev`: what is right, and what is said of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from timelapse_runtime.dev.main import parse
from timelapse_runtime.dev.session import Afterwards


@pytest.mark.parametrize(
    ("given", "handler"),
    [("app:Counter", "app.Counter"), ("app.Counter", "app.Counter"), ("a.b:c", "a.b.c"), ("a/b:c", "a/b.c")],
)
def test_a_handler_is_written_with_a_colon_or_as_lambda_does(given: str, handler: str) -> None:
    assert parse(["dev", given]).handler == handler


def test_the_environment_stays_unless_it_is_to_end() -> None:
    for option, afterwards in {"--kill": Afterwards.IS_KILLED, "--shutdown": Afterwards.IS_SHUT_DOWN}.items():
        assert parse(["dev", option, "app:f"]).afterwards is afterwards
    assert parse(["dev", "app:f"]).afterwards is Afterwards.STAYS


def test_an_event_is_read_when_the_arguments_are(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text('{"a": 1}')
    assert parse(["dev", "app:f", "--event", str(tmp_path / "event.json")]).event == [{"a": 1}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["app"], "'app'; allowed: module:Name"),
        ([":Counter"], "allowed: module:Name"),
        (["app:"], "allowed: module:Name"),
        (["app:f", "--folder", "/none"], "there is no folder /none"),
        (["app:f", "--event", "/none"], "/none cannot be read: No such file"),
        (["app:f", "--event", __file__], "is not JSON"),
        (["app:f", "--env", "NO_SUCH_VARIABLE_HERE"], "or the NAME of a variable that is set here"),
        (["app:f", "--bucket", "A/B"], "'A/B'; allowed: 3 to 63 of a-z"),
        (["app:f", "--timeout", "901"], "900 at most"),
        (["app:f", "--timeout", "nan"], "900 at most"),
        (["app:f", "--kill", "--shutdown"], "not allowed with"),
    ],
)
def test_a_wrong_argument_is_told_with_what_is_allowed(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(["dev", *arguments])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
