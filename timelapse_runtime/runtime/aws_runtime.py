"""A stateful function under AWS's own Python runtime: `handler = managed(Counter)`.

The same class runs there with the same extension. It is opened when its module is imported, which is AWS's init phase.
This module stands between AWS's client and the function, and owns what that leaves out: when a shutdown begins, and the
alarm before a deadline.

Up to Python 3.11, AWS's client waits for the next event in the main thread, in C code: no Python handler of a signal
can run there. So the watchdog of `interrupts.py` calls the function's own handler of SIGTERM, `flush` and `close` if
the main thread does not begin to. Never both: the first one claims the shutdown.

What is different there: results are made plain first, and AWS's client makes JSON of them; a Result's content type is
lost; logs, error types and error bodies are AWS's.

Source: awslambdaric 4.2.2 (bootstrap.py, lambda_runtime_client.py), read November 2026.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from timelapse_runtime.runtime.awaiting import Awaiting
from timelapse_runtime.runtime.clock import Clock, SystemClock
from timelapse_runtime.runtime.errors import MarshalError
from timelapse_runtime.runtime.function import Context, Deadline, Environment
from timelapse_runtime.runtime.internal_extension import register_internally
from timelapse_runtime.runtime.interrupts import (
    BUDGET_WITH_INTERNAL_EXTENSION_MS,
    DeadlineReached,
    SigtermReceived,
    Termination,
    deadline_alarm,
)
from timelapse_runtime.runtime.loader import stateful
from timelapse_runtime.runtime.modes import require_supported_mode
from timelapse_runtime.runtime.outbox import Outbox, is_extension_alive, outbox_folder
from timelapse_runtime.runtime.result import BYTES, JSON, Whole, marshal
from timelapse_runtime.runtime.stdlib_client import StdlibTransport

MAIN_THREAD_MS = 30
"""How long the main thread has to begin the shutdown, before the watchdog does."""

logger = logging.getLogger("timelapse_runtime.runtime.aws_runtime")


def managed(function: Any) -> Callable[[Any, Any], Any]:
    """Open a stateful function, a class or an object, and return its handler for AWS's Python runtime.

    Call it once, where the module is imported. What `open` raises is the init's error.
    """
    variables = dict(os.environ)
    require_supported_mode(variables)
    clock = SystemClock()
    folder = outbox_folder(variables)
    has_extension = is_extension_alive(folder)
    adapter = ManagedFunction(function, clock)
    if not has_extension and register_internally(StdlibTransport(variables["AWS_LAMBDA_RUNTIME_API"]), time.sleep):
        adapter.termination.budget_ms = BUDGET_WITH_INTERNAL_EXTENSION_MS
    adapter.open(Environment(variables, Outbox(folder, clock) if has_extension else None, uuid.uuid4().hex))
    adapter.termination.listen()
    return adapter


class ManagedFunction:
    """The handler. `leave` ends the process at once; `variables` are those that the context's fields come from."""

    def __init__(self, function: Any, clock: Clock, leave: Callable[[int], object] = os._exit) -> None:
        self._function = stateful(f"managed({getattr(function, '__name__', '…')})", function)
        self._clock, self._leave = clock, leave
        self.termination = Termination(clock, leave, self._begin, self._has_begun)
        self._awaiting = Awaiting()
        self._is_busy = self._was_interrupted = False
        self._claim = threading.Lock()  # held by who runs the shutdown, and never released

    def open(self, environment: Environment) -> None:
        """Open the function."""
        self._awaiting.result(self._function.open(environment))

    def __call__(self, event: Any, context: Any) -> Any:
        """One invocation. Raises TimeoutError if the alarm interrupts it, and what the function raises."""
        ours = self._context(context)
        interrupted, self._was_interrupted = True, True
        try:
            self._is_busy = True
            with deadline_alarm(ours.deadline, self._clock):
                result = self._awaiting.result(self._function.invoke(event, ours))
            interrupted = False
        except SigtermReceived:
            self.shut_down()
            raise
        except DeadlineReached as error:
            raise TimeoutError(str(error)) from error
        except Exception:
            interrupted = False
            raise
        finally:
            self._is_busy, self._was_interrupted = False, interrupted
            self.termination.take_signals()
        return _plain(result)

    def shut_down(self) -> None:
        """Flush and close the function, and end the process; nothing if another thread has begun to."""
        if not self._claim.acquire(blocking=False):
            return
        deadline = replace(self.termination.deadline, follows_interruption=self._was_interrupted)
        for step in (self._function.flush, self._function.close):
            try:
                self._awaiting.result(step(deadline))
            except BaseException:
                logger.exception("%s failed at shutdown", step.__name__)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError, AttributeError):  # the function may have closed it
                stream.flush()
        self._leave(0)

    def _context(self, theirs: Any) -> Context:
        remaining_ms = theirs.get_remaining_time_in_millis()
        return Context(
            function_name=theirs.function_name,
            function_version=theirs.function_version,
            invoked_function_arn=theirs.invoked_function_arn,
            memory_limit_in_mb=theirs.memory_limit_in_mb,
            aws_request_id=theirs.aws_request_id,
            log_group_name=theirs.log_group_name,
            log_stream_name=theirs.log_stream_name,
            tenant_id=getattr(theirs, "tenant_id", None),
            identity=theirs.identity,
            client_context=theirs.client_context,
            deadline=Deadline(self._clock.now_epoch_ms() + remaining_ms),
            clock=self._clock,
            w3c_fields=_w3c(theirs),
            follows_interruption=self._was_interrupted,
        )

    def _begin(self, is_first: bool) -> None:
        """In the main thread, between two instructions."""
        if not self._is_busy:
            self.shut_down()
        elif is_first:
            raise SigtermReceived

    def _has_begun(self) -> bool:
        """In the watchdog: it shuts down itself if the main thread has had its time, and waits for an event."""
        turn_epoch_ms = self.termination.arrival_epoch_ms() + MAIN_THREAD_MS
        is_due = not self._is_busy and self._clock.now_epoch_ms() >= turn_epoch_ms
        if is_due and self.termination.call_handler_of_function():
            self.shut_down()
        return self._claim.locked()


def _w3c(theirs: Any) -> Mapping[str, str]:
    fields = getattr(theirs, "w3c", None)  # since awslambdaric 4
    return fields() if callable(fields) else {}


def _plain(result: Any) -> Any:
    """As much of a result as AWS's client can send: what its JSON says, or bytes. Raises MarshalError for a stream."""
    marshalled = marshal(result)
    if not isinstance(marshalled, Whole):
        raise MarshalError("AWS's Python runtime does not stream responses: return bytes, or what JSON knows")
    if marshalled.content_type == JSON:
        return json.loads(marshalled.body)
    if marshalled.content_type != BYTES:
        logger.warning("AWS's runtime cannot send the content type %s", marshalled.content_type)
    return marshalled.body
