"""What checkov is told to pass over has a reason, and each kind of finding the same resources in both templates."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.infra.conftest import TEMPLATES, transformed

EACH = pytest.mark.parametrize("name", sorted(TEMPLATES))
NEVER_SKIPPED = {
    "CKV_AWS_53",  # block public ACLs
    "CKV_AWS_54",  # block public policies
    "CKV_AWS_55",  # ignore public ACLs
    "CKV_AWS_56",  # restrict public buckets
    "CKV_AWS_34",  # CloudFront over HTTPS
    "CKV_AWS_111",  # no write access without constraint
}


def skipped(name: str) -> dict[str, list[dict[str, str]]]:
    resources: dict[str, Any] = json.loads(transformed(name))["Resources"]
    found = {key: body.get("Metadata", {}).get("checkov", {}).get("skip", []) for key, body in resources.items()}
    return {key: skips for key, skips in found.items() if skips}


@EACH
def test_each_suppression_names_one_check_and_its_reason(name: str) -> None:
    assert skipped(name)
    for resource, skips in skipped(name).items():
        ids = [one["id"] for one in skips]
        assert len(ids) == len(set(ids)), resource
        assert not NEVER_SKIPPED & set(ids), resource
        for one in skips:
            assert set(one) == {"id", "comment"}, resource
            assert re.fullmatch(r"CKV_AWS_\d+", one["id"])
            assert len(one["comment"].split()) >= 5, (resource, one)


def test_a_resource_of_two_templates_has_the_same_suppressions() -> None:
    few, many = skipped("template"), skipped("cameras")
    for resource in ("FailureQueue", "AlarmTopic"):
        assert skipped("function")[resource] == few[resource]
    assert skipped("backfill")["LogGroup"] == few["LogGroup"]
    different = {"TimelapseFunction"}  # how it is invoked and limited differs
    for resource in set(few) & set(many) - different:
        assert few[resource] == many[resource], resource
