"""Pictures pass the filters in order, and each filter gets back its own memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from unittest.mock import patch

import numpy
import pytest

from tests.world import World
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.errors import FiltersUnavailable
from timelapse_runtime.timelapse.filters.chain import FilterChain, drawing
from timelapse_runtime.timelapse.filters.contract import Area, FilterState, Moment, Planes
from timelapse_runtime.timelapse.video import codec

CLOCK = Area(0, 0, 8, 4)


@dataclass
class Recording:
    """Brightens by `add`, and remembers how many pictures it has seen."""

    add: int
    drawn: Sequence[Area] = ()
    seen: int = 0
    moments: list[Moment] = field(default_factory=list)
    resumed: list[tuple[FilterState, Planes | None, Sequence[Area]]] = field(default_factory=list)

    def apply(self, picture: Planes, moment: Moment) -> None:
        picture.y[:] = picture.y * 2 + self.add
        self.seen += 1
        self.moments.append(moment)

    @property
    def state(self) -> FilterState:
        return self.seen or None

    def resume(self, state: FilterState, last: Planes | None, drawn: Sequence[Area]) -> None:
        self.seen = state or 0
        self.resumed.append((state, last, drawn))


def grey(level: int) -> Planes:
    return Planes(*(numpy.full(shape, level, numpy.uint8) for shape in ((4, 8), (2, 4), (2, 4))))


def test_pictures_pass_the_filters_in_order() -> None:
    picture = grey(10)
    FilterChain({"one": Recording(1), "two": Recording(2)}).apply(picture, Moment("a.jpg", 7))
    assert (picture.y == (10 * 2 + 1) * 2 + 2).all()


def test_each_filter_gets_back_its_own_state_and_where_later_ones_drew() -> None:
    before = FilterChain({"one": Recording(1), "clock": Recording(2, [CLOCK])})
    assert before.state is None
    before.apply(grey(10), Moment("a.jpg", 7))
    one, new, clock = Recording(1), Recording(3), Recording(2, [CLOCK])
    after, last = FilterChain({"one": one, "new": new, "clock": clock}), grey(20)
    after.resume(before.state, last)
    assert one.resumed == [(1, last, [CLOCK])]
    assert new.resumed == [(None, None, [CLOCK])]
    assert clock.resumed == [(1, last, [])]
    assert after.drawn == [CLOCK]


@pytest.mark.parametrize("state", [None, [], "text", {"other": 1}])
def test_a_state_of_other_filters_is_no_error(state: FilterState) -> None:
    one = Recording(1)
    FilterChain({"one": one}).resume(state, grey(20))
    assert one.resumed == [(None, None, [])]


def test_filters_go_on_where_another_environment_committed() -> None:
    world, made = World({"TIMELAPSE_REORDER_WINDOW": "0"}), list[Recording]()

    def steps(*_: object) -> dict[str, Recording]:
        made.append(Recording(1))
        return {"one": made[-1]}

    with patch.object(codec, "steps_for", steps):
        world.shoot(world.environment(), range(13))  # two flushes; the encoder holds 4 frames back
        committed = world.checkpoint().frame_count
        assert 0 < committed < 13
        world.shoot(world.environment(), [13])
        first, second = (one for one in made if one.seen or one.resumed)  # the others are those of init
        assert first.seen == 13
        assert [moment.key for moment in second.moments] == [world.key(number) for number in range(committed, 14)]
        ((state, last, _),) = second.resumed
        assert state == committed
        assert last is not None
        reel = world.reels()[-1]
        assert last.y.shape == (reel.height, reel.width)


def test_a_filter_without_its_library_ends_init(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture passes unmasked."""
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "timelapse_runtime.timelapse.filters.masks", raising=False)
    world = World({"TIMELAPSE_MASKS": "black 0,0 50,50"})
    with pytest.raises(FiltersUnavailable, match="needs numpy, and it is not installed: add the layer"):
        world.environment()
    World().environment()


@pytest.mark.parametrize(
    "changed",
    [
        {"masks": "black 0,0 40,40"},
        {"caption": "another lake"},
        {"caption_place": "top-left"},
        {"clock": "%H"},
        {"clock_place": "top-right"},
        {"timezone": "Asia/Tokyo"},
        {"text_size": "9"},
        {"logo": "other.png"},
        {"logo_place": "bottom-left"},
        {"logo_size": "33"},
        {"logo_margin": "9"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_draws_otherwise_has_another_drawing(changed: dict[str, str]) -> None:
    settings = {"masks": "black 0,0 20,20", "caption": "a lake", "clock": "%H:%M", "logo": "logo.png"}

    def drawn_by(names: dict[str, str]) -> str:
        config = parse_config(World().variables(**names))
        assert config.logo is not None
        return drawing(replace(config, logo_png=str(config.logo).encode()))

    assert drawn_by(settings) == drawn_by(settings | {"crf": "30"})
    assert drawn_by(settings) != drawn_by(settings | changed)
