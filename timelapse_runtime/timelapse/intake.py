"""From events and listings to frames: the contract between a stream and the order of its photos.

There are two orders: that of the names (`NameIntake`), and that of arrival (`ArrivalIntake`). An intake decides which
photo is encoded next. It tells the tracker what it takes, and the recorder encodes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.time_left import TimeLeft


@dataclass(frozen=True, slots=True)
class PhotoHint:
    """What an event says of a photo: its key, relative to the stream's prefix, and its ETag and version if it names
    them. An event is a hint: the photo may have been overwritten since."""

    key: str
    etag: str | None = None
    version_id: str | None = None


class Intake(Protocol):
    """One stream's. Each method raises StorageError, Fenced, EncoderFailed, and DeadlineTooClose if there was more to
    catch up with than time; what was not done is found by the next catching up."""

    def resume(self, sources: Sequence[SourceFrame], *, lists_all: bool) -> None:
        """Continue after the checkpoint that the tracker knows. `sources` are the photos of the video's last segment.

        With `lists_all`, the next listing is whole: the checkpoint does not say where a listing must begin.
        """
        ...

    def append(self, hints: Sequence[PhotoHint], time_left: TimeLeft, *, relist: bool) -> None:
        """Take the photos that `hints` announce; with `relist`, those of a listing too."""
        ...

    def catch_up(self, time_left: TimeLeft, *, holds: bool = True) -> None:
        """Take every photo that a listing shows after the checkpoint, in order, and commit on the way. Unless it
        `holds`, the newest of them do not wait for others that may come before them."""
        ...

    def new_photos(self) -> list[SourceFrame]:
        """The photos that catching up would take now, in order. Takes none of them."""
        ...

    def prepare_early_commit(self, time_left: TimeLeft) -> None:
        """Take a listing if a commit without one could harm the order, or leave out photos that others were told of."""
        ...

    def take_unaccounted(self, positions: Iterable[str], time_left: TimeLeft) -> None:
        """Take the photos that reconciling has found: the checkpoint covers them, and nothing accounts for them."""
        ...

    def retry_rejected(self, time_left: TimeLeft, *, reason: str | None) -> None:
        """Try the rejected photos (of one reason, or all) again; those that can be used now go to the video's end.

        Also removes the records of photos that are in the video: a crash may have left them.
        """
        ...

    def release(self, time_left: TimeLeft) -> None:
        """Give the recorder what is held back for the sake of order, as far as the time allows."""
        ...

    def release_at_shutdown(self, time_left: TimeLeft) -> None:
        """As `release`, without any request: it ends before what would need one."""
        ...

    def flushed(self) -> None:
        """A flush was made: remove the records of photos that are in the video now."""
        ...
