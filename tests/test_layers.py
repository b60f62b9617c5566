"""The layout's rules, read from the syntax trees: imports point one way, and each library has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "timelapse_runtime"
ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "runtime": set[str](),
    "timelapse": {"runtime"},  # of it, CONTRACT alone
    "emulator": {"runtime", "timelapse"},
    "export": {"runtime", "timelapse"},  # of the runtime, CONTRACT alone: these four
    "adopt": {"runtime", "timelapse"},
    "watch": {"runtime", "timelapse"},
    "fleet": {"runtime", "timelapse"},
    "dev": {"emulator"},
    "cli": {"runtime", "timelapse", "emulator", "export", "adopt", "watch", "fleet"},
    "__main__": {"runtime"},
}
"""What each part of the package may import, beside itself."""

CONTRACT = {"runtime.batch", "runtime.function", "runtime.clock", "runtime.outbox", "runtime.state"}
"""Where the two products meet: what the function imports of the runtime."""

TIMELAPSE = (
    {"errors", "metrics", "stream_log", "time_left"},
    {"model", "events", "config", "variables", "batch", "sweep_pauses"},
    {"filters"},
    {"video"},
    {"commit_plan", "left_out_notes", "logo_file", "verify_report"},
    {"stored_checkpoint", "stored_reels"},
    {"catalog", "checkpoint_store", "known_settings", "photo_reader", "rejection_records", "video_file", "week"},
    {"waiting_frames", "reel_pictures", "day_pictures", "verify_pictures"},
    {"derived", "ingest", "reconcile", "reel_writer", "segment_removal", "verify_photos", "verify_video"},
    {"arrangement", "frozen_photos", "kept_photos", "new_photos", "ranges", "verify", "waiting_photos"},
    {"editions", "writer"},
    {"recorder", "intake", "event_share", "reel_maker"},
    {"settling"},
    {"arrival_intake", "name_intake", "remaking"},
    {"routing", "stream"},
    {"backfill", "open_streams"},
    {"function"},
)  # fmt: skip
"""The function's layers, from the bottom up."""

MODULES = sorted(path.relative_to(ROOT) for path in (ROOT / PACKAGE).rglob("*.py"))
PARTS = sorted({path.parts[1].removesuffix(".py") for path in MODULES} - {"__init__"})


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), str(path))


def part(path: Path) -> str:
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


def own_imports(path: Path) -> set[str]:
    """What a file imports of the project, below the package: `runtime.function.Deadline`."""
    found = {name.removeprefix(PACKAGE + ".") for name in imports(path) if name.startswith(PACKAGE + ".")}
    return found - {"__version__"}


def layer(name: str) -> int:
    """Of a module of the function, dotted."""
    found = [number for number, names in enumerate(TIMELAPSE) for one in names if f"{name}.".startswith(f"{one}.")]
    assert found, f"timelapse.{name} has no layer: give it one in {Path(__file__).name}"
    return min(found)


@pytest.mark.parametrize("name", PARTS)
def test_imports_of_each_part_point_one_way(name: str) -> None:
    for path in MODULES:
        if part(path) == name:
            wrong = {one for one in own_imports(path) if one.split(".")[0] not in {name, *MAY_IMPORT[name]}}
            assert not wrong, f"{path} imports {wrong}"


@pytest.mark.parametrize("name", ["timelapse", "export", "adopt", "watch", "fleet"])
def test_the_function_meets_the_runtime_in_the_contract_alone(name: str) -> None:
    for path in MODULES:
        if part(path) == name:
            met = {one for one in own_imports(path) if one.startswith("runtime.")}
            wrong = {one for one in met if ".".join(one.split(".")[:2]) not in CONTRACT}
            assert not wrong, f"{path} imports {wrong}"


@pytest.mark.parametrize(
    "path", [one for one in MODULES if part(one) == "timelapse" and one.name != "__init__.py"], ids=str
)
def test_imports_within_the_function_point_down(path: Path) -> None:
    name = ".".join(path.with_suffix("").parts[2:])
    for one in own_imports(path):
        if one.startswith("timelapse.") and len(one.split(".")) > 2:
            imported = one.removeprefix("timelapse.")
            assert layer(imported) <= layer(name), f"{path} imports {imported}, which is above it"


@pytest.mark.parametrize(
    ("foreign", "doors"),
    [
        ({"boto3", "botocore"}, {"runtime/state/s3.py", "cli/run_queue.py"}),
        ({"certifi"}, {"runtime/put_sender.py", "cli/check_store.py"}),
        ({"av"}, {"timelapse/video", "export", "adopt"}),
        (
            {"PIL"},
            {
                "timelapse/video/pillow.py",
                "timelapse/video/day_picture_file.py",
                "timelapse/filters/glyphs.py",
                "export",
            },
        ),
        ({"httpx"}, {"runtime/client.py", "runtime/put_sender.py", "cli/check_store.py", "emulator"}),
        ({"h11"}, {"runtime/request_stream.py"}),
        ({"astral"}, {"timelapse/model/sun.py"}),
        ({"numpy"}, {"emulator/scene.py", "timelapse/filters", "timelapse/video", "export/stills.py"}),
        ({"moto", "flask", "werkzeug"}, {"emulator"}),
        ({"simpy"}, {"fleet/simulation.py"}),
    ],
    ids=lambda names: "+".join(sorted(names)),
)
def test_a_library_has_one_door(foreign: set[str], doors: set[str]) -> None:
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
    readers = {path for path in MODULES if reads_environment(path)}
    allowed = {
        Path(PACKAGE, name)
        for name in ("__main__.py", "runtime/extension.py", "runtime/aws_runtime.py", "cli", "dev", "emulator")
    }
    assert Path(PACKAGE, "__main__.py") in readers
    assert not [path for path in readers if not any(path.is_relative_to(one) for one in allowed)]


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
    protocol = [path for path in MODULES if path.is_relative_to(Path(PACKAGE, "runtime/protocol"))]
    assert protocol
    for path in protocol:
        assert not outside_world & {name.split(".")[0] for name in imports(path)}, path
