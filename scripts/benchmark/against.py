"""This checkout's runtime against another checkout's, in one run: what a change costs.

The other one is run by its own `bootstrap` and from its own `.venv-bench` (`scripts/install bench` there), so it may be
of any commit that has both. The same photos, the same S3 server, in turns.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.benchmark.batch import Settings
from scripts.benchmark.candidates import Deployment, cpu_in_turns, timelapse_stage
from scripts.benchmark.counting_s3 import BenchS3, S3Latency
from scripts.benchmark.photo_set import PhotoSet, photo_set
from scripts.benchmark.ratios import Ratio, paired
from scripts.benchmark.stage import BUCKET, THIS_RUNTIME, BenchFailed, Deployed
from scripts.benchmark.startup import starts
from scripts.benchmark.time_slices import alone

SIZES = {"1080p": (1920, 1080), "480p": (640, 480)}
_FILLING = 60


def other_checkout(folder: Path) -> Deployed:
    """The runtime of another checkout. Raises BenchFailed if it cannot be run."""
    python, bootstrap = folder / ".venv-bench" / "bin" / "python", folder / "bootstrap"
    if not python.exists() or not bootstrap.exists():
        raise BenchFailed(f"{folder} has no bootstrap or no .venv-bench: run scripts/install bench there")
    # The variable that chooses Python has had another name.
    name = re.search(r"\$\{(\w+_PYTHON):-", (folder / "timelapse_runtime" / "start.sh").read_text())
    if name is None:
        raise BenchFailed(f"{folder}/timelapse_runtime/start.sh names no variable for its Python")
    start = f'unset PYTHONPATH; export {name[1]}="{python}"; exec "{bootstrap}"'
    return Deployed(command=("/bin/sh", "-c", start), extension=False)


def measure(
    folder: Path, photos: Path | None, work: Path, *, frames: int = 60, rounds: int
) -> tuple[dict[str, Any], list[Ratio]]:
    """CPU per frame at both sizes, in turns of `frames` frames, and milliseconds from exec to the first `next`."""
    deployed = {"this": replace(THIS_RUNTIME, extension=False), "other": other_checkout(folder)}
    figures: dict[str, Any] = {}
    ratios: list[Ratio] = []

    def compare(figure: str, ratio: str, values: dict[str, list[float]]) -> None:
        figures[figure] = {name: round(statistics.median(of_one), 2) for name, of_one in values.items()}
        ratios.append(paired(ratio, values["this"], values["other"]))

    for label, size in SIZES.items():
        (work / label).mkdir()
        shots, settings = photo_set(photos, work / label, size), Settings(*size)
        cpu = _cpu_ms(deployed, shots, settings, frames=frames, rounds=rounds)
        compare(f"cpu_ms_per_frame_{label}", f"cpu_vs_other_{label}", cpu)
    times = starts(
        deployed, shots, settings, rounds=rounds
    )  # with the smaller photos: a start decodes none before next
    first_next = {name: [next_ms for next_ms, _ in of_one] for name, of_one in times.items()}
    compare("first_next_ms", "first_next_vs_other", first_next)
    return figures, ratios


def _cpu_ms(
    deployed: Mapping[str, Deployed], photos: PhotoSet, settings: Settings, *, frames: int, rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of CPU per frame, by round, after the frames that only fill the encoders."""
    with ExitStack() as stack:
        server = stack.enter_context(BenchS3(S3Latency()))
        server.create_buckets(BUCKET)
        candidates = []
        for name, one in deployed.items():
            stage = stack.enter_context(timelapse_stage(server, settings, one, stream=name))
            candidates.append(Deployment(stage, server, photos))
        for candidate in candidates:
            alone(candidate.turn(_FILLING))
        return dict(zip(deployed, cpu_in_turns(candidates, frames=frames, rounds=rounds), strict=True))
