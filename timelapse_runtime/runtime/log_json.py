"""Any object as one line of valid JSON: what a log line needs, and what `json.dumps` does not promise.

ASCII alone, so that no encoding of the stream can refuse it and no character of it ends a line. NaN and infinities
become text, as do objects that JSON does not know; a lone surrogate becomes its escape, as text; a cycle, and what is
nested more than DEPTH_LIMIT times, become an ellipsis. Nothing that the objects do makes it fail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from json import dumps  # by name: a function that replaces json.dumps must not change the log

DEPTH_LIMIT = 20
_ELLIPSIS = "…"


def encoded(value: object) -> str:
    """`value` as JSON."""
    try:
        text = dumps(value, allow_nan=False, default=text_of)
    except Exception:  # noqa: BLE001  objects may do anything
        return dumps(_plain(value, ()))
    # Half of a pair is not text in UTF-8, though most readers take it. Whole pairs, which are rare, are looked at too.
    return dumps(_plain(value, ())) if "\\ud" in text else text


def text_of(value: object) -> str:
    """`str(value)`, whatever that does."""
    try:
        text = str(value)
    except Exception:  # noqa: BLE001  a foreign __str__ may do anything
        text = f"<{type(value).__name__}, whose text cannot be made>"
    return text.encode("utf-8", "backslashreplace").decode()


def _plain(value: object, around: tuple[int, ...]) -> object:
    """`value` as what JSON knows. `around` are the ids of the containers that it is in."""
    if not isinstance(value, Mapping | list | tuple):
        return _atom(value)
    if id(value) in around or len(around) >= DEPTH_LIMIT:
        return _ELLIPSIS
    inside = (*around, id(value))
    try:
        if isinstance(value, Mapping):
            return {_key(key): _plain(item, inside) for key, item in value.items()}
        return [_plain(item, inside) for item in value]
    except Exception:  # noqa: BLE001  a mapping of the function's own may raise anything
        return text_of(value)


def _atom(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < 10**300 else hex(value)  # Python refuses to write very long ones
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return text_of(value)


def _key(key: object) -> str:
    """As `json.dumps` writes those that it knows."""
    return dumps(key) if key is None or isinstance(key, bool) else text_of(key)
