"""The response to `invocation/next`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timelapse_runtime.runtime.errors import RemoteProtocolError
from timelapse_runtime.runtime.protocol.messages import Response, require_header, require_status

CALL = "GET invocation/next"


@dataclass(frozen=True, slots=True)
class Client:
    """The mobile application that invoked the function, as the AWS Mobile SDK describes it."""

    installation_id: str | None
    app_title: str | None
    app_version_name: str | None
    app_version_code: str | None
    app_package_name: str | None


@dataclass(frozen=True, slots=True)
class ClientContext:
    """`context.client_context`: what the caller sent as `ClientContext`."""

    custom: Any
    env: Any
    client: Client | None


@dataclass(frozen=True, slots=True)
class CognitoIdentity:
    """`context.identity`: who invoked the function. Both are None if nobody was authenticated."""

    cognito_identity_id: str | None
    cognito_identity_pool_id: str | None


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation as it arrived. What the caller wrote is not parsed yet: if it is wrong, only this invocation
    fails.

    `invocation_id` tells two attempts with one request id apart; it is sent back with the result (awslambdaric 4.0.2,
    July 2026). Older services and emulators send none.
    """

    request_id: str
    invocation_id: str | None
    deadline_epoch_ms: int
    invoked_function_arn: str
    trace_id: str | None
    tenant_id: str | None
    client_context_json: str | None
    cognito_identity_json: str | None
    event_json: bytes

    def event(self) -> Any:
        """The event. Raises ValueError if it is not JSON."""
        return json.loads(self.event_json)

    def client_context(self) -> ClientContext | None:
        """The caller's context, if there is one. Raises ValueError if it is neither a JSON object nor null."""
        if self.client_context_json is None:
            return None
        value = _object(self.client_context_json, "the client context")
        if value is None:
            return None
        client = value.get("client")
        return ClientContext(
            custom=value.get("custom"),
            env=value.get("env"),
            client=Client(*(client.get(name) for name in Client.__slots__)) if isinstance(client, dict) else None,
        )

    def cognito_identity(self) -> CognitoIdentity:
        """The caller's identity. Raises ValueError if it is neither a JSON object nor null."""
        text = self.cognito_identity_json
        value = (None if text is None else _object(text, "the Cognito identity")) or {}
        return CognitoIdentity(value.get("cognitoIdentityId"), value.get("cognitoIdentityPoolId"))


def parse_invocation(response: Response) -> Invocation:
    """Read the service's part of a response to `next`. Raises RemoteProtocolError."""
    require_status(response, 200, CALL)
    request_id = require_header(response, "Lambda-Runtime-Aws-Request-Id", CALL)
    if not re.fullmatch(r"[0-9A-Za-z_-]+", request_id):  # it becomes part of a path
        raise RemoteProtocolError(f"{CALL} gave the request id {request_id!r}")
    deadline = require_header(response, "Lambda-Runtime-Deadline-Ms", CALL)
    if not re.fullmatch(r"[0-9]+", deadline):
        raise RemoteProtocolError(f"{CALL} gave the deadline {deadline!r}")
    return Invocation(
        request_id=request_id,
        invocation_id=response.headers.get("lambda-runtime-invocation-id") or None,
        deadline_epoch_ms=int(deadline),
        invoked_function_arn=response.headers.get("lambda-runtime-invoked-function-arn", ""),
        trace_id=response.headers.get("lambda-runtime-trace-id") or None,
        tenant_id=response.headers.get("lambda-runtime-aws-tenant-id") or None,
        client_context_json=response.headers.get("lambda-runtime-client-context") or None,
        cognito_identity_json=response.headers.get("lambda-runtime-cognito-identity") or None,
        event_json=response.body,
    )


def _object(text: str, what: str) -> Mapping[str, Any] | None:
    value = json.loads(text)
    if not isinstance(value, dict | None):
        raise ValueError(f"{what} is not a JSON object")  # noqa: TRY004  the caller's value is wrong, not our type
    return value
