"""One stream of the function, as far as it decides which requests are sent, what CPU is used and when photos are
committed: photos that wait, frames inside the encoder, flushes, commits by age, sweeps.

Follows `timelapse/arrival_intake.py`, `recorder.py`, `stream.py` and `video_file.py`, with their constants and the
function's configuration; a test holds it to the real function's requests and commits, at several paces. Times are
seconds of any clock; nothing here knows of environments or queues.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from timelapse_runtime.fleet.measured import Figures
from timelapse_runtime.fleet.usage import add
from timelapse_runtime.runtime.state.contract import MULTIPART_MINIMUM_BYTES
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.known_settings import READ_EVERY_MS
from timelapse_runtime.timelapse.reel_pictures import WRITE_EVERY_MS
from timelapse_runtime.timelapse.video_file import GROWTH
from timelapse_runtime.timelapse.waiting_photos import HOLD_MS

_WHOLE_FILE = {"PutObject": 1.0}
_APPENDED_FILE = {
    "CreateMultipartUpload": 1.0,
    "GetObject": 1.0,
    "UploadPart": 2.0,
    "UploadPartCopy": 1.0,
    "CompleteMultipartUpload": 1.0,
}
"""A large `video.mp4`: its first part is read back and sent with the new head, the middle is copied by S3."""


@dataclass(slots=True)
class Work:
    """What an invocation does: milliseconds of one vCPU, requests, and the photos that are in the video after it, by
    the time of their upload."""

    cpu_ms: float = 0
    requests: dict[str, float] = field(default_factory=dict)
    committed: list[float] = field(default_factory=list)

    def include(self, other: Work) -> None:
        """Do that as well."""
        self.cpu_ms += other.cpu_ms
        add(self.requests, other.requests)
        self.committed += other.committed


class StreamModel:
    """A stream of a camera that sends a photo every `interval_seconds`, whichever environment has it open.

    `is_open` photos wait and frames are inside the encoder only while an environment has it. `pending` photos are in S3
    and in no environment: the next listing finds them.
    """

    def __init__(self, config: Config, figures: Figures, interval_seconds: float) -> None:
        self._config, self._figures = config, figures
        self._step = interval_seconds
        self._is_slow = interval_seconds * 1000 > config.slow_pace_ms
        self._photo = "slow_photo" if self._is_slow else "photo"
        self._inside = 0 if self._is_slow else figures.frames_inside
        self._held: deque[float] = deque()
        self._encoded: deque[float] = deque()
        self._newest_encoded = 0.0
        self._waiting_since: float | None = None
        self._since_flush = self._reel_frames = 0
        self._published_bytes = self._pictures_put = 0.0
        self._is_behind = False
        self._settings_read: float | None = None
        self.pending: list[float] = []
        self.commits = 0

    # ---- an environment takes it, and loses it

    def open(self) -> Work:
        """Open it in an environment. Photos that the one before had and did not commit are read again."""
        work, again = Work(), self.pending
        self.pending, self._settings_read = [], None
        for uploaded in again:
            self._do(self._photo, work)
            self._held.append(uploaded)
        add(work.requests, {"GetObject": float(len(self._config.day_pictures))})
        return work

    def evict(self, now: float) -> Work:
        """Close it to make room: all that it holds is committed."""
        work = Work()
        self._encoded += self._held
        self._held.clear()
        self._commit(now, work, drain=True, full=False)
        return work

    def lose(self) -> list[float]:
        """Its environment ends. The outbox commits the complete frames, which are returned; the others are pending."""
        complete = [self._encoded.popleft() for _ in range(max(0, len(self._encoded) - self._inside))]
        self.pending += [*self._encoded, *self._held]
        self._held.clear()
        self._encoded.clear()
        self._waiting_since, self._since_flush = None, 0
        self._reel_frames += len(complete)
        return complete

    # ---- photos and sweeps

    def append(self, uploaded: float, now: float) -> Work:
        """A photo's invocation."""
        work = Work()
        self._read_settings(now, work)
        self._do(self._photo, work)
        self._held.append(uploaded)
        while self._held and self._is_due():
            self._encode(self._held.popleft(), now)
        if self._since_flush >= self._config.flush_every:
            add(work.requests, {"ListObjectsV2": 1.0})
            self._commit(now, work, full=True)
        elif self._is_commit_due(now):
            self._commit(now, work, full=False)
        return work

    def sweep(self, now: float, *, is_first: bool = False) -> Work:
        """A sweep's part for this stream: it lists and flushes, and drains a stream that is idle. The first one in an
        environment looks at more."""
        work = Work()
        self._read_settings(now, work)
        self._do("first_sweep" if is_first else "sweep", work)
        newest = max([self._newest_encoded, *list(self._held)[-1:]])
        is_idle = now - newest >= self._config.flush_after_seconds
        while is_idle and self._held:
            self._encode(self._held.popleft(), now)
        self._commit(now, work, drain=is_idle, full=True)
        return work

    @property
    def holds_photos(self) -> bool:
        """Whether there are photos that are not in the video yet."""
        return bool(self._held or self._encoded or self.pending)

    # ---- inside

    def _do(self, name: str, work: Work, *, requests: bool = True) -> None:
        operation = self._figures.operations[name]
        work.cpu_ms += operation.cpu_ms
        if requests:
            add(work.requests, operation.requests)

    def _read_settings(self, now: float, work: Work) -> None:
        """The stream's own settings are read when it is opened, and every five minutes."""
        if self._settings_read is None or now - self._settings_read >= READ_EVERY_MS / 1000:
            self._settings_read = now
            add(work.requests, {"GetObject": 1.0})

    def _is_due(self) -> bool:
        first, newest = self._held[0], max(self._held)
        since = self._newest_encoded or newest
        seconds = HOLD_MS / 1000
        return len(self._held) > self._config.reorder_window or newest - first >= seconds or first - since >= seconds

    def _encode(self, uploaded: float, now: float) -> None:
        self._encoded.append(uploaded)
        self._newest_encoded = max(self._newest_encoded, uploaded)
        self._since_flush += 1
        if self._waiting_since is None:
            self._waiting_since = now

    def _is_commit_due(self, now: float) -> bool:
        if self._waiting_since is None:
            return False
        return now - self._waiting_since + self._step / 2 > self._config.flush_after_seconds

    def _commit(self, now: float, work: Work, *, full: bool, drain: bool = False) -> None:
        """Commit what is complete. A full flush renews what is derived; others write playlists alone."""
        inside = 0 if drain else self._inside
        complete = [self._encoded.popleft() for _ in range(max(0, len(self._encoded) - inside))]
        if full:
            self._since_flush = 0
        if complete:
            interval, before = self._config.keyframe_interval, self._reel_frames
            self._reel_frames += len(complete)
            closed = self._reel_frames // interval - before // interval
            # Segment, checkpoint, video.m3u8; for each closed segment another, and index.m3u8 and live.m3u8.
            add(work.requests, {"PutObject": 3.0 + closed + 2 * min(closed, 1)})
            self._do("flush", work, requests=False)
            if closed:
                self._do("segment_end", work, requests=False)
            ends_segment = closed or (drain and not self._is_slow)
            if ends_segment or now - self._pictures_put >= WRITE_EVERY_MS / 1000:
                add(work.requests, {"PutObject": float(len(self._config.day_pictures))})
                self._pictures_put = now
            work.committed += complete
            self.commits += 1
            self._waiting_since = None
            self._is_behind = True
        if full and self._is_behind:
            self._is_behind = False
            add(work.requests, {"PutObject": 1.0})  # latest.jpg
            self._publish(work, force=drain)

    def _publish(self, work: Work, *, force: bool) -> None:
        size = self._reel_frames * self._figures.frame_bytes
        if size < MULTIPART_MINIMUM_BYTES:
            add(work.requests, _WHOLE_FILE)
        elif force or size >= self._published_bytes * (1 + GROWTH):
            add(work.requests, _APPENDED_FILE)
        else:
            return
        self._published_bytes = size
