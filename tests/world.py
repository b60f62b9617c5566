"""A camera, two buckets in memory and any number of environments: the setting for tests of the timelapse function."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tests.photos import make_photos
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.runtime.clock import Clock, ManualClock
from timelapse_runtime.runtime.function import Deadline, Environment
from timelapse_runtime.runtime.outbox import JOB_SUFFIX, Outbox, read_job
from timelapse_runtime.runtime.state.contract import MULTIPART_MINIMUM_BYTES
from timelapse_runtime.runtime.state.errors import StorageError
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.config import Config, parse_config
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, reel_from_value
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.photo_filter import parse_photo_filter
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.photo_reader import PhotoReader
from timelapse_runtime.timelapse.ranges.range_codec import RangeCodec
from timelapse_runtime.timelapse.ranges.range_encoder import RangeEncoder
from timelapse_runtime.timelapse.ranges.range_reader import EncodedElsewhere
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint
from timelapse_runtime.timelapse.stored_reels import read_segment
from timelapse_runtime.timelapse.verify import Verifier
from timelapse_runtime.timelapse.verify_report import VerifyReport
from timelapse_runtime.timelapse.video.boxes import read_provenance
from timelapse_runtime.timelapse.video.codec import Codec, X264Codec
from timelapse_runtime.timelapse.video.init_segment import without_edit_list
from timelapse_runtime.timelapse.video.sample_table import head_size_bytes

SIZE = (128, 64)
STREAM = "camera"
NO_DEADLINE_EPOCH_MS = 10**15
PHOTOS = list(make_photos(64, SIZE))

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@dataclass
class InvocationContext:
    """As much of Lambda's context as the function reads."""

    remaining_ms: int = 10**12

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass(frozen=True)
class SkewedClock:
    """A clock that is ahead of another one, or behind."""

    other: Clock
    skew_ms: int

    def now_epoch_ms(self) -> int:
        return self.other.now_epoch_ms() + self.skew_ms


