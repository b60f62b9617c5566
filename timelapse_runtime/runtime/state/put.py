"""A PUT as a value, and what a shutdown leaves of such PUTs for the extension to send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from timelapse_runtime.runtime.outbox import Outbox, OutboxPut
from timelapse_runtime.runtime.state.contract import Condition, Store

LIFETIME_SECONDS = 120
"""Of what is left in the outbox. The extension sends it within seconds; after a reset the next runtime does."""


@dataclass(frozen=True, slots=True)
class Put:
    """One PUT of a whole object, with its condition. `metadata` is the object's user metadata."""

    key: str
    body: bytes
    condition: Condition = None
    content_type: str = "application/octet-stream"
    cache_control: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def send(self, store: Store) -> str:
        """Write the object and return its ETag. Raises StorageError."""
        return store.put(
            self.key,
            self.body,
            condition=self.condition,
            content_type=self.content_type,
            cache_control=self.cache_control,
            metadata=self.metadata,
        )

    def presigned(self, store: Store, lifetime_seconds: int) -> OutboxPut:
        """The same for another process to send, signed without a request. Raises StorageError."""
        signed = store.presign_put(
            self.key,
            self.body,
            condition=self.condition,
            content_type=self.content_type,
            cache_control=self.cache_control,
            metadata=self.metadata,
            expires_seconds=lifetime_seconds,
        )
        return OutboxPut(signed.url, dict(signed.headers), self.body, signed.read_url)


def leave(outbox: Outbox, name: str, store: Store, puts: Iterable[Put]) -> int:
    """Leave PUTs in the outbox: after this process they are sent in this order, each if the one before it succeeded.

    They take the place of what was left under the same name, which must be usable as a file name. Returns the size in
    bytes. Raises StorageError, and OSError if there is no space. That they are ever sent is not promised.
    """
    signed = [put.presigned(store, LIFETIME_SECONDS) for put in puts]
    return outbox.write(name, signed, lifetime_seconds=LIFETIME_SECONDS)
