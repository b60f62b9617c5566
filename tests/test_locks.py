"""What scripts/install relies on: hashed locks without an address in them, each level the one below it and more."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("runtime", "replay", "dev")
BESIDE = "bench"
"""An environment of its own, with what `replay` has."""
INFRA = "infra"
"""An environment of its own, with what `runtime` has."""
APART = ("ministack", "audit")
"""Environments that have nothing of ours."""


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.lock").read_text()


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", lock_text(name), re.MULTILINE))


@pytest.mark.parametrize("name", [*LOCKS, BESIDE, INFRA, *APART])
def test_a_lock_names_no_address(name: str) -> None:
    text = re.sub("#.*", "", lock_text(name))
    assert not re.search(r"://|index-url|find-links|trusted-host|file:| @ |[\s=]/", text)


@pytest.mark.parametrize("name", [*LOCKS, BESIDE, INFRA, *APART])
def test_every_package_of_a_lock_has_hashes(name: str) -> None:
    hashed = re.findall(r"^([a-z0-9-]+)==\S+ \\\n    --hash=sha256:[0-9a-f]{64}\b", lock_text(name), re.MULTILINE)
    every = re.findall(r"^[^\s#].*", lock_text(name), re.MULTILINE)
    assert len(hashed) == len(every) > 0


def test_each_level_holds_the_one_below_at_the_same_versions() -> None:
    runtime, replay, dev = (pins(name).items() for name in LOCKS)
    assert runtime < replay < dev


def test_the_benchmark_has_what_is_measured_at_the_same_versions() -> None:
    assert pins("replay").items() < pins(BESIDE).items()


def test_deploy_check_parses_variables_with_what_is_deployed() -> None:
    assert pins("runtime").items() < pins(INFRA).items()


def test_the_locks_hold_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = {"runtime": project["dependencies"], "replay": extras["local"] + extras["simulate"], "dev": extras["dev"]}
    asked[BESIDE], asked[INFRA] = extras["bench"], extras["infra"]
    for name, requirements in asked.items():
        names = {re.split(r"[^a-z0-9-]", one)[0] for one in requirements} - {project["name"]}
        assert names <= set(pins(name)), name
