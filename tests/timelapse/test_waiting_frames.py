"""Samples wait for their frames' commit, and for the frames before them; there are never many."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from tests.recovery.fake_media import FakeDayPictures
from timelapse_runtime.timelapse.video.day_picture import MAXIMUM_WAITING
from timelapse_runtime.timelapse.waiting_frames import WaitingFrames


@dataclass
class Canvas:
    """Lists the frames that it was given, and counts how many samples they came in."""

    frames: list[int] = field(default_factory=list)
    samples: int = 0

    @property
    def frame_count(self) -> int:
        return len(self.frames)

    @frame_count.setter
    def frame_count(self, count: int) -> None:
        raise NotImplementedError

    def add(self, sample: list[int], count: int) -> None:
        assert len(sample) == count
        self.frames += sample
        self.samples += 1

    def to_bytes(self) -> bytes:
        raise NotImplementedError


def waiting(*numbers: int) -> WaitingFrames:
    frames = WaitingFrames(FakeDayPictures((64, 36)))
    for number in numbers:
        frames.add(number, [number])
    return frames


def moved(frames: WaitingFrames, canvas: Canvas | None = None) -> list[int]:
    canvas = canvas or Canvas()
    frames.move_to(canvas)
    return canvas.frames


def test_an_uncommitted_frame_is_not_in_the_picture() -> None:
    frames = waiting(0, 1, 2, 3)
    assert moved(frames) == []
    frames.committed(3, 3)
    assert moved(frames) == [0, 1, 2]
    frames.discard_uncommitted()
    frames.committed(4, 4)
    assert moved(frames, Canvas([0, 1, 2])) == [0, 1, 2]


def test_numbers_of_an_encoder_that_began_another_reel_are_moved() -> None:
    frames = waiting(10, 11, 12)
    frames.committed(12, 2)
    assert frames.first_ready == 0
    assert moved(frames) == [10, 11]


def test_a_committed_frame_waits_for_those_before_it() -> None:
    frames = waiting(5, 6)
    frames.committed(7, 7)
    assert moved(frames, Canvas([0, 1, 2])) == [0, 1, 2]
    frames.discard_uncommitted()
    assert frames.first_ready == 5
    assert moved(frames, Canvas([0, 1, 2, 3, 4])) == [0, 1, 2, 3, 4, 5, 6]


def test_a_frame_that_is_in_the_picture_is_not_added_again() -> None:
    frames = waiting(5, 6)
    frames.committed(7, 7)
    assert moved(frames, Canvas([*range(7)])) == [*range(7)]
    assert frames.first_ready is None


def test_many_frames_are_few_samples() -> None:
    frames, canvas = waiting(*range(1_000)), Canvas()
    frames.committed(1_000, 1_000)
    assert moved(frames, canvas) == [*range(1_000)]
    assert canvas.samples <= 8


def test_frames_whose_run_is_not_committed_whole_are_held() -> None:
    frames, canvas = waiting(*range(100)), Canvas()
    frames.committed(95, 95)
    shown = moved(frames, canvas)
    assert shown == [*range(len(shown))]
    assert len(shown) + frames.held_below(95) == 95


@pytest.mark.parametrize("lookahead", [0, 3, 11, 60])
@pytest.mark.parametrize("flush_every", [1, 7, 60, 300])
def test_a_picture_is_never_far_behind_the_commits(lookahead: int, flush_every: int) -> None:
    frames, canvas = waiting(), Canvas()
    for number in range(3_000):
        frames.add(number, [number])
        if number % flush_every == 0 and number >= lookahead:
            committed = number + 1 - lookahead
            frames.committed(committed, committed)
            frames.move_to(canvas)
            assert len(canvas.frames) + frames.held_below(committed) == committed
            assert frames.held_below(committed) <= 2 + (lookahead + flush_every) // 2
    assert canvas.frames == [*range(len(canvas.frames))]


def test_frames_that_wait_for_too_many_others_are_given_up() -> None:
    frames = waiting()
    for number in range(100, 100 + 2 * MAXIMUM_WAITING):
        frames.add(number, [number])
        frames.committed(number + 1, number + 1)
    assert frames.first_ready is not None
    assert frames.first_ready >= 100 + MAXIMUM_WAITING
    before = [*range(frames.first_ready)]
    assert moved(frames, Canvas(before)) == [*range(100 + 2 * MAXIMUM_WAITING)]


def test_gaps_and_discarded_frames_neither_lose_nor_repeat_one() -> None:
    draw = Random(1)
    for _ in range(200):
        frames, canvas, number, committed = waiting(), Canvas(), 0, 0
        for _ in range(60):
            match draw.choice(["add", "add", "add", "skip", "commit", "discard", "decode"]):
                case "add":
                    frames.add(number, [number])
                    number += 1
                case "skip":  # its pixels are elsewhere
                    number += 1
                case "commit":
                    committed = draw.randint(committed, number)
                    frames.committed(committed, committed)
                    frames.move_to(canvas)
                case "discard":
                    frames.discard_uncommitted()
                    number = committed
                case _:
                    held = frames.held_below(committed)
                    while canvas.frame_count < committed - held:
                        end = committed - held if frames.first_ready is None else frames.first_ready
                        canvas.frames += range(canvas.frame_count, end)
                        frames.move_to(canvas)
                    assert canvas.frame_count == committed - held
            assert canvas.frames == [*range(len(canvas.frames))]
            assert len(canvas.frames) <= committed
