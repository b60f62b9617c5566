"""What is configured for one stream alone: `settings.json`, format 1, beside its checkpoint.

    {"format": 1, "revision": 3, "settings": {"fps": "25", "masks": "10,10 25,20"}}

A setting has the name of a TIMELAPSE_ variable without that prefix, in lower case, and takes what the variable takes.
What is not named is as the function's variables say. `revision` counts the changes; nothing depends on it. People may
write the object by hand: names in upper case and numbers without quotes are understood.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.errors import ConfigError, SettingsInvalid
from timelapse_runtime.timelapse.variables import PREFIX, STREAM_SETTINGS, VARIABLES

FORMAT = 1
MAXIMUM_BYTES = 16_384
"""The settings are a part of each checkpoint."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """The settings by name, as they were written. They need not be valid: see `config_of`."""

    values: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0

    def changed(self, values: Mapping[str, str], unset: frozenset[str]) -> StreamSettings:
        """With these values, and without those that are `unset`."""
        kept = {name: text for name, text in self.values.items() if name not in unset}
        return StreamSettings({**kept, **values}, self.revision + 1)

    def to_json(self) -> bytes:
        """As stored. Raises SettingsInvalid if it would be too long."""
        value = {"format": FORMAT, "revision": self.revision, "settings": dict(sorted(self.values.items()))}
        body = json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"
        if len(body) > MAXIMUM_BYTES:
            raise SettingsInvalid(f"the settings take {len(body)} bytes; allowed: {MAXIMUM_BYTES}")
        return body

    @classmethod
    def from_json(cls, body: bytes) -> StreamSettings:
        """As read. Raises SettingsInvalid if it is no such object at all; the values are not looked at."""
        if len(body) > MAXIMUM_BYTES:
            raise SettingsInvalid(f"it has {len(body)} bytes; allowed: {MAXIMUM_BYTES}")
        try:
            value = json.loads(body)
            if value["format"] != FORMAT:
                raise SettingsInvalid(f"it has format {value['format']!r}; this version reads {FORMAT}")
            revision = value.get("revision", 0)
            if type(revision) is not int:
                raise SettingsInvalid(f"revision is {revision!r}; allowed: a whole number")
            return cls({str(name).lower(): _text(name, one) for name, one in value["settings"].items()}, revision)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SettingsInvalid(f"it is not what `timelapse set` writes: {error!r}") from error


def _text(name: str, value: Any) -> str:
    if type(value) not in (str, int):
        raise SettingsInvalid(f"{name} is {value!r}; allowed: a text in quotes, or a whole number")
    return str(value)


def config_of(config: Config, values: Mapping[str, str]) -> Config:
    """The configuration of a stream with these settings, from that of the function. Raises SettingsInvalid."""
    check_values(values)
    try:
        return config.for_stream(values)
    except ConfigError as error:
        name = error.variable.removeprefix(PREFIX).lower()
        raise SettingsInvalid(f"{name} is {error.value!r}; allowed: {error.allowed}") from error


def check_values(values: Mapping[str, str]) -> None:
    """Look at each setting alone. Raises SettingsInvalid."""
    for name, text in values.items():
        variable = STREAM_SETTINGS[setting_named(name)]
        try:
            variable.parse(text.strip())
        except ValueError as error:
            raise SettingsInvalid(f"{name} is {text!r}; allowed: {variable.allowed}") from error


def setting_named(text: str) -> str:
    """The setting that a person means: `fps`, `FPS`, `keyframe-interval`, `TIMELAPSE_FPS`. Raises SettingsInvalid."""
    name = text.strip().upper().replace("-", "_").removeprefix(PREFIX).lower()
    if name in STREAM_SETTINGS:
        return name
    if any(name == variable.name.lower() for variable in VARIABLES):
        raise SettingsInvalid(f"{text} is the same for all streams of a function: set its {PREFIX}{name.upper()}")
    import difflib  # noqa: PLC0415  only for this message: a cold start does not pay for it

    near = difflib.get_close_matches(name, STREAM_SETTINGS, 1, cutoff=0)[0]
    raise SettingsInvalid(f"{text} is not a setting; did you mean {near}?")
