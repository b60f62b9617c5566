"""List prices, in dollars: the one table that commands and benchmark use. Check them before you quote a sum.

us-east-1, on demand, Linux, read in November 2026 on the pages named beside them (aws.amazon.com/…/pricing). First
tier of each price; free tiers are left out, because an account has them once, whatever runs in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PRICES_DATE = "November 2026"
REGION = "us-east-1"
HOURS_PER_MONTH = 730
MONTH_SECONDS = HOURS_PER_MONTH * 3600

PRICES_USD: Mapping[str, float] = {
    # lambda/pricing. Duration is billed by the millisecond, init included since August 2025.
    "lambda_gb_second": 0.0000166667,
    "lambda_gb_second_arm64": 0.0000133334,
    "lambda_request": 0.20 / 1e6,
    # s3/pricing, S3 Standard.
    "s3_write": 0.005 / 1000,
    "s3_read": 0.0004 / 1000,
    "s3_gb_month": 0.023,
    # sqs/pricing: each 64 KB of a request's messages counts as one request.
    "sqs_fifo_request": 0.50 / 1e6,
    "sqs_request": 0.40 / 1e6,
    # eventbridge/pricing: S3's events are 'opt-in events of AWS services'.
    "eventbridge_event": 1.00 / 1e6,
    # cloudwatch/pricing.
    "cloudwatch_metric_month": 0.30,
    "cloudwatch_log_gb": 0.50,
    # ec2/pricing/on-demand, ebs/pricing (gp3), vpc/pricing (a public IPv4 address).
    "ebs_gb_month": 0.08,
    "ipv4_hour": 0.005,
    "ec2_t3_small_hour": 0.0208,
}

_WRITES = frozenset(
    {
        "PUT",
        "POST",
        "LIST",
        "PutObject",
        "CopyObject",
        "ListObjectsV2",
        "CreateMultipartUpload",
        "UploadPart",
        "UploadPartCopy",
        "CompleteMultipartUpload",
    }
)
_READS = frozenset({"GET", "HEAD", "GetObject", "HeadObject"})
FREE_REQUESTS = frozenset({"DELETE", "DeleteObject", "DeleteObjects", "AbortMultipartUpload"})
"""s3/pricing: 'DELETE and CANCEL requests are free'."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A machine. `usable_vcpus` is what may be used all the time: a burstable one's baseline, without surplus credits
    (EC2 user guide, 'Key concepts for burstable performance instances')."""

    name: str
    architecture: str
    usable_vcpus: float
    memory_gib: float
    usd_per_hour: float


INSTANCES = (
    Instance("t4g.nano", "arm64", 2 * 0.05, 0.5, 0.0042),
    Instance("t4g.micro", "arm64", 2 * 0.10, 1, 0.0084),
    Instance("t4g.small", "arm64", 2 * 0.20, 2, 0.0168),
    Instance("t4g.medium", "arm64", 2 * 0.20, 4, 0.0336),
    Instance("t3.small", "x86_64", 2 * 0.20, 2, 0.0208),
    Instance("c7g.medium", "arm64", 1, 2, 0.0363),
    Instance("c7g.large", "arm64", 2, 4, 0.0725),
    Instance("c7g.xlarge", "arm64", 4, 8, 0.1450),
    Instance("c7g.4xlarge", "arm64", 16, 32, 0.5800),
    Instance("c7i.large", "x86_64", 2, 4, 0.08925),
    Instance("c7i.4xlarge", "x86_64", 16, 32, 0.7140),
)
"""ec2/pricing/on-demand."""


def s3_usd(requests: Mapping[str, float]) -> float:
    """Dollars for requests by kind: methods and LIST, or S3's names of operations. Raises KeyError for another kind:
    a request without a price must not count as free."""
    return sum(count * _request_usd(kind) for kind, count in requests.items())


def _request_usd(kind: str) -> float:
    if kind in _WRITES:
        return PRICES_USD["s3_write"]
    if kind in _READS:
        return PRICES_USD["s3_read"]
    if kind in FREE_REQUESTS:
        return 0.0
    raise KeyError(f"no price for {kind!r}")
