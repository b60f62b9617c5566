"""Reads a stream's checkpoint, with the objects that hold a part of it. Owns nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from timelapse_runtime.runtime.state.contract import ObjectInfo, Store, StoredObject
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.errors import CheckpointCorrupt
from timelapse_runtime.timelapse.model.checkpoint import AheadPart, Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys


@dataclass(frozen=True, slots=True)
class FoundCheckpoint:
    """A checkpoint, the object that it was read from, and that object's bytes."""

    checkpoint: Checkpoint
    info: ObjectInfo
    body: bytes


def read_checkpoint(store: Store, keys: StreamKeys) -> FoundCheckpoint:
    """The stored checkpoint. Raises ObjectNotFound if there is none, CheckpointCorrupt, StorageError."""
    found = load_checkpoint(lambda: store.get(keys.checkpoint), store, keys)
    assert found is not None
    return found


def load_checkpoint(
    load: Callable[[], StoredObject | None], store: Store, keys: StreamKeys, known: Sequence[AheadPart] = ()
) -> FoundCheckpoint | None:
    """What `load` reads, with its parts; None if it reads nothing. Those that are `known` are not read again: they
    never change.

    Another environment may commit, and remove a part, while this reads: then it begins again. Raises CheckpointCorrupt,
    StorageError.
    """
    parts = {part.attempt: part for part in known}
    missing: ObjectNotFound | None = None

    def part_of(attempt: str) -> AheadPart:
        if attempt not in parts:
            parts[attempt] = AheadPart.from_json(attempt, store.get(keys.ahead_part(attempt)).body)
        return parts[attempt]

    etag_before = ""
    while (stored := load()) is not None:
        if missing is not None and stored.info.etag == etag_before:
            raise CheckpointCorrupt(f"{keys.checkpoint} names {missing.key}, which is gone") from missing
        try:
            return FoundCheckpoint(Checkpoint.from_json(stored.body, part_of), stored.info, stored.body)
        except ObjectNotFound as error:
            missing, etag_before = error, stored.info.etag
    return None
