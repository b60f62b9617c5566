"""Parameters of a template: those for the function's settings, from config's table, and what values they take.

`python -m scripts.deploy_check.parameters` prints them as YAML, to be copied into both templates after a change of the
table; a test compares. CloudFormation checks a parameter before it creates anything: a wrong value costs a second, and
not a deployment whose function fails at its first event.

Source: CloudFormation user guide, 'Parameters', read November 2026: a pattern must match the whole value.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from timelapse_runtime.timelapse.model.setting_values import Choice, Integer
from timelapse_runtime.timelapse.variables import VARIABLES, Variable

SETTINGS = tuple(variable for variable in VARIABLES if variable.default is not None)
"""The variables that a parameter sets. The places of photos and videos follow from other parameters."""


def parameter_name(variable: Variable) -> str:
    """`FLUSH_EVERY`: FlushEvery."""
    return "".join(word.capitalize() for word in variable.name.split("_"))


def parameter(variable: Variable) -> dict[str, Any]:
    """The parameter of a setting. A default is a string for numbers, too: it becomes a variable, and not every
    implementation of CloudFormation makes a string of it."""
    assert variable.default is not None
    described = {"Description": f"{variable.meaning}; allowed: {variable.allowed}"}
    match variable.parse:
        case Integer(low, high):
            return {"Type": "Number", "Default": variable.default, "MinValue": low, "MaxValue": high, **described}
        case Choice(words):
            return {"Type": "String", "Default": variable.default, "AllowedValues": list(words), **described}
        case text:
            return {"Type": "String", "Default": variable.default, "AllowedPattern": text.pattern, **described}


def given_value(declared: Mapping[str, Any], value: Any) -> Any:
    """A parameter's value as CloudFormation takes it: for the type Number a number. Raises ValueError: what is allowed.

    cfn-lint's rule for defaults (E2015) compares the beginning of a value with AllowedPattern, whole numbers only with
    MinValue and MaxValue, and none with a MinValue of 0 (1.58.0).
    """
    if declared.get("Type") == "Number":
        value = _number(value)
    low, high = declared.get("MinValue", value), declared.get("MaxValue", value)
    words, pattern = declared.get("AllowedValues", [value]), declared.get("AllowedPattern", r"[\s\S]*")
    if str(value) not in map(str, words):
        raise ValueError(", ".join(map(str, words)))
    if not re.fullmatch(pattern, str(value)):
        raise ValueError(pattern)
    if isinstance(value, int | float) and not low <= value <= high:
        raise ValueError(" and ".join(f"{key} {declared[key]}" for key in ("MinValue", "MaxValue") if key in declared))
    return value


def _number(value: Any) -> int | float:
    try:
        return int(str(value))
    except ValueError:
        pass
    try:
        return float(str(value))
    except ValueError:
        raise ValueError("a number") from None


def main() -> None:
    """Print them. JSON's scalars and lists are YAML's."""
    for variable in SETTINGS:
        sys.stdout.write(f"  {parameter_name(variable)}:\n")
        for key, value in parameter(variable).items():
            is_plain = key in ("Type", "MinValue", "MaxValue") or isinstance(value, int)
            sys.stdout.write(f"    {key}: {value if is_plain else json.dumps(value)}\n")


if __name__ == "__main__":
    main()
