"""A digest shows one of every few frames, never too many, and one that was stored continues where it ended."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from unittest.mock import patch

import av
import numpy
import pytest
from av.video.frame import VideoFrame

from timelapse_runtime.timelapse.video import digest
from timelapse_runtime.timelapse.video.day_picture import UnreadableDayPicture
from timelapse_runtime.timelapse.video.digest import Digest, DigestCanvas

SIZE = 64, 48


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    """Few pictures are many."""
    with patch.multiple(digest, MAXIMUM_PICTURES=12, FIRST_STEP=2, _GROUP=4):
        yield


def level(number: int) -> int:
    """How bright the frame with this number is: neighbours differ by more than encoding changes."""
    return 30 + number * 37 % 200


def picture(number: int) -> VideoFrame:
    planes = numpy.full((SIZE[1] * 3 // 2, SIZE[0]), 128, numpy.uint8)
    planes[: SIZE[1]] = level(number)
    return VideoFrame.from_ndarray(planes, format="yuv420p")


def add(canvas: DigestCanvas, numbers: Sequence[int], kind: Digest | None = None) -> DigestCanvas:
    kind = kind or Digest(SIZE)
    for number in numbers:
        canvas.add(kind.sample(picture(number), number), 1)
    return canvas


def drawn(count: int) -> DigestCanvas:
    return add(Digest(SIZE).canvas(), range(count))


def shown(mp4: bytes) -> list[float]:
    """The brightness of each picture."""
    with av.open(io.BytesIO(mp4), "r") as container:
        frames = [*container.decode(video=0)]
    assert [frame.pts for frame in frames] == [512 * place for place in range(len(frames))]
    return [float(frame.to_ndarray()[: SIZE[1]].mean()) for frame in frames]


def assert_shows(mp4: bytes, numbers: Sequence[int]) -> None:
    levels = shown(mp4)
    assert len(levels) == len(numbers)
    assert max(abs(one - level(number)) for one, number in zip(levels, numbers, strict=True)) < 4


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 23, 24, 25, 46, 47, 48, 49, 500])
def test_it_shows_one_of_every_few_frames(count: int) -> None:
    step = 2
    while count > 11 * step:  # the twelfth picture halves them
        step *= 2
    numbers = range(0, count, step)
    assert len(numbers) < 12
    assert_shows(drawn(count).to_bytes(), numbers)


@pytest.mark.parametrize("every", [1, 3, 8, 23])
def test_a_stored_one_goes_on(every: int) -> None:
    canvas = Digest(SIZE).canvas()
    for number in range(100):
        add(canvas, [number])
        if number % every == 0:
            canvas = Digest(SIZE).canvas(canvas.to_bytes())
    assert canvas.frame_count == 100
    assert_shows(canvas.to_bytes(), range(0, 100, 16))


def test_what_is_read_is_written_again_without_a_change() -> None:
    mp4 = drawn(15).to_bytes()
    assert Digest(SIZE).canvas(mp4).to_bytes() == mp4


@pytest.mark.parametrize("size", [2, 3, 7, 20])
def test_frames_may_come_together(size: int) -> None:
    kind, canvas = Digest(SIZE), Digest(SIZE).canvas()
    for start in range(0, 100, size):
        numbers = range(start, min(start + size, 100))
        samples = [kind.sample(picture(number), number) for number in numbers]
        joined = samples[0]
        for sample in samples[1:]:
            joined = kind.joined(joined, sample)
        canvas.add(joined, len(numbers))
    assert canvas.to_bytes() == drawn(100).to_bytes()


def test_frames_that_got_other_numbers_are_shown_as_often() -> None:
    """A reel that begins with frames of an encoder that counted on: what comes before its first sample is missing."""
    kind, canvas = Digest(SIZE), Digest(SIZE).canvas()
    numbers = iter(range(5, 100))
    add(canvas, [next(numbers)], kind)
    assert canvas.frame_count == 0
    canvas.add(kind.sample(picture(5), 0), 1)  # decoded from the video, where it is the first
    add(canvas, list(numbers)[:20], kind)
    assert canvas.frame_count == 21
    assert_shows(canvas.to_bytes(), [5, *range(8, 26, 2)])


def test_only_what_is_shown_is_scaled() -> None:
    kind = Digest(SIZE)
    assert [len(kind.sample(picture(number), number).pictures) for number in range(5)] == [1, 0, 1, 0, 1]


def test_a_sample_does_not_change_with_its_frame() -> None:
    kind, frame = Digest(SIZE), picture(0)
    sample = kind.sample(frame, 0)
    before = sample.pictures[0][1].copy()
    numpy.frombuffer(memoryview(frame.planes[0]), numpy.uint8)[:] = 255
    assert (sample.pictures[0][1] == before).all()


@pytest.mark.parametrize(
    ("video", "size"),
    [((1920, 1080), (960, 540)), ((1080, 1920), (540, 960)), ((640, 360), (640, 360)), ((4000, 20), (960, 4))],
)
def test_its_longer_side_is_bounded(video: tuple[int, int], size: tuple[int, int]) -> None:
    frame = VideoFrame(*video, "yuv420p")
    canvas = Digest(video).canvas()
    canvas.add(Digest(video).sample(frame, 0), 1)
    with av.open(io.BytesIO(canvas.to_bytes())) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == size


def test_any_damage_is_refused() -> None:
    mp4 = drawn(15).to_bytes()
    for position in range(len(mp4)):
        for damaged in (mp4[:position] + bytes([mp4[position] ^ 4]) + mp4[position + 1 :], mp4[:position]):
            with pytest.raises(UnreadableDayPicture):
                Digest(SIZE).canvas(damaged)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"frames": 15},
        {"frames": 0, "step": 2},
        {"frames": 15, "step": 0},
        {"frames": 15, "step": 1},
        {"frames": 14, "step": 2},
        {"frames": 15, "step": None},
    ],
    ids=str,
)
def test_a_state_that_does_not_fit_is_refused(state: dict[str, object]) -> None:
    canvas = drawn(15)
    mp4 = canvas._track.to_mp4(canvas._all_groups(), state)
    with pytest.raises(UnreadableDayPicture):
        Digest(SIZE).canvas(mp4)


@pytest.mark.parametrize("other", [b"", b"no video", b"\0" * 100])
def test_what_is_no_digest_is_refused(other: bytes) -> None:
    with pytest.raises(UnreadableDayPicture):
        Digest(SIZE).canvas(other)


def test_one_of_another_size_is_refused() -> None:
    with pytest.raises(UnreadableDayPicture, match="64x48"):
        Digest((64, 64)).canvas(drawn(5).to_bytes())


def test_one_that_becomes_too_large_shows_fewer_frames() -> None:
    with patch.object(digest, "_MAXIMUM_BYTES", 1_000):
        canvas = Digest(SIZE).canvas()
        for number in range(300):
            add(canvas, [number])
            if number % 7 == 0:
                canvas = Digest(SIZE).canvas(canvas.to_bytes())
        mp4 = canvas.to_bytes()
    count = len(shown(mp4))
    assert 1 < count < 12
    step = 300 // count
    while step & (step - 1):
        step += 1
    assert_shows(mp4, range(0, 300, step))
    assert step > digest.step_at(299)


def test_one_that_another_encoder_wrote_is_read_and_goes_on() -> None:
    with patch.object(digest, "_PRESET", "ultrafast"):
        mp4 = drawn(15).to_bytes()
    canvas = Digest(SIZE).canvas(mp4)
    assert canvas.frame_count == 15
    add(canvas, [15])
    assert canvas.to_bytes().count(b"avcC") == 1
    assert_shows(canvas.to_bytes(), range(0, 16, 2))
    add(canvas, range(16, 30))
    assert_shows(canvas.to_bytes(), range(0, 30, 4))
    assert_shows(Digest(SIZE).canvas(canvas.to_bytes()).to_bytes(), range(0, 30, 4))
