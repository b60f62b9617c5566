"""The external extension: carries out what the runtime left in the handover folder, once the environment ends.

A process of its own beside the runtime, `python -S -m timelapse_runtime.runtime.extension NAME`, NAME being the file in
`/opt/extensions` that started it. It gets SHUTDOWN only after the runtime has gone, with more than a second left.
Standard library only: no SDK, no credentials, nothing of video.

Like `__main__.py` the entry point of a process, and allowed to read the environment.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from timelapse_runtime.runtime import log, outbox
from timelapse_runtime.runtime.clock import Clock, SystemClock
from timelapse_runtime.runtime.errors import RemoteProtocolError, TransportError
from timelapse_runtime.runtime.exchange import Transport, exchange
from timelapse_runtime.runtime.protocol.extensions_api import ExtensionsApi, ExtensionState, Shutdown
from timelapse_runtime.runtime.protocol.failure import Failure
from timelapse_runtime.runtime.transport_stdlib import PutSender, StdlibTransport

MARGIN_MS = 50
"""Left of SHUTDOWN's deadline for the last log lines and the process's exit."""

logger = logging.getLogger("timelapse_runtime.runtime.extension")


def main(arguments: list[str], variables: Mapping[str, str]) -> int:
    """Run until SHUTDOWN; the exit code."""
    log.configure(variables, sys.stderr)
    if len(arguments) != 1 or "AWS_LAMBDA_RUNTIME_API" not in variables:
        logger.error("Started by Lambda as an extension only: NAME as argument, AWS_LAMBDA_RUNTIME_API in environment")
        return 1
    sender = PutSender()
    return run(
        ExtensionsApi(arguments[0]),
        StdlibTransport(variables["AWS_LAMBDA_RUNTIME_API"]),
        plans=outbox.folder(variables),
        clock=SystemClock(),
        send=sender,
        read=sender.read,
        pause=time.sleep,
    )


def run(
    api: ExtensionsApi,
    transport: Transport,
    *,
    plans: Path,
    clock: Clock,
    send: outbox.Send,
    read: outbox.Read,
    pause: Callable[[float], None],
) -> int:
    """Announce, register, wait for SHUTDOWN, carry out; the exit code.

    Announced before it is registered: once every extension is, Lambda starts the runtime, which looks.
    """
    try:
        with outbox.announce(plans):
            api.registered(exchange(transport, api.register(["SHUTDOWN"]), pause))
            shutdown = _wait_for_shutdown(api, transport, pause)
            deadline_epoch_ms = shutdown.deadline_epoch_ms - MARGIN_MS
            logger.info(
                "SHUTDOWN (%s)",
                shutdown.reason,
                extra={"remaining_ms": shutdown.deadline_epoch_ms - clock.now_epoch_ms()},
            )
            outbox.carry_out_all(
                plans, deadline_epoch_ms=deadline_epoch_ms, clock=clock, send=send, read=read, pause=pause
            )
    except Exception as error:
        logger.exception("The extension ends")
        _report(api, transport, Failure.of(error, "Extension.HandoverFailed"), pause)
        return 1
    return 0


def _wait_for_shutdown(api: ExtensionsApi, transport: Transport, pause: Callable[[float], None]) -> Shutdown:
    while True:
        event = api.event(exchange(transport, api.next(), pause))
        if isinstance(event, Shutdown):
            return event


def _report(api: ExtensionsApi, transport: Transport, failure: Failure, pause: Callable[[float], None]) -> None:
    match api.state:
        case ExtensionState.REGISTERED:
            request = api.init_error(failure)
        case ExtensionState.WAITING | ExtensionState.INVOKED | ExtensionState.SHUTTING_DOWN:
            request = api.exit_error(failure)
        case _:
            return  # without an identifier there is nobody to report as
    try:
        api.receipt(exchange(transport, request, pause))
    except (TransportError, RemoteProtocolError) as error:
        logger.warning("%s was not delivered: %s", request.path, error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
