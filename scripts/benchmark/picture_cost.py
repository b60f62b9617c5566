"""CPU time of the pictures of the day, against that of encoding the same pictures.

One thread, in turns with the encoder, as `filter_cost.py` does it. A picture's PNG is made once in a keyframe interval,
of a keogram that has all its columns, which is the largest.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

from scripts.benchmark.batch import Settings
from scripts.benchmark.photo_set import PhotoSet
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.model.keys import DAY_PICTURES
from timelapse_runtime.timelapse.reel_writer import encoder_settings
from timelapse_runtime.timelapse.video.codec import X264Codec
from timelapse_runtime.timelapse.video.fit import Picture

_PLACES = {"TIMELAPSE_FRAMES": "s3://frames/", "TIMELAPSE_VIDEO": "s3://video/"}
_WARM = 30
_COLUMNS = 2_047
_PNGS = 5


def measure(photos: PhotoSet, settings: Settings, *, frames: int, rounds: int) -> dict[str, Any]:
    """CPU in milliseconds per frame, by round, and of one PNG; `of_the_encoder` has both together."""
    codec, size = X264Codec(), (settings.width, settings.height)
    config = parse_config(_PLACES)
    decoder = codec.photo_decoder(maximum_pixels=config.maximum_pixels, background=config.background)
    fitter = codec.fitter(*size, config.fit, config.background)
    pictures = [fitter.fit(decoder.decode(path.read_bytes())) for path in photos.paths[:_WARM]]
    return {
        name: _beside_the_encoder(codec, size, name, pictures, frames=frames, rounds=rounds) for name in DAY_PICTURES
    }


def _beside_the_encoder(
    codec: X264Codec, size: tuple[int, int], name: str, pictures: list[Picture], *, frames: int, rounds: int
) -> dict[str, Any]:
    config = parse_config(_PLACES)
    kind = codec.day_pictures([name], size)[name]
    canvas, encoder = kind.canvas(), codec.encoder(encoder_settings(config, size, low_delay=False), first_number=0)
    drawing, encoding = list[float](), list[float]()

    def draw(picture: Picture) -> None:
        canvas.add(kind.sample(picture), 1)

    for picture in islice(itertools.cycle(pictures), _WARM + frames * rounds):
        drawing.append(_cpu_ms(partial(draw, picture)))
        encoding.append(_cpu_ms(partial(encoder.append, picture)))
    while canvas.frame_count < _COLUMNS:
        draw(pictures[canvas.frame_count % len(pictures)])
    png_ms, png_bytes = sum(_cpu_ms(canvas.to_png) for _ in range(_PNGS)) / _PNGS, len(canvas.to_png())
    starts = range(_WARM, len(drawing), frames)
    ours, theirs = ([sum(one[start : start + frames]) / frames for start in starts] for one in (drawing, encoding))
    shares = [(one + png_ms / config.keyframe_interval) / other for one, other in zip(ours, theirs, strict=True)]
    return {
        "cpu_ms_per_frame": [round(one, 3) for one in ours],
        "encoder_cpu_ms_per_frame": [round(one, 3) for one in theirs],
        "of_the_encoder": [round(one, 4) for one in shares],
        "png_cpu_ms": round(png_ms, 1),
        "png_bytes": png_bytes,
    }


def _cpu_ms(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return 1_000 * (time.process_time() - began)
