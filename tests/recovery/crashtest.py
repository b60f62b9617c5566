"""Every point of the enumeration: `scripts/crashtest`.

Each fault at each request of each scenario, pairs of faults, two environments that meet, random lives; the same over
HTTP with real processes and SIGKILL; and the seeded bugs, which all have to be noticed. Ends with one line of JSON;
exit code 0 only when no point failed and no bug was missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import math
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from operator import itemgetter

from tests.recovery.faults import Fault
from tests.recovery.http.points import Server, run_all
from tests.recovery.machine import run_machine
from tests.recovery.mutations import MUTATIONS, caught_by
from tests.recovery.races import (
    ADOPT_MEETINGS,
    ARRIVAL_MEETINGS,
    CLOSE_MEETINGS,
    MEETINGS,
    OWNER_MEETINGS,
    PARTS_MEETINGS,
    RANGES_MEETINGS,
    REMOVAL_MEETINGS,
    Meeting,
)
from tests.recovery.scenarios import SCENARIOS, SMALL, Scenario, doubles, drawn_pairs, run_life, run_scenario, singles

Point = tuple[str, Callable[[], tuple[str, ...]]]
"""Its column in the table, and what runs it: the answer is what was wrong."""
ARRIVAL_LIVES = 5_000
LIVES_PER_SEED, SEEDS = 200, 50
SERVERS: tuple[Server, ...] = ("moto", "ministack")
SHARES_PER_SERVER = 2


@dataclass(frozen=True)
class Part:
    """A row of the table."""

    name: str
    points: Callable[[], Iterator[Point]]


def _with_faults(scenario: Scenario, faults: Mapping[int, Fault], *, is_real: bool = False) -> Point:
    names = [fault.value for fault in faults.values()]
    column = names[0] if len(names) == 1 else "two faults"
    return column, partial(_wrong, scenario, faults, is_real)


def _wrong(scenario: Scenario, faults: Mapping[int, Fault], is_real: bool) -> tuple[str, ...]:
    return run_scenario(scenario, faults, shows_photos=not is_real).wrong


def _meet(meeting: Meeting, schedule: tuple[int, ...]) -> tuple[str, ...]:
    return meeting.run(schedule)[1]


def _singles(scenario: Scenario, *, is_real: bool = False) -> Iterator[Point]:
    return (_with_faults(scenario, faults, is_real=is_real) for faults in singles(scenario, shows_photos=not is_real))


def _doubles() -> Iterator[Point]:
    return (_with_faults(SMALL, faults) for faults in doubles(SMALL))


def _drawn_pairs() -> Iterator[Point]:
    for scenario in SCENARIOS:
        for faults in drawn_pairs(scenario):
            yield _with_faults(scenario, faults)


def _pauses(meetings: Iterable[Meeting]) -> Iterator[Point]:
    for meeting in meetings:
        for schedule in meeting.pauses():
            yield "one waits", partial(_meet, meeting, schedule)


def _arrival_lives() -> Iterator[Point]:
    for seed in range(ARRIVAL_LIVES):
        yield "random faults", partial(_live, seed)


def _live(seed: int) -> tuple[str, ...]:
    return run_life(seed).wrong


def _interleavings() -> Iterator[Point]:
    for meeting in CLOSE_MEETINGS:
        for schedule in meeting.interleavings():
            yield "both wait", partial(_meet, meeting, schedule)


def parts() -> Mapping[str, Part]:
    """By name. All pairs of all scenarios would be 40 million points: these are drawn."""
    rows = [
        *(Part(scenario.name, partial(_singles, scenario)) for scenario in (*SCENARIOS, SMALL)),
        Part("small, real pictures", partial(_singles, SMALL, is_real=True)),
        Part("small, all pairs", _doubles),
        Part("all scenarios, drawn pairs", _drawn_pairs),
        Part(f"{len(MEETINGS)} meetings", partial(_pauses, MEETINGS)),
        Part(f"arrival: {len(ARRIVAL_MEETINGS)} meetings", partial(_pauses, ARRIVAL_MEETINGS)),
        Part(f"owners: {len(OWNER_MEETINGS)} meetings", partial(_pauses, OWNER_MEETINGS)),
        Part(f"ranges: {len(RANGES_MEETINGS)} meetings", partial(_pauses, RANGES_MEETINGS)),
        Part(f"adopting: {len(ADOPT_MEETINGS)} meetings", partial(_pauses, ADOPT_MEETINGS)),
        Part(f"parts: {len(PARTS_MEETINGS)} meetings", partial(_pauses, PARTS_MEETINGS)),
        Part(f"removal: {len(REMOVAL_MEETINGS)} meetings", partial(_pauses, REMOVAL_MEETINGS)),
        Part("arrival: random lives", _arrival_lives),
        Part(f"{len(CLOSE_MEETINGS)} close meetings", _interleavings),
    ]
    return {part.name: part for part in rows}


@dataclass(frozen=True)
class Share:
    """What one process does of one part: of its points from `first` on, every `step`-th; of these, every `of`-th, from
    `number` on."""

    part: str
    number: int
    of: int
    step: int
    first: int = 0

    def run(self) -> tuple[str, Counter[str], list[str]]:
        """The part, its points by column, and the failures."""
        part, points, failures = parts()[self.part], Counter[str](), list[str]()
        first, step = self.first + self.number * self.step, self.of * self.step
        for number, (column, test) in enumerate(itertools.islice(part.points(), first, None, step)):
            points[column] += 1
            if wrong := test():
                point = first + number * step
                failures.append(f"{part.name} / {column} / point {point}: {_last_line(wrong[0])}")
        return self.part, points, failures


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _lives(seed: int) -> tuple[int, list[str]]:
    return LIVES_PER_SEED, [f"life of seed {seed}: {failure}" for failure in run_machine(LIVES_PER_SEED, seed)]


def _over_http(server: Server, number: int, step: int, first: int) -> tuple[int, list[str]]:
    """One share of a server's points, with a server and an environment of its own."""
    results = list(run_all(server, step * SHARES_PER_SERVER, first=first + number * step))
    return len(results), [f"{server}, {name}: {_last_line(wrong[0])}" for name, wrong in results if wrong]


