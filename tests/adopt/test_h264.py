"""NAL units and parameter sets, in both of their forms."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.adopt.h264 import (
    START_CODE,
    BadBitstream,
    Sequence,
    Unpacker,
    annex_b_units,
    prefixed_units,
    read_sequence,
)

_SPS, _PPS, _IDR = (
    bytes.fromhex("6764000dacd94141fb0110000003001000000303c0f1429960"),
    b"\x68\xef\x8f\xcb",
    b"\x65\x88\x84",
)


def avcc(*units: bytes) -> bytes:
    """The extradata of an MP4 file, for lengths of four bytes."""
    sps, *pps = units
    sets = len(sps).to_bytes(2) + sps + bytes([len(pps)]) + b"".join(len(one).to_bytes(2) + one for one in pps)
    return bytes([1, *sps[1:4], 0xFF, 0xE1]) + sets


def test_the_size_and_the_kind_are_read_from_the_parameter_set() -> None:
    assert read_sequence(_SPS) == Sequence(100, 13, 1, 8, (320, 240), is_progressive=True)


@pytest.mark.parametrize(
    ("size", "pixels", "options", "expected"),
    [
        ((64, 48), "yuv420p", {"profile": "baseline"}, (66, 1, 8, (64, 48), True)),
        ((1920, 1080), "yuv420p", {"profile": "high"}, (100, 1, 8, (1920, 1088), True)),
        ((64, 64), "yuv420p", {"x264-params": "fake-interlaced=1"}, (100, 1, 8, (64, 64), False)),
        ((64, 64), "yuv420p", {"x264-params": "cqm=jvt"}, (100, 1, 8, (64, 64), True)),
        ((64, 64), "yuv422p", {}, (122, 2, 8, (64, 64), True)),
        ((64, 64), "yuv444p", {"x264-params": "cqm=jvt"}, (244, 3, 8, (64, 64), True)),
        ((64, 64), "yuv420p10le", {}, (110, 1, 10, (64, 64), True)),
    ],
)
def test_what_x264_writes_is_read(
    size: tuple[int, int], pixels: str, options: dict[str, str], expected: tuple[object, ...]
) -> None:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    (encoder.width, encoder.height), encoder.pix_fmt = size, pixels
    encoder.time_base, encoder.options = Fraction(1, 30), options
    encoder.flags |= 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER
    encoder.open()
    (found,) = Unpacker(encoder.extradata or b"").sets.sequences
    assert (found.profile, found.chroma_format, found.bit_depth, found.size, found.is_progressive) == expected


def test_both_forms_of_a_packet_give_the_same_sample() -> None:
    prefixed = b"".join(len(unit).to_bytes(4) + unit for unit in (b"\x09\x10", _IDR))
    by_length = Unpacker(avcc(_SPS, _PPS)).unpack(prefixed)
    by_code = Unpacker(START_CODE + _SPS + START_CODE + _PPS).unpack(b"\0\0\1\x09\x10" + START_CODE + _IDR)
    assert by_length == by_code
    assert (by_length.data, by_length.is_idr, by_length.sets) == (START_CODE + _IDR, True, ())


def test_parameter_sets_in_packets_are_taken_out_and_must_not_change() -> None:
    unpacker = Unpacker(avcc(_SPS, _PPS))
    found = unpacker.unpack(b"".join(len(unit).to_bytes(4) + unit for unit in (_SPS, _PPS, _IDR)))
    assert (found.data, found.sets) == (START_CODE + _IDR, (_SPS, _PPS))
    assert all(unpacker.sets.add(unit, replaces=False) for unit in found.sets)
    other = _PPS[:-1] + b"\xca"
    assert not unpacker.sets.add(other, replaces=False)
    assert unpacker.sets.annex_b == START_CODE + _SPS + START_CODE + _PPS
    assert unpacker.sets.add(other, replaces=True)
    assert unpacker.sets.annex_b == START_CODE + _SPS + START_CODE + other


@given(st.binary(max_size=60), st.sampled_from([0, 1, 2, 4]))
def test_no_bytes_break_the_reading(data: bytes, length_bytes: int) -> None:
    try:
        units = list(prefixed_units(data, length_bytes)) if length_bytes else list(annex_b_units(data))
        assert sum(map(len, units)) <= len(data)
        Unpacker(data).unpack(data)
        read_sequence(data)
    except BadBitstream:
        pass


@pytest.mark.parametrize("size", range(9))
def test_a_parameter_set_that_is_cut_off_is_told(size: int) -> None:
    with pytest.raises(BadBitstream, match="cut off"):
        read_sequence(_SPS[:size])
