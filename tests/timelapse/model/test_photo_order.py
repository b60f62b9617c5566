"""The order of a batch, over the ways in which cameras and tools upload."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.model.photo_order import arrange, natural_order
from timelapse_runtime.timelapse.model.source_frame import SourceFrame

COUNT = 300
SECONDS = [1000 * number for number in range(COUNT)]
_draw = random.Random(1)

CASES: dict[str, tuple[list[str], list[int]]] = {
    "padded": ([f"{i:06d}.jpg" for i in range(COUNT)], SECONDS),
    "unpadded": ([f"{i}.jpg" for i in range(1, COUNT + 1)], SECONDS),
    "a counter that wraps": ([f"IMG_{(9850 + i) % 10000:04d}.JPG" for i in range(COUNT)], SECONDS),
    "a counter that wraps in a small batch": ([f"IMG_{(9990 + i) % 10000:04d}.JPG" for i in range(20)], SECONDS[:20]),
    "a counter that wraps twice": ([f"{i % 100:03d}.jpg" for i in range(250)], SECONDS[:250]),
    "a clock that is set back": ([f"{'2026' if i < 150 else '1970'}{i:06d}.jpg" for i in range(COUNT)], SECONDS),
    "weekdays": ([f"{d}_{i:02d}.jpg" for d in ("Thu", "Fri", "Sat", "Sun", "Mon") for i in range(60)], SECONDS),
    "months": ([f"{m}-{i:02d}.jpg" for m in ("jan", "feb", "mar", "apr", "may") for i in range(60)], SECONDS),
    "random names": ([str(uuid.UUID(int=_draw.getrandbits(128))) for _ in range(COUNT)], SECONDS),
    "two cameras in one folder": ([f"{'ab'[i % 2]}_{i:04d}.jpg" for i in range(COUNT)], SECONDS),
    "one name": (["snapshot.jpg"] * COUNT, SECONDS),
    "copied within one second": ([f"img_{i}.jpg" for i in range(COUNT)], [5000] * COUNT),
    "copied ten at a time": (
        [f"img_{i}.jpg" for i in range(COUNT)],
        [1000 * int(i / 10 + _draw.uniform(0, 2)) for i in range(COUNT)],
    ),
    "a slow uplink, ten at a time": (
        [f"img_{i}.jpg" for i in range(COUNT)],
        [1000 * int(i * 2 + 20 + _draw.uniform(-20, 20)) for i in range(COUNT)],
    ),
    "a stray photo that sorts last": (
        [f"{i:06d}.jpg" if i != 100 else "zzz.jpg" for i in range(COUNT)],
        SECONDS,
    ),
}


def photos_of(names: Sequence[str], times: Sequence[int]) -> list[SourceFrame]:
    return [SourceFrame(name, time, etag=f"{i:x}") for i, (name, time) in enumerate(zip(names, times, strict=True))]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_photos_are_in_the_order_in_which_they_were_taken(case: str, seed: int) -> None:
    photos = photos_of(*CASES[case])
    assert arrange(random.Random(seed).sample(photos, len(photos))) == photos


@pytest.mark.parametrize("case", ["padded", "unpadded", "a counter that wraps", "a clock that is set back", "weekdays"])
def test_batches_that_follow_each_other_give_the_same_order_as_one(case: str) -> None:
    photos, found = photos_of(*CASES[case]), list[SourceFrame]()
    for start in range(0, len(photos), 17):
        batch = photos[start : start + 17]
        found += arrange(batch[::-1], found[-64:])
    assert found == photos


photo_lists = st.lists(
    st.builds(
        SourceFrame,
        st.text(max_size=8) | st.from_regex(r"[a-c]?[0-9]{1,6}\.jpg", fullmatch=True),
        st.integers(0, 2_000_000),
        etag=st.uuids().map(str),
    ),
    max_size=40,
)


@given(photo_lists, photo_lists)
def test_each_photo_of_a_batch_is_there_once(photos: list[SourceFrame], before: list[SourceFrame]) -> None:
    found = arrange(photos, before)
    assert sorted(found, key=id) == sorted(photos, key=id)


@given(photo_lists)
def test_no_photo_comes_before_one_that_is_a_minute_older(photos: list[SourceFrame]) -> None:
    latest = 0
    for photo in arrange(photos):
        assert photo.uploaded_epoch_ms >= latest - 60_000
        latest = max(latest, photo.uploaded_epoch_ms)


@given(photo_lists, st.randoms())
def test_the_order_does_not_depend_on_the_order_of_the_events(photos: list[SourceFrame], draw: random.Random) -> None:
    distinct = list({(natural_order(photo.key), photo.uploaded_epoch_ms): photo for photo in photos}.values())
    shuffled = draw.sample(distinct, len(distinct))
    assert arrange(shuffled) == arrange(distinct)


def test_names_compare_naturally() -> None:
    names = ["", "1.jpg", "2.jpg", "10.jpg", "a1b2", "a1b10", "a01b11", "a2", "²", "é"]
    assert sorted(names, key=natural_order) == sorted(names, key=natural_order)
    order = [natural_order(name) for name in ("1.jpg", "02.jpg", "10.jpg", "9" * 5000, "1" + "0" * 5000)]
    assert order == sorted(order)
    assert natural_order("007.jpg") == natural_order("7.jpg")
    assert natural_order("0.jpg") < natural_order("1.jpg")
