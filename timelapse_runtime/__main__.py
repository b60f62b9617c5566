"""The runtime's process: `python -m timelapse_runtime`, started by `bootstrap`. Wiring only.

Exit codes: 0 after SIGTERM, 1 when init failed or the process could not go on. The process ends without
Python's own farewell (atexit, module teardown): it would cost tens of the 300 ms that a shutdown has.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from timelapse_runtime.runtime import loader, log, outbox
from timelapse_runtime.runtime.clock import Clock, SystemClock
from timelapse_runtime.runtime.errors import ConfigError
from timelapse_runtime.runtime.exchange import Transport
from timelapse_runtime.runtime.function import StatefulFunction
from timelapse_runtime.runtime.internal_extension import register_internally
from timelapse_runtime.runtime.loop import EXIT_FAILED, EXIT_LEFT, Runtime
from timelapse_runtime.runtime.termination import BUDGET_WITH_INTERNAL_EXTENSION_MS, Terminated, Termination
from timelapse_runtime.runtime.transport import SocketTransport

LEFT_PLANS_MS = 3_000
"""For plans that an earlier process left, out of the 10 s that init has."""

logger = logging.getLogger("timelapse_runtime")


def main() -> int:
    """Run the process; the exit code."""
    clock = SystemClock()
    termination = Termination(clock)
    try:
        termination.listen()
        scope = log.configure(os.environ, sys.stderr)
        variables = dict(os.environ)
        try:
            transport = SocketTransport(_required(variables, "AWS_LAMBDA_RUNTIME_API", "host:port, as Lambda sets it"))
        except ConfigError as error:
            logger.critical("%s", error)
            return EXIT_FAILED
        return Runtime(
            transport=transport,
            resolve=lambda: _resolve(variables),
            prepare=lambda: _prepare(variables, transport, clock, termination),
            variables=os.environ,
            scope=scope,
            clock=clock,
            termination=termination,
            pause=time.sleep,
        ).run()
    except Terminated:  # before there was anything to leave
        return EXIT_LEFT


def _resolve(variables: Mapping[str, str]) -> StatefulFunction:
    name = _required(variables, "_HANDLER", "module.attribute")
    return loader.resolve(name, Path(variables.get("LAMBDA_TASK_ROOT") or Path.cwd()))


def _prepare(variables: Mapping[str, str], transport: Transport, clock: Clock, termination: Termination) -> Path | None:
    """Ready the shutdown that is to come, and finish the one that was; the folder for plans if an extension waits.

    Trouble with the folder fails nothing: a shutdown makes the video fresher, never right.
    """
    plans = outbox.folder(variables)
    has_extension = False
    try:
        has_extension = outbox.is_announced(plans)
        if outbox.are_left(plans):
            _carry_out(plans, clock)
    except OSError:
        logger.exception("The handover folder %s cannot be used", plans)
    if not has_extension and register_internally(transport, time.sleep):
        termination.budget_ms = BUDGET_WITH_INTERNAL_EXTENSION_MS
    return plans if has_extension else None


def _carry_out(plans: Path, clock: Clock) -> None:
    from timelapse_runtime.runtime.transport_stdlib import PutSender  # noqa: PLC0415 - few cold starts need it: 10 ms

    deadline_epoch_ms = clock.now_epoch_ms() + LEFT_PLANS_MS
    with closing(PutSender()) as sender:
        outbox.carry_out_all(plans, deadline_epoch_ms=deadline_epoch_ms, clock=clock, send=sender, read=sender.read)


def _required(variables: Mapping[str, str], name: str, allowed: str) -> str:
    value = variables.get(name)
    if not value:
        raise ConfigError(name, value, allowed)
    return value


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
