"""The watch page's server, over sockets."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.watch.test_site import DIGITS, VIDEO, site_of
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.watch import site as site_module
from timelapse_runtime.watch.server import WatchServer


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore("video-bucket")
    store.put(f"video{VIDEO}", DIGITS)
    return store


@pytest.fixture
def server(store: MemoryStore) -> Iterator[WatchServer]:
    with WatchServer(site_of(store)[1]) as server:
        yield server


@dataclass(frozen=True)
class Got:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(server: WatchServer, path: str, method: str = "GET", **headers: str) -> Got:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return Got(response.status, dict(response.getheaders()), response.read())


def test_a_range_over_http(server: WatchServer) -> None:
    got = ask(server, VIDEO, Range="bytes=2-4")
    assert (got.status, got.headers["Content-Length"], got.body) == (206, "3", b"234")


def test_head_has_the_headers_alone(server: WatchServer) -> None:
    got = ask(server, VIDEO, "HEAD")
    assert (got.status, got.headers["Content-Length"], got.body) == (200, "10", b"")


def test_the_root_leads_to_the_page(server: WatchServer) -> None:
    got = ask(server, "/")
    assert (got.status, got.headers["Location"]) == (302, "/watch/index.html")
    assert ask(server, "/watch/index.html").body.startswith(b"<!doctype html>")


def test_nothing_can_be_written(server: WatchServer) -> None:
    assert ask(server, VIDEO, "PUT").status == 501


@pytest.mark.parametrize("host", ["rebound.example", "rebound.example:80", "127.0.0.1.example", ""])
def test_a_name_of_another_host_is_refused(server: WatchServer, host: str) -> None:
    assert ask(server, VIDEO, Host=host).status == 421
    assert ask(server, VIDEO, Host=f"localhost:{server.server_port}").status == 200


def test_a_body_that_breaks_off_ends_the_connection(
    server: WatchServer, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_module, "PIECE_BYTES", 4)
    reads = []

    def change(operation: str, _key: str) -> None:
        reads.append(operation)
        if reads.count("GetObject") == 2:
            store.on_request = lambda _operation, _key: None
            store.put(f"video{VIDEO}", b"abcdefghij")

    store.on_request = change
    with pytest.raises(http.client.IncompleteRead):
        ask(server, VIDEO)
