"""CPU time of the pictures of the day, against that of encoding the same pictures.

A picture's file is made once in a keyframe interval. That of a keogram has all its columns then, which is the largest.
"""

from __future__ import annotations

import itertools
from functools import partial
from itertools import islice
from typing import Any

from scripts.benchmark.batch import Settings
from scripts.benchmark.beside_encoder import PLACES, cpu_ms, in_turns
from scripts.benchmark.photo_set import PhotoSet
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.model.keys import DAY_PICTURES
from timelapse_runtime.timelapse.reel_writer import encoder_settings
from timelapse_runtime.timelapse.video.codec import X264Codec
from timelapse_runtime.timelapse.video.fit import Picture

_WARM = 30
_COLUMNS = 2_047
_FILES = 5


def measure(photos: PhotoSet, settings: Settings, *, frames: int, rounds: int) -> dict[str, Any]:
    """CPU in milliseconds per frame, by round, and of one file; `of_the_encoder` has both together."""
    codec, size = X264Codec(), (settings.width, settings.height)
    config = parse_config(PLACES)
    decoder = codec.photo_decoder(maximum_pixels=config.maximum_pixels, background=config.background)
    fitter = codec.fitter(*size, config.fit, config.background)
    pictures = [fitter.fit(decoder.decode(path.read_bytes())) for path in photos.paths[:_WARM]]
    return {
        name: _beside_the_encoder(codec, size, name, pictures, frames=frames, rounds=rounds) for name in DAY_PICTURES
    }


def _beside_the_encoder(
    codec: X264Codec, size: tuple[int, int], name: str, pictures: list[Picture], *, frames: int, rounds: int
) -> dict[str, Any]:
    config = parse_config(PLACES)
    kind = codec.day_pictures([name], size)[name]
    canvas, encoder = kind.canvas(), codec.encoder(encoder_settings(config, size, low_delay=False), first_number=0)

    def draw(picture: Picture) -> None:
        canvas.add(kind.sample(picture, canvas.frame_count), 1)

    drawn = islice(itertools.cycle(pictures), _WARM + frames * rounds)
    turns = in_turns(((partial(draw, picture), picture) for picture in drawn), encoder, warm=_WARM, frames=frames)
    while canvas.frame_count < _COLUMNS:
        draw(pictures[canvas.frame_count % len(pictures)])
    file_ms, file_bytes = sum(cpu_ms(canvas.to_bytes) for _ in range(_FILES)) / _FILES, len(canvas.to_bytes())
    return {
        "cpu_ms_per_frame": turns.work_ms,
        "encoder_cpu_ms_per_frame": turns.encoder_ms,
        "of_the_encoder": turns.shares(file_ms / config.keyframe_interval),
        "file_cpu_ms": round(file_ms, 1),
        "file_bytes": file_bytes,
    }
