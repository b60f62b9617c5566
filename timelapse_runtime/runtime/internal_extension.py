"""The runtime as its own, internal extension: it makes Lambda send SIGTERM if there is no external extension.

It registers for no events (an internal extension may not have SHUTDOWN) and must still ask for the next one, or init
never ends. That response never comes (tried with AWS's runtime interface emulator).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from timelapse_runtime.runtime.errors import RemoteProtocolError, ServiceGone, TransportError
from timelapse_runtime.runtime.protocol.extensions_api import ExtensionsApi
from timelapse_runtime.runtime.retry import Transport, call

NAME = "stateful-runtime"

logger = logging.getLogger("timelapse_runtime.runtime.internal_extension")


def register_internally(transport: Transport, pause: Callable[[float], None]) -> bool:
    """Register, and wait for the next event in a thread. False, with a line in the log, if there is no Extensions API.

    Must be called before the runtime's first `next`: registration closes with it.
    """
    api = ExtensionsApi(NAME)
    try:
        api.registered(call(transport, api.register([]), pause))
    except (TransportError, RemoteProtocolError) as error:
        logger.warning("Extensions API unavailable: no SIGTERM at shutdown; uncommitted work will be redone: %s", error)
        return False
    threading.Thread(target=_wait, args=(transport, api, pause), name="internal-extension", daemon=True).start()
    return True


def _wait(transport: Transport, api: ExtensionsApi, pause: Callable[[float], None]) -> None:
    try:
        while True:
            api.event(call(transport, api.next(), pause))
    except (RemoteProtocolError, ServiceGone) as error:
        logger.warning("The internal extension's event/next ended: %s", error)
