"""Sends presigned PUTs with httpx. Imported only when there is something to send: the import takes some 80 ms.

Proxies come from the environment (`https_proxy`, `no_proxy` …, as httpx reads them). Certificate authorities come from
`AWS_CA_BUNDLE`, else from where OpenSSL looks (`SSL_CERT_FILE`, `SSL_CERT_DIR`), else from certifi. No credentials are
needed.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

import certifi
import httpx

from timelapse_runtime.runtime.outbox import OutboxPut
from timelapse_runtime.runtime.outbox_sender import NotSent


class HttpxPutSender:
    """A PutSender (`outbox_sender.py`). Connections are kept open from one PUT to the next."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._client = httpx.Client(verify=_trust(variables), follow_redirects=False)

    def put(self, put: OutboxPut, timeout_seconds: float) -> int:
        """See PutSender."""
        return self._call("PUT", put.url, put.body, put.headers, timeout_seconds).status_code

    def read(self, url: str, timeout_seconds: float) -> bytes | None:
        """See PutSender."""
        response = self._call("GET", url, b"", {}, timeout_seconds)
        return response.content if response.status_code == 200 else None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _call(
        self, method: str, address: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float
    ) -> httpx.Response:
        url = httpx.URL(address)
        target = address.partition("://")[2].partition("/")[2]
        # The signature covers the URL as it is written. httpx would remove dot segments, which S3's keys may contain.
        as_written = {} if url.raw_path == f"/{target}".encode() else {"target": f"/{target}".encode()}
        try:
            return self._client.request(
                method,
                url,
                content=body or None,
                headers=dict(headers),
                timeout=timeout_seconds,
                extensions=as_written,
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise NotSent(f"no connection to {url.host}: {error}") from error
        except httpx.TransportError as error:
            raise ConnectionError(f"{method} to {url.host}: {type(error).__name__}: {error}") from error


def _trust(variables: Mapping[str, str]) -> ssl.SSLContext:
    bundle = variables.get("AWS_CA_BUNDLE")
    context = ssl.create_default_context(cafile=bundle)
    if not bundle and not context.cert_store_stats()["x509_ca"] and not _has_certificate_folder():
        context.load_verify_locations(certifi.where())
    return context


def _has_certificate_folder() -> bool:
    """Whether OpenSSL finds a folder of certificates named by their hashes. It reads one when it needs it."""
    folder = ssl.get_default_verify_paths().capath
    return folder is not None and any(Path(folder).glob("*.0"))
