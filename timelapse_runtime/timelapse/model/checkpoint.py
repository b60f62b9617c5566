"""The stream's one mutable truth: `checkpoint.json`, format 2, or 3 if other objects hold a part of `ahead`. Format 1,
in which all streams are in name order, is read as well.

A photo has a position in its stream's order: its key, or in arrival order its upload time, ETag and key
(`model/source_frame.py`). Keys are relative to the stream's prefix; positions and keys compare by their UTF-8 bytes, as
S3 orders keys.

Invariants: segments lie end to end from frame 0 of the reel; `watermark` never goes back from one generation to the
next; every photo whose position is at most `watermark`, or is in `ahead`, is in a segment of this or an earlier reel,
or has a rejection record.

`ahead` holds the positions of photos that were committed past the watermark. The watermark must not pass a photo that
no listing has shown, or a photo whose event is lost is not found by the next listing. In name order these are few:
those of a shutdown, where there is no time for a listing. In arrival order the watermark stays five minutes behind the
newest photo.

The list of segments grows with the reel, which a day, MAXIMUM_REEL_FRAMES or MAXIMUM_HISTORY_BYTES bounds. Of `ahead`,
what is too long for the checkpoint is in objects that it names (`model/ahead_parts.py`).
"""

from __future__ import annotations

import functools
import json
import operator
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from timelapse_runtime.timelapse.errors import CheckpointCorrupt
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME
from timelapse_runtime.timelapse.model.keys import key_order
from timelapse_runtime.timelapse.model.left_out import LeftOut
from timelapse_runtime.timelapse.model.source_frame import photo_at

FORMAT = 2
FORMAT_WITH_PARTS = 3
"""An earlier version, which knows no parts, must not go on with such a checkpoint: it would take photos again."""
_READABLE = (1, FORMAT, FORMAT_WITH_PARTS)
NAME_ORDER, ARRIVAL_ORDER = "name", "arrival"
"""What positions are: `TIMELAPSE_ORDER`."""
MAXIMUM_REEL_FRAMES = 100_000
"""A reel ends here at the latest: 555 segments of 180 frames, a checkpoint of about 160 kB."""
MAXIMUM_HISTORY_BYTES = 175_000
"""A reel ends when its checkpoint is as long as this without `ahead`: because of long names, many photos out of order,
or segments of a few frames, where a stream is closed and opened again and again. Each commit writes all of it. With 80
kB of `ahead` (`ahead_parts.MAXIMUM_AHEAD_BYTES`) it has 256 kB at most."""


def checksum(body: bytes) -> str:
    """CRC-32 in hexadecimal, as `crc32` and `gzip` have it. Damage within a picture's data often decodes to some other
    picture without a message; a cryptographic digest would double the checkpoint of a day."""
    return f"{zlib.crc32(body):08x}"


def photos_checksum(positions: Iterable[str], before: str = "") -> str:
    """Of photos in any order: the exclusive or of their positions' CRC-32s, in hexadecimal; `before` is that of
    others."""
    crcs = (zlib.crc32(key_order(position)) for position in positions)
    return f"{functools.reduce(operator.xor, crcs, int(before or '0', 16)):08x}"


