"""Signatures, against the worked examples of AWS's documentation and against the SDK's own signer.

No S3 server for tests looks at a signature: what is wrong here would be seen by AWS first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SdkCredentials
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timelapse_runtime.timelapse.storage.sigv4 import (
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    Credentials,
    Signer,
    encoded_path,
    encoded_query,
)

# Amazon S3 API reference, 'Signature Calculations for the Authorization Header: Transferring Payload in a Single
# Chunk' and 'Authenticating Requests: Using Query Parameters', read November 2026.
EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EXAMPLE_HOST = {"Host": "examplebucket.s3.amazonaws.com"}
EXAMPLE_SECONDS = datetime(2013, 5, 24, tzinfo=UTC).timestamp()

NOW = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("method", "key", "query", "headers", "body", "signature"),
    [
        (
            *("GET", "test.txt", (), {"Range": "bytes=0-9"}, b""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            *("PUT", "test$file.text", ()),
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            *("GET", "", (("lifecycle", ""),), {}, b""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            *("GET", "", (("prefix", "J"), ("max-keys", "2")), {}, b""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
    ids=["get", "put", "lifecycle", "list"],
)
def test_a_request_of_the_documentation_gets_the_documented_signature(
    method: str, key: str, query: tuple[tuple[str, str], ...], headers: dict[str, str], body: bytes, signature: str
) -> None:
    signed = Signer("us-east-1").headers(
        EXAMPLE,
        method,
        encoded_path("", key),
        encoded_query(query),
        {**EXAMPLE_HOST, **headers},
        payload=hashlib.sha256(body).hexdigest(),
        epoch_seconds=EXAMPLE_SECONDS,
    )
    assert signed["Authorization"].endswith(f"Signature={signature}")


def test_the_url_of_the_documentation_gets_the_documented_signature() -> None:
    query = Signer("us-east-1").query(
        EXAMPLE, "GET", "/test.txt", EXAMPLE_HOST, expires_seconds=86_400, epoch_seconds=EXAMPLE_SECONDS
    )
    assert query.endswith("X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


@contextmanager
def the_sdks_clock() -> Iterator[None]:
    with patch("botocore.auth.get_current_datetime", lambda: NOW.replace(tzinfo=None)):
        yield


@pytest.mark.parametrize("token", [None, "a/session+token=="], ids=["no token", "token"])
@given(key=texts, prefix=texts, header=st.text("ab  ~;:=/\"'", min_size=1), body=st.binary(max_size=9))
@example(key="a b+c%20d/é//../ü~\n.jpg", prefix="x&y=z +%~/", header='"etag"', body=b"")
@settings(max_examples=60, deadline=None)
def test_a_request_is_signed_as_the_sdk_signs_it(
    token: str | None, key: str, prefix: str, header: str, body: bytes
) -> None:
    path, query = encoded_path("bucket", key), encoded_query([("prefix", prefix), ("prefix-x", "2"), ("x", "")])
    headers = {"Host": "s3.test", "Content-Type": "image/jpeg", "If-Match": header}
    payload = hashlib.sha256(body).hexdigest()
    ours = Signer("eu-west-1").headers(
        Credentials("key", "secret", token),
        *("PUT", path, query, headers),
        payload=payload,
        epoch_seconds=NOW.timestamp(),
    )
    request = AWSRequest("PUT", f"http://s3.test{path}?{query}", headers, body)
    request.context["client_config"] = None
    with the_sdks_clock():
        S3SigV4Auth(SdkCredentials("key", "secret", token), "s3", "eu-west-1").add_auth(request)
    assert ours["Authorization"] == request.headers["Authorization"]
    sent = {name.lower(): value for name, value in ours.items()}
    assert sent["x-amz-date"] == request.headers["X-Amz-Date"]
    assert sent.get("x-amz-security-token") == request.headers.get("X-Amz-Security-Token")


@pytest.mark.parametrize("token", [None, "a/session+token=="], ids=["no token", "token"])
@given(key=texts, condition=st.sampled_from([{}, {"If-None-Match": "*"}, {"If-Match": '"etag"'}]))
@example(key="a b+c%20d/é//../ü~\n.jpg", condition={"If-Match": '"etag"'})
@settings(max_examples=60, deadline=None)
def test_a_url_is_signed_as_the_sdk_signs_it(token: str | None, key: str, condition: dict[str, str]) -> None:
    path = encoded_path("", key)
    headers = {"Host": "bucket.s3.test", "Content-Type": "video/mp4", "Cache-Control": "no-cache", **condition}
    ours = Signer("eu-west-1").query(
        Credentials("key", "secret", token),
        *("PUT", path, headers),
        expires_seconds=120,
        epoch_seconds=NOW.timestamp(),
    )
    request = AWSRequest("PUT", f"https://bucket.s3.test{path}", headers)
    with the_sdks_clock():
        S3SigV4QueryAuth(SdkCredentials("key", "secret", token), "s3", "eu-west-1", expires=120).add_auth(request)
    assert dict(parse_qsl(ours)) == dict(parse_qsl(urlsplit(str(request.url)).query))


def test_the_key_of_the_day_is_derived_anew_with_the_day_and_with_the_credentials() -> None:
    def signature(signer: Signer, secret: str, day: int) -> str:
        moment = datetime(2026, 11, day, tzinfo=UTC).timestamp()
        signed = signer.headers(
            Credentials("key", secret), "GET", "/", "", {"Host": "h"}, payload=EMPTY_SHA256, epoch_seconds=moment
        )
        return signed["Authorization"]

    used = Signer("eu-west-1")
    for secret, day in (("one", 20), ("one", 21), ("other", 21), ("one", 20)):
        assert signature(used, secret, day) == signature(Signer("eu-west-1"), secret, day)


def test_nothing_secret_is_shown() -> None:
    shown = repr(Credentials("access", "secret", "token"))
    assert not {"access", "secret", "token"} & set(shown.replace("'", " ").replace("=", " ").split())


def test_a_body_may_be_left_out_of_the_signature() -> None:
    signed = Signer("eu-west-1").headers(
        EXAMPLE, "PUT", "/", "", {"Host": "h"}, payload=UNSIGNED_PAYLOAD, epoch_seconds=0
    )
    assert signed["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
