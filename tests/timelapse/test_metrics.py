"""CloudWatch metrics: what a line says, and when one is written."""

from __future__ import annotations

import logging

import pytest

from tests.timelapse.metric_lines import recorded, values
from tests.world import STREAM, InvocationContext, World
from timelapse_runtime.runtime.function import Deadline

_HOUR_MS = 3_600_000


def test_a_line_is_written_with_each_flush_and_has_the_sums_since_the_last() -> None:
    world = World(settings={"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_REORDER_WINDOW": "0"})
    function = world.environment(metrics="all")
    with recorded() as documents:
        world.shoot(function, range(9))
        world.deliver(function, world.upload(9, b"no photo"), world.upload(10))
        world.shoot(function, range(11, 15))
        world.sweep(function)
    first, *_, last = documents
    assert [document["stream"] for document in documents] == [STREAM] * len(documents)
    assert sum(document["Frames"] for document in documents) == 14
    assert sum(document["Photos"] for document in documents) == 15
    assert sum(document["Rejected"] for document in documents) == 1
    assert [document["rejected_reasons"] for document in documents if document["Rejected"]] == [{"unsupported-type": 1}]
    assert [document["ColdStarts"] for document in documents] == [1] + [0] * (len(documents) - 1)
    assert all(document["Flushes"] == 1 for document in documents[1:])
    assert last["BytesWritten"] > 1_000
    assert (last["NewestPhotoAge"], values(first)["ColdStarts"]) == (0, 1)


def test_between_flushes_a_line_is_written_once_a_minute_at_most() -> None:
    world = World(settings={"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_REORDER_WINDOW": "0"})
    function = world.environment(flush_every="100", flush_after_seconds="86400")
    with recorded() as documents:
        for number in range(50):
            world.clock.advance(3_000)
            world.deliver(function, world.upload(number))
    assert [document["Frames"] for document in documents] == [1, 15, 15, 15]
    assert [document["Lag"] for document in documents] == [0, 60, 120, 180]


def test_a_sweep_tells_how_old_the_newest_photo_is_until_the_camera_is_forgotten() -> None:
    world = World(settings={"TIMELAPSE_ORDER": "arrival"})
    world.shoot(world.environment(), range(5))
    world.sweep(world.environment(), close=True)
    ages = []
    for hours in (1, 2, 165, 1):
        world.clock.advance(hours * _HOUR_MS)
        with recorded() as documents:
            world.environment().invoke({"sweep": True}, InvocationContext())
        (document,) = documents
        ages.append(values(document).get("NewestPhotoAge"))
    assert ages == [3_600, 10_800, None, None]


def test_a_level_that_hides_messages_hides_no_metrics() -> None:
    world = World(settings={"TIMELAPSE_ORDER": "arrival"})
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.CRITICAL)
    try:
        with recorded() as documents:
            world.shoot(world.environment(), range(8))
    finally:
        root.setLevel(before)
    assert documents


@pytest.mark.parametrize(("level", "count"), [("off", 0), ("basic", 4), ("all", 14)])
def test_the_level_decides_what_is_declared(level: str, count: int) -> None:
    world = World(settings={"TIMELAPSE_ORDER": "arrival"})
    with recorded() as documents:
        world.shoot(world.environment(metrics=level), range(12))
    assert {len(values(document)) for document in documents} == ({count} if count else set())


def test_what_is_ignored_is_counted_though_the_stream_is_not_open() -> None:
    world = World(settings={"TIMELAPSE_ORDER": "arrival"})
    function = world.environment()
    with recorded() as documents:
        world.deliver(function, "Thumbs.db")
    assert [(one["Ignored"], one["Frames"]) for one in documents] == [(1, 0)]


def test_what_was_not_told_yet_is_told_at_a_shutdown() -> None:
    world = World(settings={"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_REORDER_WINDOW": "0"})
    function = world.environment(flush_every="100")
    with recorded() as documents:
        world.shoot(function, range(3))
        function.close(Deadline(10**15))
    assert sum(document["Frames"] for document in documents) == 3


def test_what_a_shutdown_completes_is_counted() -> None:
    world = World(settings={"TIMELAPSE_ORDER": "arrival"})
    function = world.environment(flush_every="100")
    with recorded() as documents:
        world.shoot(function, range(3))  # photos that wait for others
        function.close(Deadline(10**15))
    assert sum(document["Frames"] for document in documents) == 3
    assert (documents[-1]["Flushes"], documents[-1]["frames_in_video"]) == (1, 3)
