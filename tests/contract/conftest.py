"""The stores that the one suite runs over: in memory, and S3 through moto's server and ministack."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from timelapse_runtime.local.s3_server import EmbeddedS3
from timelapse_runtime.storage.contract import Store
from timelapse_runtime.storage.memory import MemoryStore
from timelapse_runtime.storage.s3 import S3Store, make_client

MINISTACK = Path(__file__).parents[2] / ".venv-ministack" / "bin" / "ministack"
_numbers = itertools.count()


@pytest.fixture(scope="session", params=["memory", "moto", "ministack"])
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedS3 | None]:
    """A running server, or None for the store in memory."""
    with ExitStack() as stack:
        if request.param == "moto":
            yield stack.enter_context(EmbeddedS3())
        elif request.param == "ministack":
            if not MINISTACK.exists():
                pytest.skip("needs ministack: scripts/install ministack")
            yield stack.enter_context(EmbeddedS3((str(MINISTACK),)))
        else:
            yield None


@pytest.fixture
def kind(request: pytest.FixtureRequest, server: EmbeddedS3 | None) -> str:
    """Which one it is: memory, moto or ministack."""
    if server is None:
        return "memory"
    return str(request.node.callspec.params["server"])


@pytest.fixture
def store(server: EmbeddedS3 | None) -> Store:
    """A store on an empty bucket."""
    bucket = f"bucket-{next(_numbers)}"
    if server is None:
        return MemoryStore(bucket)
    server.create_buckets(bucket)
    return S3Store(make_client(variables=server.variables()), bucket)


@pytest.fixture
def known_wrong(request: pytest.FixtureRequest, kind: str) -> object:
    """`known_wrong(server, why)`: this server is known to fail this test; it is reported when it no longer does."""

    def mark(server_name: str, why: str) -> None:
        if kind == server_name:
            request.applymarker(pytest.mark.xfail(strict=True, reason=f"{server_name}: {why}"))

    return mark
