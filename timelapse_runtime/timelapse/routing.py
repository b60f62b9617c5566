"""Which streams an event reaches: from the keys of photos, and from the names in sweeps, to work by stream."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import StorageError
from timelapse_runtime.timelapse.batch import Message
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.events import FrameHint, Poll, Request, Retry, Sweep, parse_event
from timelapse_runtime.timelapse.intake import PhotoHint
from timelapse_runtime.timelapse.known_settings import KnownSettings
from timelapse_runtime.timelapse.model.photo_filter import is_hidden_folder

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Work:
    """What the messages of an event ask for, by stream. Of a photo whose key is not known for sure, and of a poll, the
    hint is None: the stream is listed."""

    hints: dict[str, list[PhotoHint | None]] = field(default_factory=dict)
    sweeps: list[tuple[str, Sweep]] = field(default_factory=list)
    retries: list[Retry] = field(default_factory=list)
    ignored: dict[str, Counter[str]] = field(default_factory=dict)

    def streams(self) -> set[str]:
        """All that the event names, those of ignored objects included."""
        swept, retried = {name for name, _ in self.sweeps}, {retry.stream for retry in self.retries}
        return {*self.hints, *swept, *retried, *self.ignored}


class Router:
    """Knows where photos and videos are. It lists `frames` if a poll or a sweep names no stream."""

    def __init__(self, config: Config, frames: Store, settings: KnownSettings) -> None:
        self._config, self._frames, self._settings = config, frames, settings

    def add(self, message: Message, work: Work) -> None:
        """Add what the message asks for. Raises UnknownEvent, and StorageError if the streams cannot be listed."""
        request = parse_event(message.event)
        for ignored in request.ignored:
            _log.info("ignored", extra={"event": ignored})
        polled = [name for poll in request.polls for name in self._named(poll)]
        swept = [(name, sweep) for sweep in request.sweeps for name in self._named(sweep)]
        message.streams |= self._add_hints(request, work)
        for name in polled:
            work.hints.setdefault(name, []).append(None)
        message.streams |= {*polled} | {name for name, _ in swept} | {retry.stream for retry in request.retries}
        work.sweeps += swept
        work.retries += request.retries

    def _add_hints(self, request: Request, work: Work) -> set[str]:
        """Add the request's photos, and count its objects that are not photos; the streams of the photos."""
        streams = set()
        for hint in request.frames:
            located = self._locate(hint)
            if located is None:
                continue
            name, key = located
            if reason := self._why_ignored(name, key):
                _log.info("ignored: not a photo", extra={"stream": name, "frame": hint.key, "reason": reason})
                work.ignored.setdefault(name, Counter())[reason] += 1
                continue
            streams.add(name)
            exact = PhotoHint(key, hint.etag, hint.version_id) if hint.is_exact else None
            work.hints.setdefault(name, []).append(exact)
        return streams

    def _why_ignored(self, name: str, key: str) -> str | None:
        """Why the object is no photo, or None if it may be one: a stream that is opened looks again. Only for what the
        function's variables ignore, the stream's settings are read here."""
        known = self._settings.recent(name)
        if known is None and self._config.include.takes(key):
            return None
        try:
            return (known or self._settings.read(name)).include.why_ignored(key)
        except StorageError:  # the stream that is opened meets it too, and fails alone
            return None

    def _locate(self, hint: FrameHint) -> tuple[str, str] | None:
        """The stream of a photo and its key there, or None if it is not ours, which is logged."""
        place = self._config.frames
        if hint.bucket != place.bucket or not hint.key.startswith(place.prefix):
            _log.warning("ignored: not below TIMELAPSE_FRAMES", extra={"bucket": hint.bucket, "frame": hint.key})
            return None
        rest = hint.key[len(place.prefix) :]
        if self._config.stream is not None:
            return self._config.stream, rest
        name, slash, key = rest.partition("/")
        if name and slash and self._config.may_be_stream(name):
            return name, key
        if is_hidden_folder(name) or not self._config.include.takes(rest):
            _log.info("ignored: not a photo", extra={"frame": hint.key})
        else:
            help_text = (
                "put photos into a folder per camera, whose videos do not lie around TIMELAPSE_FRAMES, "
                "or set TIMELAPSE_STREAM"
            )
            _log.warning("ignored: no stream's folder in its key", extra={"frame": hint.key, "help": help_text})
        return None

    def _named(self, asked: Poll | Sweep) -> list[str]:
        if asked.stream is not None:
            return [asked.stream]
        return stream_names(self._config, self._frames)


def stream_names(config: Config, frames: Store) -> list[str]:
    """All streams: the one that is configured, or each folder of photos. Raises StorageError."""
    if config.stream is not None:
        return [config.stream]
    start = len(config.frames.prefix)
    names = [folder[start:-1] for folder in frames.list_folders(config.frames.prefix)]
    return [name for name in names if config.may_be_stream(name)]
