"""The index of a video: sample tables that make an ordinary MP4 of a reel's fragments, as they are.

`video.mp4` is a *head* and the *media*. The media are the reel's fragments in order, unchanged. The head is
ftyp, a moov with full sample tables, whose chunk offsets point into the fragments, and the header of one mdat that
covers all media: provenance boxes and moofs are bytes there that no sample refers to. So players can seek at once, and
media that are stored need not be sent again when the video grows: only the head changes.

A head holds all that was read from the moofs. It is read back to continue a stored file.

A head has about 12 bytes for each frame, 1.2 MB for 100,000; 8 more where frames are not all shown for the same time.

Source: ISO/IEC 14496-12, clauses 8.4 to 8.6 (tables, edit list) and 8.8 (movie fragments).
"""

from __future__ import annotations

import itertools
import operator
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator

from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import MAXIMUM_REEL_FRAMES
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME
from timelapse_runtime.timelapse.video.boxes import child_box, pack_box, pack_full_box, walk_boxes
from timelapse_runtime.timelapse.video.codec_name import sample_entry
from timelapse_runtime.timelapse.video.init_segment import edit_list

_MEDIA_HEADER_BYTES = 16
"""An mdat box with a 64-bit size."""
_STBL = ("trak", "mdia", "minf", "stbl")
_NOT_SYNC = 1 << 16
_CODEC_BRANDS = {"avc1": b"avc1", "av01": b"av01"}
"""Of sample entries that have one (mp4ra.org, 'Brands', November 2026)."""
_NEAR = 64
"""No encoder moves a frame as far as that."""
_NO_SAMPLES = struct.pack(">III", 1, 0, 0)
"""A run of none."""
_UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


