"""JPEGs as cameras really write them: no end marker, no tables, odd segments. No photo depends on the one before."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.photos import plane_array
from tests.timelapse.video.images import encode, planes
from tests.timelapse.video.samples import SAMPLES
from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.jpeg_markers import read_jpeg

END = b"\xff\xd9"
PIXELS = np.random.default_rng(12).integers(0, 256, (48, 80, 3), np.uint8)


def segments(body: bytes) -> list[bytes]:
    """SOI, each segment up to the first scan, and the rest as one piece."""
    pieces, position = [body[:2]], 2
    while body[position + 1] != 0xDA:
        end = position + 2 + int.from_bytes(body[position + 2 : position + 4], "big")
        pieces.append(body[position:end])
        position = end
    return [*pieces, body[position:]]


def without(marker: int, body: bytes) -> bytes:
    return b"".join(piece for piece in segments(body) if piece[1] != marker)


STANDARD = without(0xFE, encode("mjpeg", "yuvj420p", PIXELS, huffman="default"))
OPTIMISED = without(0xFE, encode("mjpeg", "yuvj420p", PIXELS, huffman="optimal"))
PROGRESSIVE, RESTARTS = SAMPLES["progressive JPEG"], SAMPLES["JPEG with restart markers"]
KINDS = {"standard": STANDARD, "optimised": OPTIMISED, **{kind: SAMPLES[kind] for kind in SAMPLES if "JPEG" in kind}}


def with_segment(marker: int, payload: bytes, body: bytes) -> bytes:
    return body[:2] + bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload + body[2:]


def scans(body: bytes) -> list[int]:
    return [position for position in range(len(body)) if body[position : position + 2] == b"\xff\xda"]


def is_rejected(decoder: PhotoDecoder, body: bytes, detail: str = "") -> bool:
    with pytest.raises(FrameRejected) as caught:
        decoder.decode(body)
    return caught.value.reason == "undecodable" and detail in caught.value.detail


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", [b"", b"\xff", bytes(64), b"trailer " * 9, b"\xff" * 3, b"\0\xff\0trailer"])
def test_a_whole_picture_needs_no_end_marker(decoder: PhotoDecoder, kind: str, tail: bytes) -> None:
    assert planes(decoder.decode(KINDS[kind][:-2] + tail)) == planes(decoder.decode(KINDS[kind]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", [b"\0" * 99, b"\xff\xda trailer" * 9, STANDARD, PROGRESSIVE[:-2], b"\xff\xd8\xff\xd9"])
def test_what_stands_behind_the_picture_is_left_alone(decoder: PhotoDecoder, kind: str, tail: bytes) -> None:
    assert planes(decoder.decode(KINDS[kind] + tail)) == planes(decoder.decode(KINDS[kind]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "front", [b"\xff\xd8\xff\xd9", b"\xff\xd8", b"\xff\xd8\xff\xff", b"\xff\xd8\xff\x01\0\x10odd bytes\xff\0"]
)
def test_what_stands_before_the_segments_is_read_over(decoder: PhotoDecoder, kind: str, front: bytes) -> None:
    body = KINDS[kind]
    assert planes(decoder.decode(front + body[2:])) == planes(decoder.decode(body))
    assert planes(decoder.decode(front + body)) == planes(decoder.decode(body))


def test_the_end_marker_of_a_thumbnail_is_not_that_of_the_photo(decoder: PhotoDecoder) -> None:
    body = with_segment(0xE1, b"Exif\0\0" + RESTARTS, STANDARD)
    assert planes(decoder.decode(body)) == planes(decoder.decode(STANDARD))
    assert planes(decoder.decode(body[:-2])) == planes(decoder.decode(STANDARD))
    assert is_rejected(decoder, body[:-6])


def test_a_frame_without_huffman_tables_has_the_standard_ones(decoder: PhotoDecoder) -> None:
    decoder.decode(OPTIMISED)
    assert planes(decoder.decode(without(0xC4, STANDARD))) == planes(decoder.decode(STANDARD))


def test_a_frame_without_quantisation_tables_is_rejected(decoder: PhotoDecoder) -> None:
    decoder.decode(STANDARD)
    assert is_rejected(decoder, without(0xDB, STANDARD), "quantisation table 0 is missing")


def test_a_huffman_table_that_has_no_standard_is_rejected_where_it_is_missing(decoder: PhotoDecoder) -> None:
    scan = scans(STANDARD)[0]
    other = STANDARD[: scan + 6] + b"\x22" + STANDARD[scan + 7 :]
    assert is_rejected(decoder, other, "Huffman table 0x02 is missing")


def test_a_picture_whose_scan_is_missing_is_rejected(decoder: PhotoDecoder) -> None:
    """Wherever it is missing, and whether or not the file ends well."""
    for kind in ("progressive JPEG", "grey progressive JPEG"):
        body = SAMPLES[kind]
        starts = [*scans(body), len(body) - 2]
        assert len(starts) > 5
        for start, end in pairwise(starts):
            assert is_rejected(decoder, body[:start] + body[end:])
            assert is_rejected(decoder, body[:start] + END)
            assert is_rejected(decoder, body[:start])
        for start in starts[1:-1]:
            assert is_rejected(decoder, body[:start] + body)  # another picture's scans are not this one's


def test_an_ordinary_photo_is_not_copied_and_lacks_less_than_a_block_when_it_is_cut_off(decoder: PhotoDecoder) -> None:
    assert read_jpeg(STANDARD).packet is STANDARD
    whole = plane_array(decoder.decode(STANDARD).frame, 0)
    for length in range(len(STANDARD) - 100, len(STANDARD) - 2):
        try:
            cut = plane_array(decoder.decode(STANDARD[:length] + END).frame, 0)
        except FrameRejected:
            continue
        rows, columns = np.nonzero(cut != whole)
        assert min(rows, default=48) >= 48 - 16
        assert min(columns, default=80) >= 80 - 16


def test_restart_markers_may_have_odd_numbers_but_not_be_too_few(decoder: PhotoDecoder) -> None:
    whole = planes(decoder.decode(RESTARTS))
    start = scans(RESTARTS)[0]
    marks = [at for at in range(start, len(RESTARTS)) if RESTARTS[at] == 0xFF and 0xD0 <= RESTARTS[at + 1] < 0xD8]
    odd = bytearray(RESTARTS)
    for at in marks:
        odd[at + 1] = 0xD3
    assert planes(decoder.decode(bytes(odd))) == whole
    assert planes(decoder.decode(RESTARTS[:-2] + b"\xff\xd5" + END)) == whole
    for at in marks:
        assert is_rejected(decoder, RESTARTS[:at] + END, "restart markers")


def odd_photos() -> list[bytes]:
    """Each says something that a decoder could keep for the next."""
    return [
        *KINDS.values(),
        without(0xC4, STANDARD),
        without(0xC4, STANDARD)[:-2],
        with_segment(0xFE, b"CS=ITU601", STANDARD),
        with_segment(0xE0, b"JFIF\0\1\2\0\0\2\0\1\0\0", STANDARD),
        with_segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0", STANDARD),
        with_segment(0xFE, b"AVID\0", STANDARD),
        with_segment(0xFE, b"MULTISCOPE II", STANDARD),
        with_segment(0xE0, b"AVI1\1" + bytes(9), STANDARD),
        with_segment(0xEE, b"Adobe\0\x64" + bytes(5), encode("mjpeg", "yuvj444p", PIXELS)),
        with_segment(0xDD, b"\0\0", STANDARD),
        encode("mjpeg", "yuvj422p", PIXELS[:32]),
        encode("png", "rgb24", PIXELS),
        SAMPLES["PNG with a palette"],
        STANDARD[: len(STANDARD) // 2],
        RESTARTS[:-30] + END,
    ]


def outcome(decoder: PhotoDecoder, body: bytes) -> object:
    try:
        photo = decoder.decode(body)
    except FrameRejected as rejection:
        return rejection.reason, rejection.detail
    frame = photo.frame
    return planes(photo), frame.format.name, frame.color_range, frame.colorspace, photo.orientation


@pytest.mark.parametrize("seed", range(4))
def test_each_photo_decodes_as_it_does_alone(seed: int) -> None:
    bodies = odd_photos()
    alone = [outcome(PhotoDecoder(maximum_pixels=10**7), body) for body in bodies]
    order = list(range(len(bodies))) * 8
    Random(seed).shuffle(order)
    decoder = PhotoDecoder(maximum_pixels=10**7)
    for number in order:
        assert outcome(decoder, bodies[number]) == alone[number]


def test_a_comment_does_not_change_the_range(decoder: PhotoDecoder) -> None:
    said = decoder.decode(with_segment(0xFE, b"CS=ITU601", STANDARD)).frame
    assert said.color_range == decoder.decode(STANDARD).frame.color_range


def test_blocks_of_metadata_are_found_and_put_together() -> None:
    body = with_segment(0xE2, b"ICC_PROFILE\0\2\2of two", STANDARD)
    body = with_segment(0xE2, b"ICC_PROFILE\0\1\2a profile ", body)
    body = with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<xmp/>", body)
    body = with_segment(0xE1, b"Exif\0\0the second is ignored", body)
    body = with_segment(0xE1, b"Exif\0\0MM", body)
    metadata = read_jpeg(body).metadata
    assert (metadata.exif, metadata.xmp, metadata.icc) == (b"MM", b"<xmp/>", b"a profile of two")


@given(st.binary(max_size=300), st.sampled_from(["", "standard", "progressive JPEG"]))
def test_any_bytes_are_a_picture_or_rejected(data: bytes, begin: str) -> None:
    body = (KINDS[begin][: scans(KINDS[begin])[0]] if begin else b"\xff\xd8\xff") + data
    with suppress(FrameRejected):
        assert read_jpeg(body).packet.startswith(b"\xff\xd8")
