"""What is said of a function of one's own before it is packaged: each mistake, and what to do."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from scripts.packager import archive
from scripts.packager.__main__ import main
from scripts.packager.archive import check_size
from scripts.packager.failure import PackageFailed
from scripts.packager.own_function import OwnFunction, check_handler
from scripts.packager.own_package import Contents, _leave_out
from scripts.packager.system import ThisMachine
from scripts.packager.wheels import install, platforms_of
from timelapse_runtime.runtime import loader

SOURCE = """
from os import path as imported
try:
    import fast as engine
except ImportError:
    engine = None
if True:
    first, (second, third) = 1, (2, 3)
typed: int = 4
class Counter: ...
async def handle(event, context): ...
"""
NAMES = ("imported", "engine", "first", "third", "typed", "Counter", "handle")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop" / "inner").mkdir(parents=True)
    (tmp_path / "shop" / "app.py").write_text(SOURCE)
    (tmp_path / "shop" / "inner" / "__init__.py").write_text("from shop.app import *\n")
    return tmp_path / "shop"


def own(folder: Path, handler: str | None = None, requirements: Path | None = None) -> OwnFunction:
    return OwnFunction(folder, requirements, handler, folder / "dist")


def test_what_belongs_to_the_function_is_packaged_and_nothing_else(folder: Path) -> None:
    for name in (
        ".git/config",
        ".env",
        "__pycache__/app.pyc",
        "env/pyvenv.cfg",
        "env/lib/a.py",
        "dist/old.zip",
        "a.json",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    assert set(own(folder).files()) == {"app.py", "inner/__init__.py", "a.json"}


@pytest.mark.parametrize("name", NAMES)
def test_each_way_to_define_a_handler_is_seen(name: str, folder: Path) -> None:
    assert own(folder, f"app.{name}").handler == f"app.{name}"


def test_what_a_module_may_take_from_another_is_not_doubted(folder: Path) -> None:
    assert own(folder, "inner.whatever").name == "shop"
    (folder / "lazy.py").write_text("def __getattr__(name): ...")
    assert own(folder, "lazy.whatever").name == "shop"


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        ("Counter", "allowed: module.Name"),
        (".Counter", "allowed: module.Name"),
        ("shop.Counter", r"there is no module shop in .*; it has app, inner.__init__"),
        ("app.Count", "app.py defines no Count; it defines Counter, engine, first, handle"),
    ],
)
def test_a_handler_that_is_not_there_is_told_with_what_is(handler: str, said: str, folder: Path) -> None:
    with pytest.raises(PackageFailed, match=said):
        own(folder, handler)


def test_a_module_of_the_requirements_may_have_the_handler(folder: Path) -> None:
    (folder / "requirements.txt").write_text("shouting")
    function = own(folder, "shouting.handle", folder / "requirements.txt")
    with pytest.raises(PackageFailed, match="there is no module shouting"):
        check_handler("shouting.handle", function.files(), folder)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("late.py", "def broken(:", "late.py is not Python 3"),
        ("late.py", "\0", "late.py is not Python 3"),
        ("queue.py", "", "hides Python's own module queue: rename it"),
        ("python/a.py", "", "a name that the runtime has in the package: rename it"),
        ("bootstrap", "", "a name that the runtime has in the package: rename it"),
    ],
)
def test_a_file_that_cannot_work_is_told(file: str, text: str, said: str, folder: Path) -> None:
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(text)
    with pytest.raises(PackageFailed, match=said):
        own(folder)


def test_what_is_missing_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PackageFailed, match=r"--function .*nowhere: there is no such folder"):
        own(tmp_path / "nowhere")
    with pytest.raises(PackageFailed, match=r"--requirements .*: there is no such file"):
        own(folder, None, folder / "requirements.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackageFailed, match="there is no Python file in it"):
        own(tmp_path / "empty")


def test_options_of_a_function_need_one(capsys: pytest.CaptureFixture[str]) -> None:
    for option in (["--handler", "app.f"], ["--requirements", "a"], ["--leave-out", "*"], ["--aws-services", "s3"]):
        assert main(option) == 1
        assert "is about a function of your own: add --function DIR" in capsys.readouterr().err


def test_what_is_left_out_must_be_there(tmp_path: Path) -> None:
    for name in ("a/tests/b.py", "a/c.py", "botocore/data/s3/x.json", "botocore/data/sqs/x.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    _leave_out(tmp_path, Contents(["*/tests/*"], ["s3"], with_media=False))
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"a/c.py", "botocore/data/s3/x.json"}
    for wrong, said in (
        (Contents(["*/tests/*"], [], with_media=False), "no file is called so"),
        (Contents([], ["s3", "s4"], with_media=False), "--aws-services s4: boto3"),
    ):
        with pytest.raises(PackageFailed, match=said):
            _leave_out(tmp_path, wrong)


def test_too_much_for_lambda_is_told_with_the_largest_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large").write_bytes(bytes(1001))
    monkeypatch.setattr(archive, "LIMIT_UNZIPPED_BYTES", 1000)
    with pytest.raises(PackageFailed, match=r"1,001 bytes unzipped; .* parts: scipy 1,001\. .*--without-media"):
        check_size({"scipy/large": tmp_path / "large"})
    check_size({})


def wheel(folder: Path) -> Path:
    """A package of one module."""
    path = folder / "shouting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("shouting.py", "def shout(text): return text.upper()\n")
        packed.writestr("shouting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
        packed.writestr(
            "shouting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr("shouting-1.0.dist-info/RECORD", "shouting.py,,\n")
    return path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("shouting==1.0 --hash=sha256:{wrong}", "DO NOT MATCH THE HASHES"),
        ("whispering", r"no wheel of whispering for Python 3.*--find-links wheels"),
    ],
)
def test_a_requirement_that_cannot_be_installed_is_told(line: str, said: str, tmp_path: Path) -> None:
    wheel(tmp_path)
    file = tmp_path / "requirements.txt"
    file.write_text(f"--no-index\n--find-links {tmp_path}\n{line.format(wrong='0' * 64)}\n")
    with pytest.raises(PackageFailed, match=said):
        install(file, tmp_path / "out", ThisMachine().platforms)


def test_platforms_are_those_that_the_c_library_can_load() -> None:
    libc = next(path for path in (Path(one) / "libc.so.6" for one in ThisMachine().library_folders) if path.exists())
    tags = platforms_of(libc, "x86_64")
    assert tags[-3:] == ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"]
    assert len(tags) == len(set(tags)) > 10


def test_the_runtime_looks_for_layers_where_lambda_unpacks_them() -> None:
    assert Path("/opt") == loader.LAYERS
