"""ffmpeg over a folder in one run: the practical limit. The same conversion and encoder settings as the runtime's."""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmark.measured import Used, run, run_in_slices
from scripts.benchmark.stage import BenchFailed
from scripts.benchmark.time_slices import TimeSlices, alone

FPS = 30


@dataclass(frozen=True, slots=True)
class Settings:
    """What all candidates encode with. `keyframe_interval` 250 is x264's own default, which a batch run has."""

    width: int
    height: int
    crf: float = 23
    preset: str = "veryfast"
    threads: int = 1
    keyframe_interval: int = 250

    @property
    def filters(self) -> str:
        """JPEG's full range to the video's limited one, BT.601 throughout, as `timelapse/video` does it."""
        matrix = "in_color_matrix=bt601:out_color_matrix=bt601:in_range=full:out_range=tv"
        return f"scale={self.width}:{self.height}:flags=bilinear:{matrix},format=yuv420p"

    def variables(self) -> dict[str, str]:
        """The timelapse function's."""
        return {
            "TIMELAPSE_SIZE": f"{self.width}x{self.height}",
            "TIMELAPSE_THREADS": str(self.threads),
            "TIMELAPSE_CRF": f"{self.crf:g}",
            "TIMELAPSE_PRESET": self.preset,
        }

    def encoder(self) -> list[str]:
        """ffmpeg's arguments."""
        x264 = ["-c:v", "libx264", "-preset", self.preset, "-crf", str(self.crf), "-threads", str(self.threads)]
        return [*x264, "-g", str(self.keyframe_interval)]


@functools.cache
def ffmpeg_program() -> str:
    """The system's ffmpeg, else the one in the imageio-ffmpeg wheel. Raises BenchFailed if there is neither."""
    found = shutil.which("ffmpeg")
    if found is not None:
        return found
    try:
        import imageio_ffmpeg  # noqa: PLC0415 - in the benchmark's environment only

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise BenchFailed(f"no ffmpeg program: install it, or run scripts/install bench ({error})") from error


def ffmpeg_version() -> str:
    """The first line of its version, and its path."""
    return run([ffmpeg_program(), "-version"]).said.splitlines()[0] + f" ({ffmpeg_program()})"


def encode_folder(folder: Path, video: Path, settings: Settings) -> Used:
    """The photos 000000.jpg … of a folder to `video`. Raises BenchFailed."""
    return alone(encode_in_slices(folder, video, settings))


def encode_in_slices(folder: Path, video: Path, settings: Settings) -> TimeSlices[Used]:
    """See encode_folder. Decoding and filtering get as many threads as encoding: with one, the run stays on one
    processor."""
    threads = str(settings.threads)
    command = [ffmpeg_program(), "-v", "error", "-nostdin", "-y", "-filter_threads", threads, "-threads", threads]
    command += ["-framerate", str(FPS), "-i", str(folder / "%06d.jpg"), "-vf", settings.filters]
    return run_in_slices([*command, *settings.encoder(), str(video)])
