"""The browsers, each started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import Browser, Chromium, Firefox


@pytest.fixture(scope="session", params=[Chromium, Firefox], ids=lambda kind: kind.__name__)
def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One window, in Chromium and in Firefox."""
    with request.param(tmp_path_factory.mktemp("profile")) as running:
        yield running
