"""Pictures to encoded frames, cut at any place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame

from tests.photos import make_photos, plane_array, read_number
from tests.probe import ffmpeg_lumas, ffprobe_frames, ffprobe_level
from tests.timelapse.video.segments import COUNT, SIZE, settings, video, write, written
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.timelapse.errors import EncoderFailed
from timelapse_runtime.timelapse.model.quality import AV1, H264, H265
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.model.video_size import Size, SizeLimits, automatic_size
from timelapse_runtime.timelapse.reel_writer import ReelWriter
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.codec import X264Codec
from timelapse_runtime.timelapse.video.decode import DecodedPhoto, PhotoDecoder
from timelapse_runtime.timelapse.video.encode import EncodedFrame, Encoder
from timelapse_runtime.timelapse.video.fit import Picture, PictureFitter

PRESETS = "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"


class TickingClock(ManualClock):
    """A millisecond passes with each look."""

    def now_epoch_ms(self) -> int:
        self.advance(1)
        return super().now_epoch_ms()


@pytest.mark.parametrize("every", [1, 10, 17])
def test_cutting_does_not_change_what_the_encoder_gives(pictures: list[Picture], every: int) -> None:
    """The same frames in the same order with the same keyframes, in as many bytes; not to the byte, because
    x264's AVX-512 code for weighted prediction gives other bytes for the same pictures now and then (core 165;
    with `asm` up to AVX2, or `weightp=0`, 560 encodes of these pictures were the same to the byte)."""

    def encode(cut_every: int) -> list[EncodedFrame]:
        encoder, cut = Encoder(settings(), first_number=0), list[EncodedFrame]()
        for number, picture in enumerate(pictures, start=1):
            encoder.append(picture)
            if number % cut_every == 0:
                cut += encoder.cut()
        encoder.drain()
        return cut + encoder.cut()

    often, once = encode(every), encode(COUNT + 1)
    assert [(frame.pts, frame.is_keyframe) for frame in often] == [(frame.pts, frame.is_keyframe) for frame in once]
    assert sum(len(frame.data) for frame in often) <= 1.1 * sum(len(frame.data) for frame in once)


def test_cutting_every_ten_frames_costs_less_than_five_percent() -> None:
    size = (640, 360)
    decoder, fitter = PhotoDecoder(maximum_pixels=10**8), PictureFitter(*size)
    larger = [fitter.fit(decoder.decode(body)) for body in make_photos(60, size)]
    how = settings(width=size[0], height=size[1], keyframe_interval=180)
    often, once = (sum(len(body) for _, _, _, body in write(larger, how, cut_every=every)) for every in (10, 180))
    assert often <= once * 1.05


@pytest.mark.parametrize("preset", ["veryfast", "medium", "ultrafast"])
def test_a_cut_leaves_no_b_frame_behind(pictures: list[Picture], preset: str) -> None:
    encoder = Encoder(settings(preset=preset), first_number=7)
    cut_numbers: list[int] = []
    decode_order: list[int] = []
    for picture in pictures:
        encoder.append(picture)
        run = [frame.pts for frame in encoder.cut()]
        assert sorted(run) == list(range(7 + len(cut_numbers), 7 + len(cut_numbers) + len(run)))
        cut_numbers += sorted(run)
        decode_order += run
    encoder.drain()
    rest = [frame.pts for frame in encoder.cut()]
    assert sorted(cut_numbers + rest) == list(range(7, 7 + COUNT))
    assert (decode_order != cut_numbers) == (preset != "ultrafast")  # it reorders, and so the rule has work to do
    assert (encoder.next_number, encoder.is_drained) == (7 + COUNT, True)


def test_a_drain_that_is_stopped_gives_complete_runs_only(pictures: list[Picture]) -> None:
    for packets in (1, 2, 3, 5, 8):
        encoder = Encoder(settings(), first_number=0)
        for picture in pictures[:20]:
            encoder.append(picture)
        before = len(encoder.cut())
        encoder.drain(TimeLeft(Deadline(packets), TickingClock(0), reserve_ms=1))
        run = sorted(frame.pts for frame in encoder.cut())
        assert run == list(range(before, before + len(run)))
        assert len(run) <= packets


@pytest.mark.parametrize("wrong", [{"width": 161}, {"width": 0}, {"preset": "warp"}])
def test_settings_that_x264_does_not_take_are_an_error_of_the_encoder(wrong: dict[str, object]) -> None:
    with pytest.raises(EncoderFailed):
        Encoder(settings(**wrong), first_number=0)


def test_an_encoder_that_is_drained_takes_no_picture(pictures: list[Picture]) -> None:
    encoder = Encoder(settings(), first_number=0)
    encoder.append(pictures[0])
    encoder.drain()
    with pytest.raises(EncoderFailed):
        encoder.append(pictures[1])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("threads", [1, 4])
def test_with_low_delay_each_frame_comes_out_before_the_next_is_appended(
    pictures: list[Picture], preset: str, threads: int
) -> None:
    encoder = Encoder(settings(preset=preset, threads=threads, low_delay=True), first_number=7)
    for number, picture in enumerate(pictures[:40], start=7):
        encoder.append(picture)
        assert not encoder.holds_frames
        assert [(frame.pts, frame.is_keyframe) for frame in encoder.cut()] == [(number, (number - 7) % 36 == 0)]
    assert encoder.reorder_frames == 0


def test_an_encoder_that_looks_ahead_holds_frames_until_it_is_drained(pictures: list[Picture]) -> None:
    encoder = Encoder(settings(), first_number=0)
    held = [encoder.holds_frames]
    for picture in pictures:
        encoder.append(picture)
    held.append(encoder.holds_frames)
    encoder.drain()
    assert [*held, encoder.holds_frames] == [False, True, False]


@pytest.mark.parametrize("low_delay", [False, True])
def test_encoders_of_other_quality_and_speed_go_on_in_one_video(
    pictures: list[Picture], tmp_path: Path, low_delay: bool
) -> None:
    """Without `stitchable` the later ones would decode to garbage, with the full frame count and no message."""
    segments: list[tuple[int, int, bytes, bytes]] = []
    done = 0
    for change in ({"crf": 20}, {"crf": 35}, {"crf": 25, "preset": "superfast"}, {"crf": 30, "threads": 2}):
        writer = ReelWriter(X264Codec(), settings(**{**change, "low_delay": low_delay}), first_number=done)
        for number in range(done, done + 22):
            writer.append(pictures[number], SourceFrame(f"{number:03d}", number))
        writer.cut(drain=True)
        segments += written(writer)
        done = writer.cut_number
    path = video(segments, tmp_path / "video.mp4")
    assert ffprobe_frames(path).messages == ""
    lumas = list(ffmpeg_lumas(path))
    assert len(lumas) == done == 88
    for number, luma in enumerate(lumas):
        assert read_number(luma) == number
        error = luma.astype(float) - plane_array(pictures[number], 0)
        assert np.sqrt((error**2).mean()) < 10  # garbage has 60 and more


@pytest.mark.parametrize(
    "change", [{"crf": 1}, {"crf": 51}, {"keyframe_interval": 20}, {"threads": 2}, {"preset": "superfast"}]
)
def test_the_init_segment_does_not_depend_on_quality_speed_or_threads(
    pictures: list[Picture], change: dict[str, object]
) -> None:
    (_, _, init, _), *_ = write(pictures[:20], settings(), cut_every=50)
    (_, _, other, _), *_ = write(pictures[:20], settings(**change), cut_every=50)
    assert init == other


@pytest.mark.parametrize(
    "change", [{"fps": 25}, {"preset": "ultrafast"}, {"preset": "faster"}, {"preset": "slow"}, {"height": 64}]
)
def test_the_init_segment_tells_videos_apart_that_cannot_be_one(
    pictures: list[Picture], change: dict[str, object]
) -> None:
    how = settings(**change)
    fitter = PictureFitter(how.width, how.height)
    (_, _, init, _), *_ = write(pictures[:20], settings(), cut_every=50)
    (_, _, other, _), *_ = write([fitter.fit(DecodedPhoto(picture)) for picture in pictures[:20]], how, cut_every=50)
    assert init != other


@pytest.mark.parametrize(
    ("photo", "fps", "preset"),
    [
        ((6000, 4000), 30, "veryfast"),
        ((2160, 3840), 30, "medium"),
        ((3840, 2160), 30, "veryslow"),
        ((3840, 2160), 30, "slower"),
        ((3840, 2160), 60, "veryfast"),
        ((20_000, 64), 30, "veryslow"),
    ],
)
def test_an_automatic_size_keeps_to_level_5_1(photo: Size, fps: int, preset: str, tmp_path: Path) -> None:
    width, height = automatic_size(photo, SizeLimits((3840, 2160), fps)).size
    how = settings(width=width, height=height, fps=fps, preset=preset)
    white = VideoFrame(width, height, "yuv420p")
    for plane in white.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    path = video(list(write([white], how, cut_every=9)), tmp_path / "video.mp4")
    assert ffprobe_level(path) <= 51
    assert (ffprobe_frames(path).width, ffprobe_frames(path).height) == (width, height)


@pytest.mark.parametrize("codec", [H264, H265])
def test_a_ceiling_bounds_the_bytes_of_any_pictures(codec: str) -> None:
    """Noise, of which nothing can be foretold. The encoder begins with a buffer of two seconds."""
    noise = np.random.default_rng(1).integers(16, 235, (8, SIZE[1] * 3 // 2, SIZE[0]), dtype=np.uint8)
    sizes: dict[int | None, int] = {}
    for ceiling in (None, 300):
        encoder = Encoder(settings(maximum_kbps=ceiling, codec=codec), first_number=0)
        for number in range(150):
            encoder.append(VideoFrame.from_ndarray(noise[number % 8], format="yuv420p"))
        encoder.drain()
        sizes[ceiling] = sum(len(frame.data) for frame in encoder.cut())
    seconds = 150 / 30 + 2
    assert sizes[300] * 8 <= 300_000 * seconds < sizes[None] * 8


@pytest.mark.parametrize("codec", [H265, AV1])
def test_other_codecs_give_the_same_packets_with_any_number_of_threads(codec: str, pictures: list[Picture]) -> None:
    """So what is encoded in ranges is what one encoder gives."""
    packets = []
    for threads in (1, 2):
        encoder = Encoder(settings(threads=threads, codec=codec), first_number=0)
        for picture in pictures[:40]:
            encoder.append(picture)
        encoder.drain()
        packets.append(encoder.cut())
    assert packets[0] == packets[1]
    assert [frame.pts for frame in packets[0] if frame.is_keyframe] == [0, 36]
