"""A video that is adopted, made of fake pictures: what `timelapse adopt` has on its disk when it begins to store."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import cast

from tests.recovery.fake_media import FakeCodec, FakePicture
from tests.recovery.watch import FIRST_ADOPTED
from tests.world import SIZE, STREAM, World
from timelapse_runtime.adopt.adoption import Adoption
from timelapse_runtime.adopt.prepared import PreparedVideo
from timelapse_runtime.timelapse.commit_plan import SegmentData
from timelapse_runtime.timelapse.model.source_frame import adopted_frame
from timelapse_runtime.timelapse.reel_writer import ReelWriter
from timelapse_runtime.timelapse.video.encode import EncoderSettings
from timelapse_runtime.timelapse.video.fit import Picture

ADOPTED_DAY = "2020-02-20"
ADOPTED_FRAMES = 15
_SETTINGS = EncoderSettings(*SIZE, 30, 6, 23, "superfast", 1)
_BEGAN_EPOCH_MS = 1_582_200_000_000


@cache
def _writer() -> ReelWriter:
    """What one encoder makes of the file: the same in each run of the command."""
    writer = ReelWriter(FakeCodec(), _SETTINGS)
    for number in range(ADOPTED_FRAMES):
        picture = cast("Picture", FakePicture(FIRST_ADOPTED + number))
        writer.append(picture, adopted_frame("old.mp4", number, _BEGAN_EPOCH_MS + 1_000 * number))
    writer.cut(drain=True)
    return writer


def adopted_video() -> PreparedVideo:
    """Three segments."""
    prepared = PreparedVideo()
    for data in _writer().uncommitted():
        prepared.add(SegmentData(replace(data.segment, last_key=""), data.body))
    prepared.settings, prepared.init_segment, prepared.latest = _SETTINGS, _writer().init_segment, b"old.mp4"
    return prepared


def adoption_of(world: World) -> Adoption:
    """That of the world's stream, in the order of its settings."""
    order = world.settings.get("TIMELAPSE_ORDER", "name")
    source = f"s3://{world.frames.bucket}/frames/{STREAM}/"
    return Adoption(STREAM, world.video, world.keys, world.clock, source=source, order=order)
