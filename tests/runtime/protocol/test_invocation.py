"""What an answer to next says."""

from __future__ import annotations

import pytest

from timelapse_runtime.runtime.protocol.invocation import Client, CognitoIdentity, Invocation, parse_invocation
from timelapse_runtime.runtime.protocol.messages import Response

HEADERS = {"lambda-runtime-aws-request-id": "id-1", "lambda-runtime-deadline-ms": "1790000000000"}


def invocation(body: bytes = b"{}", **headers: str) -> Invocation:
    names = {f"lambda-runtime-{name.replace('_', '-')}": value for name, value in headers.items()}
    return parse_invocation(Response(200, HEADERS | names, body))


def test_every_header_finds_its_place() -> None:
    got = invocation(
        b'{"a": 1}',
        invoked_function_arn="arn:aws:lambda:x",
        trace_id="Root=1",
        aws_tenant_id="gate",
        client_context='{"custom": {"k": "v"}, "env": {"e": 1}, "client": {"app_title": "Cam"}}',
        cognito_identity='{"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}',
    )
    assert got.request_id == "id-1"
    assert got.deadline_epoch_ms == 1790000000000
    assert got.invoked_function_arn == "arn:aws:lambda:x"
    assert got.trace_id == "Root=1"
    assert got.tenant_id == "gate"
    assert got.event() == {"a": 1}
    context = got.client_context()
    assert context is not None
    assert (context.custom, context.env) == ({"k": "v"}, {"e": 1})
    assert context.client == Client(None, "Cam", None, None, None)
    assert got.cognito_identity() == CognitoIdentity("i", "p")


def test_what_was_not_sent_is_none() -> None:
    got = invocation(trace_id="", aws_tenant_id="")
    assert got.trace_id is None
    assert got.tenant_id is None
    assert got.client_context() is None
    assert got.cognito_identity() == CognitoIdentity(None, None)


def test_what_the_caller_wrote_wrongly_arrives_and_raises_when_it_is_read() -> None:
    got = invocation(b"{bad", client_context="{bad", cognito_identity="[]")
    for read in (got.event, got.client_context, got.cognito_identity):
        with pytest.raises(ValueError, match=r".+"):
            read()
