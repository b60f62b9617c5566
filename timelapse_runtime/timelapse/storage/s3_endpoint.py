"""Where S3 is: hosts and paths of requests, and connections to it, through TLS and a proxy where there is one.

Sources: Amazon S3 user guide, 'Virtual hosting of general purpose buckets' and 'Amazon S3 dual-stack endpoints';
AWS SDKs and tools reference guide, 'Service-specific endpoints' and 'Dual-stack and FIPS endpoints', read November
2026.
"""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from timelapse_runtime.http1 import Connection
from timelapse_runtime.timelapse.errors import ConfigError

if TYPE_CHECKING:
    import ssl

_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
    "eusc-": "amazonaws.eu",
}
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
_PORTS = {"http": 80, "https": 443}
_LONGEST_HEAD_BYTES = 1 << 14


class Place(NamedTuple):
    """A bucket's address: the scheme, the host (with its port where it is not the usual one), and the bucket where
    the path has to begin with it."""

    scheme: str
    host: str
    bucket_in_path: str


class Endpoint:
    """S3's addresses, as the variables say; of AWS itself when they name no other."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.url = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL") or None
        self.region = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or "us-east-1"
        self._dual_stack = variables.get("AWS_USE_DUALSTACK_ENDPOINT", "").lower() == "true"
        self._fips = variables.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true"
        self._bundle = variables.get("AWS_CA_BUNDLE") or None
        self._proxies = {name: _proxy(variables, f"{name}_proxy") for name in _PORTS}
        self._directly = tuple(name.strip().lstrip(".").lower() for name in _any_case(variables, "no_proxy").split(","))
        self._tls: ssl.SSLContext | None = None

    def place(self, bucket: str, region: str) -> Place:
        """Where a bucket of `region` is asked for. A name with dots fits no certificate: it goes into the path."""
        if self.url is not None:
            parts = urlsplit(self.url)
            return Place(parts.scheme, parts.netloc.rpartition("@")[2], bucket)
        suffix = next((end for begin, end in _SUFFIXES.items() if region.startswith(begin)), "amazonaws.com")
        service = ("s3-fips" if self._fips else "s3") + (".dualstack" if self._dual_stack else "")
        host = f"{service}.{region}.{suffix}"
        return Place("https", host, bucket) if "." in bucket else Place("https", f"{bucket}.{host}", "")

    def connect(self, place: Place, timeout_seconds: float) -> Connection:
        """Raises OSError, and ValueError where a proxy does not speak HTTP."""
        parts = urlsplit(f"{place.scheme}://{place.host}")
        host, port = parts.hostname or "", parts.port or _PORTS[place.scheme]
        proxy = self._proxy_for(place)
        address = (host, port) if proxy is None else (proxy.hostname or "", proxy.port or 80)
        connected = socket.create_connection(address, timeout_seconds)
        if place.scheme != "https":
            return Connection(connected)
        try:
            if proxy is not None:
                _open_tunnel(connected, proxy, f"{host}:{port}")
            return Connection(self._context().wrap_socket(connected, server_hostname=host))
        except BaseException:
            connected.close()
            raise

    def proxying(self, place: Place) -> tuple[str, Mapping[str, str]]:
        """What a request needs on its way through a proxy that reads it: its target's beginning, and headers."""
        proxy = self._proxy_for(place) if place.scheme == "http" else None
        return ("", {}) if proxy is None else (f"http://{place.host}", _login(proxy))

    def _proxy_for(self, place: Place) -> SplitResult | None:
        proxy = self._proxies[place.scheme]
        if proxy is None:
            return None
        parts = urlsplit(f"//{place.host.lower()}")
        names = (parts.hostname or "", parts.netloc)
        if parts.hostname in _THIS_MACHINE or "*" in self._directly:
            return None
        is_direct = any(one and (name == one or name.endswith(f".{one}")) for one in self._directly for name in names)
        return None if is_direct else proxy

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            from timelapse_runtime.tls import client_context  # noqa: PLC0415 - an endpoint without TLS needs none of it

            self._tls = client_context(self._bundle)
        return self._tls


def _any_case(variables: Mapping[str, str], name: str) -> str:
    return variables.get(name) or variables.get(name.upper()) or ""


def _proxy(variables: Mapping[str, str], name: str) -> SplitResult | None:
    address = _any_case(variables, name)
    parts = urlsplit(address if "://" in address else f"http://{address}") if address else None
    if parts is not None and (parts.scheme != "http" or not parts.hostname):
        allowed = "http://HOST:PORT, with USER:PASSWORD@ before the host where it asks for that"
        raise ConfigError(name.upper(), f"{parts.scheme}://{parts.hostname}", allowed)
    return parts


def _login(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + b64encode(login.encode()).decode()}


def _open_tunnel(connected: socket.socket, proxy: SplitResult, authority: str) -> None:
    """RFC 9110, 9.3.6 CONNECT."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in {"Host": authority, **_login(proxy)}.items())
    connected.sendall(f"CONNECT {authority} HTTP/1.1\r\n{fields}\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):  # byte by byte: what follows belongs to the tunnel
        byte = connected.recv(1)
        if not byte or len(head) > _LONGEST_HEAD_BYTES:
            raise ConnectionResetError(f"the proxy {proxy.hostname} opened no tunnel")
        head += byte
    if head.split(b" ", 2)[1:2] != [b"200"]:
        raise ConnectionRefusedError(f"the proxy {proxy.hostname} answers {head.splitlines()[0][:80]!r}")
