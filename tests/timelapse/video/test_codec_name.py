"""The codec's name, against the one that ffprobe finds."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import fragments
from tests.programs import require_program
from tests.timelapse.video.segments import settings, video, write
from timelapse_runtime.timelapse.video.codec_name import codec_name
from timelapse_runtime.timelapse.video.fit import Picture

_PROFILES = {"42C0": "Constrained Baseline", "4D40": "Main", "6400": "High"}


def probed(path: Path) -> dict[str, Any]:
    command = [require_program("ffprobe"), "-v", "error", "-of", "json", "-show_entries", "stream=profile,level"]
    answer = subprocess.run([*command, str(path)], capture_output=True, check=True)
    stream = json.loads(answer.stdout)["streams"][0]
    assert isinstance(stream, dict)
    return stream


@pytest.mark.parametrize("preset", ["ultrafast", "veryfast"])
def test_it_has_the_profile_and_the_level(pictures: list[Picture], tmp_path: Path, preset: str) -> None:
    segments = list(write(pictures[:5], settings(preset=preset), cut_every=50))
    name = codec_name(segments[0][2])
    stream = probed(video(segments, tmp_path / "video.mp4"))
    kind, _, numbers = name.partition(".")
    assert (kind, _PROFILES[numbers[:4]], int(numbers[4:], 16)) == ("avc1", stream["profile"], stream["level"])


@pytest.mark.parametrize(
    ("codec", "expected"),
    [("h265", r"hvc1\.1\.6\.L{level}\.90"), ("av1", r"av01\.0\.{level:02}M\.08\.0\.110\.01\.13\.06\.0")],
)
def test_other_codecs_are_named_with_their_level(
    pictures: list[Picture], tmp_path: Path, codec: str, expected: str
) -> None:
    """Main profile, 8 bits, BT.709 primaries (1), sRGB's transfer (13), BT.601's matrix (6), limited range."""
    segments = list(write(pictures[:5], settings(codec=codec), cut_every=50))
    stream = probed(video(segments, tmp_path / "video.mp4"))
    assert stream["profile"] == "Main"
    assert re.fullmatch(expected.format(level=stream["level"]), codec_name(segments[0][2]))


def test_another_kind_of_video_has_none() -> None:
    assert codec_name(fragments.init_segment(b"another kind")) == ""
