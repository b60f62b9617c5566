"""What `timelapse backfill` finds: the streams below a place in S3, their photos, and how many of them are done.

Reads only. What the user has to know of a place without photos is said here, in one sentence.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.runtime.clock import SystemClock
from timelapse_runtime.runtime.state.contract import ObjectInfo, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.known_settings import KnownSettings
from timelapse_runtime.timelapse.model.checkpoint import NAME_ORDER, Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.source_frame import photo_of
from timelapse_runtime.timelapse.routing import stream_names
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint

_DATE = re.compile(r"(?:19|20)\d\d(?:[-_.]?(?:0[1-9]|1[0-2])(?:[-_.]?\d\d)?)?")


@dataclass(slots=True)
class StreamWork:
    """A stream that is to be filled, with its own settings. `photo_count` photos were listed, of which the checkpoint
    covered some already."""

    name: str
    prefix: str
    config: Config
    before: Checkpoint | None
    photo_count: int = 0
    covered_count: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    after: Checkpoint | None = None

    @property
    def frames_added(self) -> int:
        """By everyone who worked on the stream meanwhile."""
        return (self.after.frame_count if self.after else 0) - (self.before.frame_count if self.before else 0)

    @property
    def reel_number(self) -> int:
        """Of the newest reel."""
        return self.after.reel.number if self.after and self.after.reel else 0

    def to_value(self) -> dict[str, Any]:
        """As in the report."""
        return {
            "photos": self.photo_count,
            "done_before": self.covered_count,
            "frames_added": self.frames_added,
            "frames_in_video": self.after.frame_count if self.after else 0,
            "rejected": self.after.rejected_count if self.after else 0,
            "reels": self.reel_number,
            "ignored": dict(self.ignored),
        }


class Streams:
    """The streams of a configuration, and the stores of their photos and videos."""

    def __init__(self, config: Config, frames: Store, video: Store) -> None:
        self._config, self._frames, self._video = config, frames, video
        self._settings = KnownSettings(config, video, SystemClock())

    def look(self) -> list[StreamWork]:
        """The streams that have photos. Raises CommandFailed if there is none, and StorageError."""
        next(iter(self._video.list_after(self._config.video.prefix)), None)
        names = [self._config.stream] if self._config.stream is not None else stream_folders(self._config, self._frames)
        streams = [self._looked_at(name, self._config.photos_prefix(name)) for name in names]
        if not any(stream.photo_count for stream in streams):
            raise CommandFailed(self._nothing(streams))
        return [stream for stream in streams if stream.photo_count]

    def _looked_at(self, name: str, prefix: str) -> StreamWork:
        checkpoint = self.checkpoint(name)
        stream = StreamWork(name, prefix, self._settings.read(name, checkpoint), checkpoint)
        if checkpoint is None or checkpoint.order != self._config.order:
            checkpoint = None  # of a stream whose order changes, the function itself looks through all photos
        for info in self._frames.list_after(prefix):
            key = info.key[len(prefix) :]
            if (reason := stream.config.include.why_ignored(key)) is not None:
                stream.ignored[reason] += 1
                continue
            stream.photo_count += 1
            position = key if self._config.order == NAME_ORDER else photo_of(key, info).position
            if checkpoint and checkpoint.covers(position):
                stream.covered_count += 1
        return stream

    def checkpoint(self, name: str) -> Checkpoint | None:
        """That of a stream; None if it has none yet."""
        try:
            return read_checkpoint(self._video, StreamKeys(f"{self._config.video.prefix}{name}/")).checkpoint
        except ObjectNotFound:
            return None

    def _nothing(self, streams: Sequence[StreamWork]) -> str:
        """Why there is nothing to do, and what to do."""
        place = self._config.frames
        ignored = sum((stream.ignored for stream in streams), Counter[str]())
        if ignored:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in ignored.most_common())
            return (
                f"there are no photos in {place}, but other objects ({reasons}): TIMELAPSE_INCLUDE says what a photo is"
            )
        if not streams and any(self._config.include.takes(one.key[len(place.prefix) :]) for one in self._some()):
            return f"the photos in {place} are in no folder, which would name the video: name it with --stream NAME"
        return f"there is nothing in {place}: look at the bucket's name and the prefix"

    def _some(self) -> Iterator[ObjectInfo]:
        return itertools.islice(self._frames.list_after(self._config.frames.prefix), 1_000)


def stream_folders(config: Config, frames: Store) -> list[str]:
    """The streams as the function has them. Raises CommandFailed if their folders are dates, and StorageError."""
    names = stream_names(config, frames)
    if config.stream is None and names and all(_DATE.fullmatch(name) for name in names):
        raise CommandFailed(
            f"the folders in {config.frames} are dates ({', '.join(names[:3])}), and each would become a video of its "
            "own: with --stream NAME all of them become the video of one camera"
        )
    return names
