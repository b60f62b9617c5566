"""The runtime's process: `python -m timelapse_runtime`, started by `bootstrap`. Wiring only.

Exit codes: 0 after SIGTERM, 1 if init failed or the process could not continue. The process ends without the normal
interpreter shutdown (atexit, module teardown), which would take tens of milliseconds of the 300 available.
"""

# ruff: noqa: E402
from __future__ import annotations

import gc

# Before the imports, until init is over (`Runtime._initialise`): what init makes stays, and looking at it takes 40 ms.
gc.disable()

import contextlib
import faulthandler
import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from timelapse_runtime.runtime import loader, log
from timelapse_runtime.runtime.client import HttpxTransport
from timelapse_runtime.runtime.clock import Clock, SystemClock
from timelapse_runtime.runtime.errors import ConfigError
from timelapse_runtime.runtime.function import StatefulFunction
from timelapse_runtime.runtime.internal_extension import register_internally
from timelapse_runtime.runtime.interrupts import BUDGET_WITH_INTERNAL_EXTENSION_MS, SigtermReceived, Termination
from timelapse_runtime.runtime.loop import EXIT_FAILED, EXIT_OK, Runtime
from timelapse_runtime.runtime.outbox import Outbox, has_jobs, is_extension_alive, outbox_folder
from timelapse_runtime.runtime.retry import Transport

LEFT_JOBS_MS = 3_000
"""For outbox jobs that an earlier process left, out of the 10 s that init has."""

logger = logging.getLogger("timelapse_runtime")


def main() -> int:
    """Run the process; the exit code."""
    with contextlib.suppress(ValueError, OSError, AttributeError):  # without stderr
        faulthandler.enable()  # a crash in C code, a codec's for example, leaves the Python stack in the log
    clock = SystemClock()
    termination = Termination(clock)
    try:
        termination.listen()
        scope = log.configure(os.environ, sys.stderr)
        variables = dict(os.environ)
        try:
            transport = HttpxTransport(_required(variables, "AWS_LAMBDA_RUNTIME_API", "host:port, as Lambda sets it"))
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
    except SigtermReceived:  # before there was anything to shut down
        return EXIT_OK


def _resolve(variables: Mapping[str, str]) -> StatefulFunction:
    name = _required(variables, "_HANDLER", "module.attribute")
    return loader.resolve(name, Path(variables.get("LAMBDA_TASK_ROOT") or Path.cwd()))


def _prepare(
    variables: Mapping[str, str], transport: Transport, clock: Clock, termination: Termination
) -> Outbox | None:
    """Prepare the coming shutdown and finish the last one. Returns the outbox if an extension waits to send it.

    An error with the folder fails nothing: the outbox makes the result of a shutdown fresher, never correct.
    """
    folder = outbox_folder(variables)
    has_extension = False
    try:
        has_extension = is_extension_alive(folder)
        if has_jobs(folder):
            _send_left_jobs(folder, variables, clock)
    except OSError:
        logger.exception("The outbox folder %s cannot be used", folder)
    if not has_extension and register_internally(transport, time.sleep):
        termination.budget_ms = BUDGET_WITH_INTERNAL_EXTENSION_MS
    return Outbox(folder, clock) if has_extension else None


def _send_left_jobs(folder: Path, variables: Mapping[str, str], clock: Clock) -> None:
    from timelapse_runtime.runtime.outbox_sender import send_all  # noqa: PLC0415 - few cold starts need these
    from timelapse_runtime.runtime.put_sender import HttpxPutSender  # noqa: PLC0415

    with contextlib.closing(HttpxPutSender(variables)) as sender:
        send_all(folder, deadline_epoch_ms=clock.now_epoch_ms() + LEFT_JOBS_MS, clock=clock, sender=sender)


def _required(variables: Mapping[str, str], name: str, allowed: str) -> str:
    value = variables.get(name)
    if not value:
        raise ConfigError(name, value, allowed)
    return value


if __name__ == "__main__":
    code = EXIT_FAILED
    try:
        code = main()
    except BaseException:
        logger.critical("The runtime failed", exc_info=True)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError, OSError, AttributeError):  # the function may have closed it
            stream.flush()
    os._exit(code)  # whatever threads the function has left
