"""`infra/samconfig.toml`: what `sam deploy` would ask otherwise is there, and names what exists."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from scripts.deploy_check.parameters import given_value
from tests.infra.conftest import ROOT, TEMPLATES, transformed

CONFIG = tomllib.loads((ROOT / "infra" / "samconfig.toml").read_text())
DEPLOYED = {name: CONFIG[name]["deploy"]["parameters"] for name in ("default", "cameras", "function")}


@pytest.mark.parametrize(
    ("environment", "template"), [("default", "template"), ("cameras", "cameras"), ("function", "function")]
)
def test_sam_deploy_is_told_all_that_it_would_ask(environment: str, template: str) -> None:
    told = DEPLOYED[environment]
    assert ROOT / "infra" / told["template_file"] == TEMPLATES[template]
    assert (told["resolve_s3"], told["confirm_changeset"]) == (True, False)
    resources: dict[str, Any] = json.loads(transformed(template))["Resources"]
    roles = [body for body in resources.values() if body["Type"] == "AWS::IAM::Role"]
    assert roles
    assert not any("RoleName" in role["Properties"] for role in roles)  # that would need CAPABILITY_NAMED_IAM
    assert told["capabilities"] == "CAPABILITY_IAM"
    parameters = json.loads(transformed(template))["Parameters"]
    for setting in told.get("parameter_overrides", ()):
        name, _, value = setting.partition("=")
        assert str(given_value(parameters[name], value)) == value


def test_all_stacks_can_stand_side_by_side() -> None:
    assert len({told["stack_name"] for told in DEPLOYED.values()}) == len(DEPLOYED)
    assert len({str(told.get("parameter_overrides")) for told in DEPLOYED.values()}) == len(DEPLOYED)  # bucket names
    assert all(CONFIG[name]["delete"]["parameters"]["stack_name"] == DEPLOYED[name]["stack_name"] for name in DEPLOYED)
