"""`timelapse set`: what is configured for one stream alone, in `settings.json` beside its checkpoint.

Two writers do not undo each other: each changes only what it names, by compare-and-swap, and starts over if another one
was first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from timelapse_runtime.cli import EXIT_OK, CommandFailed
from timelapse_runtime.cli.places import config_at
from timelapse_runtime.runtime.state.contract import Condition, IfAbsent, IfMatch, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound, PreconditionFailed
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.commit_plan import JSON_TYPE, NO_CACHE
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import SettingsInvalid
from timelapse_runtime.timelapse.known_settings import READ_EVERY_MS, StoredSettings, stored_settings
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.timelapse.model.stream_settings import StreamSettings, config_of
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint
from timelapse_runtime.timelapse.variables import PREFIX, STREAM_SETTINGS

_TRIES = 10


@dataclass(frozen=True, slots=True)
class Change:
    """What a command asks for. With `resets`, whatever is there is forgotten, also what cannot be read."""

    values: Mapping[str, str]
    unset: frozenset[str]
    resets: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be written."""
        return not (self.values or self.unset or self.resets)


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Change the stream's settings, and print them; the exit code. Raises CommandFailed, StorageError."""
    store = S3Store(make_client(variables=variables, user_agent="timelapse-set"), options.stream.bucket)
    change = Change(dict(options.settings), frozenset(options.unset), options.reset)
    if change.is_empty and not options.show:
        raise CommandFailed("say what to set, as NAME=VALUE, or --unset NAME; --show shows what is set")
    if both := sorted(change.unset & change.values.keys()):
        raise CommandFailed(f"{both[0]} is to be set and unset")
    config = config_at(options.stream, variables)
    before = stored_settings(store, StreamKeys(options.stream.prefix))
    after = before if change.is_empty else write(store, options.stream, config, change)
    found = report(store, options.stream, config, after, is_changed=after.etag != before.etag)
    print(json.dumps(found.to_value()) if options.json else "\n".join(found.lines()))
    return EXIT_OK


def write(store: Store, place: Location, config: Config, change: Change) -> StoredSettings:
    """Change the settings of the stream in `place`. Nothing is written if they are so already.

    Raises CommandFailed if what comes of it cannot be used, and StorageError.
    """
    key = StreamKeys(place.prefix).settings
    for _ in range(_TRIES):
        stored = stored_settings(store, StreamKeys(place.prefix))
        old = StreamSettings(revision=stored.settings.revision) if change.resets else stored.settings
        if stored.problem and not stored.settings.values and not change.resets:
            raise CommandFailed(
                f"s3://{place.bucket}/{key}: {stored.problem}; --reset forgets it, and sets what is named"
            )
        settings = old.changed(change.values, change.unset)
        try:
            config_of(config, settings.values)
            body = settings.to_json()
        except SettingsInvalid as error:
            raise CommandFailed(f"{error}; nothing was written") from error
        if settings.values == stored.settings.values and not stored.problem:
            return stored
        condition: Condition = IfAbsent() if stored.etag is None else IfMatch(stored.etag)
        try:
            etag = store.put(key, body, condition=condition, content_type=JSON_TYPE, cache_control=NO_CACHE)
        except PreconditionFailed:
            continue  # another writer was first, or this one, whose answer was lost
        return StoredSettings(settings, etag)
    raise CommandFailed(f"others write s3://{place.bucket}/{key} all the time: try again")


def report(store: Store, place: Location, config: Config, stored: StoredSettings, *, is_changed: bool) -> Report:
    """What to print. Raises StorageError, CheckpointCorrupt."""
    return Report(place, config, stored, is_changed, _has_video(store, place))


def _has_video(store: Store, place: Location) -> bool:
    try:
        return read_checkpoint(store, StreamKeys(place.prefix)).checkpoint.frame_count > 0
    except ObjectNotFound:
        return False


@dataclass(frozen=True, slots=True)
class Report:
    """What is printed. `stored` is what is in S3 now, `config` that of a function with the variables of this shell."""

    place: Location
    config: Config
    stored: StoredSettings
    is_changed: bool
    has_video: bool

    def to_value(self) -> dict[str, Any]:
        """As JSON values."""
        values = self.stored.settings.values
        return {
            "stream": str(self.place),
            "revision": self.stored.settings.revision,
            "settings": dict(sorted(values.items())),
            "defaults": {name: self._default(name) for name in sorted(values) if name in STREAM_SETTINGS},
            "problem": self.stored.problem or None,
            "changed": self.is_changed,
            "has_video": self.has_video,
        }

    def lines(self) -> Iterator[str]:
        """As text."""
        settings = self.stored.settings
        if not settings.values:
            yield f"{self.place} has no settings of its own: those of the function count"
        else:
            yield f"{self.place} has of its own, in revision {settings.revision}:"
        width = max(map(len, settings.values), default=0)
        for name, text in sorted(settings.values.items()):
            default = f"default: {self._default(name)}" if name in STREAM_SETTINGS else "no setting of this version"
            yield f"  {name:<{width}}  {text}  ({default})"
        if self.stored.problem:
            yield f"PROBLEM: {self.stored.problem}. The settings before stay in effect until this is put right."
        if self.is_changed:
            yield self._when()

    def _default(self, name: str) -> str:
        variable = STREAM_SETTINGS[name]
        return self.config.variables.get(PREFIX + variable.name, variable.default or "")

    def _when(self) -> str:
        if not self.has_video:
            return "There is no video here yet: they count from its first frame."
        return (
            f"The function reads them within {READ_EVERY_MS // 60_000} minutes, and begins a segment with its next "
            "photo; a reel, if size, frame rate, keyframe interval or the encoder's parameters change."
        )
