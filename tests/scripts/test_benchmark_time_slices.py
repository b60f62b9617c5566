"""Candidates that work in turns: a paused one does nothing, and no program is left behind."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from scripts.benchmark import measured
from scripts.benchmark.measured import run, run_in_slices
from scripts.benchmark.stage import BenchFailed
from scripts.benchmark.time_slices import TimeSlices, interleave

_WRITES = "import sys, time\nwith open(sys.argv[1], 'ab', 0) as out:\n while True: out.write(b'x'); time.sleep(0.001)"


def test_each_does_a_slice_at_a_time_until_all_have_ended() -> None:
    done: list[str] = []

    def work(name: str, slices: int) -> TimeSlices[str]:
        for number in range(slices):
            if number:
                yield
            done.append(f"{name}{number}")
        return name

    assert interleave([work("a", 1), work("b", 3), work("c", 2)]) == ["a", "b", "c"]
    assert done == ["a0", "b0", "c0", "b1", "c1", "b2"]


def test_when_one_fails_the_others_are_ended() -> None:
    ended: list[str] = []

    def goes_on() -> TimeSlices[None]:
        try:
            while True:
                yield
        finally:
            ended.append("continues")

    def fails() -> TimeSlices[None]:
        yield
        raise BenchFailed("no outbox was sent")

    with pytest.raises(BenchFailed):
        interleave([goes_on(), fails()])
    assert ended == ["continues"]


@pytest.fixture
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "SLICE_SECONDS", 0.2)


@pytest.mark.usefixtures("short_slices")
def test_a_program_stands_still_between_slices_and_ends_with_its_work(tmp_path: Path) -> None:
    written = tmp_path / "written"
    written.touch()

    def grows() -> bool:
        time.sleep(0.05)  # a signal takes its time
        before = written.stat().st_size
        time.sleep(0.1)
        return written.stat().st_size > before

    program = run_in_slices([sys.executable, "-S", "-c", _WRITES, str(written)])
    while not written.stat().st_size:
        next(program)
    assert not grows()
    before = written.stat().st_size
    next(program)
    assert written.stat().st_size > before
    program.close()
    assert not grows()


@pytest.mark.usefixtures("short_slices")
def test_what_a_program_used_is_that_of_all_its_slices() -> None:
    busy = "import time\nwhile time.process_time() < 0.5: pass\nprint('done')"
    (used,) = interleave([run_in_slices([sys.executable, "-S", "-c", busy])])
    assert used.said == "done\n"
    assert used.wall_seconds >= used.cpu_seconds * 0.9 > 0.4
    assert used.peak_rss_bytes > 1_000_000


def test_a_program_that_fails_or_is_not_there_is_named_with_its_words() -> None:
    with pytest.raises(BenchFailed, match="ended with 3: its own words"):
        run([sys.executable, "-c", "import sys; print('its own words'); sys.exit(3)"])
    with pytest.raises(BenchFailed, match="no-such-program could not be started"):
        run(["no-such-program"])
