"""The runtime as its own, internal extension: what makes Lambda send SIGTERM when there is no external one.

It registers for no events (an internal extension may not have SHUTDOWN) and must ask for the next one all the
same, or init never ends; the answer never comes (tried with AWS's runtime interface emulator).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from timelapse_runtime.runtime.errors import RemoteProtocolError, TransportError
from timelapse_runtime.runtime.exchange import Transport, exchange
from timelapse_runtime.runtime.protocol.extensions_api import ExtensionsApi

NAME = "timelapse-runtime"

logger = logging.getLogger("timelapse_runtime.runtime.internal_extension")


def register_internally(transport: Transport, pause: Callable[[float], None]) -> bool:
    """Register and wait in a thread of its own; False, and a line in the log, where there is no Extensions API.

    To be called before the runtime's first `next`: registration closes with it.
    """
    api = ExtensionsApi(NAME)
    try:
        api.registered(exchange(transport, api.register([]), pause))
    except (TransportError, RemoteProtocolError) as error:
        logger.warning("No SIGTERM at shutdown, what is in memory then will be made again: %s", error)
        return False
    threading.Thread(target=_wait, args=(transport, api, pause), name="internal-extension", daemon=True).start()
    return True


def _wait(transport: Transport, api: ExtensionsApi, pause: Callable[[float], None]) -> None:
    try:
        while True:
            api.event(exchange(transport, api.next(), pause))
    except RemoteProtocolError as error:
        logger.warning("The internal extension's event/next ended: %s", error)
