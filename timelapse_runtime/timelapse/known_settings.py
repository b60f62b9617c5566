"""The streams' own settings as they are read from `settings.json`: once, or again and again by one environment.

An object that cannot be used stops no camera. The settings before it stay: the last good ones of this environment, or
those that the checkpoint names if it is newer, else the function's variables. So a mask that was on stays on, whoever
damages the object, and whichever environment comes next.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.state.contract import Store, StoredObject
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import SettingsInvalid
from timelapse_runtime.timelapse.logo_file import LogoFiles
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.stream_settings import StreamSettings, check_values, config_of
from timelapse_runtime.timelapse.stream_log import StreamLog
from timelapse_runtime.timelapse.variables import STREAM_SETTINGS

_log = logging.getLogger(__name__)

READ_EVERY_MS = 5 * 60_000
"""At one photo a second this is a request for 300 frames."""
_MAXIMUM_STREAMS = 1_000


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """The settings as they are in S3. `problem`: why they cannot be used; empty if they can, as far as each is looked
    at alone. `etag` is None if there is no object."""

    settings: StreamSettings = field(default_factory=StreamSettings)
    etag: str | None = None
    problem: str = ""

    def value(self, name: str, default: Any) -> Any:
        """What a setting says, parsed; `default` if it says nothing, or if the settings cannot be used."""
        text = None if self.problem else self.settings.values.get(name)
        return default if text is None else STREAM_SETTINGS[name].parse(text.strip())


def stored_settings(store: Store, keys: StreamKeys) -> StoredSettings:
    """Those of a stream. Raises StorageError."""
    try:
        found = store.get(keys.settings)
    except ObjectNotFound:
        return StoredSettings()
    settings = StreamSettings()
    try:
        settings = StreamSettings.from_json(found.body)
        check_values(settings.values)
    except SettingsInvalid as error:
        return StoredSettings(settings, found.info.etag, str(error))
    return StoredSettings(settings, found.info.etag)


@dataclass(frozen=True, slots=True)
class _Known:
    """`config` is what counts: what the object says if it `is_usable`, else what was before. `generation` is that of
    the newest checkpoint that was known meanwhile. `etag` is that of the object that was read last, usable or not;
    empty if there was none."""

    config: Config
    is_usable: bool = True
    generation: int = -1
    etag: str = ""
    read_epoch_ms: int = 0


class KnownSettings:
    """Of all streams that an environment has met, `config` being its own. `video` is where their folders are."""

    def __init__(self, config: Config, video: Store, clock: Clock) -> None:
        self._config, self._video, self._clock = config, video, clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._logos = LogoFiles(video)

    def recent(self, name: str) -> Config | None:
        """The stream's configuration, if it was read within the last five minutes."""
        known = self._known.get(name)
        is_recent = known is not None and 0 <= self._clock.now_epoch_ms() - known.read_epoch_ms < READ_EVERY_MS
        return known.config if known is not None and is_recent else None

    def read(self, name: str, checkpoint: Checkpoint | None = None) -> Config:
        """The stream's configuration as it is now: one request, and one for a logo in S3. `checkpoint` is the stream's,
        if the caller knows it.
        Raises StorageError."""
        known = self._known.get(name) or _Known(self._config)
        key = StreamKeys(f"{self._config.video.prefix}{name}/").settings
        found: Config | None = self._config
        etag = ""
        try:
            stored = self._video.get_changed(key, known.etag) if known.etag else self._video.get(key)
        except ObjectNotFound:
            pass
        else:
            etag = known.etag if stored is None else stored.info.etag
            found = (known.config if known.is_usable else None) if stored is None else self._good(name, stored)
        config, generation = found, known.generation if checkpoint is None else checkpoint.generation
        if config is None:
            # Others may have gone on with newer settings than are known here: then the checkpoint names them.
            is_behind = checkpoint is not None and generation > known.generation
            config = self._committed(checkpoint) if checkpoint is not None and is_behind else known.config
        config = self._logos.with_logo(config, name)
        self._known[name] = _Known(config, found is not None, generation, etag, self._clock.now_epoch_ms())
        self._known.move_to_end(name)
        if len(self._known) > _MAXIMUM_STREAMS:
            self._known.popitem(last=False)
        return config

    def _good(self, name: str, stored: StoredObject) -> Config | None:
        """The configuration that an object says; None, and an ERROR in the log, if it cannot be used."""
        try:
            return config_of(self._config, StreamSettings.from_json(stored.body).values)
        except SettingsInvalid as error:
            place = f"s3://{self._video.bucket}/{stored.info.key}"
            help_text = f"`timelapse set {place.rpartition('/')[0]}` writes them anew; --show says what is there"
            fields = {"settings": place, "problem": str(error), "help": help_text}
            StreamLog(_log, name).error("the stream's settings cannot be used: those before stay", extra=fields)
            return None

    def _committed(self, checkpoint: Checkpoint) -> Config:
        """The configuration that the newest frames were made with, or that of the function."""
        try:
            return config_of(self._config, checkpoint.settings)
        except SettingsInvalid:  # another version of the function has made them
            return self._config
