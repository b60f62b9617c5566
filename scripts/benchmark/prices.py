"""What a million frames cost, by the list prices of `timelapse_runtime/fleet/prices.py`.

Storage is left out: it is the same for all but for the video's size, which is reported beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from timelapse_runtime.fleet.prices import PRICES_USD, s3_usd

MILLION = 1_000_000


def gb_seconds(latencies_ms: Sequence[float], memory_size_mb: int) -> float:
    """What Lambda would bill: each invocation rounded up to a millisecond, times the memory in GB (of 1,024 MB)."""
    return sum(math.ceil(latency) for latency in latencies_ms) / 1000 * memory_size_mb / 1024


def lambda_usd_per_million(
    latencies_ms: Sequence[float], memory_size_mb: int, requests: Mapping[str, int], frames: int
) -> float:
    """Dollars per million frames: compute, invocations, S3 requests. One invocation per latency.

    `requests` are by kind (`counting_s3`), with the bytes of their bodies under `bytes_in` and `bytes_out`.
    """
    compute = gb_seconds(latencies_ms, memory_size_mb) * PRICES_USD["lambda_gb_second"]
    invocations = len(latencies_ms) * PRICES_USD["lambda_request"]
    counted = {kind: count for kind, count in requests.items() if not kind.startswith("bytes_")}
    return (compute + invocations + s3_usd(counted)) / frames * MILLION


def ec2_usd_per_million(frames_per_second: float = 1.0) -> float:
    """A t3.small (2 vCPU in bursts, 2 GB) that is always on, for a million frames of a camera; the machine alone."""
    return MILLION / frames_per_second / 3600 * PRICES_USD["ec2_t3_small_hour"]
