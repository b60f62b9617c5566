"""How players open a large file over HTTP and seek in it: how long it takes, and what they read."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.browser import Browser, Chromium, Firefox, evaluate, go
from tests.photos import read_number
from tests.players.byte_log import ByteLogServer, Piece, ranges
from timelapse_runtime.timelapse.video.sample_table import SampleTable, head_size_bytes

_FPS = 30
_PATIENCE_SECONDS = 20
_PAGE = b"""<!doctype html><video id="video" muted preload="auto"></video><script>
const video = document.getElementById("video");
function number() { // as tests/photos.py draws it
  const square = Math.max(8, Math.floor(video.videoWidth / 40)), canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  let found = 0;
  for (let bit = 0; bit < 16; bit += 1)
    found = found * 2 + (context.getImageData((bit + 0.5) * square, square / 2, 1, 1).data[1] > 128 ? 1 : 0);
  return found;
}
function show(event, start) { // the number of the next picture
  return new Promise((done, failed) => {
    video.addEventListener(event, () => done(number()), { once: true });
    video.addEventListener("error", () => failed(video.error.message), { once: true });
    start();
  });
}
</script>"""
_OPEN = "return await show('loadeddata', () => { video.src = '/video.mp4'; });"
_SEEK = "return await show('seeked', () => { video.currentTime = args[0]; });"

_PROGRAMS: dict[str, Sequence[str]] = {
    "ffmpeg": (
        "ffmpeg",
        "-nostdin",
        "-v",
        "error",
        "-ss",
        "{start}",
        "-i",
        "{url}",
        "-frames:v",
        "1",
        "{folder}/1.png",
    ),
    "mpv": (
        *("mpv", "--no-config", "--really-quiet", "--no-audio", "--start={start}", "--frames=1", "--vo=image"),
        *("--vo-image-format=png", "--vo-image-outdir={folder}", "{url}"),
    ),
    "VLC": (
        *("cvlc", "-I", "dummy", "--no-audio", "--play-and-exit", "--start-time={start}", "--vout=dummy"),
        *("--video-filter=scene", "--scene-format=png", "--scene-ratio=1", "--scene-path={folder}", "{url}"),
    ),
    "GStreamer": (
        *("gst-launch-1.0", "-q", "uridecodebin", "uri={url}", "!", "videoconvert", "!", "pngenc", "snapshot=true"),
        *("!", "filesink", "location={folder}/1.png"),
    ),
}
"""What writes a picture at `start` to a file. gst-launch cannot seek."""
_CANNOT_SEEK = ("GStreamer",)


@dataclass(frozen=True, slots=True)
class Shown:
    """The picture that a player showed, how long that took, and what it had read by then."""

    number: int
    seconds: float
    pieces: Sequence[Piece]

    def columns(self) -> str:
        """Of the table."""
        read = ranges(self.pieces)
        return f"{self.seconds:.2f} s | {sum(size for _, size in read) / 1e6:.2f} MB | {len(read)}"


def measure(video: Path, rate: int) -> int:
    """Print the table of all players that are installed. The answer is how many showed a wrong picture."""
    with video.open("rb") as file:
        head_bytes = head_size_bytes(file.read(64)) or 0
        file.seek(0)
        count = SampleTable.from_head(file.read(head_bytes)).frame_count
    frame = count * 99 // 100
    print(f"{count} frames, {video.stat().st_size / 1e6:.1f} MB, head {head_bytes / 1e6:.2f} MB; {rate} bytes/s\n")
    print(
        f"| | first picture | read | requests | frame {frame} | read | requests |\n|---|---:|---:|---:|---:|---:|---:|"
    )
    wrong = 0
    with ByteLogServer(video, {"/": _PAGE}, rate=rate) as server:
        for name, kind in (("Chromium", Chromium), ("Firefox", Firefox)):
            wrong += _report(name, frame, _in_browser(server, kind, frame))
        for name, command in _PROGRAMS.items():
            if shutil.which(command[0]) is not None:
                starts = (0,) if name in _CANNOT_SEEK else (0, frame)
                wrong += _report(name, frame, [_by_program(server, command, start) for start in starts])
    return wrong


def _report(name: str, frame: int, shown: Sequence[Shown]) -> int:
    expected = (0, frame & 0xFFFF)
    right = [one.number == number for one, number in zip(shown, expected, strict=False)]
    columns = [
        one.columns() + ("" if is_right else f", shows {one.number}")
        for one, is_right in zip(shown, right, strict=True)
    ]
    print(f"| {name} | {' | '.join(columns)} |", flush=True)
    return right.count(False)


def _in_browser(server: ByteLogServer, kind: Callable[[Path], Browser], frame: int) -> list[Shown]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, kind(Path(folder)) as browser:
        go(browser, f"{server.url}/")

        def show(script: str, *arguments: float) -> Shown:
            before, began = len(server.pieces), time.monotonic()
            number = int(evaluate(browser, script, *arguments))
            return Shown(number, time.monotonic() - began, server.pieces[before:])

        return [show(_OPEN), show(_SEEK, (frame + 0.5) / _FPS)]


def _by_program(server: ByteLogServer, command: Sequence[str], frame: int) -> Shown:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        start = f"{frame / _FPS:.4f}"
        values = {"start": start, "url": f"{server.url}/video.mp4", "folder": folder}
        Path(folder).chmod(0o777)
        user = "nobody" if os.geteuid() == 0 else None  # VLC does not run as root
        before, began = len(server.pieces), time.monotonic()
        with subprocess.Popen(
            [part.format(**values) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user,
            env={**os.environ, "HOME": folder},
        ) as process:
            try:
                shown = _shown(Path(folder), frame & 0xFFFF, began + _PATIENCE_SECONDS)
                seconds, pieces = time.monotonic() - began, server.pieces[before:]
            finally:
                process.kill()
        return Shown(shown, seconds, pieces)


def _shown(folder: Path, wanted: int, until: float) -> int:
    """The number in the first picture that shows the wanted one, or in the last of all. VLC may begin with frame 0."""
    number, seen = -1, set[Path]()
    while number != wanted and time.monotonic() < until:
        for path in sorted({*folder.glob("*.png")} - seen):
            if b"IEND" in path.read_bytes()[-16:]:
                seen.add(path)
                number = read_number(np.asarray(Image.open(path).convert("L")))
                if number == wanted:
                    break
        time.sleep(0.01)
    return number
