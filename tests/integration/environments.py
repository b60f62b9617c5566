"""The local environment and AWS's emulator with one interface, as far as tests of a function need it."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.rie import Emulator


class UnderRie:
    """AWS's emulator with the interface of the local environment, as far as these tests need it."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.shutdown = emulator.shutdown

    def invoke(self, event: Any) -> Any:
        response = self._emulator.invoke(event)
        try:
            return response.payload
        except ValueError:  # a time-out: the one result in plain text
            return response.body.decode()


class UnderLocalLambda:
    """The local environment; `invoke` returns the payload or the error."""

    def __init__(self, environment: LocalLambda) -> None:
        self._environment = environment
        self.shutdown = environment.shutdown

    def invoke(self, event: Any) -> Any:
        outcome = self._environment.invoke(event)
        return outcome.payload if outcome.error_type is None else outcome.error


def started(
    request: pytest.FixtureRequest, ending: ExitStack, journal: Any, options: dict[str, Any]
) -> UnderLocalLambda | UnderRie:
    """An environment with these options until `ending`: which of the two, the fixture's parameter says."""
    if request.param == "local":
        return UnderLocalLambda(ending.enter_context(LocalLambda(**options, on_log=journal)))
    binary = request.getfixturevalue("emulator_binary")
    emulator = Emulator(**options, binary=binary, on_log=lambda line: journal("emulator", line))
    return UnderRie(ending.enter_context(emulator))


def kill_runtime(mark: str) -> None:
    """SIGKILL to the runtime in whose variables `mark` is, as the kernel sends it to a process that takes too much."""
    found = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            is_runtime = folder.joinpath("cmdline").read_bytes().endswith(b"-mtimelapse_runtime\0")
            if is_runtime and mark.encode() in folder.joinpath("environ").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)
                found += 1
    assert found == 1
