"""The filters that are on, in the order in which pictures pass them."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import FiltersUnavailable
from timelapse_runtime.timelapse.filters.contract import Area, FilterState, Moment, PictureFilter, Planes, Stateless
from timelapse_runtime.timelapse.model.video_size import Size
from timelapse_runtime.timelapse.variables import PREFIX

_log = logging.getLogger(__name__)


def steps_for(config: Config, size: Size) -> dict[str, PictureFilter]:
    """New filters for the pictures of a reel of `size`, by name. What is off is not imported: numpy takes 80 ms.

    Raises FiltersUnavailable.
    """
    with required():
        return _steps_for(config, size)


def drawing(config: Config) -> str:
    """What the filters that remember nothing draw, by `config`: equal for two that draw the same."""
    text = config.caption, config.caption_place, config.clock, config.clock_place, config.text_size
    logo = config.logo_place, config.logo_size, config.logo_margin, zlib.crc32(config.logo_png)
    return repr((config.masks, text, str(config.timezone), logo))


@contextmanager
def required() -> Iterator[None]:
    """Within it, a library that is missing is FiltersUnavailable."""
    try:
        yield
    except ImportError as error:  # Pillow without FreeType says so in words alone
        layer = "add the layer of extension.zip to the function, from the same build as function.zip"
        name = error.name or str(error)
        raise FiltersUnavailable(f"what is configured needs {name}, and it is not installed: {layer}") from error


def _steps_for(config: Config, size: Size) -> dict[str, PictureFilter]:
    steps: dict[str, PictureFilter] = {}
    if config.masks:
        from timelapse_runtime.timelapse.filters.masks import Masks  # noqa: PLC0415

        steps["masks"] = Masks(config.masks, *size)
    if config.stabilise == "on":
        from timelapse_runtime.timelapse.filters.stabilise import Stabilise, StabiliseSettings  # noqa: PLC0415

        steps["stabilise"] = Stabilise(StabiliseSettings(), *size)
    if config.deflicker == "on":
        from timelapse_runtime.timelapse.filters.deflicker import Deflicker, DeflickerSettings  # noqa: PLC0415

        steps["deflicker"] = Deflicker(DeflickerSettings(), *size)
    if config.denoise != "off":
        from timelapse_runtime.timelapse.filters.denoise import DENOISE_SETTINGS, Denoise  # noqa: PLC0415

        steps["denoise"] = Denoise(DENOISE_SETTINGS[config.denoise], *size)
    if config.blend is not None:
        from timelapse_runtime.timelapse.filters.blend import Blend, BlendSettings  # noqa: PLC0415

        steps["blend"] = Blend(BlendSettings(config.blend), *size)
    if config.logo_png:
        from timelapse_runtime.timelapse.filters.glyphs import UnreadablePicture  # noqa: PLC0415
        from timelapse_runtime.timelapse.filters.logo import Logo  # noqa: PLC0415

        try:
            how = config.logo_place, config.logo_size, config.logo_margin
            steps["logo"] = Logo(config.logo_png, *how, *size)
        except UnreadablePicture as error:
            fields = {"variable": f"{PREFIX}LOGO", "logo": str(config.logo), "problem": str(error)}
            _log.error("the logo cannot be drawn: the video has none", extra=fields)
    lines = []
    if config.caption is not None or config.clock is not None:
        from timelapse_runtime.timelapse.filters.overlay import Overlay, caption, clock  # noqa: PLC0415

        if config.caption is not None:
            lines.append(caption(config.caption, config.caption_place))
        if config.clock is not None:
            lines.append(clock(config.clock, config.clock_place, config.timezone))
        steps["overlay"] = Overlay(lines, config.text_size, *size)
    return steps


class FilterChain:
    """Passes pictures through `steps`, in their order."""

    def __init__(self, steps: Mapping[str, PictureFilter]) -> None:
        self._steps = steps

    def apply(self, picture: Planes, moment: Moment) -> None:
        """See PictureFilter."""
        for step in self._steps.values():
            step.apply(picture, moment)

    @property
    def remembers(self) -> bool:
        """Whether one of the filters remembers earlier pictures."""
        return not all(isinstance(step, Stateless) for step in self._steps.values())

    @property
    def state(self) -> FilterState:
        """See PictureFilter: by the filters' names, of those that remember something."""
        states = {name: step.state for name, step in self._steps.items()}
        return {name: state for name, state in states.items() if state is not None} or None

    def resume(self, all_states: FilterState, last: Planes | None) -> None:
        """See PictureFilter."""
        states = all_states if isinstance(all_states, dict) else {}
        steps = list(self._steps.items())
        for position, (name, step) in enumerate(steps, start=1):
            state = states.get(name)
            drawn = [*chain.from_iterable(after.drawn for _, after in steps[position:])]
            step.resume(state, None if state is None else last, drawn)

    @property
    def drawn(self) -> list[Area]:
        """See PictureFilter."""
        return [*chain.from_iterable(step.drawn for step in self._steps.values())]
