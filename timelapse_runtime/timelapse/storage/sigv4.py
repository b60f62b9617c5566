"""Signature version 4 for S3, in a header or in a query. Pure.

Each request and each presigned URL is signed with a key derived for a day, a region and the service; the path is
encoded once and not normalised, which is S3's own exception. Source: Amazon S3 API reference, 'Authenticating
Requests (AWS Signature Version 4)', with its worked examples (in the tests), read November 2026.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
"""In place of a body's SHA-256: for presigned requests, and where TLS guards the body."""
_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whose requests they are. Nothing of it is ever shown."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def encoded_path(bucket: str, key: str) -> str:
    """A path as it is sent and signed: UTF-8, percent-encoded once, slashes kept. `bucket` is empty where the host
    names it."""
    return quote(f"/{bucket}/{key}" if bucket else f"/{key}", safe="/~", errors="surrogatepass")


def encoded_query(parameters: Iterable[tuple[str, str]]) -> str:
    """A query as it is sent and signed: in order of the encoded names."""
    return "&".join(f"{name}={value}" for name, value in sorted((_encoded(n), _encoded(v)) for n, v in parameters))


def _encoded(text: str) -> str:
    return quote(text, safe="~", errors="surrogatepass")


class Signer:
    """Signs for one region. The day's key is kept: to derive it takes longer than to sign."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._key: tuple[str, str, bytes] = "", "", b""

    def headers(
        self,
        credentials: Credentials,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        *,
        payload: str,
        epoch_seconds: float,
    ) -> dict[str, str]:
        """`headers` (with `Host`) and what signs them. `payload` is the body's SHA-256, or UNSIGNED_PAYLOAD."""
        moment = _timestamp(epoch_seconds)
        signed = {**headers, "x-amz-content-sha256": payload, "x-amz-date": moment}
        if credentials.session_token is not None:
            signed["x-amz-security-token"] = credentials.session_token
        names, canonical = _canonical_headers(signed)
        signature = self._signature(credentials, moment, f"{method}\n{path}\n{query}\n{canonical}\n{names}\n{payload}")
        scope = f"{credentials.access_key}/{self._scope(moment)}"
        signed["Authorization"] = f"{_ALGORITHM} Credential={scope}, SignedHeaders={names}, Signature={signature}"
        return signed

    def query(
        self,
        credentials: Credentials,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        expires_seconds: int,
        epoch_seconds: float,
    ) -> str:
        """The query that lets anyone send this request with just `headers` (with `Host`), until it expires."""
        moment = _timestamp(epoch_seconds)
        names, canonical = _canonical_headers(headers)
        parameters = [
            ("X-Amz-Algorithm", _ALGORITHM),
            ("X-Amz-Credential", f"{credentials.access_key}/{self._scope(moment)}"),
            ("X-Amz-Date", moment),
            ("X-Amz-Expires", str(expires_seconds)),
            ("X-Amz-SignedHeaders", names),
        ]
        if credentials.session_token is not None:
            parameters.append(("X-Amz-Security-Token", credentials.session_token))
        query = encoded_query(parameters)
        request = f"{method}\n{path}\n{query}\n{canonical}\n{names}\n{UNSIGNED_PAYLOAD}"
        return f"{query}&X-Amz-Signature={self._signature(credentials, moment, request)}"

    def _scope(self, moment: str) -> str:
        return f"{moment[:8]}/{self.region}/s3/aws4_request"

    def _signature(self, credentials: Credentials, moment: str, canonical_request: str) -> str:
        day, secret = moment[:8], credentials.secret_key
        for_day, for_secret, key = self._key  # at once: another thread may be at it
        if (for_day, for_secret) != (day, secret):
            key = f"AWS4{secret}".encode()
            for part in (day, self.region, "s3", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = day, secret, key
        hashed = hashlib.sha256(canonical_request.encode()).hexdigest()
        to_sign = f"{_ALGORITHM}\n{moment}\n{self._scope(moment)}\n{hashed}"
        return hmac.digest(key, to_sign.encode(), "sha256").hex()


def _timestamp(epoch_seconds: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(epoch_seconds))


def _canonical_headers(headers: Mapping[str, str]) -> tuple[str, str]:
    lowered = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    return ";".join(name for name, _ in lowered), "".join(f"{name}:{value}\n" for name, value in lowered)
