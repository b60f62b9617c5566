"""Toy processes that use Lambda's APIs, for the tests of the local environment and of AWS's emulator."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from timelapse_runtime.emulator import rie
from timelapse_runtime.emulator.deployment import Deployment
from timelapse_runtime.emulator.environment import LocalLambda

TOYS = Path(__file__).parent / "toys"


class Journal:
    """The lines that the toys printed, in the order of their time stamps."""

    def __init__(self) -> None:
        self.text: list[tuple[str, str]] = []
        self._changed = threading.Condition()

    def __call__(self, source: str, line: str) -> None:
        with self._changed:
            self.text.append((source, line))
            self._changed.notify_all()

    @property
    def lines(self) -> list[dict[str, Any]]:
        found = [json.loads(line) for _, line in self.text if line.startswith('{"process"')]
        return sorted(found, key=lambda line: line["at"])

    @property
    def said(self) -> list[str]:
        return [line for _, line in self.text]

    def of(self, process: str, action: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if (line["process"], line["action"]) == (process, action)]

    def wait_for(self, process: str, action: str, count: int = 1) -> list[dict[str, Any]]:
        """Lines come from a thread, possibly after the invocation that printed them has ended."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.of(process, action)) >= count, 30), self.text
        return self.of(process, action)


@pytest.fixture
def journal() -> Journal:
    return Journal()


def _script(path: Path, *command: str) -> Path:
    quoted = " ".join(f"'{word}'" for word in command)
    path.write_text(f"#!/bin/sh\nexec {quoted}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def toy_bootstrap(tmp_path: Path) -> Path:
    """An executable that runs toys/bootstrap.py."""
    (tmp_path / "task").mkdir()
    return _script(tmp_path / "task" / "bootstrap", sys.executable, str(TOYS / "bootstrap.py"))


@pytest.fixture
def extensions_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "extensions"
    folder.mkdir()
    return folder


@pytest.fixture
def toy_extension(extensions_folder: Path) -> Callable[..., Path]:
    """Puts an executable that runs toys/extension.py into the folder of extensions, and returns that folder."""

    def make(name: str, events: str = "SHUTDOWN", behaviour: str = "") -> Path:
        _script(extensions_folder / name, sys.executable, str(TOYS / "extension.py"), name, events, behaviour)
        return extensions_folder

    return make


def toy_deployment(bootstrap: Path, extensions: Path | None) -> Deployment:
    return Deployment(bootstrap=bootstrap, extensions=extensions, task_root=bootstrap.parent, handler="toy.handler")


def _children() -> set[str]:
    found = set[str]()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):  # the thread has ended since
            found.update(path.read_text().split())
    return found


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    """Closed after the test. Fails if a thread, a process or a zombie is left then."""
    threads, children = set(threading.enumerate()), _children()
    with ExitStack() as stack:
        yield stack
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)  # one that served a process sees its end a moment later
    assert set(threading.enumerate()) <= threads
    assert _children() <= children


@pytest.fixture
def make_lambda(toy_bootstrap: Path, tmp_path: Path, journal: Journal, ending: ExitStack) -> Callable[..., LocalLambda]:
    """Makes environments around the toys."""

    def make(variables: dict[str, str] | None = None, extensions: Path | None = None, **options: Any) -> LocalLambda:
        return ending.enter_context(
            LocalLambda(
                deployment=toy_deployment(toy_bootstrap, extensions),
                variables=variables or {},
                temp_folder=tmp_path,
                on_log=journal,
                **options,
            )
        )

    return make


@pytest.fixture(scope="session")
def emulator_binary() -> Path:
    """AWS's emulator, downloaded once. Skips the test if it cannot be downloaded or cannot run."""
    reason = rie.why_not_here()
    if reason is not None:
        pytest.skip(f"AWS's emulator (RIE) cannot run here: {reason}")
    try:
        return rie.fetch_emulator(Path(__file__).parents[2] / ".tools")
    except rie.EmulatorUnavailable as error:
        pytest.skip(f"AWS's emulator (RIE) cannot be downloaded: {error}")
