"""moto's server, with functions that answer {} and write their invocations as JSON lines. Arguments: port, file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.core.config import default_user_config
from moto.events.models import Rule
from moto.server import main

port, record = sys.argv[1], Path(sys.argv[2])


def write(function: str, body: str | bytes, tenant: str | None) -> bytes:
    with record.open("a") as file:
        file.write(json.dumps({"function": function, "event": json.loads(body), "tenant": tenant}) + "\n")
    return b"{}"


def notified(self: Any, body: str, _headers: Any, _response_headers: Any) -> bytes:
    return write(self.function_name, body, None)


def invoked(
    _self: Any,
    function_name: str,
    qualifier: Any,  # noqa: ARG001 - given by name
    body: bytes | str,
    headers: Mapping[str, str],
    response_headers: Any,  # noqa: ARG001
) -> bytes:
    return write(function_name.rpartition(":")[2], body, headers.get("X-Amz-Tenant-Id"))


def sent(self: Any, event: dict[str, Any], **_: Any) -> None:
    if self.scheduled_expression is None and self.event_pattern.matches_event(event):
        for target in self.targets:
            write(target["Arn"].rpartition(":")[2], json.dumps(event), None)


LambdaFunction.invoke = notified  # type: ignore[method-assign,assignment] # S3 calls this one
LambdaSimpleBackend.invoke = invoked  # type: ignore[method-assign,assignment] # SQS and the API call this one
Rule.send_to_targets = sent  # type: ignore[method-assign,assignment] # moto knows no function as a target
default_user_config["lambda"]["use_docker"] = False
main(["-H", "127.0.0.1", "-p", port])
