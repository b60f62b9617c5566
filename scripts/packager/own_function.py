"""A function of one's own: its files, its requirements, and what is wrong with them, said before anything is built."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.packager.failure import PackageFailed
from scripts.packager.selection import OPTIONAL, distribution, distributions

_LEFT_OUT = {"__pycache__", "node_modules"}
_OF_THE_RUNTIME = {"bootstrap", "python", "timelapse_runtime", "LICENSES"}
"""Names at the root of a package."""


@dataclass(frozen=True, slots=True)
class OwnFunction:
    """What `--function`, `--requirements` and `--handler` name. Raises PackageFailed if it cannot be right.

    `out`, where the archives go, is not part of it.
    """

    folder: Path
    requirements: Path | None
    handler: str | None
    out: Path

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise PackageFailed(f"--function {self.folder}: there is no such folder")
        if self.requirements is not None and not self.requirements.is_file():
            raise PackageFailed(f"--requirements {self.requirements}: there is no such file")
        files = self.files()
        if not any(name.endswith(".py") for name in files):
            raise PackageFailed(f"--function {self.folder}: there is no Python file in it")
        _check_names(files, self.folder)
        for name, path in files.items():
            if name.endswith(".py"):
                _parse(path)
        if self.handler is not None and (self.requirements is None or _module_of(self.handler, files)):
            check_handler(self.handler, files, self.folder)

    @property
    def name(self) -> str:
        """Of its archives: that of the folder."""
        return self.folder.resolve().name

    def files(self) -> dict[str, Path]:
        """What is deployed, by its name in the archive. Hidden files are not (.git, .env), nor virtual environments."""
        return dict(_files(self.folder, "", self.out.resolve()))


def check_handler(handler: str, files: Mapping[str, Path], folder: Path) -> None:
    """See, without running anything, whether a handler is there. Raises PackageFailed with what is there instead."""
    module, _, attribute = handler.rpartition(".")
    if not module or not attribute:
        raise PackageFailed(f"--handler {handler}: allowed: module.Name, as in app.Counter or package.app.handler")
    path = _module_of(handler, files)
    if path is None:
        there = sorted(name[:-3].replace("/", ".") for name in files if name.endswith(".py") and name.count("/") < 2)
        raise PackageFailed(
            f"--handler {handler}: there is no module {module} in {folder}; it has {', '.join(there[:20])}"
        )
    names = set(_defined(_parse(path).body))
    if attribute not in names and not names & {"*", "__getattr__"}:
        public = sorted(name for name in names if not name.startswith("_"))
        raise PackageFailed(
            f"--handler {handler}: {path} defines no {attribute}; it defines {', '.join(public) or 'nothing'}"
        )


def constraints(installed: Path, *, with_media: bool) -> str:
    """The versions of the packages that the runtime needs, as pip's constraints: those that the function brings are
    found before them."""
    free = frozenset() if with_media else OPTIONAL
    pins = (path.name.removesuffix(".dist-info").split("-")[:2] for path in distributions(installed, free))
    return "".join(f"{name}=={version}\n" for name, version in pins)


def brought(folder: Path) -> set[str]:
    """The names of the distributions that were installed into a folder."""
    return {distribution(path) for path in folder.glob("*.dist-info")}


def _check_names(files: Mapping[str, Path], folder: Path) -> None:
    for top in sorted({name.partition("/")[0] for name in files}):
        if top in _OF_THE_RUNTIME:
            raise PackageFailed(f"{folder / top} has a name that the runtime has in the package: rename it")
        if top.removesuffix(".py") in sys.stdlib_module_names:
            raise PackageFailed(f"{folder / top} hides Python's own module {top.removesuffix('.py')}: rename it")


def _files(folder: Path, prefix: str, out: Path) -> Iterator[tuple[str, Path]]:
    entries = sorted(folder.iterdir())
    if prefix and any(entry.name == "pyvenv.cfg" for entry in entries):
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _LEFT_OUT or entry.suffix == ".pyc":
            continue
        if entry.is_dir():
            if entry.resolve() != out:
                yield from _files(entry, f"{prefix}{entry.name}/", out)
        elif entry.is_file():
            yield prefix + entry.name, entry


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes
        raise PackageFailed(f"{path} is not Python {sys.version_info[0]}.{sys.version_info[1]}: {error}") from error


def _module_of(handler: str, files: Mapping[str, Path]) -> Path | None:
    stem = handler.rpartition(".")[0].replace(".", "/")
    return next((files[name] for name in (f"{stem}.py", f"{stem}/__init__.py") if name in files), None)


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    """The names that a module's statements define, `*` if one takes all of another module."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (one.asname or one.name.partition(".")[0] for one in names)
            case ast.Assign(targets=targets):
                yield from (one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case _:
                for field in ("body", "orelse", "finalbody"):
                    yield from _defined(getattr(node, field, []))
                for handler in getattr(node, "handlers", []):
                    yield from _defined(handler.body)