@dataclass(frozen=True, slots=True)
class Segment:
    """One committed segment. `last_key` is the highest position up to its end; `out_of_order` are the positions of
    those of its frames that do not lie above the segment before it; `crc32` is its bytes' `checksum`. `photos` is
    `photos_checksum` of its other frames; empty in a segment from before it was written. `captured_epoch_ms` is when
    the photo of its first frame was taken; 0 if the segment is from before that was written. `duration_ticks` is 0 if
    each frame is shown for one frame's time."""

    first: int
    count: int
    attempt: str
    size_bytes: int
    crc32: str
    last_key: str
    out_of_order: tuple[str, ...] = ()
    photos: str = ""
    captured_epoch_ms: int = 0
    duration_ticks: int = 0

    @property
    def ticks(self) -> int:
        """How long it takes to decode it at the video's speed, in ticks: as long as it is shown, but for the last few
        frames, which are shown until frames of the next one are (`model/frame_times.py`)."""
        return self.duration_ticks or self.count * TICKS_PER_FRAME


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
    """Of the init segment without its edit list (`video/init_segment.py`)."""
    first_sequence: int
    previous: str | None
    segments: tuple[Segment, ...] = ()
    last_is_open: bool = False
    is_closed: bool = False
    order: str = NAME_ORDER
    after: str = ""
    """In arrival order: the highest position before the reel."""
    discontinuity: int = 0
    """How many reels with segments there are before this one: its discontinuity sequence number in `live.m3u8`."""
    codecs: str = ""
    """As playlists name it, such as `avc1.64001F`; empty if it is not known."""
    low_delay: bool = False
    """Its encoders give each frame at once (`model/pace.py`)."""
    left_out: tuple[LeftOut, ...] = ()
    """The newest of what was uploaded and did not become a frame."""
    video_etag: str = ""
    """Of a closed reel whose segments are removed, or may be at any time: the `video.mp4` that holds them."""
    edition: str = ""
    """The folder, within the reel's, of its init segment, its segments and `video.mp4`; empty if the reel was not made
    again since it was closed (`editions.py`)."""
    last_edition: str = ""
    """The edition that was begun last: `edition`, or a later one that may still take its place."""
    removed_count: int = 0
    """Frames that the checkpoint's `frame_count` counts, and that this edition does not have."""
    speed: int = 0
    """How many times faster than the world its time passes; 0: each frame is shown for one frame's time."""

    @property
    def path(self) -> str:
        """Where its init segment, its segments and `video.mp4` lie, below the folder of all reels."""
        return f"{self.name}/{self.edition}" if self.edition else self.name

    @property
    def counted_frames(self) -> int:
        """What the checkpoint's `frame_count` has of it."""
        return self.frame_count + self.removed_count

    @property
    def highest_key(self) -> str:
        """The highest position up to the reel's end."""
        return self.segments[-1].last_key if self.segments else self.after

    @property
    def date(self) -> str:
        """The day that the reel began on, as in its name."""
        return self.name[:10]

    @property
    def frame_count(self) -> int:
        """Frames committed; the number of the next one."""
        return self.segments[-1].first + self.segments[-1].count if self.segments else 0

    @property
    def ticks(self) -> int:
        """Of its segments."""
        return sum(segment.ticks for segment in self.segments)

    @property
    def media_size_bytes(self) -> int:
        """The size of all segments: of `video.mp4` without its head, when it holds all committed frames."""
        return sum(segment.size_bytes for segment in self.segments)

    @property
    def closed_segments(self) -> tuple[Segment, ...]:
        """The segments that will not change any more."""
        return self.segments[:-1] if self.last_is_open else self.segments

    @property
    def closed_media_size_bytes(self) -> int:
        """The size of the closed segments."""
        return sum(segment.size_bytes for segment in self.closed_segments)


@dataclass(frozen=True, slots=True)
class ReelTail:
    """The last segments of an earlier reel, for the playlist that runs over all reels. `first_sequence` is the media
    sequence number of the first of them; of each segment only what a playlist says is kept."""

    name: str
    fps: int
    keyframe_interval: int
    first_sequence: int
    discontinuity: int
    segments: tuple[Segment, ...]
    edition: str = ""

    @property
    def path(self) -> str:
        """As of Reel."""
        return f"{self.name}/{self.edition}" if self.edition else self.name


@dataclass(frozen=True, slots=True)
class AheadPart:
    """An immutable object with a part of a checkpoint's `ahead`, under a name that no other `attempt` uses; `crc32` is
    its bytes' `checksum`. Some of its positions may lie below the watermark by now."""

    attempt: str
    positions: tuple[str, ...]
    crc32: str

    @classmethod
    def of(cls, attempt: str, positions: Iterable[str]) -> AheadPart:
        """A new one."""
        part = cls(attempt, tuple(positions), "")
        return replace(part, crc32=checksum(part.to_json()))

    def to_json(self) -> bytes:
        """As stored: the positions."""
        return _json(self.positions)

    @classmethod
    def from_json(cls, attempt: str, body: bytes) -> AheadPart:
        """As read. Raises CheckpointCorrupt."""
        try:
            return cls(attempt, _keys(json.loads(body)), checksum(body))
        except (ValueError, TypeError) as error:
            raise CheckpointCorrupt(f"the part {attempt} of ahead cannot be read: {error!r}") from error


