"""CPU time of each filter, against that of encoding the same pictures.

Decoding and fitting are not counted, nor is the copy that the filter changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from scripts.benchmark.batch import Settings
from scripts.benchmark.beside_encoder import PLACES, in_turns
from scripts.benchmark.photo_set import PhotoSet
from scripts.benchmark.ratios import Ratio
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.filters.contract import Moment
from timelapse_runtime.timelapse.reel_writer import encoder_settings
from timelapse_runtime.timelapse.video.codec import X264Codec
from timelapse_runtime.timelapse.video.fit import Picture

FILTERS: Mapping[str, Mapping[str, str]] = {
    "masks": {"MASKS": "blur 10,10 35,30; pixelate 60,40 75,40 80,55; black 90,90 100,100"},
    "stabilise": {"STABILISE": "on"},
    "deflicker": {"DEFLICKER": "on"},
    "denoise": {"DENOISE": "medium"},
    "blend": {"BLEND": "4"},
    "overlay": {"CLOCK": "%A, %-d %B %Y, %H:%M:%S", "CAPTION": "Bergsee"},
}
"""By name: the variables that turn it on."""
_WARM = 10
_STEP_MS = 1_000


def measure(photos: PhotoSet, settings: Settings, *, frames: int, rounds: int) -> tuple[dict[str, Any], list[Ratio]]:
    """CPU in milliseconds per frame, of each filter and of the encoder beside it; `filter_cost` is the largest part
    that a filter has of its encoder's."""
    figures = {name: _beside_the_encoder(photos, settings, name, frames=frames, rounds=rounds) for name in FILTERS}
    largest = [max(one["of_the_encoder"][number] for one in figures.values()) for number in range(rounds)]
    return figures, [Ratio("filter_cost", tuple(largest))]


def _beside_the_encoder(
    photos: PhotoSet, settings: Settings, name: str, *, frames: int, rounds: int
) -> dict[str, list[float]]:
    codec, size = X264Codec(), (settings.width, settings.height)
    config = parse_config(PLACES | {f"TIMELAPSE_{key}": value for key, value in FILTERS[name].items()})
    filters, fitter = codec.filters(config, size), codec.fitter(*size, config.fit, config.background)
    decoder = codec.photo_decoder(maximum_pixels=config.maximum_pixels, background=config.background)
    encoder = codec.encoder(encoder_settings(config, size, low_delay=False), first_number=0)

    def work() -> Iterator[tuple[Callable[[], object], Picture]]:
        for number, body in enumerate(islice(photos.bodies(), _WARM + frames * rounds)):
            picture = fitter.fit(decoder.decode(body))
            copy = Picture.from_ndarray(picture.to_ndarray(), format="yuv420p")
            yield partial(filters.apply, copy, Moment(f"{number:06d}.jpg", number * _STEP_MS)), picture

    turns = in_turns(work(), encoder, warm=_WARM, frames=frames)
    return {
        "cpu_ms_per_frame": turns.work_ms,
        "encoder_cpu_ms_per_frame": turns.encoder_ms,
        "of_the_encoder": turns.shares(),
    }
