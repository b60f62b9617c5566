"""What the documents name exists: links, files, commands, modules; and the README's example runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.documents import DOCUMENTS, ROOT, block_lines, in_backticks, without_blocks
from timelapse_runtime.cli.main import main
from timelapse_runtime.runtime.function import Environment
from timelapse_runtime.runtime.loader import OPTIONAL, REQUIRED
from timelapse_runtime.runtime.state.memory import MemoryStore

FOLDERS = ("timelapse_runtime", "scripts", "tests", "docs", "examples", "infra", "layer", "requirements", ".ci")
PRODUCTS = ("runtime", "timelapse", "video", "model", "dispatcher", "emulator", "cli")
"""First parts of paths that are written from inside a folder: `video/mux.py`, `dispatcher/route.py`."""
STARTS = (ROOT, *(ROOT / name for name in ("timelapse_runtime", "timelapse_runtime/timelapse", "infra")))

WITH_SETTINGS = ("replay", "cost", "simulate")
"""Commands that have the function's settings as options, in a help of their own."""

SOURCES = {
    "bench": "scripts/benchmark/__main__.py",
    "crashtest": "tests/recovery/crashtest.py",
    "deploy-check": "scripts/deploy_check/__main__.py",
    "fuzz": "scripts/fuzzer.py",
    "package": "scripts/packager/__main__.py",
    "timelapse-runtime": "timelapse_runtime/dev/main.py",
}
"""Where a script's options are defined. (Others pass theirs on, or are shell scripts.)"""

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
each_current = pytest.mark.parametrize(
    "document",
    [path for path in DOCUMENTS if path.name != "CHANGELOG.md"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
"""The documents that say what holds now. The changelog names what is gone, too."""


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def written_commands(document: Path) -> Iterator[str]:
    """The lines of a document's blocks, and what it has in backticks."""
    for lines in block_lines(document):
        yield from lines
    yield from in_backticks(document)


@each_document
def test_every_relative_link_resolves(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@each_current
def test_every_path_exists(document: Path) -> None:
    for text in written_commands(document):
        path = text.partition(" ")[0].removesuffix("/")
        first, slash, _ = path.partition("/")
        is_path = slash and re.fullmatch(r"[\w./-]+", path)
        if is_path and (first in FOLDERS or (first in PRODUCTS and path.endswith(".py"))):
            assert any((start / path).exists() for start in STARTS), path


@each_current
def test_every_option_of_a_script_is_defined_in_its_sources(document: Path) -> None:
    for text in written_commands(document):
        script = re.match(r"scripts/([\w-]+)(?: |$)", text)
        if script is None or script[1] not in SOURCES:
            continue
        source = (ROOT / SOURCES[script[1]]).read_text()
        for option in re.findall(r"--([a-z][a-z0-9-]+)", text):
            assert re.search(rf"[\"'](--)?{option}[\"']", source), text


@each_current
def test_every_command_of_the_installed_program_exists(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in written_commands(document):
        match = re.match(r"(?:(?:scripts/)?timelapse|scripts(?=/replay))[ /]([a-z-]+)(?: |$)", text)
        if match is None:
            continue
        is_command = not match[1].startswith("-")
        for wanted in ["--help", "--help-settings"] if match[1] in WITH_SETTINGS else ["--help"]:
            with pytest.raises(SystemExit) as stopped:
                main([match[1], wanted] if is_command else [wanted])
            assert stopped.value.code == 0, text
        help_text = capsys.readouterr().out
        for option in re.findall(r"--[a-z-]+", text):
            assert option in help_text, text


def test_the_documented_function_counts_and_continues_after_a_restart(tmp_path: Path) -> None:
    example = re.search(r"^```python\n(.*?)^```", (ROOT / "docs/runtime.md").read_text(), re.DOTALL | re.MULTILINE)
    assert example is not None
    names: dict[str, Any] = {}
    exec(example[1], names)
    names["COUNT"] = tmp_path / "count.json"
    counted = []
    for _environment in range(2):
        function = names["Counter"]()
        assert {*REQUIRED, *OPTIONAL} <= set(dir(function))
        function.open(None)
        counted += [function.invoke({}, None)["count"] for _ in range(2)]
        assert function.flush(None) is function.close(None) is None
    assert counted == [1, 2, 3, 4]


def test_the_documented_function_that_keeps_its_state_in_s3_says_what_is_saved() -> None:
    examples = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/runtime.md").read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(examples[1], names)
    store = MemoryStore("state")
    names |= {"S3Store": lambda _client, _bucket: store, "make_client": lambda **_: None}
    told = SimpleNamespace(follows_interruption=False)
    for environment in range(3):
        function = names["StoredCounter"]()
        function.open(Environment({"STATE_BUCKET": "state"}, None, ""))
        answers = [function.invoke({}, told) for _ in range(150)]
        assert [answer["saved"] for answer in answers].count(True) == 1
        assert store.peek("count") == str(150 * environment + 100).encode()
        function.flush(told)
        assert store.peek("count") == str(150 * environment + 150).encode()


def test_the_counter_of_lines_sees_the_package() -> None:
    done = subprocess.run(["python3", "scripts/lines.py"], cwd=ROOT, check=True, capture_output=True, text=True)
    _, commit, lines, code, modules, longest, _ = (cell.strip() for cell in done.stdout.split("|"))
    assert commit
    assert int(lines.replace(",", "")) > int(code.replace(",", "")) > int(modules) > 0
    assert longest.endswith(" lines")
