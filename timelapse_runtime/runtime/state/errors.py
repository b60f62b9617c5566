"""Why state could not be read from S3, or saved there.

    StateError
    ├── StorageError
    │   ├── ObjectNotFound
    │   ├── PreconditionFailed   If-Match or If-None-Match did not hold (412)
    │   ├── AccessDenied
    │   └── StorageUnavailable   time-out, 5xx, SlowDown, 409, broken answer
    └── Fenced                   another instance replaced the checkpoint: drop the state and load it again

`error_type` is stable: it is sent in Lambda's header `Lambda-Runtime-Function-Error-Type`. Code branches on classes,
never on text.
"""

from __future__ import annotations

from typing import ClassVar


class StateError(Exception):
    """Root of these errors."""

    error_type: ClassVar[str] = "Function.StateError"


class StorageError(StateError):
    """An object store call failed. `operation`, `bucket` and `key` say which; `cause` is the store's own message.

    `code` is S3's error code, or the name of the SDK's exception; empty if there is none.
    """

    error_type = "Function.StorageError"

    def __init__(self, operation: str, bucket: str, key: str, cause: str, *, code: str = "") -> None:
        super().__init__(f"{operation} s3://{bucket}/{key}: {cause}")
        self.operation, self.bucket, self.key, self.cause = operation, bucket, key, cause
        self.code = code


class ObjectNotFound(StorageError):
    """There is no such object (404)."""

    error_type = "Function.ObjectNotFound"


class PreconditionFailed(StorageError):
    """If-Match or If-None-Match did not hold (412). After a retry it may be our own earlier success: read back."""

    error_type = "Function.PreconditionFailed"


class AccessDenied(StorageError):
    """Credentials or policy forbid the call (401, 403)."""

    error_type = "Function.AccessDenied"


class StorageUnavailable(StorageError):
    """Time-out, 5xx, SlowDown, 409 or a broken answer. Whether a write happened is not known."""

    error_type = "Function.StorageUnavailable"


class Fenced(StateError):
    """This instance's checkpoint write met a newer one. Its state is void; reload it."""

    error_type = "Function.Fenced"
