"""Reels that nobody has to encode: reels in a store whose segments name their photos and hold bytes to tell
apart."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.model.checkpoint import Reel, Segment, checksum, reel_to_json
from timelapse_runtime.timelapse.model.keys import StreamKeys, reel_name
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.storage.memory import MemoryStore
from timelapse_runtime.timelapse.video.boxes import pack_provenance

INIT = b"init segment of " + bytes(700)


def new_reel(number: int = 1, *, previous: str | None = None) -> Reel:
    """An open reel without a frame."""
    return Reel(
        number=number,
        name=reel_name(number, "2026-11-20"),
        width=160,
        height=96,
        fps=30,
        keyframe_interval=180,
        reorder_frames=2,
        init_size_bytes=len(INIT),
        init_sha256=hashlib.sha256(INIT).hexdigest(),
        first_sequence=0,
        previous=previous,
    )


def frames(*keys: str, role: Role = Role.IN_ORDER) -> list[SourceFrame]:
    """The photos `keys`, all in one role."""
    return [SourceFrame(key, 1_000, role) for key in keys]


@dataclass
class StoredReels:
    """The reels of one stream, written to `store` as commits would."""

    store: MemoryStore = field(default_factory=lambda: MemoryStore("reels"))
    keys: StreamKeys = field(default_factory=lambda: StreamKeys("video/camera/"))
    random: Random = field(default_factory=lambda: Random(20261120))

    @property
    def catalog(self) -> Catalog:
        """Of the stream, without photos."""
        return Catalog(MemoryStore("frames"), self.store, self.keys, "frames/camera/")

    def begin(self, number: int = 1, *, previous: Reel | None = None) -> Reel:
        """A new reel, after `previous`, which is closed and has its manifest."""
        reel = new_reel(number, previous=previous.name if previous else None)
        self.store.put(self.keys.init(reel.name), INIT)
        return reel

    def append(self, reel: Reel, photos: Sequence[SourceFrame], *, padding: int = 0) -> Reel:
        """`reel` with a segment more, which is reels, of `padding` random bytes besides its provenance."""
        body = pack_provenance(reel.frame_count, photos)
        body += struct.pack(">I4s", 8 + padding, b"mdat") + self.random.randbytes(padding)
        last_key = reel.segments[-1].last_key if reel.segments else ""
        out_of_order = []
        for photo in photos:
            if photo.role is Role.OUT_OF_ORDER:
                out_of_order.append(photo.key)
            else:
                last_key = photo.key
        attempt = f"{self.random.getrandbits(48):012x}"
        segment = Segment(
            reel.frame_count, len(photos), attempt, len(body), checksum(body), last_key, tuple(out_of_order)
        )
        self.store.put(segment_key(self.keys, reel, segment), body)
        return replace(reel, segments=(*reel.segments, segment))

    def close(self, reel: Reel) -> Reel:
        """The reel ends; its manifest is reels."""
        closed = replace(reel, is_closed=True, last_is_open=False)
        self.store.put(self.keys.manifest(reel.name), reel_to_json(closed))
        return closed

    def body(self, reel: Reel, segment: Segment) -> bytes:
        """A segment's bytes, without a request."""
        body = self.store.peek(segment_key(self.keys, reel, segment))
        assert body is not None
        return body

    def video(self, reel: Reel) -> bytes:
        """What `video.mp4` holds when all of `reel` is in it."""
        return INIT + b"".join(self.body(reel, segment) for segment in reel.segments)
