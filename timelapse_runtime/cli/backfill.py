"""`timelapse backfill`: photos that are in S3 already become videos, by the timelapse function in this process.

The function is asked for sweeps until each photo is in the video or rejected. Its checkpoint says what is done: a run
that was ended in whatever way is continued by the next one, or by a deployed function, which may work on the same
streams meanwhile.

With several processes, others read and encode ranges of the photos (`backfill_workers.py`), and the function here joins
them. It works on as many streams at a time as there are processes.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import re
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from timelapse_runtime.cli import EXIT_INTERRUPTED, EXIT_OK
from timelapse_runtime.cli.backfill_streams import Streams, StreamWork
from timelapse_runtime.cli.backfill_workers import Workers, default_count
from timelapse_runtime.cli.places import in_places, parse_in_places
from timelapse_runtime.cli.progress import Progress
from timelapse_runtime.cli.target import NoTimeLimit
from timelapse_runtime.cli.watched_store import Watch, WatchedStore
from timelapse_runtime.runtime.clock import SystemClock
from timelapse_runtime.runtime.function import Deadline, Environment
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import Fenced, StorageUnavailable
from timelapse_runtime.runtime.state.s3 import make_client
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import DeadlineTooClose, EncoderFailed
from timelapse_runtime.timelapse.model.reel_day import is_day_over
from timelapse_runtime.timelapse.ranges.range_codec import RangeCodec
from timelapse_runtime.timelapse.ranges.range_reader import EncodedElsewhere
from timelapse_runtime.timelapse.variables import PREFIX
from timelapse_runtime.timelapse.verify_report import counted, duration
from timelapse_runtime.timelapse.video.codec import X264Codec

_MAXIMUM_THREADS = 16
_SAVE_MS = 60_000
_ATTEMPTS = 6
"""Without a photo between them, if S3 or the encoder fails. The pauses between them add up to a minute."""
_FEW_FRAMES = 10
"""Reels of fewer frames on average are too short to watch, if there are as many reels."""
_FEW_PHOTOS = 180
"""For each further process, if it is not said how many there are to be: a range."""
_SHARED = (
    "another process, perhaps the deployed function, writes this stream too. Each photo is in the video once all the "
    "same, but work is done twice: end it, or leave the rest to it"
)
_REEL = re.compile(r"([^/]+)/reels/([^/]+)/")


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Fill the streams. Prints a report; the exit code. Raises CommandFailed and TimelapseError."""
    configured = in_places(options, variables)
    config = parse_in_places(options, configured)
    return _Backfill(config, configured, is_json=options.json, processes=options.processes).run()


