"""A scripted server, and an S3 store that talks to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.runtime.state.scripted_server import ScriptedServer, scripted_server
from timelapse_runtime.runtime.state.s3 import S3Store, make_client


def variables(server: ScriptedServer) -> dict[str, str]:
    """What a client needs to reach it."""
    return {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL_S3": server.endpoint_url}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    """How long the store paused between crossed writes, each time."""
    return []


@pytest.fixture
def store(server: ScriptedServer, pauses: list[float]) -> Iterator[S3Store]:
    with closing(make_client(variables=variables(server))) as client:
        yield S3Store(client, "bucket", pause=pauses.append)
