"""A stored segment is read back as what was committed, or is an error."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.timelapse.video.segments import settings, write
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.video.boxes import walk_boxes
from timelapse_runtime.timelapse.video.decode import DecodedPhoto
from timelapse_runtime.timelapse.video.fit import Picture, PictureFitter
from timelapse_runtime.timelapse.video.read import decode_segment


@pytest.fixture(scope="module")
def segment(pictures: list[Picture]) -> tuple[int, int, bytes, bytes]:
    return list(write(pictures, settings(), cut_every=10))[1]


def without_fragment(body: bytes, position: int) -> bytes:
    """`body` without the boxes of one of its fragments."""
    starts = [box.start for box in walk_boxes(body) if box.type == "uuid"] + [len(body)]
    return body[: starts[position]] + body[starts[position + 1] :]


def in_the_first_picture(body: bytes, instead: Callable[[bytes], bytes]) -> bytes:
    """From the length of the first picture's data on: damage that leaves the lengths alone may decode to something."""
    start = next(box.payload for box in walk_boxes(body) if box.type == "mdat")
    return body[:start] + instead(body[start : start + 200]) + body[start + 200 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "the first fragment is gone": lambda body: without_fragment(body, 0),
    "a fragment is gone": lambda body: without_fragment(body, 1),
    "the last fragment is gone": lambda body: without_fragment(body, -2),
    "a fragment comes twice": lambda body: body + body[len(without_fragment(body, -2)) :],
    "the end is cut off": lambda body: body[:-50],
    "one byte is cut off": lambda body: body[:-1],
    "bytes are flipped": lambda body: in_the_first_picture(body, lambda run: bytes(255 - byte for byte in run)),
    "a run of zeros": lambda body: in_the_first_picture(body, lambda run: bytes(len(run))),
    "nothing is left": lambda _body: b"",
    "noise": lambda body: bytes(255 - byte for byte in body),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_is_found_out(segment: tuple[int, int, bytes, bytes], damage: str) -> None:
    first, count, init, body = segment
    damaged = DAMAGES[damage](body)
    assert damaged != body
    with pytest.raises(SegmentCorrupt):
        decode_segment(init, damaged, first=first, count=count, reorder_frames=2, keep=1)


def test_random_damage_gives_the_claimed_frames_or_is_found_out(segment: tuple[int, int, bytes, bytes]) -> None:
    first, count, init, body = segment
    random = Random(20261120)
    found_out = 0
    for _ in range(300):
        damaged = bytearray(init + body)
        damaged[random.randrange(len(damaged))] ^= random.randrange(1, 256)
        try:
            new_init, new_body = bytes(damaged[: len(init)]), bytes(damaged[len(init) :])
            kept = decode_segment(new_init, new_body, first=first, count=count, reorder_frames=2, keep=count)
        except SegmentCorrupt:
            found_out += 1
        else:
            assert [number for number, _ in kept] == list(range(first, first + count))
    assert found_out > 100


@pytest.mark.parametrize("change", [{"preset": "ultrafast"}, {"preset": "slow"}, {"width": 192}])
def test_a_segment_of_another_init_segment_is_found_out(
    pictures: list[Picture], segment: tuple[int, int, bytes, bytes], change: dict[str, object]
) -> None:
    first, count, _, body = segment
    how = settings(**change)
    fitter = PictureFitter(how.width, how.height)
    (_, _, other, _), *_ = write([fitter.fit(DecodedPhoto(picture)) for picture in pictures[:5]], how, cut_every=50)
    for init in (other, other[:-100], b"", other[: len(other) // 2]):
        with pytest.raises(SegmentCorrupt):
            decode_segment(init, body, first=first, count=count, reorder_frames=2, keep=1)


@pytest.mark.parametrize(("first", "count"), [(36, 35), (36, 37), (0, 36), (37, 36)])
def test_a_segment_that_holds_other_frames_than_claimed_is_found_out(
    segment: tuple[int, int, bytes, bytes], first: int, count: int
) -> None:
    with pytest.raises(SegmentCorrupt):
        decode_segment(segment[2], segment[3], first=first, count=count, reorder_frames=2, keep=1)