@dataclass(frozen=True)
class Checkpoint:
    """How far the video has come. `source` is where the stream's photos are; `generation` counts commits; `commit` is
    unique to the attempt that wrote it. In arrival order, a listing after the key `scan_after` shows the photos beyond
    the watermark, as far as they are known. `tail` are the ends of earlier reels, oldest first, that `live.m3u8` still
    lists. `owner` is the environment that wrote it, and its lease lasts `lease_ms` from then on (`model/lease.py`).
    `settings` are the stream's own as that environment knew them (`model/stream_settings.py`). `ahead` is all of it, in
    order; `ahead_parts` are the objects that hold some of it."""

    source: str
    generation: int
    commit: str
    watermark: str
    ahead: tuple[str, ...]
    frame_count: int
    rejected_count: int
    reel: Reel | None
    order: str = NAME_ORDER
    scan_after: str = ""
    tail: tuple[ReelTail, ...] = ()
    owner: str = ""
    lease_ms: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    ahead_parts: tuple[AheadPart, ...] = ()

    def covers(self, position: str) -> bool:
        """Whether the photo at this position is settled: in the video, or rejected."""
        return position in self._ahead or key_order(position) <= self._watermark_order

    @functools.cached_property
    def _ahead(self) -> frozenset[str]:
        return frozenset(self.ahead)

    @functools.cached_property
    def _watermark_order(self) -> bytes:
        return key_order(self.watermark)

    @functools.cached_property
    def own_ahead(self) -> tuple[str, ...]:
        """What is in `ahead` and in none of its parts."""
        elsewhere = {position for part in self.ahead_parts for position in part.positions}
        return tuple(position for position in self.ahead if position not in elsewhere)

    def to_json(self) -> bytes:
        """As stored: without what its parts hold."""
        value = {"format": FORMAT, **asdict(replace(self, ahead=self.own_ahead, ahead_parts=()), dict_factory=_stored)}
        del value["ahead_parts"]
        if self.ahead_parts:
            value["format"] = FORMAT_WITH_PARTS
            value["ahead_parts"] = [{"attempt": part.attempt, "crc32": part.crc32} for part in self.ahead_parts]
        return _json(value)

    @classmethod
    def from_json(cls, body: bytes, part_of: Callable[[str], AheadPart] | None = None) -> Checkpoint:
        """As read; `part_of` gives a part of `ahead` by its attempt. Raises CheckpointCorrupt, which names what is
        wrong, and what `part_of` raises. `read_checkpoint` reads one with its parts."""
        try:
            value: dict[str, Any] = json.loads(body)
            if value.get("format") not in _READABLE:
                raise CheckpointCorrupt(
                    f"checkpoint.json has format {value.get('format')!r}; this version reads {_READABLE}"
                )
            if value["format"] == 1:
                value |= {"order": NAME_ORDER, "scan_after": ""}
            value = {"owner": "", "lease_ms": 0, **value}
            reel = None if value["reel"] is None else reel_from_value(value["reel"])
            tail = tuple(_tail_from_value(one) for one in value.get("tail", ()))
            stored_parts = value["ahead_parts"] if value["format"] == FORMAT_WITH_PARTS else ()
            plain = _typed_fields(cls, value)
            parts = tuple(_part_from_value(one, part_of) for one in stored_parts)
            ahead = _whole_ahead(_keys(value["ahead"]), parts, plain["watermark"])
            _check_positions(ahead, value["order"])
            settings = _texts(value.get("settings", {}))
            return cls(**plain, ahead=ahead, reel=reel, tail=tail, settings=settings, ahead_parts=parts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointCorrupt(f"checkpoint.json cannot be read: {error!r}") from error


def reel_to_json(reel: Reel) -> bytes:
    """A closed reel's manifest, as stored in `reel.json`."""
    return json.dumps({"format": FORMAT, **asdict(reel, dict_factory=_stored)}, separators=(",", ":")).encode()


def reel_from_value(value: dict[str, Any]) -> Reel:
    """A reel from parsed JSON. Raises KeyError, TypeError or ValueError."""
    defaults = {
        "order": NAME_ORDER,
        "after": "",
        "discontinuity": value["number"] - 1,
        "codecs": "",
        "low_delay": False,
        "video_etag": "",
        "edition": "",
        "last_edition": "",
        "removed_count": 0,
        "speed": 0,
    }
    value = defaults | value
    segments = tuple(_segment_from_value(one) for one in value["segments"])
    left_out = tuple(LeftOut(**_typed_fields(LeftOut, one)) for one in value.get("left_out", ()))
    reel = Reel(**_typed_fields(Reel, value), segments=segments, left_out=left_out)
    expected = 0
    for segment in reel.segments:
        if segment.first != expected or segment.count < 1:
            raise ValueError(f"reel {reel.name}: frame {expected} was to begin a segment; found {segment}")
        expected += segment.count
    return reel


def _tail_from_value(value: dict[str, Any]) -> ReelTail:
    segments = tuple(_segment_from_value(one) for one in value["segments"])
    return ReelTail(**_typed_fields(ReelTail, {"edition": "", **value}), segments=segments)


def _segment_from_value(value: dict[str, Any]) -> Segment:
    value = {"photos": "", "captured_epoch_ms": 0, "duration_ticks": 0, **value}
    return Segment(**{**value, **_typed_fields(Segment, value), "out_of_order": _keys(value["out_of_order"])})


def history_size_bytes(checkpoint: Checkpoint, body: bytes | None = None) -> int:
    """Its size as stored, without `ahead`: what stays, and grows while the reel does. `body` is its `to_json`, if that
    is at hand."""
    return len(body or checkpoint.to_json()) - positions_size_bytes(checkpoint.own_ahead)


def positions_size_bytes(positions: Iterable[str]) -> int:
    """What they take as JSON."""
    return len(_json(list(positions)))


def _stored(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """What is stored of an object: a segment of a reel without times of its own does not pay for them."""
    return {name: value for name, value in fields if (name, value) != ("duration_ticks", 0)}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "str | None": (str, type(None)),
}


def _typed_fields(owner: type, value: dict[str, Any]) -> dict[str, Any]:
    """The plain fields of `owner`, each of its type: a wrong one would else be found where it is used, or never."""
    found = {}
    for name, annotation in owner.__annotations__.items():
        if annotation in _JSON_TYPES:
            if type(value[name]) not in _JSON_TYPES[annotation]:
                raise TypeError(f"{name} is {value[name]!r}, not {annotation}")
            found[name] = value[name]
    return found


def _check_positions(positions: Iterable[str], order: Any) -> None:
    if order == ARRIVAL_ORDER:
        for position in positions:
            photo_at(position)
    elif order != NAME_ORDER:
        raise ValueError(f"order is {order!r}")


def _part_from_value(value: Any, part_of: Callable[[str], AheadPart] | None) -> AheadPart:
    attempt, crc32 = value["attempt"], value["crc32"]
    if part_of is None:
        raise CheckpointCorrupt("checkpoint.json was read without the parts of ahead that it names")
    part = part_of(attempt)
    if part.crc32 != crc32:
        raise CheckpointCorrupt(f"the part {attempt} of ahead has the CRC-32 {part.crc32}; {crc32} was committed")
    return part


def _whole_ahead(own: tuple[str, ...], parts: Iterable[AheadPart], watermark: str) -> tuple[str, ...]:
    """All of `ahead`, in order: of its parts, what the watermark has not passed."""
    passed = key_order(watermark)
    elsewhere = {position for part in parts for position in part.positions if key_order(position) > passed}
    return tuple(sorted({*own, *elsewhere}, key=key_order)) if elsewhere else own


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise TypeError(f"settings are {value!r}")
    return value


def _keys(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise TypeError(f"{value!r} is not a list of keys")
    return tuple(value)
