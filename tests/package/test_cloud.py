"""The zip as a function of a stack that a template describes: each photo becomes one frame, by any route."""

from __future__ import annotations

import json

import pytest

from tests.cloud.run import main
from tests.package.conftest import Packages
from tests.programs import require_ministack

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param("--route direct --reserved", id="one environment"),
        pytest.param("--route direct --no-reserved", id="ten environments"),
        pytest.param("--route fifo --no-reserved --cameras 2", id="by way of the queue"),
    ],
)
def test_each_photo_becomes_one_frame(options: str, packages: Packages, capsys: pytest.CaptureFixture[str]) -> None:
    """`run` itself asserts that each photo is there once, and that FFmpeg has nothing to object to."""
    require_ministack()
    small = ["--photos", "40", "--rate", "20", "--size", "320x180", "--flush-every", "20"]
    main([*small, *options.split(), "--dist", str(packages.function.parent)])
    found = json.loads(capsys.readouterr().out)
    assert found["frames"] == 40
    assert (found["orphans"], found["undeliverable"]) == (0, 0)
    if "--reserved" in options:
        assert (found["environments"], found["failed_invocations"]) == (1, 0)
    if "fifo" in options:
        assert (found["out_of_place"], found["failed_invocations"]) == (0, 0)
