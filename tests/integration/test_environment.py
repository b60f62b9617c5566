"""The local Lambda environment with toy processes: init, invocations, time-outs, crashes, resource usage."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from timelapse_runtime.emulator.control_plane import RESPONSE_LIMIT_BYTES
from timelapse_runtime.emulator.environment import FUNCTION_ARN, LocalLambda

MakeLambda = Callable[..., LocalLambda]


def state_of(pid: int) -> str:
    """The process's state as the kernel sees it: S, R, T (stopped), Z …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_runtime_starts_when_all_external_extensions_have_registered(
    make_lambda: MakeLambda, toy_extension: Any, journal: Any
) -> None:
    toy_extension("quick")
    with make_lambda(extensions=toy_extension("slow", behaviour="register late")) as environment:
        assert environment.invoke({}).error_type is None
    begun = journal.of("runtime", "init")[0]["at"]
    for name in ("quick", "slow"):
        (registered,) = journal.of(name, "registered")
        assert registered["status"] == 200
        assert registered["body"]["handler"] == "toy.handler"
        assert registered["at"] < begun


def test_environment_variables_are_those_of_lambda(make_lambda: MakeLambda, toy_extension: Any, journal: Any) -> None:
    with make_lambda({"MINE": "1"}, toy_extension("watcher"), memory_size_mb=512) as environment:
        environment.invoke({})
        temporary_folder = str(environment.temporary_folder)
    runtime = journal.of("runtime", "init")[0]["variables"]
    extension = journal.of("watcher", "start")[0]["variables"]
    for variables in (runtime, extension):
        assert variables["MINE"] == "1"
        assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
        assert variables["TMPDIR"] == temporary_folder
        assert "PYTEST_CURRENT_TEST" not in variables
    assert runtime["_HANDLER"] == "toy.handler"
    assert runtime["LAMBDA_TASK_ROOT"] == journal.of("runtime", "init")[0]["folder"]
    assert "_HANDLER" not in extension


def test_invocation_carries_all_headers(make_lambda: MakeLambda) -> None:
    with make_lambda(timeout_seconds=20) as environment:
        outcome = environment.invoke(
            {"a": "é"}, tenant_id="gate", client_context={"k": 1}, cognito_identity={"id": 2}, trace_id="Root=1"
        )
    assert outcome.payload is not None
    headers = outcome.payload["headers"]
    assert outcome.payload["event"] == {"a": "é"}
    assert headers["Lambda-Runtime-Aws-Request-Id"] == outcome.request_id
    assert headers["Lambda-Runtime-Invoked-Function-Arn"] == FUNCTION_ARN
    assert headers["Lambda-Runtime-Aws-Tenant-Id"] == "gate"
    assert headers["Lambda-Runtime-Client-Context"] == '{"k": 1}'
    assert headers["Lambda-Runtime-Cognito-Identity"] == '{"id": 2}'
    assert headers["Lambda-Runtime-Trace-Id"] == "Root=1"
    assert int(headers["Lambda-Runtime-Deadline-Ms"]) > 1_700_000_000_000


def test_headers_without_a_value_are_absent(make_lambda: MakeLambda) -> None:
    with make_lambda() as environment:
        outcome = environment.invoke({}, trace_id=None)
    assert outcome.payload is not None
    assert {name for name in outcome.payload["headers"] if name.startswith("Lambda-")} == {
        "Lambda-Runtime-Aws-Request-Id",
        "Lambda-Runtime-Deadline-Ms",
        "Lambda-Runtime-Invocation-Id",
        "Lambda-Runtime-Invoked-Function-Arn",
    }


def test_function_error_leaves_the_environment_alive(make_lambda: MakeLambda) -> None:
    with make_lambda() as environment:
        failed, after = environment.invoke({"do": "error"}), environment.invoke({})
        assert (failed.error_type, failed.crashed, failed.timed_out) == ("Function.Toy", False, False)
        assert failed.error == {"errorType": "Function.Toy", "errorMessage": "as the test wished"}
        assert (failed.init, after.init, environment.cold_starts) == (True, False, 1)


def test_all_processes_are_stopped_between_invocations(make_lambda: MakeLambda, toy_extension: Any) -> None:
    toy_extension("watcher", "SHUTDOWN")
    with make_lambda(extensions=toy_extension("listener", "INVOKE,SHUTDOWN")) as environment:
        for _ in range(3):
            assert environment.invoke({}).error_type is None
            states = {name: state_of(pid) for name, pid in environment.process_ids.items()}
            assert states == {"runtime": "T", "watcher": "T", "listener": "T"}


def test_without_freeze_nothing_is_stopped(make_lambda: MakeLambda) -> None:
    with make_lambda(freeze=False) as environment:
        environment.invoke({})
        assert state_of(environment.process_ids["runtime"]) in {"S", "R"}


