"""`timelapse render`: which reels and which settings its arguments name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.timelapse.stored_reels import new_reel
from tests.world import World
from timelapse_runtime.cli.main import parse
from timelapse_runtime.cli.render import is_chosen, with_settings
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.quality import H264, QUALITIES

PLACE = "s3://bucket/video/camera"


@pytest.fixture
def reel() -> Reel:
    """Of 20 November, closed."""
    return replace(new_reel(), is_closed=True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--reel", "2026-11-20-0001"), True),
        (("--reel", "2026-11-20-0002"), False),
        (("--from", "2026-11-20"), True),
        (("--from", "2026-11-21"), False),
        (("--from", "2026-11-19", "--to", "2026-11-20"), True),
        (("--to", "2026-11-19"), False),
    ],
)
def test_reels_are_named_or_begin_within_days(reel: Reel, arguments: tuple[str, ...], expected: bool) -> None:
    options = parse(["render", PLACE, *arguments])
    assert is_chosen(reel, options) is expected
    assert not is_chosen(replace(reel, is_closed=False), options), "an open reel is not made again"


def test_settings_stand_before_or_behind_options() -> None:
    options = parse(["render", PLACE, "crf=20", "--reel", "2026-11-20-0001", "fps=25"])
    assert dict(options.settings) == {"crf": "20", "fps": "25"}


def test_settings_stand_before_the_streams_own_which_stay() -> None:
    stream = parse_config(World().variables()).for_stream({"masks": "10,10 25,20", "crf": "30"})
    rendered = with_settings(stream, {"crf": "20"})
    assert (rendered.crf, rendered.masks) == (20, stream.masks)
    assert rendered.masks, "what was covered stays covered"


def test_a_quality_stands_before_the_streams_own_crf() -> None:
    stream = parse_config(World().variables()).for_stream({"crf": "30", "preset": "slow"})
    rendered = with_settings(stream, {"quality": "archive"})
    assert (rendered.preset, rendered.crf) == QUALITIES["archive"][H264]


def test_a_day_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["render", PLACE, "--from", "yesterday"])
    assert "2026-11-20" in capsys.readouterr().err
