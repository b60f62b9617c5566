"""The enumeration notices every seeded bug."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.recovery.mutations import MUTATIONS, caught_by

STEP = 3


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_seeded_bug_is_noticed(mutation: str) -> None:
    assert caught_by(mutation, step=STEP) is not None
