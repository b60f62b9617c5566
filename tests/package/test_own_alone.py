"""A function of one's own, packaged with the runtime, alone in an otherwise empty root, under AWS's emulator."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from scripts.packager.interpreter import VERSION
from scripts.packager.system import this_architecture
from tests.cloud.account import Account, Archives
from tests.package.conftest import ROOT
from tests.package.sandbox import emulator_in_chroot, make_root, unzip
from tests.package.test_own_function import wheel
from tests.programs import require_ministack, require_program

FUNCTION = """
import importlib.util, json, pathlib, sqlite3
import shouting

LAYERS = [name for name in ("another_layer", "layer_of_others") if importlib.util.find_spec(name)]

class Counter:
    def open(self, environment):
        self.has_outbox = environment.outbox is not None
        self.database = sqlite3.connect(":memory:")
        self.database.execute("create table events (text)")
        self.saved, variables = None, environment.variables
        if bucket := variables.get("STATE_BUCKET"):
            from timelapse_runtime.runtime import S3Store, StoredCheckpoint, make_client  # boto3 is not in the package

            self.saved = StoredCheckpoint(S3Store(make_client(variables=variables), bucket), "texts")

    def invoke(self, event, context):
        layers = [importlib.import_module(name).NAME for name in LAYERS]
        self.database.execute("insert into events values (?)", [shouting.shout(event["text"])])
        texts = [text for text, in self.database.execute("select text from events")]
        if self.saved:
            self.saved.replace(json.dumps(texts).encode())
        return {"texts": texts, "layers": layers, "outbox": self.has_outbox}

    def flush(self, deadline):
        pathlib.Path("/tmp/count").write_text(json.dumps(len(list(self.database.execute("select 1 from events")))))
"""
EVERY_MODULE = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
missing = {}
for name in sorted(sys.stdlib_module_names - {"antigravity", "this", "__main__"}):
    try:
        importlib.import_module(name)
    except ImportError as error:
        missing[name] = str(error)
print(json.dumps(missing))
"""
LEFT_OUT = {
    "turtle", "turtledemo", "tkinter", "_tkinter", "idlelib", "curses", "_curses", "_curses_panel",  # a screen
    "readline",  # GPL, and of a terminal
    "lib2to3", "distutils", "ensurepip", "venv", "pydoc_data", "doctest",  # for development
    "dbm", "_dbm", "_gdbm", "nis", "spwd", "_crypt", "crypt", "ossaudiodev",  # what was removed from Python, or GPL
    "_pyio", "_pydecimal",  # twins, in Python, of what is there in C
    "_winapi", "_overlapped", "_msi", "_scproxy", "winreg", "winsound", "msvcrt", "msilib", "nt",
}  # fmt: skip
"""Modules of the standard library that a package may lack."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of one build, without media."""
    require_program("dpkg-query")
    folder = tmp_path_factory.mktemp("own") / "counter"
    folder.mkdir()
    (folder / "app.py").write_text(FUNCTION)
    digest = hashlib.sha256(wheel(folder.parent).read_bytes()).hexdigest()
    required = f"--no-index\n--find-links {folder.parent}\nshouting==1.0 --hash=sha256:{digest}\n"
    (folder / "requirements.txt").write_text(required)
    command = [
        str(ROOT / "scripts" / "package"),
        "--without-media",
        "--function",
        str(folder),
        "--handler",
        "app.Counter",
    ]
    command += ["--out", str(folder.parent / "dist")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def root(report: dict[str, Any], emulator_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function and its layers, as Lambda unpacks them."""
    root = make_root(tmp_path_factory.mktemp("root") / "root", emulator_binary)
    unzip(Path(report["path"]), root / "var" / "task")
    unzip(Path(report["extension_layer"]), root / "opt")
    packages = root / "opt" / "python" / "lib" / f"python{VERSION}" / "site-packages"
    for folder, name in ((packages, "layer_of_others"), (root / "opt" / "python", "another_layer")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text(f"NAME = {name!r}\n")
    # The package's own module is found before a layer's.
    (packages / "shouting.py").write_text("raise AssertionError\n")
    return root


def test_it_keeps_its_state_with_its_requirements_and_layers_of_others(
    root: Path, ending: ExitStack, tmp_path: Path
) -> None:
    running = ending.enter_context(
        emulator_in_chroot(
            root, tmp_path / "scratch", bootstrap=Path("/var/task/bootstrap"), handler="app.Counter", variables={}
        )
    )
    layers = ["another_layer", "layer_of_others"]
    assert running.invoke({"text": "one"}).payload == {"texts": ["ONE"], "layers": layers, "outbox": True}
    assert running.invoke({"text": "two"}).payload["texts"] == ["ONE", "TWO"]
    running.shutdown()
    assert json.loads((root / "tmp" / "count").read_text()) == 2


def test_it_is_deployed_by_its_template_and_keeps_its_state_in_its_bucket(
    report: dict[str, Any], tmp_path: Path
) -> None:
    """In ministack: what that leaves out is in tests/cloud/account.py, the extension above all."""
    require_ministack()
    with Account(Archives(Path(report["path"]), Path(report["extension_layer"])), tmp_path) as account:
        account.deploy("function", reserved=1, parameters={"Handler": "app.Counter"})
        texts = [json.loads(account.answer("Function", {"text": text}) or "")["texts"] for text in ("one", "two")]
        assert texts == [["ONE"], ["ONE", "TWO"]]
        assert json.loads(account.store("StateBucket").get("texts").body) == ["ONE", "TWO"]
        assert account.environments() == 1


def test_every_module_of_python_is_there_but_those_that_are_left_out(root: Path) -> None:
    """scipy, scikit-learn, pandas, pydantic and SQLAlchemy need some of the rarest (test_scientific.py)."""
    program = ["chroot", str(root), "/var/task/python/bin/python3", "-c", EVERY_MODULE]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    missing = json.loads(done.stdout)
    assert {name: why for name, why in missing.items() if name not in LEFT_OUT} == {}
    assert "_tkinter" in missing  # it would be noticed


def test_it_is_small_and_nothing_in_it_is_under_the_gpl(report: dict[str, Any]) -> None:
    package = Path(report["path"])
    assert package.name == f"counter-python{VERSION}-{this_architecture()}.zip"
    assert package.with_name("own-function.zip").resolve() == package.resolve()
    assert report["zipped_bytes"] <= 15_000_000
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        about = archive.read("LICENSES/README.txt").decode()
    below = (one.partition("site-packages/")[2].partition("/") for one in names if "site-packages/" in one)
    parts = {re.sub(r"-[0-9.]+\.dist-info|\.pyc", "", top) for top, _, _ in below}
    theirs = {"anyio", "certifi", "h11", "httpcore", "httpx", "idna", "typing_extensions", "tzdata"}
    assert parts - {"layers.pth"} == theirs
    assert [one for one in names if re.search(r"libav|x26[45]|pyav|/font/|timelapse_runtime/timelapse/", one)] == []
    assert "GPL" not in about
    assert {"app.py", "shouting.py", "bootstrap", "timelapse_runtime/start.sh"} <= set(names)
    assert "__pycache__/app.cpython-311.pyc".replace("311", VERSION.replace(".", "")) in names
