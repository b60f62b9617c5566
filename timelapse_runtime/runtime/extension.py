"""The external extension: sends what the runtime left in the outbox, once the environment shuts down.

A process of its own beside the runtime, `python -S -m timelapse_runtime.runtime.extension NAME`, where NAME is the file
in `/opt/extensions` that started it. It gets SHUTDOWN only after the runtime has ended, with more than a second left.
It starts before the runtime and stays as long as the environment, so until SHUTDOWN it is the standard library alone;
httpx is imported when there is something to send. It needs no credentials and knows nothing of video.

Like `__main__.py` it is the entry point of a process and may read the environment.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from timelapse_runtime.runtime import log
from timelapse_runtime.runtime.clock import Clock, SystemClock
from timelapse_runtime.runtime.errors import RemoteProtocolError, TransportError
from timelapse_runtime.runtime.outbox import has_jobs, hold_presence, outbox_folder
from timelapse_runtime.runtime.outbox_sender import PutSender, send_all
from timelapse_runtime.runtime.protocol.error_report import ErrorReport
from timelapse_runtime.runtime.protocol.extensions_api import ExtensionsApi, ExtensionState, Shutdown
from timelapse_runtime.runtime.retry import Transport, call
from timelapse_runtime.runtime.stdlib_client import StdlibTransport

MARGIN_MS = 50
"""Kept of SHUTDOWN's deadline for the last log lines and the process's exit."""

logger = logging.getLogger("timelapse_runtime.runtime.extension")


def main(arguments: list[str], variables: Mapping[str, str]) -> int:
    """Run until SHUTDOWN; the exit code."""
    log.configure(variables, sys.stderr)
    if len(arguments) != 1 or "AWS_LAMBDA_RUNTIME_API" not in variables:
        logger.error("Must be started by Lambda as an extension (usage: … NAME, with AWS_LAMBDA_RUNTIME_API set)")
        return 1
    return run(
        ExtensionsApi(arguments[0]),
        StdlibTransport(variables["AWS_LAMBDA_RUNTIME_API"]),
        folder=outbox_folder(variables),
        clock=SystemClock(),
        make_sender=lambda: _make_sender(variables),
        pause=time.sleep,
    )


def run(
    api: ExtensionsApi,
    transport: Transport,
    *,
    folder: Path,
    clock: Clock,
    make_sender: Callable[[], PutSender],
    pause: Callable[[float], None],
) -> int:
    """Show presence, register, wait for SHUTDOWN, send; the exit code.

    Presence comes before registration: once all extensions have registered, Lambda starts the runtime, which looks for
    it.
    """
    try:
        with hold_presence(folder):
            api.registered(call(transport, api.register(["SHUTDOWN"]), pause))
            shutdown = _wait_for_shutdown(api, transport, pause)
            logger.info(
                "SHUTDOWN (%s)",
                shutdown.reason,
                extra={"remaining_ms": shutdown.deadline_epoch_ms - clock.now_epoch_ms()},
            )
            if has_jobs(folder):
                deadline_epoch_ms = shutdown.deadline_epoch_ms - MARGIN_MS
                send_all(folder, deadline_epoch_ms=deadline_epoch_ms, clock=clock, sender=make_sender(), pause=pause)
    except Exception as error:
        logger.exception("The extension failed")
        _report(api, transport, ErrorReport.of(error, "Extension.OutboxFailed"), pause)
        return 1
    return 0


def _make_sender(variables: Mapping[str, str]) -> PutSender:
    import site  # noqa: PLC0415

    site.main()  # -S left it out: httpx is among the packages
    from timelapse_runtime.runtime.put_sender import HttpxPutSender  # noqa: PLC0415 - 80 ms

    return HttpxPutSender(variables)


def _wait_for_shutdown(api: ExtensionsApi, transport: Transport, pause: Callable[[float], None]) -> Shutdown:
    while True:
        event = api.event(call(transport, api.next(), pause))
        if isinstance(event, Shutdown):
            return event


def _report(api: ExtensionsApi, transport: Transport, report: ErrorReport, pause: Callable[[float], None]) -> None:
    match api.state:
        case ExtensionState.REGISTERED:
            request = api.init_error(report)
        case ExtensionState.WAITING | ExtensionState.INVOKED | ExtensionState.SHUTTING_DOWN:
            request = api.exit_error(report)
        case _:
            return  # without an identifier there is nobody to report as
    try:
        api.ack(call(transport, request, pause))
    except (TransportError, RemoteProtocolError) as error:
        logger.warning("%s was not delivered: %s", request.path, error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