class SampleTable:
    """The samples of a video, in decode order. Appending costs work for the new fragments alone."""

    def __init__(self) -> None:
        self.media_size_bytes = 0
        """The size of the fragments that were appended."""
        self._sizes, self._offsets = array("I"), array("I")
        """Of each sample: bytes, and from decoding to presentation, in ticks."""
        self._durations = array("I")
        """Of each sample: ticks until the next one is decoded."""
        self._sync = array("I")
        """The numbers of the keyframes; the first sample is 1."""
        self._chunk_starts, self._chunk_counts = array("Q"), array("I")
        """Of each fragment: where its samples begin in the media, and how many they are."""

    @property
    def frame_count(self) -> int:
        """The number of samples."""
        return len(self._sizes)

    @property
    def ticks(self) -> int:
        """How long all samples take."""
        return sum(self._durations)

    def append(self, fragments: bytes) -> None:
        """Add whole fragments, which follow the ones before in the media.

        Raises SegmentCorrupt; the table is of no more use then.
        """
        try:
            for box in walk_boxes(fragments):
                if box.type == "moof":
                    self._add(fragments[box.payload : box.end], self.media_size_bytes + box.start)
                elif box.type == "mdat":
                    self._check_last(self.media_size_bytes + box.payload, box.end - box.payload)
        except (struct.error, ValueError, OverflowError, LookupError) as error:
            raise SegmentCorrupt(f"a fragment's header is damaged: {error!r}") from error
        self.media_size_bytes += len(fragments)

    def head(self, init_segment: bytes) -> bytes:
        """What stands before the media in `video.mp4`. `init_segment` is the reel's. Raises SegmentCorrupt."""
        size_bytes = len(self._ftyp_and_moov(init_segment, 0)) + _MEDIA_HEADER_BYTES
        media_header = struct.pack(">I4sQ", 1, b"mdat", _MEDIA_HEADER_BYTES + self.media_size_bytes)
        return self._ftyp_and_moov(init_segment, size_bytes) + media_header

    @classmethod
    def from_head(cls, head: bytes) -> SampleTable:
        """The table that a stored head was made of. Raises SegmentCorrupt."""
        table = cls()
        try:
            moov = child_box(head[:-_MEDIA_HEADER_BYTES], "moov")
            stbl = child_box(moov, *_STBL)
            one, kind, size_bytes = struct.unpack(">I4sQ", head[-_MEDIA_HEADER_BYTES:])
            if (one, kind) != (1, b"mdat"):
                raise SegmentCorrupt(f"the head ends with {kind!r}")
            table.media_size_bytes = size_bytes - _MEDIA_HEADER_BYTES
            table._sizes = _numbers("I", child_box(stbl, "stsz")[12:])
            table._sync = _numbers("I", child_box(stbl, "stss")[8:])
            table._chunk_starts.extend(start - len(head) for start in _numbers("Q", child_box(stbl, "co64")[8:]))
            durations, offsets = (_numbers("I", child_box(stbl, kind)[8:]) for kind in ("stts", "ctts"))
            if table._sizes:
                table._durations = _expanded(durations[::2], durations[1::2], len(table._sizes))
            table._offsets = _expanded(offsets[::2], offsets[1::2], len(table._sizes))
            chunks = _numbers("I", child_box(stbl, "stsc")[8:])
            firsts = [*chunks[::3], len(table._chunk_starts) + 1]
            lengths = [after - before for before, after in itertools.pairwise(firsts)]
            table._chunk_counts = _expanded(lengths, chunks[1::3], len(table._chunk_starts))
        except (struct.error, ValueError, OverflowError) as error:
            raise SegmentCorrupt(f"the head of a video is damaged: {error}") from error
        if len(table._offsets) != len(table._sizes) or sum(table._chunk_counts) != len(table._sizes):
            raise SegmentCorrupt("the tables in the head of a video have different lengths")
        return table

    # ---- fragments

    def _add(self, moof: bytes, moof_start: int) -> None:
        traf = child_box(moof, "traf")
        tfhd = child_box(traf, "tfhd")
        (flags,) = struct.unpack_from(">I", tfhd)
        present = [bit for bit in (0x8, 0x10, 0x20) if flags & bit]
        defaults = dict(zip(present, _numbers("I", tfhd[8:]), strict=True))
        if not flags & 0x20000 or flags & 0x3:
            raise SegmentCorrupt(f"a fragment at byte {moof_start} has a header of another kind: {flags:#x}")
        self._add_run(child_box(traf, "trun"), moof_start, defaults)

    def _add_run(self, trun: bytes, moof_start: int, defaults: dict[int, int]) -> None:
        flags, count = struct.unpack_from(">II", trun)
        if not flags & 0x1:
            raise SegmentCorrupt(f"a fragment at byte {moof_start} has samples of another kind: {flags:#x}")
        start = 16 if flags & 0x4 else 12
        columns = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
        numbers = _numbers("I", trun[start:])
        if len(numbers) != count * len(columns) or count > MAXIMUM_REEL_FRAMES:
            raise SegmentCorrupt(f"a fragment at byte {moof_start} has {len(numbers)} numbers for {count} samples")
        values = {bit: numbers[place :: len(columns)] for place, bit in enumerate(columns)}
        sample_flags = values.get(0x400) or array("I", [defaults.get(0x20, 0)]) * count
        if flags & 0x4 and count:
            sample_flags[0] = struct.unpack_from(">I", trun, 12)[0]
        durations = values.get(0x100) or array("I", [defaults.get(0x8, 0)]) * count
        if not all(durations):
            raise SegmentCorrupt(f"a fragment at byte {moof_start} has a frame that takes no time")
        first_number = len(self._sizes) + 1
        self._durations.extend(durations)
        self._sizes.extend(values.get(0x200) or array("I", [defaults.get(0x10, 0)]) * count)
        self._offsets.extend(values.get(0x800) or array("I", [0]) * count)
        self._sync.extend(first_number + place for place, flag in enumerate(sample_flags) if not flag & _NOT_SYNC)
        self._chunk_starts.append(moof_start + struct.unpack_from(">i", trun, 8)[0])
        self._chunk_counts.append(count)

    def _check_last(self, start: int, size_bytes: int) -> None:
        """An mdat must hold just the samples of the moof before it."""
        expected = self._chunk_starts[-1], sum(self._sizes[-self._chunk_counts[-1] :])
        if (start, size_bytes) != expected:
            raise SegmentCorrupt(f"{size_bytes} bytes at byte {start} of the media; the samples have {expected}")

    # ---- the head

    def _ftyp_and_moov(self, init_segment: bytes, media_start: int) -> bytes:
        moov = child_box(init_segment, "moov")
        timescale: int = struct.unpack_from(">I", child_box(moov, "trak", "mdia", "mdhd"), 12)[0]
        size = child_box(moov, "trak", "tkhd")[-8:]
        first, last = self._shown()
        # Decoding may end long before the last frame is shown: nothing says for how long that is, but one frame's time.
        decoded, duration = self.ticks, last + TICKS_PER_FRAME - first
        stbl = pack_box("stbl", *self._tables(child_box(moov, *_STBL), media_start))
        inherited = _children(child_box(moov, "trak", "mdia", "minf"))
        minf = b"".join(stbl if kind == "stbl" else body for kind, body in inherited)
        mdhd = pack_full_box("mdhd", struct.pack(">IIIIHH", 0, 0, timescale, max(decoded, duration), 0x55C4, 0))
        hdlr = pack_box("hdlr", child_box(moov, "trak", "mdia", "hdlr"))
        tkhd = pack_full_box("tkhd", struct.pack(">IIIII", 0, 0, 1, 0, duration), bytes(16), _UNITY, size, flags=3)
        # Decoding begins at 0, and the first frame is shown some frames later: the presentation begins there.
        edts = edit_list(first, duration)
        trak = pack_box("trak", tkhd, edts, pack_box("mdia", mdhd, hdlr, pack_box("minf", minf)))
        movie = struct.pack(">IIIIIH", 0, 0, timescale, duration, 0x10000, 0x100)
        mvhd = pack_full_box("mvhd", movie, bytes(10), _UNITY, bytes(24), struct.pack(">I", 2))
        codec_brand = _CODEC_BRANDS.get(sample_entry(init_segment)[0], b"")
        ftyp = pack_box("ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2" + codec_brand + b"mp41")
        return ftyp + pack_box("moov", mvhd, trak)

    def _tables(self, init_stbl: bytes, media_start: int) -> Iterator[bytes]:
        count = self.frame_count
        yield pack_box("stsd", child_box(init_stbl, "stsd"))
        yield _run_table("stts", self._durations) if count else pack_full_box("stts", _NO_SAMPLES)
        yield pack_full_box("stss", struct.pack(">I", len(self._sync)), _packed("I", self._sync))
        yield _run_table("ctts", self._offsets)
        chunks = [(place + 1, value, 1) for place, _, value in _runs(self._chunk_counts)]
        yield pack_full_box("stsc", struct.pack(">I", len(chunks)), _packed("I", itertools.chain.from_iterable(chunks)))
        yield pack_full_box("stsz", struct.pack(">II", 0, count), _packed("I", self._sizes))
        starts = (media_start + start for start in self._chunk_starts)
        yield pack_full_box("co64", struct.pack(">I", len(self._chunk_starts)), _packed("Q", starts))

    def _shown(self) -> tuple[int, int]:
        """The ticks at which the first and the last frame in order of presentation are shown, which are among the first
        and the last to be decoded. Without frames, the last one is a frame's time before the first."""
        starts = itertools.accumulate(self._durations[:_NEAR], initial=0)
        tail_start = self.ticks - sum(self._durations[-_NEAR:])
        ends = itertools.accumulate(self._durations[-_NEAR:], initial=tail_start)
        first = min(map(operator.add, starts, self._offsets[:_NEAR]), default=0)
        return first, max(map(operator.add, ends, self._offsets[-_NEAR:]), default=first - TICKS_PER_FRAME)


