"""What filters and pictures of the day add to a photo's CPU. All are off by default, and the measured figures are
without them.

Shares of what x264 takes for the same frame, at 1920x1080 of the sample scene, November 2026: `scripts/bench --filters`
and `--pictures` (docs/filters.md, docs/overlays.md and docs/day-pictures.md; a picture with its files). Smaller texts,
masks and logos take less. That pictures without noise are cheaper to encode, and smaller, is not counted.
"""

from __future__ import annotations

from dataclasses import replace

from timelapse_runtime.fleet.measured import Figures
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.model.keys import DIGEST, KEOGRAM, LIGHTEN

_ENCODER_SHARE = 0.73
"""Of a photo's CPU, 1920x1080: 45 of 62 ms on an idle machine (docs/performance.md, docs/day-pictures.md)."""
_PICTURES = {KEOGRAM: 0.017, LIGHTEN: 0.043, DIGEST: 0.046}


def with_extras(figures: Figures, config: Config) -> Figures:
    """The figures with what `config` turns on."""
    photo = figures.operations["photo"]
    added_ms = photo.cpu_ms * _ENCODER_SHARE * share_of_encoder(config)
    dearer = {
        name: replace(figures.operations[name], cpu_ms=figures.operations[name].cpu_ms + added_ms)
        for name in ("photo", "slow_photo")
    }
    return replace(figures, operations={**figures.operations, **dearer})


def share_of_encoder(config: Config) -> float:
    """What `config` turns on takes so much of what x264 takes."""
    filters = (
        (0.03, config.masks),
        (0.18, config.stabilise == "on"),
        (0.08, config.deflicker == "on"),
        (0.18, config.denoise != "off"),
        (0.06, config.blend is not None),
        (0.03, config.clock is not None or config.caption is not None),
        (0.005, config.logo is not None),
        (0.04, config.skip.need_look),
    )
    return sum(share for share, is_on in filters if is_on) + sum(_PICTURES[name] for name in config.day_pictures)
