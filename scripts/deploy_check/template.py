"""A CloudFormation (SAM) template as it will be with given parameters: functions resolved, conditions decided.

What only AWS can know (ARNs, generated names) is left as `LogicalId` or `LogicalId.Attribute`; a bucket's name is its
BucketName. Pseudo parameters have example values, which can be set like any other (`AWS::Region=eu-central-1`).

Source: CloudFormation template reference, 'Intrinsic functions' and 'Parameters', read November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.deploy_check.findings import Finding

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::NotificationARNs": "",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackId": "stack",
    "AWS::StackName": "timelapse",
    "AWS::URLSuffix": "amazonaws.com",
}
_ABSENT = object()


class TemplateUnreadable(Exception):
    """The file is no template that this module understands; the message says why."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # PyYAML comes without types
    """YAML with CloudFormation's short forms (`!Ref`, `!Sub` …), read as the long ones."""


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if tag == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {tag if tag in {"Ref", "Condition"} else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_form)


class Template:
    """A template with its parameters. Raises TemplateUnreadable."""

    def __init__(self, path: Path, settings: Mapping[str, str]) -> None:
        self.path = path
        try:
            self._raw = yaml.load(path.read_text(), _Loader)  # noqa: S506 - a SafeLoader
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise TemplateUnreadable(f"{path}: {error}") from error
        if not isinstance(self._raw, dict) or not isinstance(self._raw.get("Resources"), dict):
            raise TemplateUnreadable(f"{path}: there are no Resources in it")
        self._declared: dict[str, dict[str, Any]] = self._raw.get("Parameters", {})
        self._settings = settings
        defaults = {name: str(about.get("Default", "")) for name, about in self._declared.items()}
        self._values = {**PSEUDO, **defaults, **settings}
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self._condition,
            "Fn::And": lambda items: all(self.resolve(item) for item in items),
            "Fn::Equals": lambda pair: str(self.resolve(pair[0])) == str(self.resolve(pair[1])),
            "Fn::GetAtt": lambda names: self._attribute(*names),
            "Fn::If": lambda three: self.resolve(three[1] if self._condition(three[0]) else three[2]),
            "Fn::Join": lambda pair: str(pair[0]).join(map(str, self.resolve(pair[1]))),
            "Fn::Not": lambda items: not self.resolve(items[0]),
            "Fn::Or": lambda items: any(self.resolve(item) for item in items),
            "Fn::Sub": self._substitute,
        }
        self.resources: dict[str, dict[str, Any]] = {
            name: self.resolve(body)
            for name, body in self._raw["Resources"].items()
            if "Condition" not in body or self._condition(body["Condition"])
        }

    def of_type(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Names and properties of the resources of a type that will be there."""
        for name, body in self.resources.items():
            if body.get("Type") == kind:
                yield name, body.get("Properties", {})

    def parameter_findings(self) -> Iterator[Finding]:
        """What CloudFormation would refuse of the parameters' values."""
        for name in self._settings:
            if name not in self._declared and name not in PSEUDO:
                known = ", ".join(sorted(self._declared))
                yield Finding(f"--set {name}", "the template has no such parameter", f"known are {known}")
        for name, about in self._declared.items():
            if name not in self._settings and "Default" not in about:
                yield Finding(f"parameter {name}", "it has no value", f"give it one: --set {name}=VALUE")
            elif allowed := _disallowed(self._values[name], about):
                yield Finding(f"parameter {name}", f"it is {self._values[name]!r}", f"allowed: {allowed}")

    def resolve(self, value: Any) -> Any:
        """`value` with its intrinsic functions carried out; what is AWS::NoValue is left out."""
        if isinstance(value, dict):
            if len(value) == 1:
                name, argument = next(iter(value.items()))
                if name in self._functions and not (name == "Condition" and isinstance(argument, dict)):
                    return self._functions[name](argument)
                if isinstance(name, str) and name.startswith("Fn::"):
                    raise TemplateUnreadable(f"{self.path}: deploy-check does not know {name}")
            resolved = {key: self.resolve(item) for key, item in value.items()}
            return {key: item for key, item in resolved.items() if item is not _ABSENT}
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not _ABSENT]
        return value

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _ABSENT
        if name in self._values:
            return self._values[name]
        if name not in self._raw["Resources"]:
            raise TemplateUnreadable(f"{self.path}: it refers to {name}, which is neither a parameter nor a resource")
        return self.resolve(self._raw["Resources"][name].get("Properties", {}).get("BucketName", name))

    def _attribute(self, name: str, attribute: str) -> str:
        physical = self._ref(name)
        is_bucket = self._raw["Resources"][name]["Type"] == "AWS::S3::Bucket"
        return (
            f"arn:{self._values['AWS::Partition']}:s3:::{physical}"
            if is_bucket and attribute == "Arn"
            else (f"{physical}.{attribute}")
        )

    def _condition(self, name: str) -> bool:
        try:
            return bool(self.resolve(self._raw["Conditions"][name]))
        except KeyError as error:
            raise TemplateUnreadable(f"{self.path}: there is no condition {name}") from error

    def _substitute(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in own:
                return str(self.resolve(own[name]))
            resource, dot, attribute = name.partition(".")
            return self._attribute(resource, attribute) if dot else str(self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", value, text)


def _disallowed(value: str, about: Mapping[str, Any]) -> str | None:
    """What is allowed, where `value` is not."""
    choices = [str(choice) for choice in about.get("AllowedValues", ())]
    if choices and value not in choices:
        return ", ".join(choices)
    if about.get("Type") == "Number":
        low, high = float(about.get("MinValue", "-inf")), float(about.get("MaxValue", "inf"))
        try:
            is_in = low <= float(value) <= high
        except ValueError:
            is_in = False
        return None if is_in else f"a number from {low:g} to {high:g}"
    if "AllowedPattern" in about and not re.fullmatch(about["AllowedPattern"], value):
        return f"what matches {about['AllowedPattern']}"
    return None
