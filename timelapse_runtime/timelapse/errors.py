"""Every error that the timelapse function raises on purpose, beside those of its storage (`runtime/state/errors.py`).

    TimelapseError
    ├── ConfigError              a variable is wrong: which one, its value, what is allowed
    ├── FiltersUnavailable       the package lacks what a filter, or a picture of the day, needs
    ├── SettingsInvalid          a stream's settings.json cannot be used: the settings before it stay
    ├── UnknownEvent             an event that this function does not take
    ├── StreamError
    │   ├── EditionLost          another edition of the reel was begun
    │   ├── EncoderTooSlow       another kind of encoder is needed: drop the state and reload
    │   └── CheckpointCorrupt    checkpoint.json cannot be read
    ├── MediaError
    │   ├── FrameRejected        this photo cannot be used
    │   ├── MissingPhotos        a reel cannot be made again from its photos
    │   ├── SegmentCorrupt       a stored segment does not decode to what the checkpoint claims
    │   └── EncoderFailed        libx264 failed: open a new encoder
    └── DeadlineTooClose         not enough time left in the invocation

`error_type` is stable: it is sent in Lambda's header `Lambda-Runtime-Function-Error-Type`. Code branches on classes,
never on text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class TimelapseError(Exception):
    """Root of the function's errors."""

    error_type: ClassVar[str] = "Function.TimelapseError"


class ConfigError(TimelapseError):
    """A configuration variable that cannot be used."""

    error_type = "Runtime.ConfigError"

    def __init__(self, variable: str, value: str | None, allowed: str) -> None:
        got = "it is not set" if value is None else f"it is {value!r}"
        super().__init__(f"environment variable {variable}: {got}; allowed: {allowed}")
        self.variable, self.value, self.allowed = variable, value, allowed


class FiltersUnavailable(TimelapseError):
    """A filter or a picture of the day is on, and the package lacks the library that it needs: no photo may pass
    without it."""

    error_type = "Runtime.FiltersUnavailable"


class SettingsInvalid(TimelapseError):
    """A stream's own settings cannot be used: what is wrong, and what is allowed."""

    error_type = "Function.SettingsInvalid"


class UnknownEvent(TimelapseError):
    """An event that is neither S3's nor a sweep: the function is wired to the wrong source."""

    error_type = "Function.UnknownEvent"


class StreamError(TimelapseError):
    """The stream's state cannot be carried on."""

    error_type = "Function.StreamError"


class EditionLost(StreamError):
    """An edition of a reel cannot be shown: another one was begun after it, or the reel is open."""

    error_type = "Function.EditionLost"


class EncoderTooSlow(StreamError):
    """The camera is slower than it seemed when the reel began, and none of it is committed: begin it with low delay."""

    error_type = "Function.EncoderTooSlow"


class CheckpointCorrupt(StreamError):
    """checkpoint.json exists and cannot be read. Nothing is written over it."""

    error_type = "Function.CheckpointCorrupt"


MISSING = "missing"
"""The reason of a photo, or of the copy of one, that was gone when it was to be read."""
REJECTION_REASONS = (
    *("empty", "forbidden", "late", MISSING, "segment-damaged", "too-large", "too-small", "undecodable"),
    "unsupported-type",
    *("skipped-blurred", "skipped-bright", "skipped-dark", "skipped-frozen", "skipped-night"),
)
"""What FrameRejected and the records of rejected photos have as their reason."""


REMOVED = "removed"
"""The reason in the record of a photo whose frame a person had taken out of the video: it is not tried again."""


def is_skip(reason: str) -> bool:
    """Whether a photo was rejected because somebody wants such photos left out (TIMELAPSE_SKIP), not for a fault."""
    return reason.startswith("skipped-")


class MediaError(TimelapseError):
    """A photo, a segment or the encoder failed."""

    error_type = "Function.MediaError"


class FrameRejected(MediaError):
    """This photo cannot be used. `reason` is a stable word, `detail` a sentence for people."""

    error_type = "Function.FrameRejected"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class MissingPhotos(MediaError):
    """A reel cannot be made again from its photos: these `keys` are gone, have other content, or cannot be used."""

    error_type = "Function.MissingPhotos"

    def __init__(self, keys: Sequence[str], detail: str) -> None:
        super().__init__(f"{', '.join(keys[:3])}{' …' * (len(keys) > 3)}: {detail}")
        self.keys = tuple(keys)


class SegmentCorrupt(MediaError):
    """A stored segment does not decode to the frames that the checkpoint claims."""

    error_type = "Function.SegmentCorrupt"


class EncoderFailed(MediaError):
    """libx264 failed. Its frames are still in S3: open a new encoder and append them again."""

    error_type = "Function.EncoderFailed"


class DeadlineTooClose(TimelapseError):
    """Not enough time left in the invocation. What was appended stays; the event must be retried."""

    error_type = "Function.DeadlineTooClose"
