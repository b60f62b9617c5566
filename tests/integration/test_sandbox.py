"""The shutdown sequence of the local Lambda environment, with toy processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.sandbox import ShutdownBudget

MakeLambda = Callable[..., LocalLambda]


def test_extension_gets_shutdown_after_the_runtime_has_ended(
    make_lambda: MakeLambda, toy_extension: Any, journal: Any
) -> None:
    with make_lambda(extensions=toy_extension("watcher")) as environment:
        environment.invoke({})
        report = environment.shutdown()
    (sigterm,), (leaves,), (notified,) = (
        journal.of(*line) for line in (("runtime", "sigterm"), ("runtime", "leaves"), ("watcher", "SHUTDOWN"))
    )
    assert sigterm["at"] < leaves["at"] < notified["at"]
    assert notified["plan_found"]
    assert notified["event"]["shutdownReason"] == report.reason == "spindown"
    assert (report.runtime_killed, report.extensions["watcher"].killed) == (False, False)
    assert report.runtime_exit_ms is not None
    assert report.runtime_exit_ms > 0


def test_shutdown_deadline_counts_from_sigterm(make_lambda: MakeLambda, toy_extension: Any, journal: Any) -> None:
    budget = ShutdownBudget(runtime_ms=50, total_ms=20_000)
    with make_lambda({"TOY_SIGTERM": "ignore"}, toy_extension("watcher"), shutdown_budget=budget) as environment:
        environment.invoke({})
        environment.shutdown()
    ((notified,), (sigterm,)) = (journal.of("watcher", "SHUTDOWN"), journal.of("runtime", "sigterm"))
    left_ms = notified["event"]["deadlineMs"] - notified["epoch_ms"]
    # The extension saw it after the runtime's 50 ms, so what is left is less than the total by at least these.
    assert 0 < left_ms <= budget.total_ms - budget.runtime_ms + 1
    assert notified["at"] > sigterm["at"]


def test_runtime_that_does_not_end_is_killed_at_its_deadline(make_lambda: MakeLambda, toy_extension: Any) -> None:
    with make_lambda({"TOY_SIGTERM": "ignore"}, toy_extension("watcher")) as environment:
        environment.invoke({})
        report = environment.shutdown()
    assert report.runtime_killed
    assert report.runtime_exit_ms is not None
    assert report.runtime_exit_ms >= 300
    assert not report.extensions["watcher"].killed


def test_extension_that_does_not_end_is_killed_at_the_total_limit(make_lambda: MakeLambda, toy_extension: Any) -> None:
    budget = ShutdownBudget(total_ms=500)
    toy_extension("polite")
    folder = toy_extension("stubborn", behaviour="ignore shutdown")
    with make_lambda(extensions=folder, shutdown_budget=budget) as environment:
        environment.invoke({})
        report = environment.shutdown()
    assert report.runtime_exit_ms is not None
    stubborn = report.extensions["stubborn"]
    assert stubborn.killed
    assert stubborn.exit_ms + report.runtime_exit_ms >= 450  # of 500, less what lies between the two measurements
    assert not report.extensions["polite"].killed


def test_extension_that_did_not_register_for_shutdown_is_killed(
    make_lambda: MakeLambda, toy_extension: Any, journal: Any
) -> None:
    with make_lambda(extensions=toy_extension("listener", "INVOKE")) as environment:
        environment.invoke({})
        report = environment.shutdown()
    assert report.extensions["listener"].killed
    assert not journal.of("listener", "SHUTDOWN")
    assert not report.runtime_killed


def test_without_extensions_the_runtime_gets_no_sigterm(make_lambda: MakeLambda, journal: Any) -> None:
    with make_lambda() as environment:
        environment.invoke({})
        report = environment.shutdown()
    assert report.runtime_killed
    assert not journal.of("runtime", "sigterm")


def test_with_an_internal_extension_the_runtime_gets_sigterm(make_lambda: MakeLambda, journal: Any) -> None:
    with make_lambda({"TOY_INTERNAL": ""}) as environment:
        environment.invoke({})
        report = environment.shutdown()
    assert not report.runtime_killed
    assert journal.of("runtime", "leaves")
    assert not journal.of("runtime", "internal event")


def test_internal_extension_alone_gives_the_runtime_500_ms(make_lambda: MakeLambda) -> None:
    with make_lambda({"TOY_INTERNAL": "", "TOY_SIGTERM": "ignore"}) as environment:
        environment.invoke({})
        report = environment.shutdown()
    assert report.runtime_killed
    assert report.runtime_exit_ms is not None
    assert report.runtime_exit_ms >= 500


def test_kill_sends_neither_sigterm_nor_shutdown(make_lambda: MakeLambda, toy_extension: Any, journal: Any) -> None:
    with make_lambda(extensions=toy_extension("watcher")) as environment:
        environment.invoke({})
        environment.kill()
    assert not journal.of("runtime", "sigterm")
    assert not journal.of("watcher", "SHUTDOWN")


def test_shutdown_without_a_sandbox_reports_nothing(make_lambda: MakeLambda) -> None:
    report = make_lambda().shutdown()
    assert (report.runtime_exit_ms, report.runtime_killed, report.extensions) == (None, False, {})
