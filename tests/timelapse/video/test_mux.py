"""Encoded frames to fragments of a video, as another decoder sees it."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from tests.probe import ffmpeg_lumas, ffmpeg_numbers, ffprobe_frames
from tests.programs import require_program
from tests.timelapse.video.segments import COUNT, SIZE, settings, video, write, written
from timelapse_runtime.timelapse.errors import EncoderFailed
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.reel_writer import ReelWriter
from timelapse_runtime.timelapse.video.boxes import read_provenance
from timelapse_runtime.timelapse.video.codec import X264Codec
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.encode import EncodedFrame
from timelapse_runtime.timelapse.video.fit import Picture, PictureFitter
from timelapse_runtime.timelapse.video.mux import FragmentMuxer
from timelapse_runtime.timelapse.video.read import decode_segment


@pytest.mark.parametrize("cut_every", [1, 7, 10, 50])
@pytest.mark.parametrize("kill_at", [(), (3, 11, 12, 40, 71)], ids=["one encoder", "five kills"])
@pytest.mark.parametrize("preset", ["veryfast", "ultrafast"])
def test_each_frame_is_there_once_and_in_order(
    pictures: list[Picture], tmp_path: Path, cut_every: int, kill_at: tuple[int, ...], preset: str
) -> None:
    segments = list(write(pictures, settings(preset=preset), cut_every=cut_every, kill_at=kill_at))
    path = video(segments, tmp_path / "video.mp4")
    probe = ffprobe_frames(path)
    assert (probe.frame_count, len(probe.steps), probe.messages) == (COUNT, 1, "")
    assert ffmpeg_numbers(path) == list(range(COUNT))


def test_each_segment_begins_with_a_keyframe_and_names_its_photos(pictures: list[Picture]) -> None:
    segments = list(write(pictures, settings(), cut_every=10))
    assert [(first, count) for first, count, _, _ in segments] == [(0, 36), (36, 36), (72, 18)]
    for first, count, init, body in segments:
        decoded = decode_segment(init, body, first=first, count=count, reorder_frames=2, keep=3)
        assert [number for number, _ in decoded] == list(range(first + count - 3, first + count))
        named = [frame.key for part in read_provenance(body) for frame in part.frames]
        assert named == [f"{number:03d}" for number in range(first, first + count)]


def test_a_video_does_not_begin_with_a_frame_that_needs_another() -> None:
    with pytest.raises(EncoderFailed, match="began with frame 3, which is not a keyframe"):
        FragmentMuxer(b"", EncodedFrame(3, is_keyframe=False, data=b""), fps=30, reorder_frames=2)


def test_a_video_can_be_played_up_to_each_cut(pictures: list[Picture], tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    writer = ReelWriter(X264Codec(), settings())
    for number, picture in enumerate(pictures[:60], start=1):
        writer.append(picture, SourceFrame(f"{number:03d}", number))
        if number % 15 == 0:
            writer.cut()
            video(written(writer), path)
            probe = ffprobe_frames(path)
            assert (probe.frame_count, probe.messages) == (writer.cut_number, "")
            assert ffmpeg_numbers(path) == list(range(writer.cut_number))


def test_the_videos_colours_are_tagged(pictures: list[Picture], tmp_path: Path) -> None:
    path = video(list(write(pictures[:5], settings(), cut_every=50)), tmp_path / "video.mp4")
    entries = "stream=color_range,color_space,color_transfer,color_primaries"
    command = [require_program("ffprobe"), "-v", "error", "-show_entries", entries, "-of", "json", str(path)]
    (stream,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"]
    assert (stream["color_range"], stream["color_space"]) == ("tv", "smpte170m")
    assert (stream["color_primaries"], stream["color_transfer"]) == ("bt709", "iec61966-2-1")


def test_greys_keep_their_value_from_the_photo_to_another_decoders_picture(tmp_path: Path) -> None:
    levels = np.repeat(np.linspace(0, 255, 10).round().astype(np.uint8), 16)
    ramp = np.ascontiguousarray(np.broadcast_to(levels[None, :, None], (96, 160, 3)))
    encoder = VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.thread_count = 160, 96, "yuvj420p", 1
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"flags": "+qscale", "global_quality": "236"}
    frame = VideoFrame.from_ndarray(ramp, format="rgb24").reformat(format="yuvj420p")
    photo = b"".join(bytes(packet) for packet in encoder.encode(frame))
    decoder, fitter = PhotoDecoder(maximum_pixels=10**8), PictureFitter(*SIZE)
    still = [fitter.fit(decoder.decode(photo)) for _ in range(20)]
    path = video(list(write(still, settings(), cut_every=10)), tmp_path / "video.mp4")
    expected = 16 + levels.astype(float) * 219 / 255
    seen = list(ffmpeg_lumas(path))
    assert len(seen) == 20
    for luma in seen:
        columns = luma.astype(float).mean(axis=0)
        inside = np.arange(160) % 16  # away from the edges between two levels
        flat = (inside >= 4) & (inside < 12)
        assert np.abs(columns - expected)[flat].max() < 3
