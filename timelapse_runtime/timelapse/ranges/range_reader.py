"""The photos of a stream's owner if others read them too: what became of a photo elsewhere, instead of the photo.

Two ways to the ranges: `RangesAhead` has them encoded while the owner works, `stored_ranges.py` finds them in S3.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Protocol

from timelapse_runtime.runtime.state.errors import StorageError
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import DeadlineTooClose, EncoderFailed, FrameRejected
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_of
from timelapse_runtime.timelapse.photo_reader import PhotoReader, PhotoRun, ReadPhoto
from timelapse_runtime.timelapse.ranges.encoded_range import EncodedRange, PhotoOutcome
from timelapse_runtime.timelapse.ranges.pictures import photo_elsewhere
from timelapse_runtime.timelapse.ranges.plan import ranges
from timelapse_runtime.timelapse.video.decode import DecodedPhoto

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
Encode = Callable[[Sequence[SourceFrame]], Future[bytes]]
"""Has a range of one stream's photos encoded; the answer is an EncodedRange's bytes."""


class Ranges(Protocol):
    """The encoded ranges of one run of photos."""

    def with_photo(self, key: str) -> EncodedRange | None:
        """The range that the photo is in; None if it is in none. Asked in the order of the run. Raises
        DeadlineTooClose if the owner is to stop, StorageError."""
        ...


class RangeRun(PhotoRun):
    """A run of photos that others have read, as far as `ranges` has them; `reader` reads the rest. `on_photo` is told
    the keys of the former.

    What others have read is taken if they leave out the same photos (a stream may have rules of its own), and if it is
    what the owner's listing shows. A range may be hours old: a photo that was
    written over meanwhile is read again, or the new one would be lost."""

    def __init__(self, ranges: Ranges, reader: PhotoReader, on_photo: Callable[[str], None]) -> None:
        self._ranges, self._reader, self._on_photo = ranges, reader, on_photo
        self._range = EncodedRange()
        self._positions: Mapping[str, int] = {}

    def get(self, photo: SourceFrame, next_key: str | None) -> ReadPhoto:
        """See PhotoRun."""
        del next_key
        key = photo.key
        if key not in self._positions and (found := self._ranges.with_photo(key)) is not None:
            self._range = found
            self._positions = {outcome.key: position for position, outcome in enumerate(found.photos)}
        position = self._positions.get(key)
        is_by_our_rules = self._range.rules == self._reader.rules
        if position is None or not is_by_our_rules or not is_as_listed(self._range.photos[position], photo):
            return self._reader.read(key)
        self._on_photo(key)
        outcome = self._range.photos[position]
        if outcome.rejection is not None:
            return ReadPhoto(outcome.info, FrameRejected(*outcome.rejection))
        read_again = _Again(self._reader, outcome)
        return ReadPhoto(outcome.info, photo_elsewhere(self._range, position, read_again))


def is_as_listed(outcome: PhotoOutcome, photo: SourceFrame) -> bool:
    """Whether the content that was read is the listed one. In name order a listing's ETags are not kept."""
    info = outcome.info
    return info.last_modified_epoch_ms == photo.uploaded_epoch_ms and (
        not photo.etag or photo.identity == photo_of(photo.key, info).identity
    )


@dataclass(frozen=True, slots=True)
class _Again:
    """Reads a photo once more."""

    reader: PhotoReader
    outcome: PhotoOutcome

    def __call__(self) -> DecodedPhoto:
        """The photo with its pixels. Raises EncoderFailed if it is not what it was."""
        try:
            found = self.reader.read(self.outcome.key)
        except StorageError as error:
            raise EncoderFailed(f"{self.outcome.key} could not be read again: {error}") from error
        if isinstance(found.picture, FrameRejected) or found.info.etag != self.outcome.info.etag:
            raise EncoderFailed(f"{self.outcome.key} was written over while its range was encoded")
        return found.picture


@dataclass(slots=True)
class _Begun:
    keys: frozenset[str]
    future: Future[bytes]


@dataclass(slots=True)
class RangesAhead:
    """Has ranges of `photos` encoded ahead of their turn, `ahead` of them at most. `may_stop` is asked while the owner
    waits. A range that fails is as if it had not been asked for."""

    planned: Iterator[list[SourceFrame]]
    encode: Encode
    ahead: int
    may_stop: Callable[[], bool]
    on_requests: Callable[[Mapping[str, int]], None]
    _begun: deque[_Begun] = field(default_factory=deque)
    _is_broken: bool = False

    def with_photo(self, key: str) -> EncodedRange | None:
        """See Ranges."""
        self._begin()
        while any(key in begun.keys for begun in self._begun):
            begun = self._begun.popleft()
            if key in begun.keys:
                self._begin()
                return self._result(begun.future)
            begun.future.cancel()
        self._require_going_on()
        return None

    def cancel(self) -> None:
        """The run is over. What is being encoded is forgotten."""
        self.planned = iter(())
        while self._begun:
            self._begun.popleft().future.cancel()

    def _begin(self) -> None:
        while len(self._begun) < self.ahead and not self._is_broken:
            photos = next(self.planned, None)
            if photos is None:
                return
            try:
                future = self.encode(photos)
            except RuntimeError as error:  # the executor is broken, or has ended
                self._is_broken = True
                _log.warning("no other process encodes any more: the rest is encoded here", exc_info=error)
                return
            self._begun.append(_Begun(frozenset(photo.key for photo in photos), future))

    def _result(self, future: Future[bytes]) -> EncodedRange:
        while not wait([future], _LOOK_SECONDS).done:
            self._require_going_on()
        self._require_going_on()
        try:
            encoded = EncodedRange.from_bytes(future.result())
        except Exception as error:  # noqa: BLE001  whatever happened elsewhere, the owner can read the photos itself
            _log.warning("a range was not encoded elsewhere: it is encoded here", exc_info=error)
            return EncodedRange()
        self.on_requests(encoded.request_counts)
        return encoded

    def _require_going_on(self) -> None:
        if self.may_stop():
            raise DeadlineTooClose("interrupted: the next run continues")


@dataclass(slots=True)
class EncodedElsewhere:
    """Who reads one stream's photos ahead of their turn: see ReadElsewhere. The last run is ended by the next one.

    The arguments are those of RangesAhead and RangeRun."""

    config: Config
    encode: Encode
    ahead: int
    may_stop: Callable[[], bool]
    on_photo: Callable[[str], None]
    on_requests: Callable[[Mapping[str, int]], None]
    _run: RangesAhead | None = None

    def begin(self, reader: PhotoReader, photos: Iterable[SourceFrame]) -> PhotoRun:
        """See ReadElsewhere."""
        if self._run is not None:
            self._run.cancel()
        planned = ranges(photos, self.config)
        self._run = RangesAhead(planned, self.encode, self.ahead, self.may_stop, self.on_requests)
        return RangeRun(self._run, reader, self.on_photo)
