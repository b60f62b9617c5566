"""`timelapse set`: what it writes, what it refuses, and two writers at once."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.cli.streams import VARIABLES, make_stream
from tests.world import World
from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.cli.main import parse
from timelapse_runtime.cli.places import config_at
from timelapse_runtime.cli.setting_options import assignment
from timelapse_runtime.cli.stream_settings import Change, report, write
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.timelapse.known_settings import StoredSettings, stored_settings
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.timelapse.variables import STREAM_SETTINGS
from timelapse_runtime.timelapse.variables import VARIABLES as ROWS


@pytest.fixture
def world() -> World:
    return World()


def place(world: World) -> Location:
    return Location(world.video.bucket, world.keys.folder)


def change(world: World, *unset: str, resets: bool = False, **values: str) -> StoredSettings:
    where = place(world)
    return write(world.video, where, config_at(where, VARIABLES), Change(values, frozenset(unset), resets))


def stored(world: World) -> dict[str, object]:
    found: dict[str, object] = json.loads(world.video.get(world.keys.settings).body)
    return found


def test_what_is_set_is_written_and_the_rest_stays(world: World) -> None:
    change(world, fps="25", crf="20")
    change(world, "crf", masks="10,10 20,20")
    assert stored(world) == {"format": 1, "revision": 2, "settings": {"fps": "25", "masks": "10,10 20,20"}}


def test_what_is_set_already_is_not_written_again(world: World) -> None:
    before = change(world, fps="25")
    assert change(world, "crf", fps="25") == before


@pytest.mark.parametrize("word", ["fps=25", "FPS=25", "TIMELAPSE_FPS=25", " Fps = 25"])
def test_a_name_is_understood_as_people_write_it(word: str) -> None:
    assert assignment(word) == ("fps", "25")


def test_a_name_may_have_hyphens() -> None:
    assert assignment("keyframe-interval=90") == ("keyframe_interval", "90")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("fps", "NAME=VALUE"),
        ("fps=", "1 to 120"),
        ("fps=0", "1 to 120"),
        ("fsp=3", "did you mean fps?"),
        ("=3", "is not a setting"),
        ("order=name", "TIMELAPSE_ORDER"),
        ("video=s3://x/", "TIMELAPSE_VIDEO"),
        ("masks=10,10", "off, or masks"),
        ("timezone=Mars/Base", "an IANA name"),
    ],
)
def test_a_wrong_name_or_value_is_refused_before_anything_is_read(word: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        assignment(word)


def test_each_variable_is_of_the_function_or_of_a_stream() -> None:
    alone = {row.name for row in ROWS} - {name.upper() for name in STREAM_SETTINGS}
    assert alone == {"FRAMES", "VIDEO", "STREAM", "ORDER", "OPEN_STREAMS", "THREADS", "METRICS"}


def test_settings_may_stand_between_options() -> None:
    words = ["set", "s3://bucket/video/camera", "--unset", "crf", "fps=25", "--json", "size=auto"]
    options = parse(words)
    assert (options.settings, options.unset) == ([("fps", "25"), ("size", "auto")], ["crf"])
    with pytest.raises(SystemExit):
        parse([*words, "--shwo"])


def test_two_writers_do_not_undo_each_other(world: World) -> None:
    """The other one writes between the reading and the writing of this one, three times."""
    change(world, crf="20")
    others: Iterator[dict[str, Any]] = iter([{"fps": "25"}, {"preset": "fast"}, {"fit": "fill"}])
    put = world.video.put

    def put_after_another(*args: Any, **kwargs: Any) -> str:
        if (values := next(others, None)) is not None:
            world.video.put = put  # type: ignore[method-assign]
            change(world, **values)
            world.video.put = put_after_another  # type: ignore[method-assign]
        return put(*args, **kwargs)

    world.video.put = put_after_another  # type: ignore[method-assign]
    change(world, "crf", size="64x48")
    assert stored(world)["settings"] == {"fps": "25", "preset": "fast", "fit": "fill", "size": "64x48"}
    assert stored(world)["revision"] == 5


@pytest.mark.parametrize("answers", [1, 2])
def test_a_write_whose_answer_was_lost_is_not_done_twice(world: World, answers: int) -> None:
    """The client sends it again, and meets its own success."""
    lost = iter([True] * answers)

    def around(operation: str, _key: str, effect: Callable[[], object]) -> object:
        answer = effect()
        return effect() if operation == "PutObject" and next(lost, False) else answer

    change(world, crf="20")
    world.video.around = around
    change(world, fps="25")
    assert stored(world) == {"format": 1, "revision": 2, "settings": {"crf": "20", "fps": "25"}}


def test_an_unclear_write_is_reported(world: World) -> None:
    def refuse(operation: str, key: str) -> None:
        if operation == "PutObject":
            raise StorageUnavailable(operation, world.video.bucket, key, "503")

    world.video.on_request = refuse
    with pytest.raises(StorageUnavailable):
        change(world, fps="25")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"format": 7, "settings": {}}'])
def test_what_cannot_be_read_is_written_over_only_with_reset(world: World, body: bytes) -> None:
    world.video.put(world.keys.settings, body)
    with pytest.raises(CommandFailed, match="--reset"):
        change(world, fps="25")
    assert world.video.get(world.keys.settings).body == body
    change(world, resets=True, fps="25")
    assert stored(world)["settings"] == {"fps": "25"}


def test_a_setting_that_no_version_knows_is_named_and_can_be_unset(world: World) -> None:
    world.video.put(world.keys.settings, b'{"format": 1, "settings": {"fsp": 25, "CRF": 20}}')
    found = stored_settings(world.video, world.keys)
    assert found.problem == "fsp is not a setting; did you mean fps?"
    with pytest.raises(CommandFailed, match="fsp"):
        change(world, fps="25")
    change(world, "fsp", fps="25")
    assert stored(world)["settings"] == {"crf": "20", "fps": "25"}


def test_settings_that_are_too_long_for_a_checkpoint_are_refused(world: World) -> None:
    with pytest.raises(CommandFailed, match="allowed: 16384"):
        change(world, masks="; ".join(["10,10 20,20"] * 2_000))
    assert world.keys.settings not in world.object_keys()


def lines(world: World, changed: StoredSettings | None = None) -> list[str]:
    config = config_at(place(world), VARIABLES)
    found = changed or stored_settings(world.video, world.keys)
    return list(report(world.video, place(world), config, found, is_changed=changed is not None).lines())


def test_the_report_says_what_differs_and_when_it_counts(world: World) -> None:
    assert lines(world) == [f"{place(world)} has no settings of its own: those of the function count"]
    said = lines(world, change(world, fps="25", preset="fast"))
    assert said[1:3] == ["  fps     25  (default: 30)", "  preset  fast  (default: superfast)"]
    assert "from its first frame" in said[-1]
    make_stream(world, 3)
    assert "within 5 minutes" in lines(world, change(world, crf="20"))[-1]
    assert all(shown != asked for shown, asked in pairwise(lines(world)))


def test_the_report_names_what_is_wrong(world: World) -> None:
    world.video.put(world.keys.settings, b'{"format": 1, "settings": {"fps": "x", "colour": "red"}}')
    said = lines(world)
    assert "  colour  red  (no setting of this version)" in said
    assert said[-1].startswith("PROBLEM: ")
