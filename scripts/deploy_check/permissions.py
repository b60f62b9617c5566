"""Whether an IAM policy allows a call: the part of IAM that the templates' S3 statements use.

An evaluator of our own, because cfn-lint checks the syntax of a policy and not what it allows, and moto ignores
conditions. Supported: Allow and Deny, Action and Resource with wildcards, `${*}`, `${?}` and `${$}` for these
characters themselves, the conditions StringEquals and StringLike and their IfExists forms. Anything else in a statement
raises ValueError: the answer would be a guess.

Source: IAM user guide, 'Policy evaluation logic', 'Condition operators' and 'Variables and tags', read November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from timelapse_runtime.cli.permissions import READ_FRAMES, WRITE_VIDEO
from timelapse_runtime.timelapse.config import Config

_OPERATORS = {"StringEquals", "StringLike", "StringEqualsIfExists", "StringLikeIfExists"}
_KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition"}


def needed(config: Config) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Action, resource and context of each kind of call that the function makes."""
    for place, actions in ((config.frames, READ_FRAMES), (config.video, WRITE_VIDEO)):
        bucket = f"arn:aws:s3:::{place.bucket}"
        yield "s3:ListBucket", bucket, {"s3:prefix": place.prefix}
        yield "s3:ListBucket", bucket, {}  # without it, S3 answers 403 for a missing object
        for action in actions:
            yield action, f"{bucket}/{place.prefix}camera/object", {}


def allows(
    statements: Iterable[Mapping[str, Any]], action: str, resource: str, context: Mapping[str, str] | None = None
) -> bool:
    """Whether a statement allows the call and none denies it. Raises ValueError for a statement it cannot evaluate."""
    matching = [statement["Effect"] for statement in statements if _applies(statement, action, resource, context or {})]
    return "Allow" in matching and "Deny" not in matching


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> bool:
    conditions = statement.get("Condition", {})
    if unknown := set(statement) - _KNOWN | {name for name in conditions if name not in _OPERATORS}:
        raise ValueError(f"a policy statement with {', '.join(sorted(unknown))}")
    return (
        any(_like(action.lower(), pattern.lower()) for pattern in _listed(statement["Action"]))
        and any(_like(resource, pattern) for pattern in _listed(statement["Resource"]))
        and all(_holds(operator, keys, context) for operator, keys in conditions.items())
    )


def _holds(operator: str, keys: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    """Whether each key of a condition has one of its values in the context; IfExists: or is not in the context."""
    matches = _like if operator.startswith("StringLike") else str.__eq__
    return all(
        any(matches(context[key], value) for value in _listed(values))
        if key in context
        else operator.endswith("IfExists")
        for key, values in keys.items()
    )


def _listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value]


def _like(text: str, pattern: str) -> bool:
    expressions = {"*": ".*", "?": ".", "${*}": r"\*", "${?}": r"\?", "${$}": r"\$"}
    parts = re.split(r"(\$\{[*?$]\}|[*?])", pattern)
    return re.fullmatch("".join(expressions.get(part, re.escape(part)) for part in parts), text, re.DOTALL) is not None