class ImmediateExecutor(Executor):
    """Does what is submitted in the caller's own thread, at once: each run of a test sends the same requests in the
    same order. What kills a process is raised through `submit`."""

    def submit(  # type: ignore[override]  # typeshed's has positional-only parameters that nobody names
        self, fn: Callable[_Arguments, _Result], *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> Future[_Result]:
        future: Future[_Result] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except StorageError as error:
            future.set_exception(error)
        return future


@dataclass
class World:
    """`frames` and `video` are the buckets. Small pictures, short segments, an encoder that holds 4 frames back."""

    settings: dict[str, str] = field(default_factory=dict)
    outbox: Path | None = None
    codec: Codec = field(default_factory=X264Codec)
    minimum_part_bytes: int = MULTIPART_MINIMUM_BYTES
    has_ranges: bool = False
    """Whether ranges of photos are read and encoded apart, each when it is asked for."""
    are_owners_distinct: bool = False
    """Whether each environment is another one for the lease. Otherwise each is the same one, reset: it waits for no
    lease, and nothing but compare-and-swap keeps two of them apart."""

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self._environments = 0
        self.frames = MemoryStore("frames-bucket", clock=self.clock)
        self.video = MemoryStore("video-bucket", clock=self.clock, minimum_part_bytes=self.minimum_part_bytes)
        self.keys = StreamKeys(f"video/{STREAM}/")
        self.elsewhere_keys: list[str] = []
        """The photos that an environment here did not read itself."""

    def environment(self, *, skew_ms: Any = 0, **settings: str) -> Timelapse:
        """A new environment: nothing in memory, and a clock that is ahead of S3's by `skew_ms`."""
        stores = self.frames, self.video
        variables = self.variables(**settings)
        self._environments += 1
        variables["AWS_LAMBDA_LOG_STREAM_NAME"] = f"log-{self._environments if self.are_owners_distinct else 0}"
        function = Timelapse(
            stores=lambda _config, _environment: stores,
            clock=SkewedClock(self.clock, skew_ms),
            codec=RangeCodec(self.codec) if self.has_ranges else self.codec,
            executor=ImmediateExecutor(),
            elsewhere=lambda _stream: self.elsewhere(parse_config(variables)) if self.has_ranges else None,
        )
        outbox = Outbox(self.outbox, self.clock) if self.outbox else None
        function.open(Environment(variables, outbox, "cold-start"))
        return function

    def variables(self, **settings: str) -> dict[str, str]:
        """Those of an environment."""
        return {
            "TIMELAPSE_FRAMES": f"s3://{self.frames.bucket}/frames/",
            "TIMELAPSE_VIDEO": f"s3://{self.video.bucket}/video/",
            "TIMELAPSE_FLUSH_EVERY": "5",
            "TIMELAPSE_KEYFRAME_INTERVAL": "12",
            "TIMELAPSE_PRESET": "superfast",
            "TIMELAPSE_REEL": "never",
            "TIMELAPSE_ORDER": "name",
            **self.settings,
            **{f"TIMELAPSE_{name.upper()}": value for name, value in settings.items()},
        }

    def elsewhere(self, config: Config) -> EncodedElsewhere:
        """Ranges, encoded at once: what kills a process is raised when the owner asks for one."""
        executor = ImmediateExecutor()

        def encode(photos: Sequence[SourceFrame]) -> Future[bytes]:
            reader = PhotoReader(config, self.frames, f"frames/{STREAM}/", self.codec)
            return executor.submit(lambda: RangeEncoder(config, reader, self.codec).encode(photos).to_bytes())

        return EncodedElsewhere(config, encode, 2, lambda: False, self.elsewhere_keys.append, lambda _counts: None)

    # ---- the camera

    def key(self, number: int) -> str:
        return f"{number:06d}.jpg"

    def upload(self, number: int, body: bytes | None = None, *, key: str | None = None) -> str:
        """Put a photo (number `number`, or `body`) into the frames bucket, a second after the last one."""
        self.clock.advance(1000)
        name = key or self.key(number)
        self.frames.put(f"frames/{STREAM}/{name}", PHOTOS[number] if body is None else body)
        return name

    def upload_once(self, number: int, body: bytes | None = None) -> None:
        """Upload what was not uploaded yet."""
        if self.frames.peek(f"frames/{STREAM}/{self.key(number)}") is None:
            self.upload(number, body)

    def event(self, *keys: str) -> dict[str, Any]:
        """S3's notification of uploads."""
        return object_created_event(self.frames.bucket, *(f"frames/{STREAM}/{key}" for key in keys))

    def shoot(self, function: Timelapse, numbers: Sequence[int]) -> None:
        """Upload photos and deliver each one's event at once."""
        for number in numbers:
            self.deliver(function, self.upload(number))

    def deliver(self, function: Timelapse, *keys: str, deadline_epoch_ms: int = NO_DEADLINE_EPOCH_MS) -> dict[str, Any]:
        """Invoke with the events of `keys`."""
        return function.invoke(self.event(*keys), self.context(deadline_epoch_ms))

    def context(self, deadline_epoch_ms: int) -> InvocationContext:
        """The context of an invocation that must end by `deadline_epoch_ms`."""
        return InvocationContext(deadline_epoch_ms - self.clock.now_epoch_ms())

    def sweep(
        self, function: Timelapse, *, deadline_epoch_ms: int = NO_DEADLINE_EPOCH_MS, **what: bool
    ) -> dict[str, Any]:
        """Invoke with a sweep of the stream."""
        return function.invoke({"sweep": {"stream": STREAM, **what}}, self.context(deadline_epoch_ms))

    def shut_down(self, function: Timelapse, *, budget_ms: int = 10_000) -> None:
        """SIGTERM to an idle environment; then the extension, if there is one, sends the outbox job."""
        deadline = Deadline(self.clock.now_epoch_ms() + budget_ms)
        function.flush(deadline)
        function.close(deadline)
        if self.outbox is not None:
            for path in sorted(self.outbox.glob(f"*{JOB_SUFFIX}")):
                for put in read_job(path).puts:
                    if self.video.accept(put.url, put.body) != 200:
                        break
                path.unlink()

    def upgrade(self) -> None:
        """Make each reel's init segment what an earlier version wrote: one without an edit list."""
        for reel in self.reels():
            key = self.keys.init(reel.path)
            self.video.put(key, without_edit_list(self.video.get(key).body))

    # ---- what came of it

    def checkpoint(self) -> Checkpoint:
        return read_checkpoint(self.video, self.keys).checkpoint

    def reels(self) -> list[Reel]:
        """All reels, oldest first."""
        reel, found = self.checkpoint().reel, []
        while reel is not None:
            found.append(reel)
            previous = reel.previous
            reel = reel_from_value(json.loads(self.video.get(self.keys.manifest(previous)).body)) if previous else None
        return found[::-1]

    def keys_in_video(self) -> list[str]:
        """The photos' keys in video order, as the stored segments name them. Each segment is decoded on the way:
        it must give just the frames that the checkpoint claims."""
        found = []
        for reel in self.reels():
            init_segment = self.video.get(self.keys.init(reel.path)).body
            for position, segment in enumerate(reel.segments):
                body = read_segment(self.video, self.keys, reel, position)
                self.codec.decode_segment(
                    init_segment,
                    body,
                    first=segment.first,
                    count=segment.count,
                    reorder_frames=reel.reorder_frames,
                )
                found += [frame.key for part in read_provenance(body) for frame in part.frames]
        return found

    def verify(self) -> VerifyReport:
        """What `timelapse verify` would say."""
        include = parse_photo_filter(self.settings.get("TIMELAPSE_INCLUDE", "photos"))
        places = self.keys.folder, f"frames/{STREAM}/"
        stores = self.frames, self.video
        return Verifier(*stores, *places, self.codec, include=include, clock=self.clock).run()

    def rejections(self) -> dict[str, str]:
        """Reason by frame key."""
        records = [
            json.loads(self.video.get(i.key).body) for i in self.video.list_after(f"{self.keys.folder}rejected/")
        ]
        return {record["key"].removeprefix(f"frames/{STREAM}/"): record["reason"] for record in records}

    def video_bytes(self, reel: Reel | None = None) -> bytes:
        """A reel's `video.mp4` as it is published."""
        newest = reel or self.checkpoint().reel
        assert newest is not None
        return self.video.get(self.keys.video(newest.path)).body

    def media_bytes(self, reel: Reel | None = None) -> bytes:
        """A reel's `video.mp4` as it is published, without its head."""
        body = self.video_bytes(reel)
        return body[head_size_bytes(body) :]

    def object_keys(self) -> set[str]:
        """All objects of the stream."""
        return {info.key for info in self.video.list_after(self.keys.folder)}

    def orphans(self) -> set[str]:
        """Segments that no checkpoint names."""
        named = {segment_key(self.keys, reel, segment) for reel in self.reels() for segment in reel.segments}
        return {key for key in self.object_keys() if key.endswith(".m4s")} - named
