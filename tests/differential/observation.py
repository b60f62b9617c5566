"""What can be seen of a runtime's post, as named facts that two runtimes are compared by."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.differential.service import Post, Run

ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
XRAY_CAUSE = "Lambda-Runtime-Function-XRay-Error-Cause"
INVOCATION_ID = "Lambda-Runtime-Invocation-Id"
_FRAME = re.compile(r'File "([^"]+)", line \d+, in (\w+)')


def facts(run: Run, name: str) -> dict[str, Any]:
    """The facts of one case. A case without a post, because the process died, and an init that succeeded have two."""
    post = run.posts.get(name)
    process = "ends" if name in run.deadly else "lives"
    if post is None or post.call == "ready":
        return {"outcome": "nothing" if post is None else post.call, "process": process}
    headers = {key.lower(): value for key, value in post.headers.items()}
    common: dict[str, Any] = {
        "outcome": post.call,
        "process": process,
        "content type": headers.get("content-type"),
        "invocation id": headers.get(INVOCATION_ID.lower()),
    }
    return common | (_response(post) if post.call == "response" else _error(post, headers))


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> frozenset[str]:
    """The names of the facts that differ. Of different outcomes, a response and an error, nothing else is compared."""
    names = {"outcome", "process"} if ours["outcome"] != theirs["outcome"] else ours.keys() | theirs.keys()
    return frozenset(name for name in names if ours.get(name) != theirs.get(name))


def _response(post: Post) -> dict[str, Any]:
    try:
        text = post.body.decode()
        value = json.loads(text, parse_float=str)
        compact = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return {"body": post.body}
    return {"value": value, "compact text": compact, "separators": text != compact}


def _error(post: Post, headers: Mapping[str, str]) -> dict[str, Any]:
    body = json.loads(post.body)
    cause = json.loads(headers.get(XRAY_CAUSE.lower()) or "{}")
    return {
        "errorType": body["errorType"],
        "errorMessage": body["errorMessage"],
        "requestId": body["requestId"],
        "frames": _FRAME.findall("\n".join(body["stackTrace"])),
        "stackTrace": body["stackTrace"],
        "error type header": headers.get(ERROR_TYPE.lower()),
        "xray": [(one["type"], one["message"], _labels(one)) for one in cause.get("exceptions", [])],
    }


def _labels(exception: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    return [(one["path"], one["line"], one["label"]) for one in exception["stack"]]
