"""Measures what docs/overlays.md says of costs: `python -m tests.timelapse.filters.overlay_cost`.

CPU of this thread per frame of 1920x1080, the median of many, beside that of the encoder with its default settings.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.timelapse.filters.overlay_figures import DAWN_EPOCH_MS, PLACES, logo
from timelapse_runtime.emulator.scene import render_scene
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.filters.contract import Moment
from timelapse_runtime.timelapse.reel_writer import encoder_settings
from timelapse_runtime.timelapse.video.codec import X264Codec

SIZE = 1920, 1080
FRAMES = 120
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "mask, black, 20 % x 20 %": {"MASKS": "black 40,40 60,60"},
    "mask, pixelate": {"MASKS": "pixelate 40,40 60,60"},
    "mask, blur": {"MASKS": "blur 40,40 60,60"},
    "mask, blur, all of the picture": {"MASKS": "blur 0,0 100,100"},
    "caption": {"CAPTION": "Bergsee, Südufer"},
    "clock, %Y-%m-%d %H:%M": {"CLOCK": "%Y-%m-%d %H:%M"},
    "clock, %Y-%m-%d %H:%M:%S": {"CLOCK": "%Y-%m-%d %H:%M:%S"},
    "clock, %A, %-d %B %Y, %H:%M:%S": {"CLOCK": "%A, %-d %B %Y, %H:%M:%S"},
    "logo, 12 % of the height": {"LOGO": "logo.png"},
    "logo, 30 % of the height": {"LOGO": "logo.png", "LOGO_SIZE": "30"},
}


def milliseconds(work: Callable[[int], object]) -> float:
    """The median of FRAMES calls, each with its number."""
    times = []
    for number in range(FRAMES):
        begin = time.thread_time()
        work(number)
        times.append(time.thread_time() - begin)
    return statistics.median(times) * 1000


def main() -> None:
    """Print a table."""
    codec, plain = X264Codec(), parse_config(PLACES)
    decoder = codec.photo_decoder(maximum_pixels=10**8, background=(0, 0, 0))
    fitter = codec.fitter(*SIZE, "fit", (0, 0, 0))
    photos = list(render_scene(FRAMES, SIZE, only=range(40, 48)))
    pictures = [fitter.fit(decoder.decode(photo)) for photo in photos]
    begin = time.process_time()
    encoder = codec.encoder(encoder_settings(plain, SIZE, low_delay=False), first_number=0)
    for number in range(FRAMES):
        encoder.append(pictures[number % len(pictures)])
    encoder.drain(None)
    encoding = (time.process_time() - begin) * 1000 / FRAMES
    print(f"| {'encoding':40} | {encoding:6.2f} ms | |")
    for name, settings in SETTINGS.items():
        config = parse_config({**PLACES, **{f"TIMELAPSE_{key}": value for key, value in settings.items()}})
        config = replace(config, logo_png=logo() if config.logo else b"")
        filters = codec.filters(config, SIZE)

        def apply(number: int, filters=filters) -> object:  # type: ignore[no-untyped-def]
            return filters.apply(pictures[number % len(pictures)], Moment("a.jpg", DAWN_EPOCH_MS + number * 1000))

        cost = milliseconds(apply)
        print(f"| {name:40} | {cost:6.2f} ms | {cost / encoding:.1%} |")


if __name__ == "__main__":
    main()
