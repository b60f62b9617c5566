"""The stores that the one suite runs over: in memory, and S3 through moto's server, ministack and, on request, radosgw.

No server is right everywhere; each is right where another is not. The store in memory has no excuse. `--radosgw` adds
Ceph's gateway, which needs Debian packages of 300 MB and 12 s to start (docs/storage.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.programs import MINISTACK, require_ministack
from timelapse_runtime.cli.store_requirements import Differs
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import StorageError
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

RADOSGW = Path(__file__).with_name("radosgw.sh")
_numbers = itertools.count()


@dataclass(frozen=True)
class Server:
    """What is behind the store; `running` is None for the one in memory."""

    name: str
    running: EmbeddedS3 | None


KnownWrong: TypeAlias = Callable[[str, str], None]
UnfinishedUploads: TypeAlias = Callable[[], int]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known only if tests/contract is named on the command line: the whole suite never starts radosgw."""
    parser.addoption("--radosgw", action="store_true", help="run the contract suite over Ceph's radosgw, too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        asked = ["radosgw"] if metafunc.config.getoption("--radosgw", default=False) else []
        metafunc.parametrize("server", ["memory", "moto", "ministack", *asked], indirect=True, scope="session")


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    name = str(request.param)
    if name == "memory":
        yield Server(name, None)
        return
    if name == "ministack":
        require_ministack()
    commands: dict[str, Callable[[], EmbeddedS3]] = {
        "moto": EmbeddedS3,
        "ministack": lambda: EmbeddedS3((str(MINISTACK),)),
        "radosgw": lambda: EmbeddedS3((str(RADOSGW), "{port}", str(tmp_path_factory.mktemp("radosgw")))),
    }
    with commands[name]() as running:
        yield Server(name, running)


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the store in memory; the servers have their own."""
    return ManualClock()


@pytest.fixture
def store(server: Server, clock: ManualClock) -> Iterator[Store]:
    """A store on an empty bucket."""
    bucket = f"bucket-{next(_numbers)}"
    if server.running is None:
        yield MemoryStore(bucket, clock=clock)
        return
    server.running.create_buckets(bucket)
    with closing(make_client(variables=server.running.variables())) as client:
        yield S3Store(client, bucket)


@pytest.fixture
def unfinished_uploads(server: Server, store: Store) -> UnfinishedUploads:
    """How many multipart uploads the bucket holds that were neither completed nor aborted."""

    def count() -> int:
        if server.running is None:
            begun = store.request_counts.get("CreateMultipartUpload", 0)
            return begun - store.request_counts.get("AbortMultipartUpload", 0)  # where none may be completed
        with closing(make_client(variables=server.running.variables())) as client:
            return len(client.list_multipart_uploads(Bucket=store.bucket).get("Uploads", ()))

    return count


@pytest.fixture
def known_wrong(request: pytest.FixtureRequest, server: Server) -> KnownWrong:
    """`known_wrong(server, why)`: this server fails this test; when it no longer does, that is a failure as well."""

    def mark(server_name: str, why: str) -> None:
        if server.name == server_name:
            kinds = (AssertionError, pytest.fail.Exception, StorageError, Differs)
            request.applymarker(pytest.mark.xfail(strict=True, raises=kinds, reason=f"{server_name}: {why}"))

    return mark
