"""The timelapse as a stateful function: S3 events in, growing videos out. Named by `_HANDLER`.

Events become work on streams (`OpenStreams`). A stream whose state may no longer be right (fenced, encoder failed,
anything unforeseen) is dropped: what it had not committed is in S3 as photos.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from timelapse_runtime.runtime.clock import Clock, SystemClock
from timelapse_runtime.runtime.function import Deadline, Environment, RemainingTime
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import Fenced, StateError, StorageError
from timelapse_runtime.runtime.state.put import leave
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.backfill import Backfill
from timelapse_runtime.timelapse.batch import Batch
from timelapse_runtime.timelapse.config import Config, parse_config
from timelapse_runtime.timelapse.errors import DeadlineTooClose, EncoderTooSlow, TimelapseError
from timelapse_runtime.timelapse.events import EncodeRange, JoinRanges, PlanRanges, Retry, Sweep, parse_backfill
from timelapse_runtime.timelapse.intake import PhotoHint
from timelapse_runtime.timelapse.metrics import StreamMetrics
from timelapse_runtime.timelapse.model.lease import Lease
from timelapse_runtime.timelapse.model.video_size import SMALLEST_SIDE
from timelapse_runtime.timelapse.open_streams import ElsewhereFactory, OpenStreams, StreamParts
from timelapse_runtime.timelapse.photo_reader import ReadElsewhere
from timelapse_runtime.timelapse.recorder import Counts
from timelapse_runtime.timelapse.routing import Router, Work
from timelapse_runtime.timelapse.stream import Stream
from timelapse_runtime.timelapse.sweep_pauses import SweepPauses
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.codec import Codec, X264Codec

_log = logging.getLogger(__name__)

_DRAIN_RESERVE_MS = 110
"""Left of the shutdown's time when draining stops: to mux, to sign the PUTs, and to write the outbox job. With 110 ms
the longest of 25 exits at 1080p took 294 ms of the 300; with 70 ms, 300.5 ms (docs/performance.md)."""
_FLUSH_RESERVE_MS = 2_000
"""Left of the invocation when catching up stops: a flush takes some hundred milliseconds."""
_FENCED_TRIES = 3

StoreFactory = Callable[[Config, Environment], tuple[Store, Store]]
"""Makes the frames' store and the video's."""


def _s3_stores(config: Config, environment: Environment) -> tuple[Store, Store]:
    client = make_client(variables=environment.variables)
    frames = S3Store(client, config.frames.bucket, requester_pays=True)
    same = config.video.bucket == config.frames.bucket
    return frames, frames if same else S3Store(client, config.video.bucket)


class Timelapse:
    """The function. `executor` reads a photo ahead, with one worker. If others read and encode the photos of a
    stream too (`ranges/`), `elsewhere` knows of them, and `codec` must be a RangeCodec. Tests also give `stores` and
    `clock`."""

    def __init__(
        self,
        *,
        stores: StoreFactory = _s3_stores,
        clock: Clock | None = None,
        codec: Codec | None = None,
        executor: Executor | None = None,
        elsewhere: ElsewhereFactory = lambda _stream: None,
    ) -> None:
        self._elsewhere = elsewhere
        self._make_stores, self._clock = stores, clock or SystemClock()
        self._codec = codec or X264Codec()
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._totals: Counter[str] = Counter()
        self._pauses = SweepPauses()
        self._unfinished: set[str] = set()
        """The streams whose last work failed, or was interrupted."""

    def open(self, environment: Environment) -> None:
        """Parse the configuration, make the S3 client, and load the filters' libraries. Raises ConfigError,
        FiltersUnavailable."""
        self._environment = environment
        self._config = parse_config(environment.variables)
        self._codec.filters(self._config, (SMALLEST_SIDE, SMALLEST_SIDE))
        if self._config.skip.need_look:
            self._codec.photo_looks()
        self._codec.day_pictures(self._config.day_pictures, (SMALLEST_SIDE, SMALLEST_SIDE))
        function_name = environment.variables.get("AWS_LAMBDA_FUNCTION_NAME", "local")
        self._metrics = StreamMetrics(self._config.metrics, function_name)
        self._frames, self._video = self._make_stores(self._config, environment)
        owner = environment.variables.get("AWS_LAMBDA_LOG_STREAM_NAME") or environment.cold_start_id
        shared = self._clock, self._codec, self._executor, self._elsewhere
        self._streams = OpenStreams(self._config, StreamParts(self._frames, self._video, *shared, owner))
        self._router = Router(self._config, self._frames, self._streams.settings)

    def invoke(self, event: Any, context: RemainingTime) -> dict[str, Any]:
        """Append the event's photos to their videos, and do its sweeps and retries.

        The answer counts what happened, in this invocation by stream and in this environment in all. A stream whose
        objects are all not photos is not opened: of it, the answer has the count `ignored` alone. A stream that fails
        does not keep the others from their work: see `Batch` for what is raised then, and what is answered. An
        invocation that is interrupted (SIGTERM, the alarm before its deadline) drops the stream that it was working on.
        """
        deadline = Deadline(self._clock.now_epoch_ms() + context.get_remaining_time_in_millis())
        time_left = TimeLeft(deadline, self._clock, _FLUSH_RESERVE_MS)
        step = parse_backfill(event)
        if step is not None:
            return self._backfill(step, time_left)
        batch, work = Batch.of(event), Work()
        for message in batch.messages:
            try:
                self._router.add(message, work)
            except (StateError, TimelapseError) as error:
                message.fail(error)
        counts = self._carry_out(work, batch, time_left)
        for name, reasons in work.ignored.items():
            if (stream := self._streams.get(name)) is not None:
                stream.note_ignored(reasons)
            count = reasons.total()
            counts.setdefault(name, {})["ignored"] = count
            self._totals["ignored"] += count
            self._metrics.add(name, {"ignored": count})
        for name in work.streams():
            self._write_metrics(name, at_once=bool(work.sweeps))
        self._close_least_recently_used(time_left)
        _log.info("invocation", extra={"streams": counts})
        fatal = batch.fatal_error()
        for fields, failure in batch.failures():
            if failure is not fatal:
                _log.error("failed; others of the event may not have", extra=fields, exc_info=failure)
        if fatal is not None:
            raise fatal
        return {"streams": counts, "environment": self._summary(), **batch.answer()}

    def flush(self, deadline: Deadline) -> None:
        """Save what is complete, at once: the first act of a shutdown."""
        self._save(deadline, drain=False)

    def close(self, deadline: Deadline) -> None:
        """Save what the time allows to complete."""
        self._save(deadline, drain=True)
        for name, _ in self._streams.busiest_first():
            self._write_metrics(name, at_once=True)
        self._streams.drop_all()

    # ---- streams

    def _carry_out(self, work: Work, batch: Batch, time_left: TimeLeft) -> dict[str, dict[str, Any]]:
        """Do it stream by stream; what happened, by stream. Each has a fair share of the time, and once more if some is
        left. What failed last time, or hung, comes last."""
        counts: dict[str, dict[str, Any]] = {}
        actions = sorted(self._actions(work), key=lambda action: action[0] in self._unfinished)
        for is_last_round in (False, True):
            again = []
            for position, (name, action) in enumerate(actions):
                self._unfinished.add(name)
                try:
                    counts[name] = action(time_left.shared_by(len(actions) - position))
                except MemoryError:
                    raise
                except Exception as error:  # noqa: BLE001  whatever it is, it is this stream's
                    if isinstance(error, DeadlineTooClose) and not is_last_round and time_left.is_enough:
                        again.append((name, action))
                    else:
                        batch.fail(name, error)
                else:
                    self._unfinished.discard(name)
            actions = again
        return counts

    def _actions(self, work: Work) -> Iterator[tuple[str, Callable[[TimeLeft], dict[str, Any]]]]:
        for name, hints in work.hints.items():
            yield name, functools.partial(self._append, name, hints)
        for name, sweep in dict.fromkeys(work.sweeps):
            yield name, functools.partial(self._sweep, name, sweep)
        for retry in dict.fromkeys(work.retries):
            yield retry.stream, functools.partial(self._retry, retry)

    def _append(self, name: str, hints: list[PhotoHint | None], time_left: TimeLeft) -> dict[str, Any]:
        exact = [hint for hint in hints if hint is not None]
        known = self._streams.lease_of_other(name)
        takes_over = functools.partial(_takes_over, exact)
        if known is not None and not takes_over(known):
            return self._left_to(known, name, len(hints))
        done = self._with_stream(
            name,
            time_left,
            lambda stream: stream.append(exact, time_left, relist=None in hints),
            takes_over=takes_over,
            claims=bool(exact),  # a poll or a folder without photos begins no stream
        )
        return self._left_to(done, name, len(hints)) if isinstance(done, Lease) else done

    def _sweep(self, name: str, sweep: Sweep, time_left: TimeLeft) -> dict[str, Any]:
        flags = {"drain": sweep.drain, "close": sweep.close, "all_reels": sweep.all_reels}
        may_pause = sweep.scheduled and not any(flags.values())
        if may_pause and self._pauses.holds(name, self._clock.now_epoch_ms()):
            return {"frames_in_video": self._pauses.state_of(name).frames_in_video}
        is_asked_for = any(flags.values())
        happened = self._with_stream(
            name, time_left, lambda stream: stream.sweep(time_left, **flags), takes_over=lambda _lease: is_asked_for
        )
        if isinstance(happened, Lease):
            return self._left_to(happened, name, 0)
        stream = self._streams.get(name)
        if stream is not None and stream.is_at_rest:
            self._pauses.begin(name, stream.state, self._clock.now_epoch_ms())
        return happened

    def _backfill(self, step: PlanRanges | EncodeRange | JoinRanges, time_left: TimeLeft) -> dict[str, Any]:
        """Do a step of a backfill by many functions, and answer what the next step needs."""

        def sweep(name: str, flags: dict[str, bool], elsewhere: ReadElsewhere) -> dict[str, Any]:
            try:
                with self._streams.joining(name, elsewhere):
                    return self._sweep(name, Sweep(name, **flags), time_left)
            finally:
                self._write_metrics(name, at_once=True)

        config = self._streams.settings.recent(step.stream) or self._streams.settings.read(step.stream)
        places = config, self._frames, self._video
        backfill = Backfill(*places, self._codec, self._clock, self._streams.look, sweep)
        answer = backfill.run(step, time_left)
        _log.info("backfill", extra={"answer": {key: value for key, value in answer.items() if key != "ranges"}})
        return answer

    def _retry(self, retry: Retry, time_left: TimeLeft) -> dict[str, Any]:
        done = self._with_stream(
            retry.stream,
            time_left,
            lambda stream: stream.retry_rejected(time_left, reason=retry.reason),
            takes_over=lambda _lease: True,
        )
        assert not isinstance(done, Lease)
        return done

    def _left_to(self, lease: Lease, name: str, photo_count: int) -> dict[str, Any]:
        """The answer where another environment works on the stream. Its next listing shows it the photos."""
        self._pauses.end(name)
        fields = {"stream": name, "owner": lease.owner, "lease_ends_epoch_ms": lease.ends_epoch_ms}
        _log.info("left to the stream's owner", extra={**fields, "photos": photo_count})
        return {"left_to_owner": photo_count, "owner": lease.owner}

    def _with_stream(
        self,
        name: str,
        time_left: TimeLeft,
        action: Callable[[Stream], None],
        *,
        takes_over: Callable[[Lease], bool],
        claims: bool = False,
    ) -> dict[str, Any] | Lease:
        """Run `action` on the open stream; when it is fenced, on a reloaded one. The result counts what happened; or it
        is the lease of another environment, from which `takes_over` says that the stream must not be taken."""
        self._pauses.end(name)
        low_delay, before = False, Counter[str]()
        for left in reversed(range(_FENCED_TRIES)):
            stream: Stream | None = None
            try:
                self._apply_settings(name, time_left)
                found = self._streams.open(name, takes_over, low_delay=low_delay, claims=claims)
                if isinstance(found, Lease):
                    return found
                stream = found
                self._close_least_recently_used(time_left)
                before = _as_counter(stream.counts)
                action(stream)
            except Fenced as error:
                self._streams.drop(name)
                self._metrics.add(name, {"fenced": 1})
                _log.warning("fenced: the stream is loaded again", extra={"stream": name}, exc_info=error)
                if not left:
                    raise
            except EncoderTooSlow as error:
                self._streams.drop(name)
                low_delay = True
                _log.info("the reel begins again", extra={"stream": name, "reason": str(error)})
                if not left:
                    raise
            except (StorageError, DeadlineTooClose):
                if stream is not None:
                    self._account(name, stream, before)
                raise  # the state is as right as before: what was not done is done by the next invocation
            except BaseException:
                self._streams.drop(name)
                raise
            else:
                happened = self._account(name, stream, before)
                return {**happened, "frames_in_video": stream.frames_in_video}
        raise AssertionError("unreachable")

    def _apply_settings(self, name: str, time_left: TimeLeft) -> None:
        """If the stream is open with other settings than it has now, end what was made with those: it is to be opened
        again. Raises as Stream.end_segment does."""
        stream = self._streams.outdated(name)
        if stream is None:
            return
        before = _as_counter(stream.counts)
        try:
            stream.end_segment(time_left)
        finally:
            self._account(name, stream, before)
        self._streams.drop(name)
        _log.info("the stream's settings have changed", extra={"stream": name, "from_frame": stream.frames_in_video})

    def _account(self, name: str, stream: Stream, before: Counter[str]) -> Counter[str]:
        """Count what happened in the stream since `before`, and return it."""
        happened = _as_counter(stream.counts) - before
        self._totals += happened
        self._metrics.add(name, happened, stream.take_rejected_reasons())
        return happened

    def _write_metrics(self, name: str, *, at_once: bool) -> None:
        stream = self._streams.get(name)
        state = stream.state if stream is not None else self._pauses.state_of(name)
        self._metrics.write(name, state, self._clock.now_epoch_ms(), at_once=at_once)

    def _close_least_recently_used(self, time_left: TimeLeft) -> None:
        """Close the streams that are too many. One whose last frames cannot be committed now is closed all the same: it
        must not stop the others, and its next photo or a sweep finds those frames in S3.
        """

        def flush(name: str, stream: Stream) -> None:
            before = _as_counter(stream.counts)
            try:
                stream.flush(time_left, drain=True)
            except (StateError, TimelapseError) as error:
                _log.warning(
                    "closed without its last frames; the next open finds them", extra={"stream": name}, exc_info=error
                )
            self._account(name, stream, before)

        self._streams.make_room(flush)

    def _summary(self) -> dict[str, Any]:
        requests = Counter(self._frames.request_counts)
        if self._video is not self._frames:
            requests.update(self._video.request_counts)
        return {"id": self._environment.cold_start_id, **self._totals, "s3_requests": dict(requests)}

    # ---- shutdown

    def _save(self, deadline: Deadline, *, drain: bool) -> None:
        for name, stream in self._streams.busiest_first():
            before = _as_counter(stream.counts)
            try:
                self._save_stream(name, stream, deadline, drain=drain)
            except (StateError, TimelapseError, OSError) as error:  # OSError: no space for the job in /tmp
                _log.warning("not saved at shutdown; the next open finds it", extra={"stream": name}, exc_info=error)
            self._account(name, stream, before)

    def _save_stream(self, name: str, stream: Stream, deadline: Deadline, *, drain: bool) -> None:
        time_left = TimeLeft(deadline, self._clock, _DRAIN_RESERVE_MS)
        plan = stream.prepare_shutdown(time_left, drain=drain)
        if plan is None:
            return
        outbox = self._environment.outbox
        if outbox is None:
            stream.commit_shutdown(plan, time_left)
            return
        size_bytes = leave(outbox, name, self._video, stream.as_outbox_job(plan).puts())
        fields = {
            "stream": name,
            "outbox_frame_count": plan.checkpoint.frame_count - stream.frames_in_video,
            "outbox_size_bytes": size_bytes,
            "remaining_ms": time_left.ms,
        }
        _log.info("outbox job written", extra=fields)


def _takes_over(hints: Sequence[PhotoHint], lease: Lease) -> bool:
    """Whether these photos must not be left to the owner."""
    return not all(lease.next_listing.shows(hint.key, hint.etag) for hint in hints)


def _as_counter(counts: Counts) -> Counter[str]:
    return Counter({name: getattr(counts, name) for name in Counts.__slots__})
