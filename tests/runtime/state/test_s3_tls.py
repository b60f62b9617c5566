"""The way to AWS: through TLS and a proxy, to the bucket's own host. One server here plays the proxy and S3."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificate import write_certificate
from tests.runtime.state.test_s3_errors import FOUND, KEYS
from timelapse_runtime.runtime.outbox import OutboxPut
from timelapse_runtime.runtime.outbox_sender import NotSent
from timelapse_runtime.runtime.put_sender import HttpxPutSender
from timelapse_runtime.runtime.state.errors import StorageUnavailable
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

HOST = "photos.s3.eu-north-1.amazonaws.com"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for HOST, which is its own authority, and its key."""
    return write_certificate(tmp_path_factory.mktemp("tls") / "both.pem", HOST)


class Tunnel:
    """A proxy which leads nowhere: S3 is in it. `heads` are those of each request, first the proxy's, then S3's."""

    def __init__(self, certificate: Path) -> None:
        self.heads: list[bytes] = []
        self._is_closed = False
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.authority = "{}:{}".format(*self._listener.getsockname())
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._is_closed = True
        socket.create_connection(self._listener.getsockname()).close()  # wakes accept()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection, contextlib.suppress(ssl.SSLError, ConnectionError):
                if self._is_closed:
                    return
                self.heads.append(_head(connection.recv))
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                with self._context.wrap_socket(connection, server_side=True) as protected:
                    self.heads.append(_head(protected.recv))
                    protected.sendall(FOUND.to_bytes())


def _head(receive: object) -> bytes:
    assert callable(receive)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += receive(1)
    return head


@pytest.fixture
def tunnel(certificate: Path) -> Iterator[Tunnel]:
    with contextlib.closing(Tunnel(certificate)) as running:
        yield running


@pytest.fixture
def variables(tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@{tunnel.authority}")
    return {**KEYS, "AWS_REGION": "eu-north-1"}


def test_the_buckets_own_host_is_asked_through_tls_and_the_proxy(
    tunnel: Tunnel, variables: dict[str, str], certificate: Path
) -> None:
    with contextlib.closing(make_client(variables={**variables, "AWS_CA_BUNDLE": str(certificate)})) as client:
        assert S3Store(client, "photos").get("a b.jpg").body == b"body"
    to_proxy, to_s3 = (head.decode().split("\r\n") for head in tunnel.heads)
    assert to_proxy[0].startswith(f"CONNECT {HOST}:443 HTTP/1.")
    assert "Proxy-Authorization: Basic bWU6cEBzcw==" in to_proxy
    assert to_s3[0] == "GET /a%20b.jpg HTTP/1.1"
    assert f"Host: {HOST}" in to_s3
    assert not [line for line in to_s3 if line.startswith("Proxy-")]


def test_a_certificate_that_nobody_vouches_for_is_refused(tunnel: Tunnel, variables: dict[str, str]) -> None:
    with pytest.raises(StorageUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        S3Store(make_client(variables=variables), "photos").get("key")
    assert len(tunnel.heads) >= 1


@pytest.mark.usefixtures("variables")
def test_the_senders_put_goes_through_tls_and_the_proxy(tunnel: Tunnel, certificate: Path) -> None:
    """The extension honours AWS_CA_BUNDLE and the proxy, without credentials."""
    put = OutboxPut(f"https://{HOST}/a%20b.jpg?X-Amz-Signature=1", {"If-None-Match": "*"}, b"", "")
    with contextlib.closing(HttpxPutSender({"AWS_CA_BUNDLE": str(certificate)})) as sender:
        assert sender.put(put, 10) == 200
    assert tunnel.heads[0].startswith(f"CONNECT {HOST}:443 HTTP/1.".encode())
    assert tunnel.heads[1].startswith(b"PUT /a%20b.jpg?X-Amz-Signature=1 HTTP/1.1")


def test_the_sender_refuses_a_certificate_that_nobody_vouches_for(variables: dict[str, str]) -> None:
    put = OutboxPut(f"https://{HOST}/key", {}, b"", "")
    with (
        contextlib.closing(HttpxPutSender(variables)) as sender,
        pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        sender.put(put, 10)