def test_invocation_lasts_until_its_extensions_wait_again(
    make_lambda: MakeLambda, toy_extension: Any, journal: Any
) -> None:
    with make_lambda(extensions=toy_extension("listener", "INVOKE", "slow at invoke")) as environment:
        outcomes = [environment.invoke({}) for _ in range(2)]
        (first, second) = journal.wait_for("listener", "INVOKE", 2)
    assert [line["event"]["requestId"] for line in (first, second)] == [outcome.request_id for outcome in outcomes]
    assert journal.of("listener", "ready again")[0]["at"] < second["at"]
    assert first["event"]["tracing"]["type"] == "X-Amzn-Trace-Id"


def test_only_the_first_response_with_the_right_id_counts(make_lambda: MakeLambda, journal: Any) -> None:
    with make_lambda() as environment:
        assert environment.invoke({"do": "answer twice"}).payload == 2
        assert journal.wait_for("runtime", "answered")[0]["statuses"] == [400, 202, 403, 403]


@pytest.mark.parametrize("excess_bytes", [0, 1])
def test_response_over_the_limit_gets_413_and_fails_the_invocation(
    make_lambda: MakeLambda, journal: Any, excess_bytes: int
) -> None:
    with make_lambda() as environment:
        outcome = environment.invoke({"do": "answer in bytes", "size_bytes": RESPONSE_LIMIT_BYTES + excess_bytes})
        statuses = journal.wait_for("runtime", "answered")[0]["statuses"]
    if excess_bytes:
        assert (statuses, outcome.error_type, outcome.crashed) == ([413, 403], "Function.ResponseSizeTooLarge", False)
    else:
        assert (statuses, outcome.error_type) == ([202, 403], None)


def test_timeout_resets_the_environment_and_keeps_its_temporary_files(
    make_lambda: MakeLambda, toy_extension: Any, journal: Any
) -> None:
    with make_lambda(extensions=toy_extension("watcher"), timeout_seconds=1.0) as environment:
        first = environment.invoke({})
        slow = environment.invoke({"do": "sleep", "seconds": 60})
        assert (slow.timed_out, slow.crashed, slow.error_type) == (True, False, "Sandbox.Timedout")
        assert environment.process_ids == {}
        after = environment.invoke({})
        assert (after.init, environment.cold_starts) == (True, 2)
    assert first.payload is not None
    assert after.payload is not None
    assert f"written-in-{first.payload['pid']}" in after.payload["temporary files"]
    assert [line["event"]["shutdownReason"] for line in journal.of("watcher", "SHUTDOWN")] == ["timeout"]


def test_crash_resets_the_environment_and_keeps_its_temporary_files(
    make_lambda: MakeLambda, toy_extension: Any, journal: Any
) -> None:
    with make_lambda(extensions=toy_extension("watcher")) as environment:
        environment.invoke({})
        crashed = environment.invoke({"do": "exit", "code": 3})
        assert (crashed.crashed, crashed.timed_out, crashed.error_type) == (True, False, "Runtime.ExitError")
        assert crashed.error is not None
        assert "exit status 3" in crashed.error["errorMessage"]
        after = environment.invoke({})
        assert after.payload is not None
        assert len(after.payload["temporary files"]) == 1
    assert [line["event"]["shutdownReason"] for line in journal.of("watcher", "SHUTDOWN")] == ["failure"]


def test_response_before_a_crash_is_kept(make_lambda: MakeLambda) -> None:
    with make_lambda() as environment:
        outcome = environment.invoke({"do": "answer and exit"})
    assert (outcome.payload, outcome.crashed) == ("before", True)


def test_extension_crash_ends_the_environment(make_lambda: MakeLambda, toy_extension: Any) -> None:
    with make_lambda(extensions=toy_extension("fragile", "INVOKE", "crash at invoke")) as environment:
        outcome = environment.invoke({"do": "sleep", "seconds": 60})
        assert (outcome.crashed, outcome.error_type) == (True, "Extension.Crash")
        assert environment.process_ids == {}


def test_runtime_killed_while_frozen_fails_the_next_invocation(make_lambda: MakeLambda) -> None:
    with make_lambda() as environment:
        environment.invoke({})
        os.kill(environment.process_ids["runtime"], 9)
        outcome = environment.invoke({})
        assert (outcome.crashed, outcome.error_type) == (True, "Runtime.ExitError")
        assert environment.invoke({}).error_type is None