def _bug(name: str) -> tuple[str, str | None]:
    return name, caught_by(name)


def main() -> int:
    """Run, print the table and the line."""
    parser = argparse.ArgumentParser(prog="scripts/crashtest", description=__doc__.split("\n\n")[1])
    parser.add_argument("--step", type=int, default=1, metavar="N", help="only every N-th point (default: all)")
    parser.add_argument(
        "--first",
        type=int,
        default=0,
        metavar="K",
        help="begin with the K-th: runs from 0 to N - 1 are the whole together",
    )
    parser.add_argument("--in-memory", action="store_true", help="nothing over HTTP: no ffmpeg, no ministack needed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    arguments = parser.parse_args()
    if math.gcd(arguments.step, len(Fault)) != 1:
        parser.error(
            f"--step {arguments.step} would leave out whole kinds of the {len(Fault)} faults: take 7, 11 or 13"
        )
    if not arguments.in_memory:
        missing = [name for name in ("ffmpeg", "ffprobe") if shutil.which(name) is None]
        if missing:
            parser.error(f"over HTTP {' and '.join(missing)} look at the videos: install ffmpeg, or take --in-memory")
    if not 0 <= arguments.first < arguments.step:
        parser.error(f"--first {arguments.first}: with --step {arguments.step}, take 0 to {arguments.step - 1}")
    started, rows = time.monotonic(), Rows()
    of = 4 * arguments.processes
    shares = [Share(name, number, of, arguments.step, arguments.first) for name in parts() for number in range(of)]
    # Spawned, not forked: each process has a /tmp folder of its own for its outbox.
    with ProcessPoolExecutor(arguments.processes, get_context("spawn"), logging.disable) as pool:
        asked = {
            f"over HTTP, {server}": [
                pool.submit(_over_http, server, number, arguments.step, arguments.first)
                for number in range(SHARES_PER_SERVER)
            ]
            for server in (() if arguments.in_memory else SERVERS)
        }  # first: they wait most of their time
        for name, shared in itertools.groupby(pool.map(Share.run, shares), itemgetter(0)):
            counted = list(shared)
            points = sum((counter for _, counter, _ in counted), Counter[str]())
            rows.add(name, points, [failure for *_, failures in counted for failure in failures])
        caught = dict(pool.map(_bug, () if arguments.first else MUTATIONS))
        others = {"random lives": pool.map(_lives, range(1 + arguments.first, 1 + SEEDS, arguments.step))}
        others |= {name: (answer.result() for answer in answers) for name, answers in asked.items()}
        for name, results in others.items():
            done = list(results)
            failures = [failure for _, failed in done for failure in failed]
            rows.add(name, Counter({"": sum(count for count, _ in done)}), failures)
    print("", _bugs(caught), "", sep="\n")
    missed = [name for name, where in caught.items() if where is None]
    line = {
        "points": rows.points,
        "failed": rows.failed,
        "mutations": len(caught),
        "mutations_missed": len(missed),
        "seconds": round(time.monotonic() - started),
    }
    print(json.dumps(line))
    return 1 if rows.failed or missed else 0


class Rows:
    """The table, which is printed row by row: hours of work may be interrupted."""

    def __init__(self) -> None:
        self.points = self.failed = 0
        columns = [fault.value for fault in Fault]
        self._print("scenario", *columns, "points", "failed")
        self._print("---", *["---:"] * (len(columns) + 2))

    def add(self, name: str, points: Counter[str], failures: Sequence[str]) -> None:
        """Print the failures, to stderr, and the row."""
        for failure in failures:
            print(failure, file=sys.stderr, flush=True)
        figures = [str(points[fault.value] or "") for fault in Fault]
        self._print(name, *figures, str(points.total()), str(len(failures)))
        self.points += points.total()
        self.failed += len(failures)

    @staticmethod
    def _print(*cells: str) -> None:
        print(f"| {' | '.join(cells)} |", flush=True)


def _bugs(caught: Mapping[str, str | None]) -> str:
    rows = ["| seeded bug | noticed in |", "|---|---|"]
    return "\n".join([*rows, *(f"| {name} | {where or 'MISSED'} |" for name, where in caught.items())])


if __name__ == "__main__":
    sys.exit(main())
