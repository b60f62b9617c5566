"""Makes the pictures of docs/overlays.md: `python -m tests.timelapse.filters.overlay_figures FOLDER`.

Photos of the sample scene go through the product's own decoder, fitter and filters.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from timelapse_runtime.emulator.scene import render_scene
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.filters.contract import Moment
from timelapse_runtime.timelapse.video.codec import X264Codec
from timelapse_runtime.timelapse.video.fit import Picture

PLACES = {"TIMELAPSE_FRAMES": "s3://photos/frames/", "TIMELAPSE_VIDEO": "s3://videos/video/"}
SIZE = 640, 360
DAWN_EPOCH_MS, STEP_MS = 1_784_952_000_000, 1_050_000  # 25 July 2026, 6:00 in Berlin
MASKS = "blur 30,58 52,68; pixelate 55,58 77,68; black 2,40 16,40 10,70"
FIGURES: Mapping[str, tuple[int, Mapping[str, str]]] = {
    "masks-before": (30, {}),
    "masks-after": (30, {"MASKS": MASKS}),
    "clock-day": (30, {"CAPTION": "Bergsee, Südufer", "CLOCK": "%Y-%m-%d %H:%M", "TIMEZONE": "Europe/Berlin"}),
    "clock-night": (
        58,
        {
            "CAPTION": "Bergsee, Südufer",
            "CLOCK": "%A, %-d %B %Y, %H:%M:%S",
            "CLOCK_PLACE": "top-right",
            "TIMEZONE": "Europe/Berlin",
        },
    ),
    "logo-day": (30, {"LOGO": "logo.png", "LOGO_SIZE": "30"}),
    "logo-night": (58, {"LOGO": "logo.png", "LOGO_PLACE": "bottom-right", "LOGO_SIZE": "18", "LOGO_MARGIN": "6"}),
}
"""By name: the photo's number of 60 from dawn to night, and settings."""


def logo() -> bytes:
    """A sun over a lake, in a ring that lets the picture through by half. Its edges are smooth."""
    image = Image.new("RGBA", (512, 512))
    draw = ImageDraw.Draw(image)
    draw.ellipse((0, 0, 511, 511), (255, 255, 255, 128))
    draw.ellipse((40, 40, 471, 471), (20, 60, 110, 255))
    draw.ellipse((176, 130, 336, 290), (255, 200, 60, 255))
    draw.chord((40, 40, 471, 471), 0, 180, (70, 150, 200, 255))
    sink = io.BytesIO()
    image.save(sink, "PNG")
    return sink.getvalue()


def filtered(photo: bytes, settings: Mapping[str, str], size: tuple[int, int], moment: Moment) -> Picture:
    """The photo as the encoder gets it."""
    config = parse_config({**PLACES, **{f"TIMELAPSE_{name}": value for name, value in settings.items()}})
    config = replace(config, logo_png=logo() if config.logo else b"")
    codec = X264Codec()
    decoded = codec.photo_decoder(maximum_pixels=10**8, background=(0, 0, 0)).decode(photo)
    fitted = codec.fitter(*size, config.fit, config.background).fit(decoded)
    return codec.filters(config, size).apply(fitted, moment)


def main() -> None:
    """Write the pictures, and print their sizes."""
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for name, (number, settings) in FIGURES.items():
        (photo,) = render_scene(60, SIZE, only=[number])
        picture = filtered(photo, settings, SIZE, Moment("a.jpg", DAWN_EPOCH_MS + number * STEP_MS))
        path = folder / f"{name}.jpg"
        Image.fromarray(picture.to_ndarray(format="rgb24")).save(path, quality=70)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
