"""Judges videos by the system's FFmpeg: another decoder, of another version, than the one that PyAV carries."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.photos import Luma, read_number
from tests.programs import require_program


@dataclass(frozen=True)
class Probe:
    """What ffprobe found when it decoded a video. `messages` is its log from level warning up: "" in a good one."""

    width: int
    height: int
    time_base: Fraction
    pts: list[int]
    messages: str

    @property
    def frame_count(self) -> int:
        return len(self.pts)

    @property
    def steps(self) -> set[int]:
        """The distinct distances between neighbours: one element in an evenly spaced video."""
        return {after - before for before, after in zip(self.pts, self.pts[1:], strict=False)}


def ffprobe_frames(video: Path | str) -> Probe:
    """Decodes every frame of a file, playlist or URL."""
    command = [require_program("ffprobe"), "-v", "warning", "-select_streams", "v:0", "-of", "json"]
    command += ["-show_entries", "stream=width,height,time_base:frame=pts", str(video)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout or "{}")
    if done.returncode != 0 or not answer.get("streams"):
        raise AssertionError(f"ffprobe cannot read {video}: {done.stderr}")
    stream = answer["streams"][0]
    pts = [int(frame["pts"]) for frame in answer["frames"]]
    return Probe(stream["width"], stream["height"], Fraction(stream["time_base"]), pts, done.stderr)


def ffprobe_level(video: Path | str) -> int:
    """The H.264 level that the file claims, times ten."""
    command = [require_program("ffprobe"), "-v", "error", "-select_streams", "v:0", "-of", "csv=p=0"]
    command += ["-show_entries", "stream=level", str(video)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def ffmpeg_lumas(video: Path | str) -> Iterator[Luma]:
    """The luma plane of every decoded frame, in order."""
    probe = ffprobe_frames(video)
    command = [require_program("ffmpeg"), "-nostdin", "-v", "error", "-i", str(video), "-fps_mode", "passthrough"]
    command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1"]
    luma_size = probe.width * probe.height
    with subprocess.Popen(command, stdout=subprocess.PIPE) as decoder:
        assert decoder.stdout is not None
        while picture := decoder.stdout.read(luma_size * 3 // 2):
            yield np.frombuffer(picture, np.uint8, luma_size).reshape(probe.height, probe.width)
    if decoder.returncode != 0:
        raise AssertionError(f"ffmpeg gave up on {video}")


def ffmpeg_numbers(video: Path | str) -> list[int]:
    """The photo numbers of a video's frames, in order."""
    return [read_number(luma) for luma in ffmpeg_lumas(video)]
