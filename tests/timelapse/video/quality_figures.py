"""What the named qualities cost in each codec, for docs/render.md: `python -m tests.timelapse.video.quality_figures`.

60 photos of the sample scene at noon, some seconds apart, with a sensor's noise, one thread. Another decoder, ffmpeg,
gives the pictures that are compared with the photos. Processor time is this process's, encoder threads included.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.programs import require_program
from timelapse_runtime.emulator.scene import render_scene
from timelapse_runtime.timelapse.model.quality import CODEC_NAMES, QUALITIES, Quality
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.encode import Encoder, EncoderSettings
from timelapse_runtime.timelapse.video.fit import Picture, PictureFitter
from timelapse_runtime.timelapse.video.mux import FragmentMuxer

SIZE, COUNT, FPS = (1280, 720), 60, 30
_DAY = 8_000
_FIRST = 3_600


def main() -> None:
    """Print the table."""
    pictures = scene()
    sys.stdout.write(
        "| quality | codec | preset, crf | CPU per frame | bytes per frame | SSIM |\n|---|---|---|---:|---:|---:|\n"
    )
    for name, codecs in QUALITIES.items():
        for codec in CODEC_NAMES:
            milliseconds, size_bytes, likeness = measured(pictures, codec, codecs[codec])
            how = f"{codecs[codec].preset}, {codecs[codec].crf}"
            sys.stdout.write(
                f"| `{name}` | {codec} | {how} | {milliseconds:.0f} ms | {size_bytes:,.0f} | {likeness:.4f} |\n"
            )
            sys.stdout.flush()


def scene() -> list[Picture]:
    """The photos as pictures of the video."""
    decoder, fitter = PhotoDecoder(maximum_pixels=10**8, background=(0, 0, 0)), PictureFitter(*SIZE)
    photos = render_scene(_DAY, SIZE, only=range(_FIRST, _FIRST + COUNT))
    return [fitter.fit(decoder.decode(photo)) for photo in photos]


def measured(pictures: Sequence[Picture], codec: str, quality: Quality) -> tuple[float, float, float]:
    """Milliseconds of processor time and bytes per frame, and how alike photos and video are (SSIM)."""
    settings = EncoderSettings(*SIZE, FPS, 180, quality.crf, quality.preset, 1, codec=codec)
    began = time.process_time()
    encoder = Encoder(settings, first_number=0)
    for picture in pictures:
        encoder.append(picture)
    encoder.drain()
    seconds, frames = time.process_time() - began, encoder.cut()
    sets, reorder = encoder.parameter_sets, encoder.reorder_frames
    muxer = FragmentMuxer(sets, frames[0], fps=FPS, reorder_frames=reorder, codec=codec)
    video = muxer.init_segment + muxer.fragment(frames, number=0)
    size_bytes = sum(len(frame.data) for frame in frames)
    return seconds * 1000 / len(frames), size_bytes / len(frames), _likeness(pictures, video)


def _likeness(pictures: Sequence[Picture], video: bytes) -> float:
    with TemporaryDirectory() as folder:
        path, raw = Path(folder) / "video.mp4", Path(folder) / "photos.yuv"
        path.write_bytes(video)
        raw.write_bytes(b"".join(picture.to_ndarray().tobytes() for picture in pictures))
        shape = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{SIZE[0]}x{SIZE[1]}", "-r", str(FPS), "-i", str(raw)]
        command = [require_program("ffmpeg"), "-i", str(path), *shape, "-lavfi", "ssim", "-f", "null", "-"]
        told = subprocess.run(command, check=True, capture_output=True).stderr.decode()
    (mean,) = re.findall(r"SSIM .*All:([0-9.]+)", told)
    return float(mean)


if __name__ == "__main__":
    main()
