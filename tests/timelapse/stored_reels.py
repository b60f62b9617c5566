"""Reels that nobody has to encode: reels in a store whose segments name their photos and hold bytes to tell
apart."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from tests import fragments
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.model.checkpoint import Reel, Segment, checksum, reel_to_json
from timelapse_runtime.timelapse.model.keys import StreamKeys, reel_name
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.video.boxes import pack_provenance
from timelapse_runtime.timelapse.video.encode import EncodedFrame
from timelapse_runtime.timelapse.video.sample_table import SampleTable

INIT = fragments.init_segment(b"parameter sets")


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
        """`reel` with a segment more, which is stored: a frame for each photo, of `padding` random bytes in all."""
        body = self.fragment(reel.frame_count, photos, padding=padding)
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

    def fragment(self, first: int, photos: Sequence[SourceFrame], *, padding: int = 0) -> bytes:
        """A fragment of these photos, from frame `first` on; its first frame is a keyframe."""
        sizes = [
            padding * (number + 1) // len(photos) - padding * number // len(photos) for number in range(len(photos))
        ]
        samples = [
            EncodedFrame(first + number, number == 0, self.random.randbytes(size)) for number, size in enumerate(sizes)
        ]
        return pack_provenance(first, photos) + fragments.fragment(samples, number=first)

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

    def media(self, reel: Reel) -> bytes:
        """All segments."""
        return b"".join(self.body(reel, segment) for segment in reel.segments)

    def head(self, reel: Reel) -> bytes:
        """What stands before them in `video.mp4`."""
        table = SampleTable()
        table.append(self.media(reel))
        return table.head(INIT)

    def video(self, reel: Reel) -> bytes:
        """What `video.mp4` holds when all of `reel` is in it."""
        return self.head(reel) + self.media(reel)
