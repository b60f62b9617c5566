"""The way to AWS: through TLS and a proxy, to the bucket's own host. One server here plays the proxy and S3."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.timelapse.storage.scripted_server import ScriptedServer
from tests.timelapse.storage.test_s3_errors import FOUND, KEYS
from timelapse_runtime.timelapse.errors import ConfigError, StorageUnavailable
from timelapse_runtime.timelapse.storage.s3 import S3Store, make_client
from timelapse_runtime.timelapse.storage.sigv4 import UNSIGNED_PAYLOAD

HOST = "photos.s3.eu-north-1.amazonaws.com"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for HOST, which is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(signed.public_bytes(Encoding.PEM) + private)
    return path


class Tunnel:
    """A proxy for one connection, which leads nowhere: S3 is in it. `heads` are those of both requests."""

    def __init__(self, certificate: Path) -> None:
        self.heads: list[bytes] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.authority = "{}:{}".format(*self._listener.getsockname())
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(ssl.SSLError, ConnectionError):
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


def proxied(tunnel: Tunnel, **more: str) -> dict[str, str]:
    return {**KEYS, "AWS_REGION": "eu-north-1", "HTTPS_PROXY": f"http://me:p%40ss@{tunnel.authority}", **more}


def test_the_buckets_own_host_is_asked_through_tls_and_the_proxy(tunnel: Tunnel, certificate: Path) -> None:
    with contextlib.closing(make_client(variables=proxied(tunnel, AWS_CA_BUNDLE=str(certificate)))) as client:
        assert S3Store(client, "photos").get("a b.jpg").body == b"body"
    to_proxy, to_s3 = (head.decode().split("\r\n") for head in tunnel.heads)
    assert to_proxy[0] == f"CONNECT {HOST}:443 HTTP/1.1"
    assert "Proxy-Authorization: Basic bWU6cEBzcw==" in to_proxy
    assert to_s3[0] == "GET /a%20b.jpg HTTP/1.1"
    assert {f"Host: {HOST}", f"x-amz-content-sha256: {UNSIGNED_PAYLOAD}"} <= set(to_s3)
    assert not [line for line in to_s3 if line.startswith("Proxy-")]


def test_a_certificate_that_nobody_vouches_for_is_refused(tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("timelapse_runtime.timelapse.storage.s3_client._ATTEMPTS", 1)
    for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StorageUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        S3Store(make_client(variables=proxied(tunnel)), "photos").get("key")
    assert len(tunnel.heads) == 1


def test_a_proxy_reads_what_goes_to_an_endpoint_without_tls(server: ScriptedServer) -> None:
    server.answers = [FOUND]
    proxy = server.endpoint_url.replace("http://", "http://me:secret@")
    variables = {**KEYS, "AWS_ENDPOINT_URL_S3": "http://s3.test:9000", "http_proxy": proxy}
    assert S3Store(make_client(variables=variables), "bucket").get("key").body == b"body"
    (request,) = server.requests
    assert (request.path, request.headers["host"]) == ("http://s3.test:9000/bucket/key", "s3.test:9000")
    assert request.headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"


@pytest.mark.parametrize(
    ("direct", "asked"),
    [
        ("", "proxy.test"),
        ("3.test, example.org", "proxy.test"),
        ("*", "s3.test"),
        ("example.org,S3.TEST", "s3.test"),
        ("10.0.0.1, .test", "s3.test"),
        ("s3.test:9000", "s3.test"),
        ("s3.test:9001", "proxy.test"),
    ],
)
def test_no_proxy_is_asked_where_none_is_wanted(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, direct: str, asked: str
) -> None:
    connected = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        connected.append(address)
        return create_connection(urlsplit(server.endpoint_url).netloc.split(":"), timeout)  # type: ignore[arg-type]

    create_connection = socket.create_connection
    monkeypatch.setattr("timelapse_runtime.timelapse.storage.s3_endpoint.socket.create_connection", connect)
    proxies = {"HTTP_PROXY": "proxy.test:3128", "NO_PROXY": direct}
    server.answers = [FOUND]
    client = make_client(variables={**KEYS, **proxies, "AWS_ENDPOINT_URL": "http://s3.test:9000"})
    assert S3Store(client, "bucket").get("key").body == b"body"
    assert connected == [("s3.test", 9000) if asked == "s3.test" else ("proxy.test", 3128)]


def test_a_proxy_that_cannot_be_used_is_named_without_its_password() -> None:
    with pytest.raises(ConfigError, match=r"HTTPS_PROXY: it is 'https://proxy\.test'") as caught:
        make_client(variables={**KEYS, "https_proxy": "https://me:secret@proxy.test:8443"})
    assert "secret" not in str(caught.value)
