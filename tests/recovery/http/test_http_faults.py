"""A fault at a request over HTTP, real processes and real SIGKILLs: an even sample of what `points.run_all` runs."""

from __future__ import annotations

import pytest

from tests.programs import require_ministack, require_program
from tests.recovery.http.points import Server, run_all


@pytest.mark.timeout(300)  # half a minute where nothing else runs
@pytest.mark.parametrize(("server", "step"), [("moto", 173), ("ministack", 191)])
def test_a_fault_at_any_request_over_http_loses_nothing_and_doubles_nothing(server: Server, step: int) -> None:
    """The steps share no factor with the number of requests: between them the two have all kinds of faults but one."""
    require_program("ffmpeg")
    if server == "ministack":
        require_ministack()
    results = list(run_all(server, step, first=step // 2))
    assert results
    assert [(name, wrong) for name, wrong in results if wrong] == []
