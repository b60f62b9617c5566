"""Whose requests they are, where the variables name an endpoint instead of keys."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.timelapse.storage.scripted_server import Answer, ScriptedServer
from timelapse_runtime.timelapse.storage.s3_credentials import NoCredentials, credentials_of


def issued(access_key: str, lasts: timedelta) -> Answer:
    """What the endpoint says."""
    expires = (datetime.now(UTC) + lasts).isoformat(timespec="seconds").replace("+00:00", "Z")
    said = {"AccessKeyId": access_key, "SecretAccessKey": "secret", "Token": "token", "Expiration": expires}
    return Answer(body=json.dumps(said).encode())


def named(server: ScriptedServer, **more: str) -> dict[str, str]:
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.endpoint_url}/credentials?for=me", **more}


def test_keys_come_before_an_endpoint(server: ScriptedServer) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret"}
    found = credentials_of(named(server, **keys))()
    assert (found.access_key, found.secret_key, found.session_token) == ("access", "secret", None)
    assert server.requests == []


def test_an_endpoint_is_asked_once_while_its_credentials_last(server: ScriptedServer) -> None:
    server.answers = [issued("one", timedelta(hours=1))]
    credentials = credentials_of(named(server, AWS_CONTAINER_AUTHORIZATION_TOKEN="authorised"))
    assert [credentials().access_key, credentials().access_key] == ["one", "one"]
    assert (credentials().secret_key, credentials().session_token) == ("secret", "token")
    (request,) = server.requests
    assert (request.path, request.headers["authorization"]) == ("/credentials?for=me", "authorised")


def test_the_token_may_be_in_a_file(server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from the file\n")
    server.answers = [issued("one", timedelta(hours=1))]
    credentials_of(named(server, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "token")))()
    assert server.requests[0].headers["authorization"] == "from the file"


def test_credentials_are_renewed_before_they_expire(server: ScriptedServer) -> None:
    server.answers = [issued("one", timedelta(minutes=4)), issued("two", timedelta(hours=1))]
    credentials = credentials_of(named(server))
    assert [credentials().access_key, credentials().access_key] == ["one", "two"]


def test_credentials_that_cannot_be_renewed_yet_are_used_while_they_last(server: ScriptedServer) -> None:
    server.answers = [issued("one", timedelta(minutes=4)), Answer(500)]
    credentials = credentials_of(named(server))
    assert [credentials().access_key, credentials().access_key] == ["one", "one"]
    server.answers = [issued("gone", -timedelta(minutes=1)), Answer(500)]
    expired = credentials_of(named(server))
    expired()
    with pytest.raises(ValueError, match="answers 500"):
        expired()


@pytest.mark.parametrize("body", [b"no JSON secret", b'"secret"', b'{"SecretAccessKey": "secret"}'])
def test_what_is_no_credentials_is_not_shown(server: ScriptedServer, body: bytes) -> None:
    server.answers = [Answer(body=body)]
    with pytest.raises(ValueError, match="answers no credentials") as caught:
        credentials_of(named(server))()
    assert "secret" not in str(caught.value)


def test_without_the_sdk_the_variables_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Lambda: it is not deployed."""
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(NoCredentials, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        credentials_of({})()
