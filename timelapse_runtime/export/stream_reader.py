"""Reads what is stored of one stream's video: checkpoint, reels, segments. Sends GETs (and HEADs), and changes nothing.

A reel is read by the checkpoint, or by its manifest once it is closed. The segments of a closed reel may have been
removed; its `video.mp4` ends with the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint
from timelapse_runtime.timelapse.stored_reels import read_segment, reels_from


class StreamReader:
    """The stream in `folder` of the bucket `store`. Every method raises StorageError. Safe to use from threads."""

    def __init__(self, store: Store, folder: str) -> None:
        self.store, self.keys = store, StreamKeys(folder)
        self._init_segments: dict[str, bytes] = {}
        self._kept: dict[tuple[str, int], bytes] = {}

    @property
    def place(self) -> str:
        """The stream's folder, as a URL."""
        return f"s3://{self.store.bucket}/{self.keys.folder}"

    def checkpoint(self) -> tuple[Checkpoint, int]:
        """The checkpoint, and when it was committed (milliseconds since 1970). Raises ObjectNotFound,
        CheckpointCorrupt."""
        found = read_checkpoint(self.store, self.keys)
        return found.checkpoint, found.info.last_modified_epoch_ms

    def reels(self, checkpoint: Checkpoint) -> Iterator[Reel]:
        """All reels with frames, newest first; one GET for each but the first. Raises CheckpointCorrupt."""
        return (reel for reel in reels_from(self.store, self.keys, checkpoint.reel) if reel.segments)

    def init_segment(self, reel: Reel) -> bytes:
        """A reel's ftyp and moov; read once."""
        if reel.path not in self._init_segments:
            self._init_segments[reel.path] = self.store.get(self.keys.init(reel.path)).body
        return self._init_segments[reel.path]

    def segment(self, reel: Reel, position: int) -> bytes:
        """The segment at this position of the reel."""
        kept = self._kept.get((reel.path, position))
        return read_segment(self.store, self.keys, reel, position) if kept is None else kept

    def keep(self, reel: Reel, position: int) -> bytes:
        """The same, and its bytes stay in memory. A flush replaces the open segment, and an hour later its
        earlier versions are gone."""
        return self._kept.setdefault((reel.path, position), self.segment(reel, position))

    def segment_start(self, reel: Reel, position: int, size_bytes: int) -> bytes:
        """The segment's first bytes."""
        kept = self._kept.get((reel.path, position))
        return read_segment(self.store, self.keys, reel, position, size_bytes) if kept is None else kept[:size_bytes]
