"""This checkout's runtime against another checkout's, in one run: what a change costs.

The other one is run by its own `bootstrap` and from its own `.venv-bench` (`scripts/install bench` there), so it may be
of any commit that has both. The same photos, the same S3 server, in turns.
"""

from __future__ import annotations

import re
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.benchmark.batch import Settings
from scripts.benchmark.candidates import Deployment, timelapse_stage
from scripts.benchmark.counting_s3 import BenchS3, S3Latency
from scripts.benchmark.photo_set import photo_set
from scripts.benchmark.ratios import Ratio, paired
from scripts.benchmark.stage import BUCKET, THIS_RUNTIME, BenchFailed, Deployed
from scripts.benchmark.time_slices import alone, interleave

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
    candidates = {"this": replace(THIS_RUNTIME, extension=False), "other": other_checkout(folder)}
    figures: dict[str, Any] = {}
    ratios = []
    for name, size in SIZES.items():
        place = work / name
        place.mkdir()
        shots, settings = photo_set(photos, place, size), Settings(*size)
        cpu: dict[str, list[float]] = {one: [] for one in candidates}
        with BenchS3(S3Latency()) as server:
            server.create_buckets(BUCKET)
            with (
                timelapse_stage(server, settings, candidates["this"], stream="this") as mine,
                timelapse_stage(server, settings, candidates["other"], stream="other") as theirs,
            ):
                deployments = [Deployment(stage, server, shots) for stage in (mine, theirs)]
                for deployment in deployments:
                    alone(deployment.turn(_FILLING))
                for _ in range(rounds):
                    turns = interleave([deployment.turn(frames) for deployment in deployments])
                    for one, turn in zip(candidates, turns, strict=True):
                        cpu[one].append(turn.cpu_ms_per_frame)
        figures[f"cpu_ms_per_frame_{name}"] = {one: round(statistics.median(cpu[one]), 2) for one in candidates}
        ratios.append(paired(f"cpu_vs_other_{name}", cpu["this"], cpu["other"]))
    firsts: dict[str, list[float]] = {one: [] for one in candidates}
    body = shots.path(0).read_bytes()
    with BenchS3(S3Latency()) as server:
        server.create_buckets(BUCKET)
        for number in range(rounds + 1):
            for one, deployed in candidates.items():
                with timelapse_stage(server, settings, deployed, stream=f"{one}-{number}") as stage:
                    event, began = stage.upload(body), time.monotonic()
                    outcome = stage.invoke(event)
                    if number:  # the first round fills the page cache
                        firsts[one].append((time.monotonic() - began) * 1000 - outcome.duration_ms)
    figures["first_next_ms"] = {one: round(statistics.median(values), 1) for one, values in firsts.items()}
    ratios.append(paired("first_next_vs_other", firsts["this"], firsts["other"]))
    return figures, ratios
