"""From the encoder's packets to segments, without storage. (`video/test_reel.py` judges them by another decoder.)"""

from __future__ import annotations

import pytest

from tests.recovery.fake_media import FakeCodec, photos_in
from tests.world import PHOTOS, SIZE
from timelapse_runtime.timelapse.commit_plan import SegmentData
from timelapse_runtime.timelapse.model.checkpoint import checksum
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.reel_writer import ReelWriter
from timelapse_runtime.timelapse.video.boxes import read_provenance
from timelapse_runtime.timelapse.video.decode import BLACK
from timelapse_runtime.timelapse.video.encode import EncoderSettings

SETTINGS = EncoderSettings(*SIZE, fps=30, keyframe_interval=6, crf=23, preset="superfast", threads=1)
OTHER = EncoderSettings(*SIZE, fps=30, keyframe_interval=6, crf=23, preset="slow", threads=1)
CODEC = FakeCodec()


def append(writer: ReelWriter, *numbers: int, role: Role = Role.IN_ORDER) -> list[int]:
    decoder, fitter = CODEC.photo_decoder(maximum_pixels=10**6, background=(0, 0, 0)), CODEC.fitter(*SIZE, "fit", BLACK)
    pictures = [fitter.fit(decoder.decode(PHOTOS[number])) for number in numbers]
    sources = [SourceFrame(f"{number:03d}", number, role) for number in numbers]
    return [writer.append(picture, source) for picture, source in zip(pictures, sources, strict=True)]


def spans(segments: tuple[SegmentData, ...]) -> list[tuple[int, int]]:
    return [(data.segment.first, data.segment.count) for data in segments]


def init_sha256(settings: EncoderSettings = SETTINGS) -> str:
    writer = ReelWriter(CODEC, settings)
    append(writer, 0)
    writer.cut(drain=True)
    assert writer.init_segment is not None
    return writer.init_segment.sha256


def test_segments_lie_between_keyframes_and_name_their_photos() -> None:
    writer = ReelWriter(CODEC, SETTINGS)
    assert append(writer, *range(14)) == list(range(14))
    writer.cut(drain=True)
    assert spans(writer.uncommitted()) == [(0, 6), (6, 6), (12, 2)]
    for data in writer.uncommitted():
        first, count = data.segment.first, data.segment.count
        assert photos_in(data.body) == list(range(first, first + count))
        assert [frame.key for part in read_provenance(data.body) for frame in part.frames] == [
            f"{number:03d}" for number in range(first, first + count)
        ]
        assert data.segment.last_key == f"{first + count - 1:03d}"
        assert (data.segment.size_bytes, data.segment.crc32) == (len(data.body), checksum(data.body))


def test_only_complete_runs_are_cut_and_the_open_segment_grows() -> None:
    writer = ReelWriter(CODEC, SETTINGS)
    append(writer, 0, 1, 2)
    writer.cut()
    assert (writer.cut_number, writer.uncommitted(), writer.init_segment) == (0, (), None)
    append(writer, 3, 4)
    writer.cut()
    assert (writer.cut_number, spans(writer.uncommitted())) == (1, [(0, 1)])
    assert writer.has_open_segment
    before = writer.uncommitted()[0].body
    append(writer, 5, 6, 7)
    writer.cut()
    (longer,) = writer.uncommitted()
    assert longer.segment.count == writer.cut_number > 1
    assert longer.body.startswith(before)


def test_what_is_committed_is_not_given_again_until_it_grows() -> None:
    writer = ReelWriter(CODEC, SETTINGS)
    append(writer, *range(9))
    writer.cut()
    writer.committed(writer.cut_number)
    assert writer.uncommitted() == ()
    append(writer, *range(9, 12))
    writer.cut()
    assert spans(writer.uncommitted())[0][0] == 0, "a segment is given whole"


def test_a_closed_committed_segment_is_released() -> None:
    writer = ReelWriter(CODEC, SETTINGS)
    append(writer, *range(14))
    writer.cut()
    assert set(writer.release()) == set(writer.release()) == {(0, 6), (6, 4)}, "nothing is committed"
    writer.committed(writer.cut_number)
    assert set(writer.release()) == {(0, 6), (6, 4)}
    assert set(writer.release()) == {(6, 4)}, "the open one may still grow"
    writer.cut(drain=True)
    writer.committed(writer.cut_number)
    writer.release()
    assert writer.release() == {}


def test_a_drained_writer_has_no_open_segment() -> None:
    writer = ReelWriter(CODEC, SETTINGS)
    append(writer, 0, 1)
    writer.cut(drain=True)
    assert (writer.is_drained, writer.has_open_segment, writer.cut_number) == (True, False, 2)


def test_late_frames_do_not_move_the_last_key_in_order() -> None:
    writer = ReelWriter(CODEC, SETTINGS, first_number=4, last_key="050", init_sha256=init_sha256())
    append(writer, 3, role=Role.OUT_OF_ORDER)
    writer.cut(drain=True)
    ((segment,)) = [data.segment for data in writer.uncommitted()]
    assert (segment.first, segment.last_key, segment.out_of_order) == (4, "050", ("003",))


@pytest.mark.parametrize(("settings", "is_other"), [(SETTINGS, False), (OTHER, True)])
def test_frames_of_an_encoder_that_does_not_fit_the_reel_begin_another_one(
    settings: EncoderSettings, *, is_other: bool
) -> None:
    writer = ReelWriter(CODEC, settings, first_number=20, last_key="020", init_sha256=init_sha256())
    assert append(writer, *range(21, 28)) == list(range(20, 27)), "numbers count on"
    assert not writer.begins_other_reel, "nothing has come out of the encoder"
    writer.cut(drain=True)
    assert writer.begins_other_reel == is_other
    assert spans(writer.uncommitted()) == ([(0, 6), (6, 1)] if is_other else [(20, 6), (26, 1)])
    assert (writer.cut_number, writer.frame_count) == (27, 7 if is_other else 27)
    assert writer.first_source == SourceFrame("021", 21)
    init_segment = writer.init_segment
    assert init_segment is not None
    for data in writer.uncommitted():  # each decodes as what it claims to be
        CODEC.decode_segment(
            init_segment.body,
            data.body,
            first=data.segment.first,
            count=data.segment.count,
            reorder_frames=init_segment.reorder_frames,
        )
    writer.committed(0)  # of the reel before
    assert len(writer.uncommitted()) == 2
    writer.committed(writer.cut_number)
    assert writer.uncommitted() == ()
