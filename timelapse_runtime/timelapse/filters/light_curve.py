"""The slow course of the light, seen through exposures that jump from photo to photo.

Pure arithmetic on logarithms of brightness, one value per frame. Owns nothing but its few numbers, which are its whole
memory: stored and read back, it continues to the last digit.

The level and its slope follow the values with a fading memory: a value that is n frames old has the weight θⁿ, and a
straight line is fitted (the fading-memory polynomial filter of degree one; N. Morrison, Introduction to Sequential
Smoothing and Prediction, 1969, chapter 13). A line does not lag behind a steady sunrise as a mean does. The memory
becomes shorter while the values leave the line to one side, and what leaves it by far, for one frame or two, is not
followed at all: a lightning, or one wrong exposure. From the third such value in a row on, the light has changed.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields

_SHORTEST_MEMORY = 2.0
_OUTLIER_SIGMAS = 3.0
_SMALLEST_OUTLIER = 0.01
"""One per cent: below it nobody sees a jump."""
_NEW_LEVEL_AFTER = 3
_LONGEST_COUNT = 100
_LONGEST_MEMORY = 1_000.0
_DRIFT_SIGMAS = 1.0
_SHORTENED = 0.85


@dataclass(slots=True)
class LightCurve:
    """Follows values with a memory of `memory` frames at most. A new one takes its first value as it is."""

    level: float = 0.0
    slope: float = 0.0
    memory: float = _LONGEST_MEMORY
    """In frames: what is asked for, or less."""
    age: int = 0
    """How many frames ago the level began, up to 100; 0 before the first value."""
    sigma: float = _SMALLEST_OUTLIER
    """How far values are from the curve: their standard deviation."""
    drift: float = 0.0
    """The mean of the last differences, signed: it is near 0 while the curve follows."""
    frame_count: int = 0
    """Up to 100."""
    outliers: int = 0
    """How many values in a row were far off, up to the last one; negative if they were below the curve."""

    def follow(self, value: float, longest_memory: float) -> float:
        """The curve's level at this value."""
        self.memory = min(self.memory, longest_memory)
        self.frame_count, self.age = min(self.frame_count + 1, _LONGEST_COUNT), min(self.age + 1, _LONGEST_COUNT)
        predicted = self.level + self.slope
        difference = value - predicted
        limit = max(_OUTLIER_SIGMAS * self.sigma, _SMALLEST_OUTLIER)
        self._count_outlier(difference, limit)
        if self.frame_count == 1 or abs(self.outliers) >= _NEW_LEVEL_AFTER:
            self.level, self.slope, self.drift, self.age, self.outliers = value, 0.0, 0.0, 1, 0
            return self.level
        step = math.copysign(min(abs(difference), limit), difference)
        self._adapt(step, min(abs(difference), limit * 1.5), longest_memory)
        theta = 1 - 1 / (self.memory + 1)
        self.level = predicted + max(1 - theta * theta, 1 / self.age) * step  # a mean, as long as there are few values
        self.slope += (1 - theta) ** 2 * step
        return self.level

    def _count_outlier(self, difference: float, limit: float) -> None:
        if abs(difference) <= limit:
            self.outliers = 0
        elif difference > 0:
            self.outliers = max(self.outliers, 0) + 1
        else:
            self.outliers = min(self.outliers, 0) - 1

    def _adapt(self, step: float, distance: float, longest_memory: float) -> None:
        """The noise, and how long the memory may be: as long as the differences have no side."""
        self.sigma += (distance * math.sqrt(math.pi / 2) - self.sigma) / self.frame_count
        window = self.memory / 2 + 2
        self.drift += (step - self.drift) / window
        if abs(self.drift) * math.sqrt(window) > _DRIFT_SIGMAS * self.sigma:
            self.memory = max(_SHORTEST_MEMORY, self.memory * _SHORTENED)
        else:
            self.memory = min(self.memory + 1, longest_memory)

    @property
    def state(self) -> list[float]:
        """Its numbers, for `of_state`."""
        return list(astuple(self))

    @classmethod
    def of_state(cls, numbers: object) -> LightCurve:
        """The curve with these numbers. Raises ValueError."""
        curve = cls()
        if not isinstance(numbers, list) or len(numbers) != len(curve.state):
            raise ValueError(numbers)
        for field, number in zip(fields(cls), numbers, strict=True):
            kind = type(getattr(curve, field.name))
            if type(number) not in (kind, int) or not math.isfinite(number):
                raise ValueError(numbers)
            setattr(curve, field.name, kind(number))
        if curve.sigma < 0 or curve.memory < _SHORTEST_MEMORY:
            raise ValueError(numbers)
        return curve