def with_threads(variables: Mapping[str, str], processes: int) -> dict[str, str]:
    """With each process's share of the processors, unless TIMELAPSE_THREADS says otherwise."""
    return {f"{PREFIX}THREADS": str(min(max(1, (os.cpu_count() or 1) // processes), _MAXIMUM_THREADS)), **variables}


class _Backfill:
    """One run of the command."""

    def __init__(self, config: Config, variables: Mapping[str, str], *, is_json: bool, processes: int | None) -> None:
        self._wanted_processes, self._workers = processes, list[Workers]()
        self._requests: Counter[str] = Counter()
        self._config, self._variables, self._is_json = config, variables, is_json
        self._progress = Progress(0, quiet=True)
        self._read_count, self._lock = 0, threading.Lock()
        self._watch = Watch(config.frames.prefix, self._photo_was_read, self._object_was_written)
        client = make_client(variables=variables, user_agent="timelapse-backfill")
        self._frames = self._video = WatchedStore(client, config.frames.bucket, self._watch, has_photos=True)
        if config.video.bucket != config.frames.bucket:
            self._video = WatchedStore(client, config.video.bucket, self._watch, has_photos=False)
        self._streams = Streams(config, self._frames, self._video)

    def run(self) -> int:
        """See the module."""
        streams = self._streams.look()
        total, done = sum(one.photo_count for one in streams), sum(one.covered_count for one in streams)
        began, is_quiet = time.monotonic(), self._is_json and not sys.stderr.isatty()
        with Progress(total, done=done, unit="photos", quiet=is_quiet) as self._progress, self._watched():
            processes = min(default_count(self._config), 1 + (total - done) // _FEW_PHOTOS)
            self._fill_all(streams, self._wanted_processes or processes)
        for stream in streams:
            stream.after = self._streams.checkpoint(stream.name)
        self._report(streams, time.monotonic() - began)
        return EXIT_INTERRUPTED if self._watch.stop.is_set() else EXIT_OK

    # ---- work

    def _fill_all(self, streams: Sequence[StreamWork], processes: int) -> None:
        """Fill the streams. Raises TimelapseError."""
        if processes == 1:
            for stream in streams:
                self._fill(stream, Timelapse(stores=self._stores))
            return
        workers = Workers(with_threads(self._variables, processes), processes)
        self._workers.append(workers)
        at_once = min(processes, len(streams))
        try:
            with ThreadPoolExecutor(at_once, thread_name_prefix="stream") as threads:
                list(threads.map(lambda one: self._fill_by(workers, one, processes // at_once + 2), streams))
        finally:
            workers.close()

    def _fill_by(self, workers: Workers, stream: StreamWork, ahead: int) -> None:
        """Fill a stream by ranges, of which up to `ahead` are under way. If it fails, the others stop as well."""
        elsewhere = EncodedElsewhere(
            stream.config,
            workers.encode(stream.name, stream.config),
            ahead,
            self._watch.stop.is_set,
            self._photo_was_read,
            self._count_requests,
        )
        codec = RangeCodec(X264Codec())
        try:
            self._fill(stream, Timelapse(stores=self._stores, codec=codec, elsewhere=lambda _name: elsewhere))
        except BaseException:
            self._stop()
            raise

    def _stores(self, _config: Config, _environment: Environment) -> tuple[Store, Store]:
        return self._frames, self._video

    def _fill(self, stream: StreamWork, function: Timelapse) -> None:
        """Until each photo is in the video or rejected, or this is to stop. If reels are of days, that of a day that is
        over is closed."""
        function.open(Environment(with_threads(self._variables, 1), None, uuid.uuid4().hex))
        if self._sweep(function, stream, {"drain": True}):
            after = self._streams.checkpoint(stream.name)
            now_epoch_ms, has_days = SystemClock().now_epoch_ms(), stream.config.reel == "day"
            if after is not None and has_days and is_day_over(after.reel, now_epoch_ms, stream.config.timezone):
                self._sweep(function, stream, {"close": True})
        function.close(Deadline(SystemClock().now_epoch_ms() + _SAVE_MS))

    def _sweep(self, function: Timelapse, stream: StreamWork, flags: Mapping[str, bool]) -> bool:
        """One sweep, in as many invocations as it takes. False if it was stopped. Raises TimelapseError."""
        failures, read_count = 0, self._read_count
        while not self._watch.stop.is_set():
            try:
                function.invoke({"sweep": {"stream": stream.name, **flags}}, NoTimeLimit())
            except DeadlineTooClose:
                continue  # an hour is over, or this is to stop
            except Fenced:  # several times in a row
                time.sleep(1 + random.random())  # noqa: S311  no secret: whoever comes first should get through
            except (StorageUnavailable, EncoderFailed) as error:
                failures = failures + 1 if self._read_count == read_count else 1
                read_count = self._read_count
                if failures == _ATTEMPTS:
                    raise
                self._progress.say(f"trying again: {error}")
                self._watch.stop.wait(2.0**failures)
            else:
                return True
        return False

    def _stop(self) -> None:
        self._watch.stop.set()
        for workers in self._workers:
            workers.stop()

    def _photo_was_read(self, _key: str) -> None:
        with self._lock:
            self._read_count += 1
        self._progress.step()

    def _count_requests(self, counts: Mapping[str, int]) -> None:
        with self._lock:
            self._requests.update(counts)

    def _object_was_written(self, key: str) -> None:
        match = _REEL.search(key, len(self._config.video.prefix))
        if match is not None:
            self._progress.note(f"{match[1]} {match[2]}")

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """The function's warnings become lines beside the progress. The first Ctrl-C (or SIGTERM) lets the photo end
        that is being read; the second one ends this process."""

        def stop(number: int, _frame: object) -> None:
            self._stop()
            self._progress.say("stopping: what is complete is committed (once more to end at once)")
            signal.signal(number, signal.default_int_handler)

        handler = _Lines(self._progress)
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        logging.getLogger("timelapse_runtime").addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger("timelapse_runtime").removeHandler(handler)
            for number, earlier in before.items():
                signal.signal(number, earlier)

    # ---- what came of it

    def _report(self, streams: Sequence[StreamWork], seconds: float) -> None:
        requests = self._requests + Counter(self._frames.request_counts)
        if self._video is not self._frames:
            requests.update(self._video.request_counts)
        if self._is_json:
            print(
                json.dumps(
                    {
                        "streams": {stream.name: stream.to_value() for stream in streams},
                        "photos_read": self._read_count,
                        "s3_requests": dict(sorted(requests.items())),
                        "wall_seconds": round(seconds, 3),
                        "interrupted": self._watch.stop.is_set(),
                    }
                )
            )
            return
        for stream in streams:
            print("\n".join(self._described(stream)))
        gets = (
            f"{requests['GetObject'] / self._read_count:.3f} GETs a photo" if self._read_count else "no photo was read"
        )
        total = f"{sum(requests.values())} requests to S3, {gets}"
        print(f"{counted(self._read_count, 'photo')} read in {duration(round(seconds))}; {total}")
        if self._watch.stop.is_set():
            print("Interrupted. The same command goes on from here, and so does a deployed function with these places.")

    def _described(self, stream: StreamWork) -> Iterator[str]:
        place = f"{self._config.video}{stream.name}"
        frames = counted(stream.after.frame_count if stream.after else 0, "frame")
        reels = counted(stream.reel_number, "reel")
        yield f"{stream.name}: {counted(stream.photo_count, 'photo')}; {frames} in {reels}"
        rejected = stream.after.rejected_count if stream.after else 0
        if rejected or stream.ignored:
            ignored = ", ".join(f"{count} {reason}" for reason, count in stream.ignored.most_common())
            yield f"  rejected: {rejected}" + f"; ignored: {ignored}" * bool(ignored)
        new_reels = stream.reel_number - (stream.before.reel.number if stream.before and stream.before.reel else 0)
        if new_reels >= _FEW_FRAMES and stream.frames_added < _FEW_FRAMES * new_reels:
            yield "  the reels are short: TIMELAPSE_REEL=never puts all days into one (into another, empty folder)"
        yield f"  next: timelapse verify {place}"


class _Lines(logging.Handler):
    """Prints warnings, each kind of message once."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.WARNING)
        self._progress, self._said = progress, set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message with its stream and photo."""
        message = record.getMessage()
        if message in self._said:
            return
        self._said.add(message)
        if record.exc_info is not None and isinstance(record.exc_info[1], Fenced):
            message = _SHARED
        facts = (f"{name} {getattr(record, name)}" for name in ("stream", "frame", "reason") if hasattr(record, name))
        self._progress.say(f"{message}: {', '.join(facts)}")
