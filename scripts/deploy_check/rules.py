"""The rules by which a template and its package are judged.

Source: Lambda developer guide, 'Lambda quotas', 'Tenant isolation', 'Reserved concurrency'; read November 2026.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.deploy_check import package, permissions
from scripts.deploy_check.findings import Finding
from scripts.deploy_check.template import Template
from timelapse_runtime.timelapse.config import PREFIX, Config, Location, parse_config
from timelapse_runtime.timelapse.errors import ConfigError

HANDLER = "timelapse_runtime.timelapse.Timelapse"
SHORTEST_TIMEOUT_SECONDS = 60
"""One call to S3 may take 3 attempts of 13 s, and a frame needs a few calls."""
_NUMBERS = {
    "Timeout": (SHORTEST_TIMEOUT_SECONDS, 900, 3),
    "MemorySize": (512, 10_240, 128),
}
"""Property: lowest and highest value that will do, and Lambda's default. 512: a 1080p stream takes some 300 MB."""


def check(template: Template, package_path: Path | None) -> Iterator[Finding]:
    """All that is wrong, in the order of the template."""
    if refused := list(template.parameter_findings()):
        yield from refused  # what follows from them would be said twice
        return
    functions = [one for one in template.of_type("AWS::Serverless::Function") if one[1].get("Handler") == HANDLER]
    if len(functions) != 1:
        what = f"{len(functions)} functions have the handler {HANDLER}"
        yield Finding(str(template.path), what, "one AWS::Serverless::Function with that Handler is what is checked")
        return
    name, function = functions[0]
    yield from _limits(name, function)
    yield from _concurrency(name, function)
    variables = function.get("Environment", {}).get("Variables", {})
    try:
        memory = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.get("MemorySize", ""))}
        config = parse_config({**{key: str(value) for key, value in variables.items()}, **memory})
    except ConfigError as error:
        where = f"{name}.Environment.Variables.{error.variable}"
        got = "it is not set" if error.value is None else f"it is {error.value!r}"
        yield Finding(where, got, f"allowed: {error.allowed}")
    else:
        yield from _sources(template, name, config)
        yield from _access(template, name, function, config)
    layers = [template.resources[layer] for layer in function.get("Layers", ()) if layer in template.resources]
    architecture = str(next(iter(function.get("Architectures", ())), "x86_64"))
    yield from package.check(
        package_path or _beside(template, function.get("CodeUri")),
        [_beside(template, layer["Properties"].get("ContentUri")) for layer in layers],
        architecture,
    )


def _beside(template: Template, uri: Any) -> Path:
    """A path that the template names, as it is from here."""
    return Path(os.path.normpath(template.path.parent / str(uri)))


def _limits(name: str, function: Mapping[str, Any]) -> Iterator[Finding]:
    if str(function.get("Runtime")) not in {"provided.al2023", "provided.al2"}:
        what = f"it is {function.get('Runtime')!r}"
        yield Finding(f"{name}.Runtime", what, "the package is a runtime itself: provided.al2023, or provided.al2")
    numbers = {key: (function.get(key), *limits) for key, limits in _NUMBERS.items()}
    numbers["EphemeralStorage.Size"] = (function.get("EphemeralStorage", {}).get("Size"), 512, 10_240, 512)
    for key, (value, low, high, default) in numbers.items():
        text = str(default if value is None else value)
        if not text.isdecimal() or not low <= int(text) <= high:
            yield Finding(f"{name}.{key}", f"it is {text}", f"allowed: {low} to {high}")


def _concurrency(name: str, function: Mapping[str, Any]) -> Iterator[Finding]:
    reserved = function.get("ReservedConcurrentExecutions")
    where = f"{name}.ReservedConcurrentExecutions"
    if function.get("TenancyConfig", {}).get("TenantIsolationMode") == "PER_TENANT":
        if reserved is not None and str(reserved) in {"0", "1"}:
            yield Finding(where, f"it is {reserved}", "with tenants each stream has its own environment: leave it out")
        for taken in ("SnapStart", "ProvisionedConcurrencyConfig", "FunctionUrlConfig", "Events"):
            if taken in function:
                yield Finding(
                    f"{name}.{taken}", "tenant isolation mode excludes it", "leave it out; see infra/README.md"
                )
    elif str(reserved) != "1":
        remedy = "set it to 1: with more environments than one, streams are loaded again and again"
        yield Finding(where, "it is not set" if reserved is None else f"it is {reserved}", remedy)


def _sources(template: Template, name: str, config: Config) -> Iterator[Finding]:
    """The events that reach the function (or a router before it) are those of its photos, all of them, no others."""
    found = list(_notified(template))
    if not found:
        remedy = "a notification of the frames bucket, or an EventBridge rule for its 'Object Created'"
        yield Finding(str(template.path), "nothing tells the function of new photos", f"add {remedy}")
    for where, place in found:
        if place.contains(config.video):
            what = f"it tells of new objects in {place}, where the films are kept ({PREFIX}VIDEO is {config.video})"
            yield Finding(
                where, what, "the function would feed itself: keep films in another bucket or under another prefix"
            )
        elif place != config.frames:
            what = f"it tells of new objects in {place}, and {PREFIX}FRAMES is {config.frames}"
            yield Finding(where, what, f"make them equal; {name} ignores the rest, and pays for it")


def _notified(template: Template) -> Iterator[tuple[str, Location]]:
    for name, bucket in template.of_type("AWS::S3::Bucket"):
        for number, one in enumerate(bucket.get("NotificationConfiguration", {}).get("LambdaConfigurations", ())):
            rules = one.get("Filter", {}).get("S3Key", {}).get("Rules", ())
            prefix = next((rule["Value"] for rule in rules if rule["Name"] == "prefix"), "")
            yield f"{name}.NotificationConfiguration[{number}]", Location(bucket.get("BucketName", name), prefix)
    for name, rule in template.of_type("AWS::Events::Rule"):
        yield from _matched(f"{name}.EventPattern", rule.get("EventPattern", {}))
    for name, function in template.of_type("AWS::Serverless::Function"):
        for event, about in function.get("Events", {}).items():
            if about.get("Type") == "EventBridgeRule":
                yield from _matched(f"{name}.Events.{event}.Pattern", about["Properties"].get("Pattern", {}))


def _matched(where: str, pattern: Mapping[str, Any]) -> Iterator[tuple[str, Location]]:
    if "aws.s3" in pattern.get("source", ()):
        detail = pattern.get("detail", {})
        for bucket in detail.get("bucket", {}).get("name", ("",)):
            for key in detail.get("object", {}).get("key", ({"prefix": ""},)):
                yield where, Location(bucket, key.get("prefix", "") if isinstance(key, dict) else str(key))


def _access(template: Template, name: str, function: Mapping[str, Any], config: Config) -> Iterator[Finding]:
    role = str(function.get("Role", "")).removesuffix(".Arn")
    if role not in template.resources:
        return  # made elsewhere: nothing is known of it
    policies = template.resources[role]["Properties"].get("Policies", ())
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    for action, resource, context in permissions.needed(config):
        try:
            is_allowed = permissions.allows(statements, action, resource, context)
        except ValueError as error:
            yield Finding(role, f"{error} is more than deploy-check understands", "write it plainly")
            return
        if not is_allowed:
            with_context = "".join(f" ({key}: {value!r})" for key, value in context.items())
            what = f"it does not allow {action} on {resource}{with_context}"
            yield Finding(role, what, f"{name} needs it: {PREFIX}FRAMES or {PREFIX}VIDEO say so")
