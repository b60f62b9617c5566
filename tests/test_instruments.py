"""The tests' own tools work: a number that is read back wrong would invalidate every test of a video."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.photos import read_number
from tests.probe import ffmpeg_numbers, ffprobe_frames


@pytest.mark.parametrize("size", [(128, 96), (322, 182), (1280, 720)])
def test_a_photos_number_is_read_back(photos: Callable[..., list[Path]], size: tuple[int, int]) -> None:
    for number, path in enumerate(photos(3, size)):
        with av.open(str(path)) as photo:
            luma = next(photo.decode(video=0)).to_ndarray(format="gray").astype(np.uint8)
        assert luma.shape == size[::-1]
        assert read_number(luma) == number


def test_a_picture_without_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="no number"):
        read_number(np.full((180, 320), 120, np.uint8))


def test_the_system_decoder_counts_and_reads_a_video(photos: Callable[..., list[Path]], tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for position, path in enumerate(reversed(photos(5))):
            with av.open(str(path)) as photo:
                frame = next(photo.decode(video=0))
            frame.pts, frame.time_base = position, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    probe = ffprobe_frames(video)
    assert (probe.frame_count, len(probe.steps), probe.messages) == (5, 1, "")
    assert ffmpeg_numbers(video) == [4, 3, 2, 1, 0]
    body = video.read_bytes()
    middle = len(body) // 2
    video.write_bytes(body[:middle] + bytes(2000) + body[middle + 2000 :])
    assert ffprobe_frames(video).messages != ""


@pytest.mark.parametrize(("no_skip", "outcome"), [("0", "1 skipped"), ("1", "1 failed")])
def test_ci_accepts_no_skip(tmp_path: Path, no_skip: str, outcome: str) -> None:
    root = Path(__file__).parents[1]
    (tmp_path / "test_it.py").write_text("import pytest\n\ndef test_it():\n    pytest.skip('no such program')\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(
        command, cwd=root, env={"SUITE_NO_SKIP": no_skip, "PATH": ""}, capture_output=True, text=True, check=False
    )
    assert outcome in done.stdout, done.stdout + done.stderr
    assert "no such program" in done.stdout or no_skip == "0"
