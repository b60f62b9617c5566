"""The bare loop: PyAV decodes, converts and encodes the files of a folder, and nothing else. No Lambda, no S3.

`python -m scripts.benchmark.bare_loop FOLDER SETTINGS` prints what it used as JSON. The calls are the
function's own (`timelapse/video`), so the difference from the runtime is what everything else costs.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.benchmark.batch import FPS, Settings
from scripts.benchmark.measured import run_in_slices
from scripts.benchmark.time_slices import TimeSlices
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.encode import Encoder, EncoderSettings
from timelapse_runtime.timelapse.video.fit import PictureFitter


@dataclass(frozen=True, slots=True)
class BareRun:
    """`frame_cpu_ms`: milliseconds of CPU of each frame, `stage_cpu_ms` per frame to read, decode, convert and encode.
    The rest is of the run."""

    frame_cpu_ms: list[float]
    stage_cpu_ms: dict[str, float]
    cpu_seconds: float
    peak_rss_bytes: int
    video_bytes: int


def bare_loop_in_slices(folder: Path, settings: Settings) -> TimeSlices[BareRun]:
    """In a process of its own. Raises BenchFailed."""
    command = [sys.executable, "-m", "scripts.benchmark.bare_loop", str(folder)]
    used = yield from run_in_slices([*command, json.dumps(asdict(settings))])
    return BareRun(**json.loads(used.said))


def main(folder: Path, settings: Settings) -> dict[str, Any]:
    """The loop, without the imports; draining included."""
    decoder = PhotoDecoder(maximum_pixels=10**9)
    fitter = PictureFitter(settings.width, settings.height)
    encoder = Encoder(
        EncoderSettings(
            width=settings.width,
            height=settings.height,
            fps=FPS,
            keyframe_interval=settings.keyframe_interval,
            crf=int(settings.crf),
            preset=settings.preset,
            threads=settings.threads,
        ),
        first_number=0,
    )
    stages = dict.fromkeys(("read", "decode", "convert", "encode"), 0.0)
    frames, video_bytes = [], 0
    paths = sorted(folder.glob("*.jpg"))
    cpu = time.process_time()
    for path in paths:
        marks = [time.process_time()]
        body = path.read_bytes()
        marks.append(time.process_time())
        photo = decoder.decode(body)
        marks.append(time.process_time())
        picture = fitter.fit(photo)
        marks.append(time.process_time())
        encoder.append(picture)
        video_bytes += sum(len(packet.data) for packet in encoder.cut())
        marks.append(time.process_time())
        for name, start, end in zip(stages, marks, marks[1:], strict=False):
            stages[name] += end - start
        frames.append((marks[-1] - marks[0]) * 1000)
    before = time.process_time()
    encoder.drain()
    video_bytes += sum(len(packet.data) for packet in encoder.cut())
    stages["encode"] += time.process_time() - before
    return asdict(
        BareRun(
            frame_cpu_ms=frames,
            stage_cpu_ms={name: seconds * 1000 / len(paths) for name, seconds in stages.items()},
            cpu_seconds=time.process_time() - cpu,
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            video_bytes=video_bytes,
        )
    )


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Settings(**json.loads(sys.argv[2])))))
