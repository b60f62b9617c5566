"""A replay that ends early keeps what it did, and what was there before; the same command completes it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.photos import read_number
from tests.probe import ffmpeg_lumas, ffprobe_frames
from tests.programs import require_program

ROOT = Path(__file__).parents[2]
COUNT = 60


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "timelapse_runtime.cli.main", "replay", *map(str, arguments)]


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **variables}


def replay(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, env=environment(**variables), timeout=110
    )


def uploaded(out: Path) -> int:
    journal = out / ".timelapse-replay" / "s3" / "journal"
    return journal.read_text().count('"frames/camera/') if journal.exists() else 0


def ended_early(number: signal.Signals, out: Path, photos: int, arguments: Sequence[object]) -> tuple[int, str, str]:
    """Start a replay, and send it a signal once so many photos are uploaded. Its exit code and output."""
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    while uploaded(out) < photos:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    printed, said = process.communicate(timeout=60)
    return process.returncode, printed, said


def numbers(video: Path) -> list[int]:
    return [read_number(luma) for luma in ffmpeg_lumas(video)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_ctrl_c_keeps_the_video_so_far_and_the_same_command_continues(
    photos: Callable[..., list[Path]], tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    arguments = (photos(COUNT)[0].parent, "--out", out, "--flush-every", 10)
    exit_code, printed, said = ended_early(number, out, COUNT // 2, arguments)
    assert exit_code == 130, said
    assert "the same command continues" in printed
    assert "interrupted; saving the video so far" in said
    frames = numbers(out / "video.mp4")
    assert frames == list(range(len(frames)))
    assert COUNT // 2 <= len(frames) < COUNT
    probe = ffprobe_frames(out / "video.mp4")
    assert (probe.frame_count, probe.messages) == (len(frames), "")

    done = replay(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert (report["continued_after"], report["frames_in"]) == (len(frames), COUNT)
    assert report["invocations"] == COUNT - len(frames) + 1
    assert report["verified"] == "all-in-video"
    assert numbers(out / "video.mp4") == list(range(COUNT))
    assert not (out / ".timelapse-replay").exists()


def test_a_replay_that_is_killed_is_continued(photos: Callable[..., list[Path]], tmp_path: Path) -> None:
    arguments = (photos(COUNT)[0].parent, "--out", tmp_path, "--flush-every", 10)
    exit_code, printed, _ = ended_early(signal.SIGKILL, tmp_path, COUNT // 2, arguments)
    assert (exit_code, printed) == (-signal.SIGKILL, "")
    other = replay(photos(COUNT)[0].parent, "--out", tmp_path, "--flush-every", 20)
    assert other.returncode == 2
    assert "TIMELAPSE_FLUSH_EVERY was 10" in other.stderr
    done = replay(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verified"] == "all-in-video"
    assert numbers(tmp_path / "video.mp4") == list(range(COUNT))


def test_the_last_video_stays_until_the_next_one_is_complete(photos: Callable[..., list[Path]], tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    for path in photos(5):
        shutil.copy(path, folder)
    assert replay(folder, "--out", out).returncode == 0
    video = (out / "video.mp4").read_bytes()
    for path in folder.iterdir():
        path.write_bytes(b"no photo")
    failed = replay(folder, "--out", out)
    assert failed.returncode == 2
    (line,) = [line for line in failed.stderr.splitlines() if line.startswith("timelapse: ")]
    assert "no photo could be used, so there is no video: 5 unsupported-type" in line
    assert (out / "video.mp4").read_bytes() == video


def test_a_full_disk_is_one_sentence_and_keeps_what_is_done(tmp_path: Path) -> None:
    """On a file system of its own, in a namespace of mounts: 3 MB are too few, with 60 MB the same command goes on."""
    mount = [require_program("unshare"), "-rm"]
    (tmp_path / "disk").mkdir()
    arguments = command("--out", tmp_path / "disk" / "out", "--scene-frames", 40, "--size", "640x360", "--json")
    script = (
        'mount -t tmpfs -o size=1m none "$1" && folder=$1 && shift; "$@"; echo "exit code $?" >&2;'
        'mount -o remount,size=60m "$folder" && "$@"'
    )
    done = subprocess.run(
        [*mount, "sh", "-c", script, "sh", str(tmp_path / "disk"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    full, exit_code = done.stderr.splitlines()[:2]
    assert full.startswith("timelapse: the disk of ")
    assert "make room, and the same command continues" in full
    assert exit_code == "exit code 2"
    report = json.loads(done.stdout)
    assert report["verified"] == "all-in-video"
    assert 0 < report["continued_after"] < report["frames_in"] == 40


def test_a_profile_of_the_shell_that_does_not_exist_does_no_harm(
    photos: Callable[..., list[Path]], tmp_path: Path
) -> None:
    done = replay(photos(5)[0].parent, "--out", tmp_path / "out", "--json", AWS_PROFILE="no-such-profile")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames_in_video"] == 5
