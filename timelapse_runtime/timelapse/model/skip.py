"""Photos that are left out of the video because of what they show, or when: the rules, and what they say of a photo.
Pure.

A photo that is skipped ends as each one that cannot be used: with a record that has its reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.model.refusal import Refusal

FROZEN = "skipped-frozen"
_DEFAULTS = {"dark": 16.0, "bright": 240.0, "blurred": 0.65, "frozen": 0.0, "night": 6.0}
"""dark, bright: mean levels of 255. blurred: see Look. frozen: levels. night: degrees below the horizon, where civil
twilight ends."""
_HIGHEST = {"dark": 255.0, "bright": 255.0, "blurred": 1.0, "frozen": 255.0, "night": 90.0}
_RULE = r"(dark|bright|blurred|frozen|night)(:[0-9]{1,3}(\.[0-9]{1,2})?)?"
SKIP_PATTERN = f"off|{_RULE}( *, *{_RULE}){{0,4}}"
"""What `parse_skip` takes, but for numbers that are too high and rules that do not fit together."""
_FROZEN_SHARE = 0.9
"""Of the cells: the rest may change, as the camera's own clock does."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is measured of a photo. `mean`: its mean level, 0 to 255. `blur`: 0 to 1, low if there are sharp edges, 0 if
    there are none at all. `cells`: the mean levels of a grid of cells."""

    mean: float
    blur: float
    cells: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SkipRules:
    """What makes a photo be skipped; None: that does not."""

    dark: float | None = None
    bright: float | None = None
    blurred: float | None = None
    frozen: float | None = None
    night: float | None = None

    @property
    def need_look(self) -> bool:
        """Whether photos must be measured."""
        return any(rule is not None for rule in (self.dark, self.bright, self.blurred, self.frozen))

    def check_look(self, look: Look) -> FrameRejected | None:
        """Why the photo is skipped, by what it shows alone."""
        if self.dark is not None and look.mean < self.dark:
            return FrameRejected("skipped-dark", f"its mean level is {look.mean:.1f}, and the limit {self.dark:g}")
        if self.bright is not None and look.mean > self.bright:
            return FrameRejected("skipped-bright", f"its mean level is {look.mean:.1f}, and the limit {self.bright:g}")
        if self.blurred is not None and look.blur > self.blurred:
            return FrameRejected("skipped-blurred", f"its blur is {look.blur:.2f}, and the limit {self.blurred:g}")
        return None

    def check_frozen(self, look: Look, before: Look) -> FrameRejected | None:
        """Why the photo is skipped, beside the one of the frame before it."""
        if self.frozen is None:
            return None
        pairs = zip(look.cells, before.cells, strict=True)
        alike = sum(abs(one - other) <= self.frozen for one, other in pairs)
        if alike < _FROZEN_SHARE * len(look.cells):
            return None
        return FrameRejected(FROZEN, f"{alike} of {len(look.cells)} parts are those of the frame before")

    def check_sun(self, elevation_degrees: float) -> FrameRejected | None:
        """Why the photo is skipped, by how high the sun was."""
        if self.night is None or elevation_degrees >= -self.night:
            return None
        detail = f"the sun was {-elevation_degrees:.1f} degrees below the horizon, and the limit is {self.night:g}"
        return FrameRejected("skipped-night", detail)


def parse_skip(text: str) -> SkipRules:
    """Rules, separated by commas, each with its limit or the usual one: `dark:16, bright, night`. `off`: none.

    Raises ValueError, as Refusal for limits that are too high, or rules that do not fit together.
    """
    if text == "off":
        return SkipRules()
    if not re.fullmatch(SKIP_PATTERN, text):
        raise ValueError(text)
    limits: dict[str, float] = {}
    for rule in text.split(","):
        name, _, limit = rule.strip().partition(":")
        if name in limits:
            raise Refusal(f"{name} is there twice")
        limits[name] = float(limit) if limit else _DEFAULTS[name]
        if limits[name] > _HIGHEST[name]:
            raise Refusal(f"{name} is {_HIGHEST[name]:g} at most")
    rules = SkipRules(**limits)
    if rules.dark is not None and rules.bright is not None and rules.dark >= rules.bright:
        raise Refusal(f"dark:{rules.dark:g} and bright:{rules.bright:g} would skip every photo")
    return rules
