"""What all suites share: numbered photos, and skips that CI does not accept."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import settings

from tests.photos import make_photos

# The same examples each time, and none of them timed: a suite on a busy machine must not fail by chance.
settings.register_profile("timelapse", deadline=None, derandomize=True)
settings.load_profile("timelapse")

NO_SKIP = os.environ.get("SUITE_NO_SKIP") == "1"
PhotoFolder: TypeAlias = Callable[..., list[Path]]


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> PhotoFolder:
    """`photos(count, size=(320, 180))`: paths of numbered JPEGs (see photos.py), alone in a folder. Do not write."""
    made: dict[tuple[int, tuple[int, int]], list[Path]] = {}

    def folder(count: int, size: tuple[int, int] = (320, 180)) -> list[Path]:
        if (count, size) not in made:
            directory = tmp_path_factory.mktemp(f"photos-{count}-{size[0]}x{size[1]}-")
            paths = [directory / f"{number:06d}.jpg" for number in range(count)]
            for path, body in zip(paths, make_photos(count, size), strict=True):
                path.write_bytes(body)
            made[count, size] = paths
        return made[count, size]

    return folder


def _fail_when_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"SUITE_NO_SKIP=1, and this was skipped: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_when_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_when_skipped(report)
    return report
