"""A reel that is rendered in ranges, encoded apart and joined, against the same reel by one encoder."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.probe import ffmpeg_lumas, ffmpeg_numbers
from tests.timelapse.test_remaking import remaking
from tests.timelapse.test_rendered_codecs import two_days
from tests.world import World
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.quality import AV1, H264, H265, codec_named
from timelapse_runtime.timelapse.ranges import plan
from timelapse_runtime.timelapse.ranges.range_codec import RangeCodec
from timelapse_runtime.timelapse.ranges.range_reader import EncodedElsewhere
from timelapse_runtime.timelapse.stored_reels import read_segment
from timelapse_runtime.timelapse.video.boxes import read_sources

_LEAST_PSNR = 40
"""Twice as far from each other as from the photos: each encode has 43 dB there."""


def render(world: World, codec: str, elsewhere: Callable[[Config], EncodedElsewhere] | None) -> Reel:
    """The closed reel of two_days, of 20 frames."""
    here = world.codec
    world.codec = here if elsewhere is None else RangeCodec(here)
    work, world.codec = remaking(world), here
    config = replace(work.config.for_codec(codec, {"preset": "superfast"}), size=(192, 128))
    list(work.render([world.reels()[0].name], config, elsewhere=elsewhere))
    assert not world.verify().findings
    return world.reels()[0]


def lumas(world: World, reel: Reel, path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    path.write_bytes(world.video_bytes(reel))
    assert ffmpeg_numbers(path) == [*range(20)]
    return np.stack([np.asarray(luma, np.int16) for luma in ffmpeg_lumas(path)])


@pytest.mark.parametrize("codec", [H264, H265, AV1])
def test_the_frames_are_those_of_one_encoder(codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same photos in the same segments; pixels the same, or as alike as two encoders of the same settings are."""
    monkeypatch.setattr(plan, "_RANGE_PHOTOS", 12)
    one, ranges = two_days(), two_days()
    sequential = render(one, codec, None)
    joined = render(ranges, codec, lambda config: ranges.elsewhere(replace(config, reel="never")))
    assert ranges.elsewhere_keys == [ranges.key(number) for number in range(20)], "nothing was read twice"
    assert codec_named(joined.codecs) == codec
    assert (joined.init_sha256, joined.reorder_frames) == (sequential.init_sha256, sequential.reorder_frames)
    for name in ("first", "count", "last_key", "photos", "captured_epoch_ms"):
        assert [getattr(part, name) for part in joined.segments] == [
            getattr(part, name) for part in sequential.segments
        ]
    for number in range(len(joined.segments)):
        sources = [
            read_sources(read_segment(world.video, world.keys, reel, number))
            for world, reel in ((one, sequential), (ranges, joined))
        ]
        assert sources[0] == sources[1]
    errors = lumas(one, sequential, tmp_path / "one.mp4") - lumas(ranges, joined, tmp_path / "ranges.mp4")
    assert not errors[:12].any()
    # Behind the first range, rate control of one encoder remembers the groups before.
    assert (errors.astype(float) ** 2).mean((1, 2)).max() <= 255**2 / 10 ** (_LEAST_PSNR / 10)


def test_ranges_that_failed_are_encoded_here() -> None:
    """As if no process had been there."""

    def failing(config: Config) -> EncodedElsewhere:
        failed: Future[bytes] = Future()
        failed.set_exception(MemoryError())
        return EncodedElsewhere(config, lambda _photos: failed, 2, lambda: False, read.append, lambda _counts: None)

    world, read = two_days(), list[str]()
    reel = render(world, H264, failing)
    assert (reel.frame_count, read) == (20, [])
