"""What is used, and the bill for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from timelapse_runtime.fleet.prices import PRICES_USD, s3_usd


@dataclass
class Usage:
    """What some cameras use in some time. Counts may be fractions: means over many.

    `gb_seconds` are the function's, `small_gb_seconds` those of router and dispatcher, which are billed as x86-64.
    `requests` are S3's, by its name of the operation. `metric_months` are CloudWatch metrics times months.
    """

    invocations: float = 0
    gb_seconds: float = 0
    small_invocations: float = 0
    small_gb_seconds: float = 0
    requests: dict[str, float] = field(default_factory=dict)
    queue_requests: float = 0
    events: float = 0
    log_bytes: float = 0
    metric_months: float = 0

    def times(self, factor: float) -> Usage:
        """Of so many times as much."""
        return Usage(
            self.invocations * factor,
            self.gb_seconds * factor,
            self.small_invocations * factor,
            self.small_gb_seconds * factor,
            scaled(self.requests, factor),
            self.queue_requests * factor,
            self.events * factor,
            self.log_bytes * factor,
            self.metric_months * factor,
        )

    def bill(self, architecture: str) -> dict[str, float]:
        """Dollars by item; `architecture` is the function's, `x86_64` or `arm64`."""
        x86, suffix = PRICES_USD["lambda_gb_second"], "_arm64" if architecture == "arm64" else ""
        return {
            "compute": self.gb_seconds * PRICES_USD[f"lambda_gb_second{suffix}"],
            "invocations": self.invocations * PRICES_USD["lambda_request"],
            "queue": (
                self.small_gb_seconds * x86
                + self.small_invocations * PRICES_USD["lambda_request"]
                + self.queue_requests * PRICES_USD["sqs_fifo_request"]
                + self.events * PRICES_USD["eventbridge_event"]
            ),
            "s3 requests": s3_usd(self.requests),
            "metrics": self.metric_months * PRICES_USD["cloudwatch_metric_month"],
            "logs": self.log_bytes / 1e9 * PRICES_USD["cloudwatch_log_gb"],
        }


def scaled(counts: Mapping[str, float], factor: float) -> dict[str, float]:
    """Counts times a factor."""
    return {kind: count * factor for kind, count in counts.items()}


def add(into: dict[str, float], counts: Mapping[str, float], factor: float = 1) -> None:
    """Add counts, times a factor, to others."""
    for kind, count in counts.items():
        into[kind] = into.get(kind, 0) + count * factor
