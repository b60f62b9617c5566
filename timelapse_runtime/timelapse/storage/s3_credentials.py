"""Whose requests they are: Lambda's variables say it, or its endpoint; on a person's machine a profile or the like.

Sources: AWS SDKs and tools reference guide, 'Environment variables' and 'Container credential provider'; Lambda
developer guide, 'Lambda SnapStart' (which has the endpoint in place of the keys), read November 2026.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from timelapse_runtime.http1 import Connection
from timelapse_runtime.timelapse.storage.sigv4 import Credentials

_MISSING = "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN where there is one)"
_FULL, _RELATIVE = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
_CONTAINER_HOST = "169.254.170.2"
_TIMEOUT_SECONDS = 2.0
_RENEWED_BEFORE_SECONDS = 300


class NoCredentials(Exception):
    """There is nothing to sign with; the message says what to set."""


def credentials_of(variables: Mapping[str, str]) -> Callable[[], Credentials]:
    """Gives the credentials of the moment: the keys in `variables`; else those of the endpoint that they name; else,
    where botocore is installed, those of its chain (profiles, single sign-on, roles). Raises NoCredentials and, where
    the endpoint does not answer, OSError or ValueError; when it is asked, not now."""
    access_key, secret_key = variables.get("AWS_ACCESS_KEY_ID"), variables.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        found = Credentials(access_key, secret_key, variables.get("AWS_SESSION_TOKEN") or None)
        return lambda: found
    if variables.get(_FULL, "").startswith("http://") or variables.get(_RELATIVE):
        return _Container(variables)
    return _Chain()


class _Container:
    """An endpoint's, renewed before they expire."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        relative = variables.get(_RELATIVE)
        self._url = f"http://{_CONTAINER_HOST}{relative}" if relative else variables[_FULL]
        self._token = variables.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        self._token_file = variables.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "")
        self._found: Credentials | None = None
        self._expires_epoch_seconds = 0.0

    def __call__(self) -> Credentials:
        now = time.time()
        if self._found is None or now > self._expires_epoch_seconds - _RENEWED_BEFORE_SECONDS:
            try:
                self._found, self._expires_epoch_seconds = self._asked()
            except (OSError, ValueError):
                if self._found is None or now > self._expires_epoch_seconds:
                    raise
        return self._found

    def _asked(self) -> tuple[Credentials, float]:
        url = urlsplit(self._url)
        token = Path(self._token_file).read_text().strip() if self._token_file else self._token
        headers = {"Host": url.netloc, **({"Authorization": token} if token else {})}
        connected = socket.create_connection((url.hostname or "", url.port or 80), _TIMEOUT_SECONDS)
        connection = Connection(connected)
        try:
            target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
            reply = connection.exchange("GET", target, headers, b"", timeout_seconds=_TIMEOUT_SECONDS)
        finally:
            connection.close()
        if reply.status != 200:
            raise ValueError(f"the credentials' endpoint {url.netloc} answers {reply.status}")
        try:
            said = json.loads(reply.body)
            found = Credentials(said["AccessKeyId"], said["SecretAccessKey"], said.get("Token"))
            return found, datetime.fromisoformat(said["Expiration"]).timestamp()
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError(f"the credentials' endpoint {url.netloc} answers no credentials") from error


class _Chain:
    """Botocore's, which renews what expires."""

    def __init__(self) -> None:
        self._found: Any = None

    def __call__(self) -> Credentials:
        try:  # for a person's machine: it is not deployed
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415
            from botocore.session import get_session  # noqa: PLC0415
        except ImportError as error:
            raise NoCredentials(_MISSING) from error
        try:
            if self._found is None:
                self._found = get_session().get_credentials()
            frozen = None if self._found is None else self._found.get_frozen_credentials()
        except BotoCoreError as error:
            raise NoCredentials(f"{_MISSING}; {error}") from error
        if frozen is None:
            raise NoCredentials(f"{_MISSING}, or AWS_PROFILE")
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)
