"""Processes that read, decode and encode ranges of photos for `timelapse backfill` and `timelapse render`
(`timelapse/ranges/`).

They write nothing: the process that started them joins what they give it, and reads and encodes itself what they do
not. So one that is killed costs time and nothing else. They end with the process that started them, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.config import Config, parse_config
from timelapse_runtime.timelapse.model.memory_budget import MemoryBudget
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.photo_reader import PhotoReader
from timelapse_runtime.timelapse.ranges.range_encoder import RangeEncoder
from timelapse_runtime.timelapse.video.codec import X264Codec

_MEMORY_SHARE = 0.75
"""Of what is available now. The rest is for the ranges that wait to be joined, and for other programs."""


def default_count(config: Config) -> int:
    """A process for each processor, or fewer: those whose photos and encoders fit into the memory."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    available = _available_bytes()
    if available is None:
        return processors
    size = config.size or config.maximum_size
    budget = MemoryBudget(None, config.preset, decoded_photos=2, read_photos=1)
    needed = budget.process_bytes(size)
    return max(1, min(processors, int(available * _MEMORY_SHARE / needed)))


def _available_bytes() -> int | None:
    """The memory that programs may still take; None where the system does not tell (proc(5), MemAvailable)."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None


class Workers:
    """`count` processes with the function's `variables`."""

    def __init__(self, variables: Mapping[str, str], count: int) -> None:
        # Spawned: a fork would copy the locks that threads of this process hold at that moment.
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        arguments = dict(variables), self._stop
        self._pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=arguments)

    def encode(
        self, stream: str, config: Config, *, looks_ahead: bool = False
    ) -> Callable[[Sequence[SourceFrame]], Future[bytes]]:
        """Has ranges of this stream's photos encoded, by its configuration, with the threads of these processes;
        `looks_ahead` as in RangeEncoder. Raises RuntimeError if no process is left."""
        return lambda photos: self._pool.submit(_encode, stream, config, looks_ahead, photos)

    def stop(self) -> None:
        """They end before the next photo."""
        self._stop.set()

    def close(self) -> None:
        """End them."""
        self.stop()
        self._pool.shutdown(cancel_futures=True)


class _Worker:
    """In such a process: what it keeps from range to range."""

    def __init__(self, variables: Mapping[str, str], stop: Event) -> None:
        self._config = parse_config(variables)
        client = make_client(variables=variables, user_agent="timelapse-backfill")
        self._frames = S3Store(client, self._config.frames.bucket, requester_pays=True)
        self._stop, self._codec = stop, X264Codec()

    def encode(self, stream: str, config: Config, photos: Sequence[SourceFrame], *, looks_ahead: bool) -> bytes:
        config = replace(config, threads=self._config.threads)
        before = Counter(self._frames.request_counts)
        reader = PhotoReader(config, self._frames, config.photos_prefix(stream), self._codec)
        encoder = RangeEncoder(config, reader, self._codec, may_stop=self._stop.is_set, looks_ahead=looks_ahead)
        encoded = encoder.encode(photos)
        requests = Counter(self._frames.request_counts) - before
        return replace(encoded, request_counts=dict(requests)).to_bytes()


_worker: _Worker | None = None


def _begin(variables: Mapping[str, str], stop: Event) -> None:
    """In a new process. Ctrl-C in a terminal reaches all of them: the first one decides what comes of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    global _worker  # noqa: PLW0603  an executor's processes have no other place
    _worker = _Worker(variables, stop)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # killed: nobody waits for what is being encoded


def _encode(stream: str, config: Config, looks_ahead: bool, photos: Sequence[SourceFrame]) -> bytes:
    assert _worker is not None
    return _worker.encode(stream, config, photos, looks_ahead=looks_ahead)
