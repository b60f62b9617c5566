"""The stream's one mutable truth: `checkpoint.json`, format 1.

Invariants: segments lie end to end from frame 0 of the reel; `watermark` never goes back from one generation to
the next; every frame whose key is at most `watermark`, or is in `ahead`, is in a segment of this or an earlier
reel, or has a rejection record. Frame keys are relative to the stream's prefix and are ordered as S3 orders
them: by their UTF-8 bytes.

`ahead` holds frames that were committed past the last listing (at a shutdown, where there is no time for one):
the watermark must not pass a frame that no listing has shown, or a photo whose event is lost is never found.

The list of segments grows with the reel, which a day or MAXIMUM_REEL_FRAMES bounds (about 80 bytes a segment).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from timelapse_runtime.errors import CheckpointCorrupt

FORMAT = 1
MAXIMUM_REEL_FRAMES = 100_000
"""A reel ends here at the latest: 555 segments of 180 frames, a checkpoint of about 50 kB."""


def key_order(key: str) -> bytes:
    """S3's order of keys: UTF-8 bytes. (Python's own order of strings differs outside the basic plane.)"""
    return key.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Segment:
    """One committed segment. `last_key` is the key of its last frame that is in key order; `out_of_order` are those of
    its frames that came too late for their place."""

    first: int
    count: int
    attempt: str
    size_bytes: int
    last_key: str
    out_of_order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reel:
    """One continuous video. The last segment may still grow while `last_is_open`."""

    number: int
    name: str
    width: int
    height: int
    fps: int
    keyframe_interval: int
    reorder_frames: int
    init_size_bytes: int
    init_sha256: str
    first_sequence: int
    previous: str | None
    segments: tuple[Segment, ...] = ()
    last_is_open: bool = False
    is_closed: bool = False

    @property
    def date(self) -> str:
        """The day that the reel began on, as in its name."""
        return self.name[:10]

    @property
    def frame_count(self) -> int:
        """Frames committed; the number of the next one."""
        return self.segments[-1].first + self.segments[-1].count if self.segments else 0

    @property
    def size_bytes(self) -> int:
        """The size of `video.mp4` when it holds all committed frames."""
        return self.init_size_bytes + sum(segment.size_bytes for segment in self.segments)

    @property
    def closed_segments(self) -> tuple[Segment, ...]:
        """The segments that will not change any more."""
        return self.segments[:-1] if self.last_is_open else self.segments


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far the video has come. `source` is where the stream's photos are; `generation` counts commits; `commit`
    is unique to the attempt that wrote it."""

    source: str
    generation: int
    commit: str
    watermark: str
    ahead: tuple[str, ...]
    frame_count: int
    rejected_count: int
    reel: Reel | None

    def to_json(self) -> bytes:
        """As stored."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Checkpoint:
        """As read. Raises CheckpointCorrupt, which names what is wrong."""
        try:
            value: dict[str, Any] = json.loads(body)
            if value.get("format") != FORMAT:
                raise CheckpointCorrupt(
                    f"checkpoint.json has format {value.get('format')!r}; this version reads {FORMAT}"
                )
            reel = value["reel"]
            checkpoint = cls(
                source=str(value["source"]),
                generation=int(value["generation"]),
                commit=str(value["commit"]),
                watermark=str(value["watermark"]),
                ahead=tuple(str(key) for key in value["ahead"]),
                frame_count=int(value["frame_count"]),
                rejected_count=int(value["rejected_count"]),
                reel=None if reel is None else reel_from_value(reel),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointCorrupt(f"checkpoint.json cannot be read: {error!r}") from error
        if checkpoint.reel is not None:
            _check_segments(checkpoint.reel)
        return checkpoint


def reel_to_json(reel: Reel) -> bytes:
    """A closed reel's manifest, as stored in `reel.json`."""
    return json.dumps({"format": FORMAT, **asdict(reel)}, separators=(",", ":")).encode()


def reel_from_value(value: dict[str, Any]) -> Reel:
    """A reel from parsed JSON. Raises KeyError, TypeError or ValueError."""
    fields = {name: value[name] for name in Reel.__slots__ if name != "segments"}
    return replace(Reel(**fields), segments=tuple(_segment_from_value(one) for one in value["segments"]))


def _segment_from_value(value: dict[str, Any]) -> Segment:
    return Segment(**{**value, "out_of_order": tuple(value["out_of_order"])})


def _check_segments(reel: Reel) -> None:
    expected = 0
    for segment in reel.segments:
        if segment.first != expected or segment.count < 1:
            raise CheckpointCorrupt(f"reel {reel.name}: frame {expected} was to begin a segment; found {segment}")
        expected += segment.count
