"""A rule for cfn-lint: what the timelapse function needs of its template. cfn-lint's own rules check everything else.

`cfn-lint --append-rules scripts.deploy_check.rules` runs it too.

Source: Lambda developer guide, 'Lambda quotas', 'Tenant isolation', 'Reserved concurrency'; read November 2026.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cfnlint.jsonschema import StandardValidator
from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from scripts.deploy_check import permissions
from scripts.deploy_check.deployed import FUNCTION, HANDLER, STATE_MACHINE, Deployed
from timelapse_runtime.timelapse.config import Config, config_errors, parse_config
from timelapse_runtime.timelapse.errors import ConfigError
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.timelapse.variables import PREFIX

_UNSET = "not set"
_DEFAULTS = {"Timeout": 3, "MemorySize": 128, "ReservedConcurrentExecutions": _UNSET}


def _between(low: int, high: int) -> dict[str, Any]:
    return {"minimum": low, "maximum": high, "description": f"allowed: {low} to {high}"}


_EXCLUDED = {"not": {}, "description": "tenant isolation mode excludes it: leave it out; see infra/README.md"}
_PROPERTIES = {
    "properties": {
        "Runtime": {
            "enum": ["provided.al2023", "provided.al2"],
            "description": "the package contains its own runtime: use provided.al2023 or provided.al2",
        },
        "Timeout": _between(60, 900),  # one call to S3 may take 3 attempts of 13 s, and a frame needs a few calls
        "MemorySize": _between(512, 10_240),  # a 1080p stream takes about 300 MB
        "EphemeralStorage": {"properties": {"Size": _between(512, 10_240)}},
    },
    "if": {"required": ["TenancyConfig"]},
    "then": {
        "properties": {
            "ReservedConcurrentExecutions": {
                "not": {"enum": [0, 1, "0", "1"]},
                "description": "each tenant has its own environment: leave it out",
            },
            **dict.fromkeys(("SnapStart", "ProvisionedConcurrencyConfig", "FunctionUrlConfig", "Events"), _EXCLUDED),
        },
    },
    "else": {
        "properties": {
            "ReservedConcurrentExecutions": {
                "enum": [1, "1", _UNSET],
                "description": "set it to 1 or leave it out: more is taken from other functions for nothing",
            },
        },
    },
}
"""JSON schema of the function's properties. A description says what to do about a value that does not match."""


class TimelapseFunction(CloudFormationLintRule):  # type: ignore[misc] # cfn-lint comes without types
    id, shortdesc = "E9001", "The timelapse function works with what the template gives it"

    def match(self, cfn: Template) -> Iterator[RuleMatch]:
        deployed = Deployed(cfn)
        functions = deployed.timelapse_functions()
        if not functions and deployed.own_functions():
            return  # a function of one's own: the archives are all that is known of it
        if len(functions) != 1:
            what = f"{len(functions)} functions have the handler {HANDLER}"
            yield _match([], what, f"deploy-check needs exactly one {FUNCTION} with that handler")
            return
        ((name, function),) = functions.items()
        for error in StandardValidator(_PROPERTIES).iter_errors(_DEFAULTS | function):
            yield _match([name, "Properties", *error.path], f"it is {error.instance}", error.schema["description"])
        environ = {key: str(value) for key, value in function.get("Environment", {}).get("Variables", {}).items()}
        environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = str(function.get("MemorySize", ""))
        errors = list(config_errors(environ))
        if not errors:
            try:
                config = parse_config(environ)
            except ConfigError as misfit:
                errors.append(misfit)
            else:
                yield from _sources(deployed, name, config)
                yield from _access(deployed, name, config)
        for error in errors:
            path = [name, "Properties", "Environment", "Variables", error.variable]
            what = "it is not set" if error.value is None else f"it is {error.value!r}"
            yield _match(path, what, f"allowed: {error.allowed}")


def _match(path: Sequence[str | int], what: str, remedy: str) -> RuleMatch:
    return RuleMatch(["Resources", *path], what, remedy=remedy)


def _sources(deployed: Deployed, name: str, config: Config) -> Iterator[RuleMatch]:
    """The function, or a router before it, must get the events of all its photos and no others. A state machine needs
    no events: it is started by hand."""
    sources = list(_notified(deployed))
    if not sources and not list(deployed.of_type(STATE_MACHINE)):
        remedy = "add a notification of the frames bucket, or an EventBridge rule for its 'Object Created'"
        yield _match([], "nothing tells the function of new photos", remedy)
    for path, place in sources:
        if place.contains(config.video):
            what = f"it tells of new objects in {place}, which contains {PREFIX}VIDEO ({config.video})"
            remedy = "the function would feed itself: keep videos in another bucket or under another prefix"
            yield _match(path, what, remedy)
        elif place != config.frames:
            what = f"it tells of new objects in {place}, and {PREFIX}FRAMES is {config.frames}"
            yield _match(path, what, f"make them equal: {name} ignores all other objects, and their events cost money")


def _access(deployed: Deployed, name: str, config: Config) -> Iterator[RuleMatch]:
    """The function's role must allow its calls to S3. Nothing is known of a role from outside the template."""
    role = str(deployed[name]["Properties"].get("Role", "")).removesuffix(".Arn")
    policies = deployed[role]["Properties"].get("Policies", ()) if role in deployed else ()
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    for action, resource, context in permissions.needed(config) if role in deployed else ():
        try:
            is_allowed = permissions.allows(statements, action, resource, context)
        except ValueError as error:
            yield _match([role], f"deploy-check does not understand {error}", "write the policy without it")
            return
        if not is_allowed:
            condition = "".join(f" ({key}: {value!r})" for key, value in context.items())
            what = f"it does not allow {action} on {resource}{condition}"
            yield _match([role], what, f"{name} needs it because of {PREFIX}FRAMES or {PREFIX}VIDEO")


def _notified(deployed: Deployed) -> Iterator[tuple[Sequence[str | int], Location]]:
    """The places whose new objects become events; with each, the path of the part of the template that says so."""
    for name, bucket in deployed.of_type("AWS::S3::Bucket"):
        for number, one in enumerate(bucket.get("NotificationConfiguration", {}).get("LambdaConfigurations", ())):
            rules = one.get("Filter", {}).get("S3Key", {}).get("Rules", ())
            prefix = next((rule["Value"] for rule in rules if rule["Name"] == "prefix"), "")
            path = (name, "Properties", "NotificationConfiguration", "LambdaConfigurations", number)
            yield path, Location(bucket.get("BucketName", name), prefix)
    for name, rule in deployed.of_type("AWS::Events::Rule"):
        for place in _matched(rule.get("EventPattern", {})):
            yield [name, "Properties", "EventPattern"], place
    for name, function in deployed.of_type(FUNCTION):
        for event, body in function.get("Events", {}).items():
            if body.get("Type") == "EventBridgeRule":
                for place in _matched(body["Properties"].get("Pattern", {})):
                    yield [name, "Properties", "Events", event, "Properties", "Pattern"], place


def _matched(pattern: Mapping[str, Any]) -> Iterator[Location]:
    if "aws.s3" in pattern.get("source", ()):
        detail = pattern.get("detail", {})
        for bucket in detail.get("bucket", {}).get("name", ("",)):
            for key in detail.get("object", {}).get("key", ({"prefix": ""},)):
                yield Location(bucket, key.get("prefix", "") if isinstance(key, dict) else str(key))
