"""The streams that are open in this environment, and what it knows of those that are not.

Owns the leases of other environments, the streams' own settings, and who else reads the photos of a stream that is
being joined. Which streams are open is OpenStates'. It opens streams and drops them; what is done with an open one is
the caller's. A stream that was dropped is opened again from what is in S3.

A stream has one configuration from when it is opened until it is dropped. If its settings have changed, the caller
drains it, drops it and opens it again: so the first frame with the new settings is the first of a segment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.open_states import OpenStates
from timelapse_runtime.timelapse.checkpoint_store import CheckpointStore
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.known_settings import KnownSettings
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.lease import KnownLeases, Lease
from timelapse_runtime.timelapse.photo_reader import ReadElsewhere
from timelapse_runtime.timelapse.ranges.range_codec import RangeCodec
from timelapse_runtime.timelapse.stream import Stream
from timelapse_runtime.timelapse.video.codec import Codec

ElsewhereFactory = Callable[[str], ReadElsewhere | None]
"""Says, for a stream's name, who else reads its photos."""
TakesOver = Callable[[Lease], bool]
"""Says whether a stream is taken from the environment that holds this lease."""


@dataclass(frozen=True, slots=True)
class StreamParts:
    """What all streams share. `owner` is this environment, as checkpoints name it."""

    frames: Store
    video: Store
    clock: Clock
    codec: Codec
    executor: Executor
    elsewhere: ElsewhereFactory
    owner: str


class OpenStreams:
    """See the module."""

    def __init__(self, config: Config, parts: StreamParts) -> None:
        self._config, self._parts = config, parts
        self._streams = OpenStates(self._fit)
        self._leases = KnownLeases()
        self._joins: dict[str, ReadElsewhere] = {}
        self.settings = KnownSettings(config, parts.video, parts.clock)

    def get(self, name: str) -> Stream | None:
        """The stream if it is open."""
        return self._streams.get(name)

    def outdated(self, name: str) -> Stream | None:
        """The stream if it is open with other settings than it has now. Every five minutes they are read. Raises
        StorageError."""
        stream = self._streams.get(name)
        if stream is None:
            return None
        config = self.settings.recent(name) or self.settings.read(name, stream.checkpoint)
        return None if config == stream.config else stream

    def busiest_first(self) -> list[tuple[str, Stream]]:
        """The open streams by name, the most recently used one first."""
        return self._streams.busiest_first()

    def lease_of_other(self, name: str) -> Lease | None:
        """The live lease of another environment on a stream that is not open here, as far as it is known."""
        is_open = self._streams.get(name) is not None
        return None if is_open else self._leases.live(name, self._parts.clock.now_epoch_ms())

    def open(
        self, name: str, takes_over: TakesOver, *, low_delay: bool = False, claims: bool = False
    ) -> Stream | Lease:
        """The open stream, opened if it is not; or the lease of another environment that it is left to.

        `low_delay`: see VideoWriter; `claims`: see Stream.open. Raises as that does, and ConfigError.
        """
        stream: Stream | Lease | None = self._streams.get(name)
        if stream is None:
            stream = self._opened(name, takes_over, low_delay=low_delay, claims=claims)
        if isinstance(stream, Stream):
            self._streams.use(name, stream)
        return stream

    def look(self, name: str) -> Stream:
        """The stream, whoever owns it, opened aside: nothing is to be written through it. Raises as `open` does."""
        stream = self._opened(name, lambda _lease: True, low_delay=False, claims=False)
        assert isinstance(stream, Stream)
        return stream

    def drop(self, name: str) -> None:
        """Forget the stream with all that it has not committed."""
        self._streams.drop(name)

    def drop_all(self) -> None:
        """Forget all streams."""
        self._streams.drop_all()

    def make_room(self, flush: Callable[[str, Stream], None]) -> None:
        """See OpenStates."""
        self._streams.make_room(flush)

    @contextmanager
    def joining(self, name: str, elsewhere: ReadElsewhere) -> Iterator[None]:
        """Meanwhile, `elsewhere` has read photos of the stream. It is opened for that alone."""
        self.drop(name)
        self._joins[name] = elsewhere
        try:
            yield
        finally:
            self.drop(name)
            del self._joins[name]

    def _fit(self, streams: Collection[Stream]) -> bool:
        """Whether these are no more than TIMELAPSE_OPEN_STREAMS, and their encoders fit into the memory together.

        A stream without a video yet counts as large as it may become.
        """
        configs = [(stream, stream.config) for stream in streams]
        sizes = [stream.video_size or config.size or config.maximum_size for stream, config in configs]
        pictures = chain.from_iterable(config.day_pictures for _, config in configs)
        return len(sizes) <= self._config.open_streams and self._config.memory.takes_videos(sizes, pictures)

    def _opened(self, name: str, takes_over: TakesOver, *, low_delay: bool, claims: bool) -> Stream | Lease:
        self._config.require_apart(name)
        parts, prefix = self._parts, self._config.photos_prefix(name)
        keys, source = StreamKeys(f"{self._config.video.prefix}{name}/"), f"s3://{parts.frames.bucket}/{prefix}"
        codec = RangeCodec(parts.codec) if name in self._joins else parts.codec
        elsewhere = self._joins.get(name) or parts.elsewhere(name)
        while True:
            order = self._config.order
            checkpoints = CheckpointStore(name, parts.video, keys, source, order, owner=parts.owner)
            checkpoint, now_epoch_ms = checkpoints.load(), parts.clock.now_epoch_ms()
            lease = checkpoints.lease_of_other(now_epoch_ms)
            if lease is not None:
                lease = self._leases.add(name, lease, now_epoch_ms)
                if lease.ends_epoch_ms > now_epoch_ms and not takes_over(lease):
                    return lease
            # After the checkpoint: whoever commits on top of it knows no settings that are older than its frames.
            config = self.settings.read(name, checkpoint)
            shared = parts.frames, parts.video, parts.clock, codec, parts.executor
            stream = Stream(name, prefix, config, *shared, checkpoints, low_delay=low_delay, elsewhere=elsewhere)
            if stream.open(claims=claims):
                return stream
