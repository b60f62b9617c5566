"""What one camera sends, and the two ways that its photos' events take."""

from __future__ import annotations

from dataclasses import dataclass

from timelapse_runtime.fleet.prices import MONTH_SECONDS

DIRECT, FIFO = "direct", "fifo"
"""`infra/template.yaml`: one environment for all cameras; `infra/cameras.yaml`: one for each."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A photo every `interval_seconds`, in `hours_per_day` of a day, of `size` pixels.

    `jitter` is the standard deviation of the interval as a share of it. `late_share` of the photos are uploaded
    `late_seconds` later than their time, as after a gap in the network.
    """

    interval_seconds: float = 1.0
    hours_per_day: float = 24.0
    size: tuple[int, int] = (1920, 1080)
    jitter: float = 0.1
    late_share: float = 0.0
    late_seconds: float = 120.0

    @property
    def photos_per_month(self) -> float:
        """In 730 hours."""
        return self.active_seconds_per_month / self.interval_seconds

    @property
    def active_seconds_per_month(self) -> float:
        """While it sends photos."""
        return MONTH_SECONDS * self.hours_per_day / 24
