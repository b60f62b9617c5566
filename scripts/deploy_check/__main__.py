"""`scripts/deploy-check`: whether template, configuration and package fit together. Offline: asks AWS nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.deploy_check import rules
from scripts.deploy_check.template import Template, TemplateUnreadable

EXIT_OK, EXIT_FINDINGS, EXIT_ERROR = 0, 1, 2
_TEMPLATE = Path(__file__).parents[2] / "infra" / "template.yaml"


def main(argv: Sequence[str] | None = None) -> int:
    """Check one template. Prints the findings; the exit code."""
    options = _parser().parse_args(argv)
    try:
        findings = list(rules.check(Template(options.template, dict(options.set)), options.package))
    except TemplateUnreadable as error:
        print(f"deploy-check: {error}", file=sys.stderr)
        return EXIT_ERROR
    for finding in findings:
        print(finding)
    error_count = sum(finding.is_error for finding in findings)
    print(f"{options.template}: {f'{error_count} errors' if error_count else 'no problems found'}")
    return EXIT_FINDINGS if error_count else EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/deploy-check", description=__doc__)
    parser.add_argument("--template", type=Path, default=_TEMPLATE, help="default: %(default)s")
    parser.add_argument("--package", type=Path, help="the function's zip; default: what the template names")
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="Parameter=value")
    return parser


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: Parameter=value")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
