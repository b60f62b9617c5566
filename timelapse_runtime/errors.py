"""Every error that this package raises on purpose.

    TimelapseError
    ├── ConfigError              stop     a variable is wrong: which, its value, what is allowed
    ├── HandlerError             stop     _HANDLER names nothing that can run
    ├── UnknownEvent             stop     an event that this function does not take
    ├── ProtocolError
    │   ├── LocalProtocolError   stop     we tried a call that the API's state does not allow
    │   └── RemoteProtocolError  retry    the Lambda service answered what its documents do not say
    ├── TransportError           retry    no answer from the Lambda service
    ├── StorageError
    │   ├── ObjectNotFound       stop
    │   ├── PreconditionFailed   retry    If-Match or If-None-Match did not hold (412)
    │   ├── AccessDenied         stop
    │   └── StorageUnavailable   retry    time-out, 5xx, SlowDown, 409, broken answer
    ├── StateError
    │   ├── Fenced               retry    another instance committed: drop the state and reload
    │   └── CheckpointCorrupt    stop     checkpoint.json cannot be read
    ├── MediaError
    │   ├── FrameRejected        reject   this photo cannot be used
    │   ├── SegmentCorrupt       reject   a stored segment does not decode to what the checkpoint claims
    │   └── EncoderFailed        retry    libx264 gave up: open it again
    └── DeadlineTooClose         retry    what is left of the invocation would not do

The word beside each leaf is its disposition: `retry` (the same thing may succeed later), `reject` (leave this
frame or segment out and go on), `stop` (nothing heals without a person). The loop branches on it and never on
text. `error_type` is stable: it is what Lambda's `Lambda-Runtime-Function-Error-Type` header carries.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Disposition(Enum):
    """What to do after an error."""

    RETRY = "retry"
    REJECT = "reject"
    STOP = "stop"


class TimelapseError(Exception):
    """Root of all errors of this package."""

    disposition: ClassVar[Disposition] = Disposition.STOP
    error_type: ClassVar[str] = "Function.TimelapseError"


class ConfigError(TimelapseError):
    """A configuration variable that cannot be used."""

    error_type = "Runtime.ConfigError"

    def __init__(self, variable: str, value: str | None, allowed: str) -> None:
        got = "it is not set" if value is None else f"it is {value!r}"
        super().__init__(f"environment variable {variable}: {got}; allowed: {allowed}")
        self.variable, self.value, self.allowed = variable, value, allowed


class HandlerError(TimelapseError):
    """`_HANDLER` names nothing that can run."""

    error_type = "Runtime.HandlerNotFound"


class UnknownEvent(TimelapseError):
    """An event that is neither S3's nor a sweep: the function is wired to the wrong source."""

    error_type = "Function.UnknownEvent"


class ProtocolError(TimelapseError):
    """A Lambda API was, or would be, used against its rules."""

    error_type = "Runtime.ProtocolError"


class LocalProtocolError(ProtocolError):
    """We tried a call that the API's state does not allow: our bug."""

    error_type = "Runtime.LocalProtocolError"


class RemoteProtocolError(ProtocolError):
    """The Lambda service answered what its documents do not say."""

    disposition = Disposition.RETRY
    error_type = "Runtime.RemoteProtocolError"


class TransportError(TimelapseError):
    """No (whole) answer came from the Lambda service."""

    disposition = Disposition.RETRY
    error_type = "Runtime.TransportError"


class StorageError(TimelapseError):
    """An object store call failed. `operation`, `bucket` and `key` say which; `cause` is the store's own word."""

    error_type = "Function.StorageError"

    def __init__(self, operation: str, bucket: str, key: str, cause: str) -> None:
        super().__init__(f"{operation} s3://{bucket}/{key}: {cause}")
        self.operation, self.bucket, self.key, self.cause = operation, bucket, key, cause


class ObjectNotFound(StorageError):
    """There is no such object (404)."""

    error_type = "Function.ObjectNotFound"


class PreconditionFailed(StorageError):
    """If-Match or If-None-Match did not hold (412). After a retry it may be our own earlier success: read back."""

    disposition = Disposition.RETRY
    error_type = "Function.PreconditionFailed"


class AccessDenied(StorageError):
    """Credentials or policy forbid the call (401, 403)."""

    error_type = "Function.AccessDenied"


class StorageUnavailable(StorageError):
    """Time-out, 5xx, SlowDown, 409 or a broken answer. Whether a write happened is not known."""

    disposition = Disposition.RETRY
    error_type = "Function.StorageUnavailable"


class StateError(TimelapseError):
    """The stream's state cannot be carried on."""

    error_type = "Function.StateError"


class Fenced(StateError):
    """This instance's checkpoint write met a newer one. Its state is void; reload it."""

    disposition = Disposition.RETRY
    error_type = "Function.Fenced"


class CheckpointCorrupt(StateError):
    """checkpoint.json exists and cannot be read. Nothing is written over it."""

    error_type = "Function.CheckpointCorrupt"


class MediaError(TimelapseError):
    """Photo, segment or encoder trouble."""

    error_type = "Function.MediaError"


class FrameRejected(MediaError):
    """This photo cannot be used. `reason` is a stable word, `detail` a sentence for a person."""

    disposition = Disposition.REJECT
    error_type = "Function.FrameRejected"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class SegmentCorrupt(MediaError):
    """A stored segment does not decode to the frames that the checkpoint claims."""

    disposition = Disposition.REJECT
    error_type = "Function.SegmentCorrupt"


class EncoderFailed(MediaError):
    """libx264 failed. Its frames are still in S3: open a new encoder and append them again."""

    disposition = Disposition.RETRY
    error_type = "Function.EncoderFailed"


class DeadlineTooClose(TimelapseError):
    """What is left of the invocation would not do. What was appended stays; the event is to be retried."""

    disposition = Disposition.RETRY
    error_type = "Function.DeadlineTooClose"