def head_size_bytes(start: bytes) -> int | None:
    """The size of the head of a `video.mp4`, by its first 64 bytes or more; None if it has no head, as those that
    earlier versions wrote. Raises SegmentCorrupt."""
    try:
        ftyp_bytes, ftyp = struct.unpack_from(">I4s", start)
        moov_bytes, moov = struct.unpack_from(">I4s", start, ftyp_bytes)
    except struct.error as error:
        raise SegmentCorrupt("the video's first boxes are damaged") from error
    if (ftyp, moov) != (b"ftyp", b"moov"):
        raise SegmentCorrupt(f"the video begins with {ftyp!r} and {moov!r}")
    is_fragmented = start[8:12] != b"isom"
    return None if is_fragmented else int(ftyp_bytes + moov_bytes + _MEDIA_HEADER_BYTES)


def _children(payload: bytes) -> Iterator[tuple[str, bytes]]:
    """The boxes in a box, each with its type, whole."""
    for box in walk_boxes(payload):
        yield box.type, payload[box.start : box.end]


def _run_table(kind: str, values: array[int]) -> bytes:
    """A box with the runs of equal values: the length of each, and the value."""
    runs = [(length, value) for _, length, value in _runs(values)]
    return pack_full_box(kind, struct.pack(">I", len(runs)), _packed("I", itertools.chain.from_iterable(runs)))


def _packed(kind: str, numbers: Iterable[int]) -> bytes:
    """Big-endian: of 32 bits each if `kind` is I, of 64 if it is Q."""
    packed = array(kind, numbers)
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes()


def _numbers(kind: str, data: bytes) -> array[int]:
    """What `_packed` packed. Raises ValueError."""
    numbers = array(kind, data)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _runs(values: array[int]) -> Iterator[tuple[int, int, int]]:
    """Each run of equal values: where it begins, its length, the value."""
    start = 0
    for value, run in itertools.groupby(values):
        length = sum(1 for _ in run)
        yield start, length, value
        start += length


def _expanded(lengths: Iterable[int], values: Iterable[int], count: int) -> array[int]:
    """The values of a table of runs, which must be `count`. Raises ValueError."""
    runs = list(zip(lengths, values, strict=True))
    if min((length for length, _ in runs), default=1) < 1 or sum(length for length, _ in runs) != count:
        raise ValueError(f"a table should have {count} entries")
    expanded = array("I")
    for length, value in runs:
        expanded.extend(itertools.repeat(value, length))
    return expanded
