"""`timelapse run`: the timelapse function on this machine, for cameras that keep uploading.

It polls S3, or reads S3's notifications from a queue of SQS, and sweeps on a schedule. SIGINT and SIGTERM end it: the
photo that is being read is finished, and what is complete is committed. The checkpoint says what is done, so a run that
was ended in whatever way is continued by the next one, or by a deployed function, which may work beside it.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from timelapse_runtime.cli import EXIT_INTERRUPTED, EXIT_OK, CommandFailed
from timelapse_runtime.cli.backfill_streams import stream_folders
from timelapse_runtime.cli.places import in_places, parse_in_places
from timelapse_runtime.cli.run_host import Host, QueueError
from timelapse_runtime.cli.run_queue import NotificationQueue
from timelapse_runtime.cli.run_report import ProgressLines, Troubles, Warnings, say
from timelapse_runtime.cli.watched_store import Watch, WatchedStore
from timelapse_runtime.runtime.clock import SystemClock
from timelapse_runtime.runtime.function import Deadline, Environment
from timelapse_runtime.runtime.state.s3 import make_client
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import ConfigError
from timelapse_runtime.timelapse.variables import PREFIX

_MAXIMUM_THREADS = 4
"""Each thread of x264 costs a frame of delay, and one of 1080p keeps up with ten photos a second."""
_OPEN_STREAMS = "1000"
"""As many as the memory takes."""
_SAVE_MS = 60_000
_MEMORY = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
_LOGGER = logging.getLogger("timelapse_runtime")


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Work until a signal ends it, or once. Raises CommandFailed and TimelapseError; the exit code."""
    if options.once and options.queue:
        raise CommandFailed("--once looks at the photos themselves: leave --queue out")
    configured = _configuration(options, variables)
    config = _parse(options, configured)
    stop = Stop()
    watch = Watch(config.frames.prefix, on_photo=lambda _key: None, on_write=lambda _key: None, stop=stop.event)
    client = make_client(variables=configured, user_agent="timelapse-run")
    frames = video = WatchedStore(client, config.frames.bucket, watch, has_photos=True)
    if config.video.bucket != config.frames.bucket:
        video = WatchedStore(client, config.video.bucket, watch, has_photos=False)
    function = Timelapse(stores=lambda _config, _environment: (frames, video))
    function.open(Environment(configured, None, uuid.uuid4().hex))
    queue = NotificationQueue(options.queue, configured, stop.interruptible) if options.queue else None
    host = Host(
        function,
        lambda: stream_folders(config, frames),
        Troubles(say, time.monotonic),
        stop,
        time.monotonic,
        poll_seconds=options.interval,
        sweep_seconds=options.sweep_every,
        queue=queue,
    )
    with stop.listening(), _printed(is_json=options.json):
        say(_described(options, config))
        try:
            host.once() if options.once else host.run()
        except Stopped:
            pass
        except QueueError as error:
            raise CommandFailed(str(error)) from error
        finally:
            function.close(Deadline(SystemClock().now_epoch_ms() + _SAVE_MS))
        say("ended; the next run continues from here" if stop.is_set() else "done")
    return EXIT_INTERRUPTED if options.once and stop.is_set() else EXIT_OK


def _configuration(options: argparse.Namespace, variables: Mapping[str, str]) -> dict[str, str]:
    """The function's variables: those of this shell, but for the places."""
    machine = {
        f"{PREFIX}THREADS": str(min(os.cpu_count() or 1, _MAXIMUM_THREADS)),
        f"{PREFIX}OPEN_STREAMS": _OPEN_STREAMS,
    }
    if memory_mb := _free_memory_mb():
        machine[_MEMORY] = str(memory_mb)
    progress = {f"{PREFIX}METRICS": "basic"}  # progress is made of them
    return in_places(options, {**machine, **variables, **progress})


def _parse(options: argparse.Namespace, configured: Mapping[str, str]) -> Config:
    try:
        return parse_in_places(options, configured)
    except ConfigError as error:
        if error.variable == _MEMORY:
            raise CommandFailed(f"{error.value} MB of memory are free; needed: {error.allowed}") from error
        raise


def _free_memory_mb() -> int | None:
    """What this process may take: the memory that is free without swapping, or the limit of its control group. None if
    the system does not tell."""
    found = []
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) // 1024)
    for path in _control_groups():
        found += [int(line) // 1024**2 for line in _lines(path / "memory.max") if line.strip().isdigit()]
    return min(found, default=None)


def _control_groups() -> Iterator[Path]:
    """The folders of the control groups that this process is in, version 2."""
    root = Path("/sys/fs/cgroup")
    for line in _lines(Path("/proc/self/cgroup")):
        if line.startswith("0::"):
            own = root / line[3:].strip().lstrip("/")
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _described(options: argparse.Namespace, config: Config) -> str:
    how = f"polling every {options.interval} s"
    how = "notifications from the queue" if options.queue else "once" if options.once else how
    return f"photos from {config.frames}, videos to {config.video}, {how}"


class Stopped(BaseException):
    """A signal came while nothing was being done."""


class Stop:
    """Set by the first SIGINT or SIGTERM. The second one ends the process at once."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._is_idle = False

    def is_set(self) -> bool:
        """See run_host.Stop."""
        return self.event.is_set()

    def wait(self, seconds: float) -> None:
        """See run_host.Stop."""
        self.event.wait(seconds)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within this, a signal raises Stopped."""
        self._is_idle = True
        try:
            if self.event.is_set():
                raise Stopped
            yield
        finally:
            self._is_idle = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take signals meanwhile."""

        def handle(number: int, _frame: object) -> None:
            signal.signal(number, signal.SIG_DFL)
            self.event.set()
            if self._is_idle:
                raise Stopped

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, earlier in before.items():
                signal.signal(number, earlier)


@contextmanager
def _printed(*, is_json: bool) -> Iterator[None]:
    """The function's metrics and warnings become lines."""
    handlers = ProgressLines(is_json=is_json), Warnings(say, time.monotonic)
    for handler in handlers:
        _LOGGER.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            _LOGGER.removeHandler(handler)
