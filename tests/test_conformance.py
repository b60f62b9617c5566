"""docs/conformance.md: the tests that it names exist, each row has one, and what the code names has a row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documents import ROOT

TEXT = (ROOT / "docs/conformance.md").read_text()
FILES = dict(re.findall(r"^\| `(\w+)` \| `(tests/[\w/]+\.py)` \|", TEXT, re.MULTILINE))
ROWS = [
    line
    for section in TEXT.split("\n## ")[1:]
    for line in section.splitlines()
    if line.startswith("| ") and "| says |" not in line
]
RUNTIME = ROOT / "timelapse_runtime" / "runtime"
SOURCES = [
    *RUNTIME.glob("*.py"),
    *RUNTIME.glob("protocol/*.py"),
    *(ROOT / "timelapse_runtime" / name for name in ("__main__.py", "bootstrap", "start.sh")),
    ROOT / "layer" / "extensions" / "timelapse-shutdown",
]
NAMED = {
    "headers": r"\b(?:User-Agent|Content-Type|Trailer|Transfer-Encoding)\b|(?i:lambda-(?:runtime|extension)-[a-z-]+\w)",
    "variables": r"\b(?:AWS|LAMBDA|STATEFUL_RUNTIME)_[A-Z_]+\b|_HANDLER\b|_X_AMZN_TRACE_ID|TMPDIR",
    "errors": r"\"((?:Runtime|Function|Extension)\.[A-Z]\w+)",
}


def named_tests(path: Path) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))


def test_each_file_of_the_table_is_there_and_used() -> None:
    assert FILES
    assert {short for short in FILES if not (ROOT / FILES[short]).is_file()} == set()
    assert {short for short in FILES if f"`{short}::" not in TEXT} == set()


def test_each_test_that_is_named_exists() -> None:
    named = re.findall(r"`(\w+)::(test_\w+)`", TEXT)
    assert len(named) > 100
    assert [f"{short}::{name}" for short, name in named if name not in named_tests(ROOT / FILES[short])] == []


def test_each_row_is_shown_by_a_test() -> None:
    assert len(ROWS) > 60
    assert [row[:80] for row in ROWS if "::test_" not in row] == []


@pytest.mark.parametrize("kind", NAMED)
def test_what_the_runtime_names_is_in_the_document(kind: str) -> None:
    names = {name for path in SOURCES for name in re.findall(NAMED[kind], path.read_text())}
    assert len(names) > 5
    assert {name for name in names if name.lower() not in TEXT.lower()} == set()
