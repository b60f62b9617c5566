"""The response to `invocation/next`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from json import loads  # by name: a function that replaces json.loads must not change what it is given
from typing import Any, NoReturn

from timelapse_runtime.runtime.errors import RemoteProtocolError
from timelapse_runtime.runtime.protocol.messages import Response, require_header, require_status

CALL = "GET invocation/next"
JSON = "application/json"
W3C_FIELDS = ("traceparent", "tracestate", "baggage")


@dataclass(slots=True)
class Client:
    """The mobile application that invoked the function, as the AWS Mobile SDK describes it."""

    installation_id: str | None
    app_title: str | None
    app_version_name: str | None
    app_version_code: str | None
    app_package_name: str | None


@dataclass(slots=True)
class ClientContext:
    """`context.client_context`: what the caller sent as `ClientContext`, without its `w3c`."""

    custom: Any
    env: Any
    client: Client | None


@dataclass(slots=True)
class CognitoIdentity:
    """`context.identity`: who invoked the function. Both are None if nobody was authenticated."""

    cognito_identity_id: str | None
    cognito_identity_pool_id: str | None


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation as it arrived. What the caller wrote is not parsed yet: if it is wrong, only this invocation
    fails.

    `invocation_id` tells two attempts with one request id apart; it is sent back with the result (awslambdaric 4.0.2,
    July 2026). Older services and emulators send none. `content_type` is that of the event.
    """

    request_id: str
    invocation_id: str | None
    deadline_epoch_ms: int
    invoked_function_arn: str
    trace_id: str | None
    tenant_id: str | None
    client_context_json: str | None
    cognito_identity_json: str | None
    content_type: str
    event_body: bytes

    def event(self) -> Any:
        """The event: what its JSON says, or bytes if it has another content type. Raises ValueError or RecursionError.

        NaN and Infinity are refused, as they are in results: JSON does not have them.
        """
        if self.content_type.partition(";")[0].strip().lower() != JSON:
            return self.event_body
        return loads(self.event_body.decode("utf-8-sig"), parse_constant=_refuse)

    def client_context(self) -> ClientContext | None:
        """The caller's context, if there is one. Raises ValueError if it is neither a JSON object nor null."""
        value = _object(self.client_context_json, "Client Context")
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
        value = _object(self.cognito_identity_json, "Cognito Identity") or {}
        return CognitoIdentity(value.get("cognitoIdentityId"), value.get("cognitoIdentityPoolId"))

    def w3c(self) -> dict[str, str]:
        """The W3C trace context that came with the client context. Raises as `client_context` does."""
        sent = (_object(self.client_context_json, "Client Context") or {}).get("w3c")
        fields = sent if isinstance(sent, dict) else {}
        return {name: fields[name] for name in W3C_FIELDS if isinstance(fields.get(name), str)}


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
        content_type=response.headers.get("content-type") or JSON,
        event_body=response.body,
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _object(text: str | None, what: str) -> Mapping[str, Any] | None:
    try:
        value = None if text is None else loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Unable to parse {what} JSON: {error}") from error
    if not isinstance(value, dict | None):
        raise ValueError(f"{what} is not a JSON object")  # noqa: TRY004  the caller's value is wrong, not our type
    return value
