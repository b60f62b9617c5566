"""`scripts/deploy-check`: whether template, configuration and package fit together. Offline: asks AWS nothing."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.decode import decode
from cfnlint.match import Match
from cfnlint.runner import Runner
from cfnlint.template import Template

from scripts.deploy_check import package
from scripts.deploy_check.deployed import Deployed
from scripts.deploy_check.findings import Finding
from scripts.deploy_check.parameters import given_value

EXIT_OK, EXIT_FINDINGS, EXIT_ERROR = 0, 1, 2
_TEMPLATE = Path(__file__).parents[2] / "infra" / "template.yaml"
_NO_VERDICT = ("E0", "E10")
"""cfn-lint's rules about unreadable files, the sections of a template, and its functions and references."""


def main(argv: Sequence[str] | None = None) -> int:
    """Check one template. Prints the findings and returns the exit code."""
    options = _parser().parse_args(argv)
    template, matches = decode(str(options.template))
    found = partial(_finding, options.template)
    findings = list(_set_parameters(template, dict(options.set)))
    has_values = all("Default" in parameter for parameter in _parameters(template).values())
    if has_values and not matches:
        matches = sorted(_runner(options.region).validate_template(template), key=lambda match: match.linenumber)
    if broken := [match for match in matches if match.rule.id.startswith(_NO_VERDICT)]:
        print(*map(found, broken), sep="\n", file=sys.stderr)
        return EXIT_ERROR
    findings += map(found, matches)
    if has_values:
        findings += _archives(options, template)
    error_count = sum(finding.is_error for finding in findings)
    print(
        *findings,
        f"{options.template}: {f'errors found: {error_count}' if error_count else 'no problems found'}",
        sep="\n",
    )
    return EXIT_FINDINGS if error_count else EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/deploy-check", description=__doc__)
    parser.add_argument("--template", type=Path, default=_TEMPLATE, help="default: %(default)s")
    parser.add_argument("--package", type=Path, help="the function's zip; default: what the template names")
    parser.add_argument("--region", default="us-east-1", help="default: %(default)s")
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="Parameter=value")
    return parser


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: Parameter=value")
    return name, value


def _parameters(template: Any) -> dict[str, dict[str, Any]]:
    parameters = (template if isinstance(template, dict) else {}).get("Parameters", {})
    return {name: parameter for name, parameter in parameters.items() if isinstance(parameter, dict)}


def _set_parameters(template: Any, settings: Mapping[str, str]) -> Iterator[Finding]:
    """Write the settings into the template as defaults, and yield what CloudFormation would refuse.

    cfn-lint has parameters of its own, but loses them when a template has a transform (1.58.0). Where a setting is
    refused, the template's default stays, so that everything else is checked, too.
    """
    declared = _parameters(template)
    for name in settings.keys() - declared.keys():
        yield Finding(f"--set {name}", "the template has no such parameter", f"known: {', '.join(sorted(declared))}")
    for name, parameter in declared.items():
        value = settings.get(name, parameter.get("Default"))
        if value is None:
            yield Finding(f"parameter {name}", "it has no value", f"give it one: --set {name}=VALUE")
            continue
        try:
            parameter["Default"] = given_value(parameter, value)
        except ValueError as error:
            yield Finding(f"parameter {name}", f"it is {value!r}", f"allowed: {error}")


@cache
def _runner(region: str) -> Runner:
    """cfn-lint with its rules and ours. Loading them takes a second."""
    return Runner(ConfigMixIn(["--append-rules", "scripts.deploy_check.rules"], regions=[region]))


def _finding(path: Path, match: Match) -> Finding:
    place = "/".join(map(str, getattr(match, "path", ())))
    remedy = getattr(match, "remedy", f"{match.rule.id}: {match.rule.description} ({match.rule.source_url})")
    where = f"{path}:{match.linenumber}" + (f": {place}" if place else "")
    return Finding(where, match.message, remedy, is_error=match.rule.severity == "error")


def _archives(options: argparse.Namespace, template: Any) -> Iterator[Finding]:
    """What is wrong with the archives that the function is made of. A template's paths are relative to its folder."""
    deployed = Deployed(Template(str(options.template), template, [options.region]))
    for function in (deployed.timelapse_functions() or deployed.own_functions()).values():
        try:
            layers = [deployed[name]["Properties"] for name in function.get("Layers", ()) if name in deployed]
        except ValueError as error:
            yield Finding("layers", str(error), "give ContentUri a path")
            return
        uris = [function.get("CodeUri"), *(layer.get("ContentUri") for layer in layers)]
        code, *others = (Path(os.path.normpath(options.template.parent / str(uri))) for uri in uris)
        architecture, handler = function.get("Architectures", ["x86_64"])[0], str(function.get("Handler"))
        yield from package.check(options.package or code, others, architecture, handler)


if __name__ == "__main__":
    sys.exit(main())
