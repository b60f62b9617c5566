"""How long work takes in Lambda: CPU by the share of a vCPU that the memory size gives, and S3's times. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from timelapse_runtime.fleet.assumptions import S3_BYTES_PER_SECOND, S3_FIRST_BYTE_MS
from timelapse_runtime.fleet.prices import FREE_REQUESTS
from timelapse_runtime.timelapse.config import MEMORY_MB_PER_VCPU

_KINDS = {"GetObject": "read", "HeadObject": "read", "ListObjectsV2": "list"}


def cpu_ms(work_ms: float, memory_mb: int) -> float:
    """Wall time of so much work of one vCPU. More than one vCPU does not make it shorter: only x264 has threads."""
    return work_ms / min(1.0, memory_mb / MEMORY_MB_PER_VCPU)


def requests_ms(requests: Mapping[str, float], transferred_bytes: float = 0) -> float:
    """Wall time of these requests, one after the other, at their medians."""
    waiting = sum(count * first_byte_ms(kind) for kind, count in requests.items())
    return waiting + transferred_bytes / S3_BYTES_PER_SECOND * 1000


def first_byte_ms(kind: str) -> float:
    """The median, by S3's name of the operation."""
    return S3_FIRST_BYTE_MS["write" if kind in FREE_REQUESTS else _KINDS.get(kind, "write")]
