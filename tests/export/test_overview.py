"""Contact sheet and plot: which frames they show, from how many requests, and that what they show is true."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest

from tests.export.test_stream_state import long_stream
from tests.photos import make_photos, read_number
from tests.world import World
from timelapse_runtime.export.contact_sheet import PICTURES, draw_sheet
from timelapse_runtime.export.errors import CannotExport
from timelapse_runtime.export.output_file import picture_format, write_picture
from timelapse_runtime.export.plot import draw_plot, panels
from timelapse_runtime.export.samples import FEW_SEGMENTS, Sample, Sampler, Span
from timelapse_runtime.export.selection import Selector
from timelapse_runtime.export.stream_reader import StreamReader

PAUSE_SECONDS = 600


def photo_world(count: int) -> World:
    """Photos of 320x160, one a second, in segments of 4; a pause before the second half."""
    world = World({"TIMELAPSE_KEYFRAME_INTERVAL": "4", "TIMELAPSE_FLUSH_EVERY": "4"})
    function = world.environment()
    for number, photo in enumerate(make_photos(count, (320, 160))):
        if number == count // 2:
            world.clock.advance(PAUSE_SECONDS * 1000)
        world.deliver(function, world.upload(number, photo))
    world.sweep(function, drain=True)
    return world


@pytest.fixture(scope="module")
def long() -> World:
    return photo_world(4 * (FEW_SEGMENTS + 6))


@pytest.fixture(scope="module")
def short() -> World:
    return photo_world(30)


def sampler_of(world: World) -> Sampler:
    reader = StreamReader(world.video, world.keys.folder)
    return Sampler(reader, Selector(reader, world.checkpoint(), UTC).reels())


def numbers(samples: list[Sample]) -> list[int]:
    return [read_number(np.asarray(sample.image.convert("L"))) for sample in samples]


def test_a_short_video_is_shown_by_any_of_its_frames(short: World) -> None:
    samples = list(sampler_of(short).images(10, 320))
    assert numbers(samples) == [sample.number for sample in samples] == [1, 4, 7, 10, 13, 16, 19, 22, 25, 28]
    began = short.reels()[0].segments[0].captured_epoch_ms
    pause = [PAUSE_SECONDS * (sample.number >= 15) for sample in samples]
    assert [(one.captured_epoch_ms - began) // 1000 - gap for one, gap in zip(samples, pause, strict=True)] == [
        sample.number for sample in samples
    ]


def test_a_long_video_is_shown_by_its_keyframes(long: World) -> None:
    sampler, sent = sampler_of(long), Counter[str]()
    long.video.on_request = lambda operation, _key: sent.update([operation])
    samples = list(sampler.images(PICTURES, 320))
    long.video.on_request = lambda _operation, _key: None
    assert len(samples) == PICTURES
    assert all(sample.number % 4 == 0 for sample in samples)
    assert numbers(samples) == [sample.number for sample in samples]
    # The init segment and a part of each segment, without the newest one, which is in memory.
    assert sent == {"GetObject": PICTURES}
    assert len(list(sampler.images(1_000, 320))) == FEW_SEGMENTS + 6


def test_more_pictures_than_frames_are_all_frames(short: World) -> None:
    assert [sample.number for sample in sampler_of(short).images(96, 64)] == [*range(30)]


@pytest.mark.parametrize("name", ["short", "long"])
def test_the_rate_is_that_of_the_camera_and_a_pause_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(name)
    spans = sampler_of(world).spans()
    assert sum(span.frame_count for span in spans) == world.checkpoint().frame_count
    rates = [span.frames_per_minute for span in spans]
    assert rates[-1] is None
    usual = [rate for rate in rates[:-1] if rate == 60]
    (slow,) = [rate for rate in rates[:-1] if rate != 60]
    assert len(usual) == len(rates) - 2
    assert slow is not None
    assert slow < 1


def test_the_sizes_of_a_day_take_no_request() -> None:
    store, _ = long_stream(reels=1, segments=480, records=0)
    reader = StreamReader(store, "video/camera/")
    pieces = Selector(reader, reader.checkpoint()[0], UTC).reels()
    sent: list[str] = []
    store.on_request = lambda operation, _key: sent.append(operation)
    with pytest.raises(CannotExport, match="before capture times were written"):
        panels(Sampler(reader, pieces).spans(), [])
    assert sent == []


def test_the_sheet_has_each_picture_and_the_plot_each_line(short: World, tmp_path: Path) -> None:
    sampler = sampler_of(short)
    samples = list(sampler.images(10, 320))
    sheet = draw_sheet(samples, "camera", UTC)
    left, top = 8, 36
    shown = np.asarray(sheet.crop((left, top, left + 320, top + 160)).convert("L"))
    assert read_number(shown) == 1
    diagrams = panels(sampler.spans(), samples)
    bright = [value for _, _, value in diagrams[2].lines]
    assert bright == pytest.approx([np.asarray(one.image.convert("L")).mean() for one in samples], abs=0.5)
    assert diagrams[0].top == 100
    plot = np.asarray(draw_plot(diagrams, "camera", UTC))
    for colour in ((0x19, 0x67, 0xD2), (0xB0, 0x60, 0x00), (0x18, 0x80, 0x38)):
        assert (plot == colour).all(axis=2).any()
    for name in ("a.png", "a.jpg", "a.webp"):
        write_picture(sheet, tmp_path / name, replaces=False)
        assert (tmp_path / name).stat().st_size > 1_000
    with pytest.raises(CannotExport, match=r"must end in .png"):
        picture_format(Path("a.svg"))


@pytest.mark.parametrize("seconds", [0, 1, 59, 3_600, 86_400, 40 * 86_400, 10 * 365 * 86_400])
def test_any_time_can_be_drawn(seconds: int) -> None:
    began = 1_795_658_343_000
    span = Span(began, began + seconds * 1000, 5, 1_000)
    assert draw_plot(panels([span], []), "camera", UTC).size[0] == 1280
