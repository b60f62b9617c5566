"""What a million frames cost, from one table of list prices.

us-east-1 list prices for x86 and Linux, on demand, as known in November 2026: check them before you quote a sum.
Storage is left out: it is the same for all but for the video's size, which is reported beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

PRICES_DATE = "November 2026"
PRICES_USD = {
    "lambda_gb_second": 0.0000166667,
    "lambda_request": 0.20 / 1e6,
    "s3_write": 0.005 / 1000,
    "s3_read": 0.0004 / 1000,
    "ec2_t3_small_hour": 0.0208,
}
_CLASS = {"PUT": "s3_write", "POST": "s3_write", "LIST": "s3_write", "GET": "s3_read", "HEAD": "s3_read"}
"""S3's two classes of requests; DELETE is free. A batch of deletions is a POST, and counted as one."""
MILLION = 1_000_000


def gb_seconds(latencies_ms: Sequence[float], memory_size_mb: int) -> float:
    """What Lambda would bill: each invocation rounded up to a millisecond, times the memory in GB (of 1,024 MB)."""
    return sum(math.ceil(latency) for latency in latencies_ms) / 1000 * memory_size_mb / 1024


def lambda_usd_per_million(
    latencies_ms: Sequence[float], memory_size_mb: int, requests: Mapping[str, int], frames: int
) -> float:
    """Dollars per million frames: compute, invocations, S3 requests. One invocation per latency."""
    compute = gb_seconds(latencies_ms, memory_size_mb) * PRICES_USD["lambda_gb_second"]
    invocations = len(latencies_ms) * PRICES_USD["lambda_request"]
    return (compute + invocations + s3_usd(requests)) / frames * MILLION


def s3_usd(requests: Mapping[str, int]) -> float:
    """Dollars for requests by kind (`counting_s3`); kinds without a price are free."""
    return sum(count * PRICES_USD[_CLASS[kind]] for kind, count in requests.items() if kind in _CLASS)


def ec2_usd_per_million(frames_per_second: float = 1.0) -> float:
    """A t3.small (2 vCPU in bursts, 2 GB) that is always on, for a million frames of a camera; the machine alone."""
    return MILLION / frames_per_second / 3600 * PRICES_USD["ec2_t3_small_hour"]
