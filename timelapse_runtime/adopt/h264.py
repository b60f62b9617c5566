"""H.264 as far as packets are copied: NAL units, and what a sequence parameter set says of the pictures. Pure.

Source: ITU-T H.264 (August 2021), clauses 7.3.1 (NAL units), 7.3.2.1.1 (sequence parameter set), 7.4.2.1.1 (profiles
with chroma fields), Annex B (start codes); ISO/IEC 14496-15, 5.3.3.1 (avcC).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

START_CODE = b"\0\0\0\1"
_SLICE, _IDR_SLICE, _SEI, _SPS, _PPS = 1, 5, 6, 7, 8
_KEPT = frozenset({_SLICE, _IDR_SLICE, _SEI})
"""What goes into a sample beside parameter sets. Delimiters and filler mean nothing there, and extensions of other
views or layers are not decoded."""
_WITH_CHROMA_FIELDS = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_MONOCHROME_444 = 3


class BadBitstream(Exception):
    """It is not H.264 as the standard has it."""


def annex_b_units(data: bytes) -> Iterator[bytes]:
    """The NAL units between start codes."""
    start = data.find(b"\0\0\1")
    while start >= 0:
        end = data.find(b"\0\0\1", start + 3)
        unit = data[start + 3 : end if end >= 0 else len(data)].rstrip(b"\0")
        if unit:
            yield unit
        start = end


def prefixed_units(data: bytes, length_bytes: int) -> Iterator[bytes]:
    """The NAL units behind lengths of so many bytes. Raises BadBitstream."""
    position = 0
    while position < len(data):
        size = int.from_bytes(data[position : position + length_bytes])
        position += length_bytes
        if position + size > len(data):
            raise BadBitstream(f"a NAL unit claims {size} of {len(data) - position} bytes")
        if size:
            yield data[position : position + size]
        position += size


@dataclass(slots=True)
class ParameterSets:
    """The parameter sets of a video, by kind and id, in the order in which they came."""

    found: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def add(self, unit: bytes, *, replaces: bool) -> bool:
        """Whether the unit is now, or was already, the one of its kind and id. Raises BadBitstream."""
        bits = _Bits(unit[4:] if unit[0] & 31 == _SPS else unit[1:])
        key = unit[0] & 31, bits.unsigned()
        known = self.found.get(key)
        if known is None or replaces:
            self.found[key] = unit
            return True
        return known == unit

    @property
    def annex_b(self) -> bytes:
        """All of them, those of sequences first."""
        return b"".join(START_CODE + self.found[key] for key in sorted(self.found))

    @property
    def sequences(self) -> list[Sequence]:
        """What the sequence parameter sets say. Raises BadBitstream."""
        return [read_sequence(unit) for (kind, _), unit in self.found.items() if kind == _SPS]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A packet's NAL units: `data` is what goes into a sample, with start codes; `sets` are its parameter sets."""

    data: bytes
    is_idr: bool
    sets: tuple[bytes, ...]


class Unpacker:
    """Takes packets apart, in the form that the file's `extradata` tells: avcC with lengths, or start codes."""

    def __init__(self, extradata: bytes) -> None:
        self.sets = ParameterSets()
        self._length_bytes = 0
        units: Iterable[bytes] = annex_b_units(extradata)
        if extradata[:1] == b"\1":
            self._length_bytes, units = _read_avcc(extradata)
        for unit in units:
            if unit[0] & 31 in (_SPS, _PPS):
                self.sets.add(unit, replaces=False)

    def unpack(self, packet: bytes) -> Unpacked:
        """Raises BadBitstream."""
        is_prefixed = self._length_bytes > 0
        units = list(prefixed_units(packet, self._length_bytes) if is_prefixed else annex_b_units(packet))
        kinds = [unit[0] & 31 for unit in units]
        data = b"".join(START_CODE + unit for unit, kind in zip(units, kinds, strict=True) if kind in _KEPT)
        sets = tuple(unit for unit, kind in zip(units, kinds, strict=True) if kind in (_SPS, _PPS))
        return Unpacked(data, _IDR_SLICE in kinds, sets)


def _read_avcc(extradata: bytes) -> tuple[int, list[bytes]]:
    try:
        length_bytes, position, units = (extradata[4] & 3) + 1, 5, list[bytes]()
        for mask in (31, 255):
            count = extradata[position] & mask
            position += 1
            for _ in range(count):
                (size,) = struct.unpack_from(">H", extradata, position)
                units.append(extradata[position + 2 : position + 2 + size])
                position += 2 + size
    except (IndexError, struct.error) as error:
        raise BadBitstream(f"its avcC box is cut off: {error}") from error
    return length_bytes, [unit for unit in units if len(unit) > 1]


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a sequence parameter set says of the pictures. `size` is the coded one, before cropping."""

    profile: int
    level: int
    chroma_format: int
    bit_depth: int
    size: tuple[int, int]
    is_progressive: bool


def read_sequence(unit: bytes) -> Sequence:
    """Raises BadBitstream."""
    if len(unit) < 5:
        raise BadBitstream("a sequence parameter set is cut off")
    profile, level, bits = unit[1], unit[3], _Bits(unit[4:])
    bits.unsigned()  # its id
    chroma_format, depth = 1, 8
    if profile in _WITH_CHROMA_FIELDS:
        chroma_format = bits.unsigned()
        if chroma_format == _MONOCHROME_444:
            bits.take(1)
        depth = 8 + max(bits.unsigned(), bits.unsigned())
        bits.take(1)
        if bits.take(1):
            _skip_scaling_lists(bits, 12 if chroma_format == _MONOCHROME_444 else 8)
    bits.unsigned()  # log2_max_frame_num_minus4
    _skip_picture_order(bits)
    bits.unsigned()  # max_num_ref_frames
    bits.take(1)  # gaps_in_frame_num_value_allowed_flag
    width, height = bits.unsigned() + 1, bits.unsigned() + 1
    is_progressive = bool(bits.take(1))
    return Sequence(
        profile, level, chroma_format, depth, (16 * width, 16 * height * (1 if is_progressive else 2)), is_progressive
    )


def _skip_picture_order(bits: _Bits) -> None:
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(255, bits.unsigned())):
            bits.signed()


def _skip_scaling_lists(bits: _Bits, count: int) -> None:
    for number in range(count):
        if bits.take(1):
            last = following = 8
            for _ in range(16 if number < 6 else 64):
                if following:
                    following = (last + bits.signed()) % 256
                last = following or last


class _Bits:
    """Reads a parameter set bit by bit, without the bytes that prevent start codes (7.4.1)."""

    def __init__(self, data: bytes) -> None:
        payload = data.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(payload), 8 * len(payload)

    def take(self, count: int) -> int:
        if count > self._left:
            raise BadBitstream("a parameter set is cut off")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def unsigned(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise BadBitstream("a parameter set has a number that is too long")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        value = self.unsigned()
        return (value + 1) // 2 if value & 1 else -(value // 2)


PROFILES: Mapping[int, str] = {66: "Baseline", 77: "Main", 100: "High"}
"""Those whose pictures are 8-bit 4:2:0, and which players decode. (Extended, 88, is decoded by few.)"""