@pytest.mark.parametrize(("behaviour", "error_type"), [("error", "Runtime.ToyInit"), ("exit", "Runtime.ExitError")])
def test_failed_init_is_retried_once_and_then_reported(
    make_lambda: MakeLambda, behaviour: str, error_type: str
) -> None:
    with make_lambda({"TOY_INIT": behaviour}) as environment:
        outcome = environment.invoke({})
        assert (outcome.error_type, outcome.crashed, outcome.payload) == (error_type, True, None)
        assert environment.cold_starts == 2


def test_init_that_takes_too_long_is_run_again_within_the_invocation(make_lambda: MakeLambda) -> None:
    with make_lambda({"TOY_INIT": "hang at first"}, init_timeout_seconds=1.0) as environment:
        outcome = environment.invoke({})
        assert outcome.error_type is None
        assert environment.cold_starts == 2


def test_init_error_of_an_extension_is_reported(make_lambda: MakeLambda, toy_extension: Any, journal: Any) -> None:
    with make_lambda(extensions=toy_extension("broken", behaviour="init error")) as environment:
        assert environment.invoke({}).error_type == "Extension.Toy"
    assert journal.of("broken", "init error")[0]["status"] == 202


def test_program_that_cannot_be_run_is_an_init_failure(make_lambda: MakeLambda, toy_bootstrap: Path) -> None:
    toy_bootstrap.write_text("#!/no/such/interpreter\n")
    with make_lambda() as environment:
        outcome = environment.invoke({})
        assert (outcome.crashed, outcome.error_type) == (True, "Runtime.ExitError")


@pytest.mark.parametrize(("events", "status"), [("", 200), ("INVOKE", 200), ("SHUTDOWN", 403)])
def test_internal_extension_may_not_register_for_shutdown(
    make_lambda: MakeLambda, journal: Any, events: str, status: int
) -> None:
    with make_lambda({"TOY_INTERNAL": events}) as environment:
        assert environment.invoke({}).error_type is None
    (registered,) = journal.of("runtime", "registered")
    assert registered["status"] == status
    assert ("ShutdownEventNotSupportedForInternalExtension" in registered["body"]) == (status == 403)


def test_lost_host_loses_its_temporary_files(make_lambda: MakeLambda) -> None:
    with make_lambda() as environment:
        environment.invoke({})
        environment.kill()
        assert environment.process_ids == {}
        after = environment.invoke({})
        assert after.init
        assert after.payload is not None
        assert after.payload["temporary files"] == []


def test_temporary_files_survive_a_clean_restart_when_asked(make_lambda: MakeLambda) -> None:
    with make_lambda(keep_temporary_files=True) as environment:
        environment.invoke({})
        environment.shutdown()
        after = environment.invoke({})
        assert after.payload is not None
        assert len(after.payload["temporary files"]) == 1


def test_kill_from_another_thread_ends_a_running_invocation(make_lambda: MakeLambda, journal: Any) -> None:
    with make_lambda() as environment:
        environment.invoke({})

        def kill_it_asleep() -> None:
            journal.wait_for("runtime", "sleeps")
            environment.kill()

        killer = threading.Thread(target=kill_it_asleep)
        killer.start()
        outcome = environment.invoke({"do": "sleep", "seconds": 60})
        killer.join()
        assert outcome.crashed
        assert environment.invoke({}).error_type is None


def test_usage_sums_cpu_and_keeps_the_largest_memory_over_restarts(make_lambda: MakeLambda) -> None:
    with make_lambda() as environment:
        environment.invoke({"do": "burn", "seconds": 0.3})
        environment.invoke({"do": "use memory", "size_bytes": 100_000_000})
        first = environment.usage
        environment.shutdown()
        environment.invoke({"do": "burn", "seconds": 0.3})
        second = environment.usage
    assert first.cpu_seconds >= 0.3
    assert second.cpu_seconds >= first.cpu_seconds + 0.3
    assert second.peak_rss_bytes == first.peak_rss_bytes > 100_000_000


def test_usage_does_not_count_the_memory_of_the_parent(make_lambda: MakeLambda) -> None:
    ballast = b"x" * 200_000_000
    with make_lambda() as environment:
        environment.invoke({})
        assert 0 < environment.usage.peak_rss_bytes < len(ballast) // 2


def test_processes_end_with_the_python_process(toy_bootstrap: Path, tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.deployment import Deployment
deployment = Deployment(bootstrap=Path({str(toy_bootstrap)!r}), handler="", extensions=None, task_root=Path("/"))
environment = LocalLambda(deployment=deployment, variables={{}}, temp_folder=Path({str(tmp_path)!r}))
environment.invoke({{}})
print(environment.process_ids["runtime"], flush=True)
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        runtime = os.pidfd_open(int(process.stdout.readline()))
        try:
            process.kill()
            readable, _, _ = select.select([runtime], [], [], 30)
            assert readable, "the frozen runtime outlived its environment"
        finally:
            os.close(runtime)
