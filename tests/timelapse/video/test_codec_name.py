"""The codec's name, against the one that ffprobe finds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import fragments
from tests.programs import require_program
from tests.timelapse.video.segments import settings, video, write
from timelapse_runtime.timelapse.video.codec_name import codec_name
from timelapse_runtime.timelapse.video.fit import Picture

_PROFILES = {"42C0": "Constrained Baseline", "4D40": "Main", "6400": "High"}


@pytest.mark.parametrize("preset", ["ultrafast", "veryfast"])
def test_it_has_the_profile_and_the_level(pictures: list[Picture], tmp_path: Path, preset: str) -> None:
    segments = list(write(pictures[:5], settings(preset=preset), cut_every=50))
    name = codec_name(segments[0][2])
    command = [require_program("ffprobe"), "-v", "error", "-of", "json", "-show_entries", "stream=profile,level"]
    path = video(segments, tmp_path / "video.mp4")
    answer = subprocess.run([*command, str(path)], capture_output=True, check=True)
    stream = json.loads(answer.stdout)["streams"][0]
    kind, _, numbers = name.partition(".")
    assert (kind, _PROFILES[numbers[:4]], int(numbers[4:], 16)) == ("avc1", stream["profile"], stream["level"])


def test_another_kind_of_video_has_none() -> None:
    assert codec_name(fragments.init_segment(b"another kind")) == ""
