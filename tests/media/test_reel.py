"""Photos to fragments to a film that another decoder judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.photos import make_photos
from tests.probe import ffmpeg_numbers, ffprobe_frames
from timelapse_runtime.errors import SegmentCorrupt
from timelapse_runtime.media.boxes import SourceFrame, read_provenance, split_init, walk_boxes
from timelapse_runtime.media.encoder import EncoderSettings
from timelapse_runtime.media.photo import PhotoDecoder, Picture, PictureFitter
from timelapse_runtime.media.reader import decode_segment
from timelapse_runtime.timelapse.reel_writer import ReelWriter

SIZE = (160, 96)
COUNT = 90


def settings(**changes: object) -> EncoderSettings:
    values: dict[str, object] = {
        "width": SIZE[0],
        "height": SIZE[1],
        "fps": 30,
        "keyframe_interval": 36,
        "crf": 23,
        "preset": "veryfast",
        "threads": 1,
    }
    return EncoderSettings(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    decoder, fitter = PhotoDecoder(maximum_pixels=10**8), PictureFitter(*SIZE)
    return [fitter.fit(decoder.decode(body)) for body in make_photos(COUNT, SIZE)]


def write(
    pictures: Sequence[Picture], how: EncoderSettings, *, cut_every: int, kill_at: Sequence[int] = ()
) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Segments (first, count, init segment, body) of a film; at each of `kill_at` all that was not cut is lost."""
    kills, done = list(kill_at), 0
    while done < len(pictures):
        writer = ReelWriter(how, first_number=done, last_key="")
        drain = True
        for number in range(done, len(pictures)):
            writer.append(pictures[number], SourceFrame(f"{number:03d}", number))
            if (number + 1) % cut_every == 0:
                writer.cut()
            if kills and number == kills[0]:
                kills.pop(0)
                drain = False
                break
        if drain:
            writer.cut(drain=True)
        for draft in writer.drafts():
            assert writer.init_segment is not None
            yield draft.first, draft.count, writer.init_segment, draft.body
        done = writer.cut_number


def film(segments: Sequence[tuple[int, int, bytes, bytes]], path: Path) -> Path:
    assert len({init for _, _, init, _ in segments}) == 1
    path.write_bytes(segments[0][2] + b"".join(body for _, _, _, body in segments))
    return path


@pytest.mark.parametrize("cut_every", [1, 7, 10, 50])
@pytest.mark.parametrize("kill_at", [(), (3, 11, 12, 40, 71)], ids=["one encoder", "five kills"])
@pytest.mark.parametrize("preset", ["veryfast", "ultrafast"])
def test_each_frame_is_there_once_and_in_order(
    pictures: list[Picture], tmp_path: Path, cut_every: int, kill_at: tuple[int, ...], preset: str
) -> None:
    segments = list(write(pictures, settings(preset=preset), cut_every=cut_every, kill_at=kill_at))
    path = film(segments, tmp_path / "film.mp4")
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


def test_cutting_often_costs_less_than_three_percent(pictures: list[Picture]) -> None:
    sizes = {}
    for every in (10, 180):
        sizes[every] = sum(len(body) for _, _, _, body in write(pictures, settings(), cut_every=every))
    # These pictures are small, and each fragment has some 250 bytes of boxes: the pictures' own bytes are compared.
    boxes = 250 * (COUNT // 10 - 1)
    assert sizes[10] - boxes <= sizes[180] * 1.03


@pytest.mark.parametrize("change", [{"crf": 35}, {"keyframe_interval": 20}, {"threads": 2}])
def test_the_init_segment_does_not_depend_on_quality_or_threads(
    pictures: list[Picture], change: dict[str, object]
) -> None:
    (_, _, init, _), *_ = write(pictures[:20], settings(), cut_every=50)
    (_, _, other, _), *_ = write(pictures[:20], settings(**change), cut_every=50)
    assert init == other


@pytest.mark.parametrize("change", [{"fps": 25}, {"preset": "ultrafast"}, {"preset": "slow"}])
def test_the_init_segment_tells_films_apart_that_cannot_be_one(
    pictures: list[Picture], change: dict[str, object]
) -> None:
    (_, _, init, _), *_ = write(pictures[:20], settings(), cut_every=50)
    (_, _, other, _), *_ = write(pictures[:20], settings(**change), cut_every=50)
    assert init != other


def test_the_films_colours_are_tagged(pictures: list[Picture], tmp_path: Path) -> None:
    import json
    import subprocess

    from tests.programs import require_program

    path = film(list(write(pictures[:5], settings(), cut_every=50)), tmp_path / "film.mp4")
    entries = "stream=color_range,color_space,color_transfer,color_primaries"
    command = [require_program("ffprobe"), "-v", "error", "-show_entries", entries, "-of", "json", str(path)]
    (stream,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"]
    assert (stream["color_range"], stream["color_space"]) == ("tv", "smpte170m")
    assert (stream["color_primaries"], stream["color_transfer"]) == ("bt709", "iec61966-2-1")


@pytest.fixture(scope="module")
def segment(pictures: list[Picture]) -> tuple[int, int, bytes, bytes]:
    return list(write(pictures, settings(), cut_every=10))[1]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a fragment is gone": lambda body: body[: len(body) // 2].rpartition(b"uuid")[0][:-4],
    "the end is cut off": lambda body: body[:-50],
    "bytes are flipped": lambda body: body[:-900] + bytes(255 - byte for byte in body[-900:-700]) + body[-700:],
    "nothing is left": lambda _body: b"",
    "noise": lambda body: bytes(255 - byte for byte in body),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_is_found_out(segment: tuple[int, int, bytes, bytes], damage: str) -> None:
    first, count, init, body = segment
    with pytest.raises(SegmentCorrupt):
        decode_segment(init, DAMAGES[damage](body), first=first, count=count, reorder_frames=2, keep=1)


@pytest.mark.parametrize(("first", "count"), [(36, 35), (36, 37), (0, 36), (37, 36)])
def test_a_segment_that_holds_other_frames_than_claimed_is_found_out(
    segment: tuple[int, int, bytes, bytes], first: int, count: int
) -> None:
    with pytest.raises(SegmentCorrupt):
        decode_segment(segment[2], segment[3], first=first, count=count, reorder_frames=2, keep=1)


@pytest.mark.parametrize("data", [b"\0\0\0", b"\0\0\0\x04free", b"\0\0\x10\0free", b"\0\0\0\x01free\0\0\0\0"])
def test_a_box_that_does_not_fit_is_found_out(data: bytes) -> None:
    with pytest.raises(SegmentCorrupt):
        list(walk_boxes(data))
    with pytest.raises(SegmentCorrupt):
        split_init(data)
