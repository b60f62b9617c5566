"""A template's resources as CloudFormation would create them: functions resolved, conditions decided.

cfn-lint resolves references, substitutions and conditions. By itself it tries every value that a parameter may have;
here each parameter is pinned to its default. Values that only AWS knows are replaced by the template's own names: a
reference to a resource by its logical ID, an attribute by `LogicalId.Attribute`. Buckets are the exception. They have
their BucketName and their ARN, because variables and policies are compared by them.

Source: CloudFormation template reference, 'Intrinsic functions', read November 2026.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfnlint.helpers import is_function
from cfnlint.jsonschema import CfnTemplateValidator
from cfnlint.template import Template

from timelapse_runtime.timelapse.variables import PREFIX

FUNCTION = "AWS::Serverless::Function"
STATE_MACHINE = "AWS::Serverless::StateMachine"
HANDLER = "timelapse_runtime.timelapse.Timelapse"


class Deployed:
    """The resources of a template, with each parameter at its default. Resolves a resource when asked for it.

    Raises ValueError for a function that cfn-lint cannot resolve: what is not known is not taken for correct.
    """

    def __init__(self, cfn: Template) -> None:
        self._cfn = cfn
        self._buckets = cfn.get_resources("AWS::S3::Bucket")
        parameters = cfn.context.parameters.items()
        defaults = {name: value for name, parameter in parameters for value, _ in parameter.default_value()}
        self._names: dict[str, Any] = defaults | {"AWS::Region": cfn.regions[0]}
        self._bodies = {
            name: body
            for name, body in cfn.get_resources().items()
            if "Condition" not in body or self._holds(body["Condition"])
        }
        bucket_names = {
            name: self._resolve(body.get("Properties", {}).get("BucketName", name))
            for name, body in self._buckets.items()
        }
        self._names = {name: name for name in cfn.get_resources()} | bucket_names | self._names

    def __iter__(self) -> Iterator[str]:
        """The logical IDs of the resources that will be created."""
        return iter(self._bodies)

    def __getitem__(self, name: str) -> dict[str, Any]:
        """A resource by its logical ID. Raises KeyError if it will not be created."""
        resolved: dict[str, Any] = self._resolve(self._bodies[name])
        return resolved

    def of_type(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical IDs and properties of the resources of a type."""
        for name, body in self._bodies.items():
            if body["Type"] == kind:
                yield name, self[name].get("Properties", {})

    def timelapse_functions(self) -> dict[str, dict[str, Any]]:
        """Logical IDs and properties of the functions that run the timelapse function; it should be one."""
        return {name: properties for name, properties in self.of_type(FUNCTION) if properties.get("Handler") == HANDLER}

    def own_functions(self) -> dict[str, dict[str, Any]]:
        """The same of functions of one's own: on a custom runtime, and without a setting of the timelapse function."""
        return {
            name: properties
            for name, properties in self.of_type(FUNCTION)
            if properties.get("Handler") != HANDLER
            and str(properties.get("Runtime")).startswith("provided")
            and not any(one.startswith(PREFIX) for one in properties.get("Environment", {}).get("Variables", {}))
        }

    def _resolve(self, value: Any) -> Any:
        return next(self._resolved(value), None)

    def _resolved(self, value: Any) -> Iterator[Any]:
        """The one value, or nothing for AWS::NoValue."""
        function, argument = is_function(value)
        if function == "Fn::If":
            yield from self._resolved(argument[1] if self._holds(argument[0]) else argument[2])
        elif function:
            results = [result for result, _, error in self._validator().resolve_value(value) if error is None]
            if results:
                yield from self._resolved(results[0])
            elif value != {"Ref": "AWS::NoValue"}:
                raise ValueError(f"cannot resolve {value}")
        elif isinstance(value, dict):
            yield {key: resolved for key, item in value.items() for resolved in self._resolved(item)}
        elif isinstance(value, list):
            yield [resolved for item in value for resolved in self._resolved(item)]
        else:
            yield value

    def _holds(self, condition: str) -> bool:
        return bool(self._cfn.conditions.satisfiable({condition: True}, self._names))

    def _validator(self) -> Any:
        """cfn-lint's resolver, which leaves Fn::GetAtt to us."""
        kind = CfnTemplateValidator({}).extend(fn_resolvers={"Fn::GetAtt": self._attribute})
        return kind(schema={}, cfn=self._cfn, context=self._cfn.context.evolve(ref_values=self._names))

    def _attribute(self, validator: Any, names: str | list[str]) -> Iterator[tuple[str, Any, None]]:
        name, attribute = names.split(".", 1) if isinstance(names, str) else names
        is_bucket_arn = name in self._buckets and attribute == "Arn"
        yield f"arn:aws:s3:::{self._names[name]}" if is_bucket_arn else f"{name}.{attribute}", validator, None
