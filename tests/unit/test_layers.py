"""The layout's rules, read from the syntax trees: imports point down, and each foreign thing has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "timelapse_runtime"
ROOT = Path(__file__).parents[2]

LAYERS = (
    {"errors", "clock", "http1", "tls"},
    {"protocol", "state", "events", "function", "config"},
    {"storage", "media", "exchange", "handover", "log", "context", "deadline_alarm", "handler", "termination"},
    {"transport", "transport_stdlib", "transport_scripted", "internal_extension"},
    {"timelapse", "loop"},
    {"__main__", "extension", "cli"},
)
"""From the bottom up. A module imports from the layers below its own, and from its own package."""

RUNTIME = {"loop", "internal_extension", "transport", "transport_stdlib", "termination", "exchange", "protocol"}
VIDEO = {"timelapse", "media", "storage", "state", "events", "config"}

MODULES = sorted(path.relative_to(ROOT) for path in (ROOT / PACKAGE).rglob("*.py"))
DEPLOYED = [path for path in MODULES if path.parts[1] != "local" and path.name != "cli.py"]


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), str(path))


def unit(path: Path) -> str:
    """The module or the package right below timelapse_runtime that a file belongs to."""
    return path.parts[1].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Dotted names, with what `from a import b` takes: `a.b`. Those under TYPE_CHECKING count: they are imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_units(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith(PACKAGE + ".")} - {"__version__"}


def layer(name: str) -> int:
    found = [number for number, units in enumerate(LAYERS) if name in units]
    assert found, f"{PACKAGE}.{name} has no layer: give it one in {Path(__file__).name}"
    return found[0]


def reached(start: str) -> set[str]:
    """All units that importing `start` brings in."""
    seen: set[str] = set()
    waiting = {start}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for path in DEPLOYED:
            if unit(path) == name:
                waiting |= imported_units(path) - seen
    return seen


@pytest.mark.parametrize("path", [path for path in DEPLOYED if path.parts[1] != "__init__.py"], ids=str)
def test_imports_point_down(path: Path) -> None:
    above = {name for name in imported_units(path) - {unit(path)} if layer(name) >= layer(unit(path))}
    assert not above, f"{path} imports {above}, which are not below it"


@pytest.mark.parametrize("path", DEPLOYED, ids=str)
def test_nothing_deployed_imports_local(path: Path) -> None:
    assert not {"local", "cli"} & imported_units(path)


def test_the_runtime_knows_nothing_of_video() -> None:
    assert not reached("loop") & VIDEO


def test_the_video_knows_nothing_of_lambdas_apis() -> None:
    assert not reached("timelapse") & RUNTIME


@pytest.mark.parametrize(
    ("foreign", "doors"),
    [
        ({"boto3", "botocore"}, {"storage/s3_credentials.py", "local"}),
        ({"certifi"}, {"tls.py"}),
        ({"av"}, {"media", "local"}),
        ({"httpx"}, {"local"}),
        ({"moto", "flask", "werkzeug"}, {"local"}),
    ],
    ids=lambda names: "+".join(sorted(names)),
)
def test_a_foreign_package_has_one_door(foreign: set[str], doors: set[str]) -> None:
    users = [path for path in MODULES if foreign & {name.split(".")[0] for name in imports(path)}]
    outside = [str(path) for path in users if not any(path.is_relative_to(Path(PACKAGE, door)) for door in doors)]
    assert not outside


def reads_environment(path: Path) -> bool:
    words = {"environ", "environb", "getenv", "getenvb"}
    taken = {f"os.{word}" for word in words}
    return bool(taken & set(imports(path))) or any(
        isinstance(node, ast.Attribute)
        and node.attr in words
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        for node in ast.walk(tree(path))
    )


def test_only_entry_points_read_the_environment() -> None:
    readers = {unit(path) for path in MODULES if reads_environment(path)}
    assert "__main__" in readers
    assert readers <= {"__main__", "extension", "cli", "local"}


def test_the_protocol_touches_nothing() -> None:
    outside_world = {
        "socket",
        "http",
        "urllib",
        "time",
        "datetime",
        "os",
        "pathlib",
        "threading",
        "signal",
        "subprocess",
    }
    for path in MODULES:
        if unit(path) == "protocol":
            assert not outside_world & {name.split(".")[0] for name in imports(path)}, path
