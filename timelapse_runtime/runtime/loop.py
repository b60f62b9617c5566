"""The runtime's life: init, then invocation after invocation, until SIGTERM.

It runs a stateful function and knows nothing of what it does. What reaches the Lambda service: `init/error` (or
`restore/error`) when the function cannot be opened, a response or an error for each invocation. An error fails
its invocation only; after MemoryError, SystemExit and their like the process reports and exits, because what is
in memory is no longer to be trusted, and everything that matters is in durable storage.

Under SnapStart the handler is imported before the snapshot and opened after the restore: each copy then has its
own `cold_start_id`, connections and credentials.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.context import make_context
from timelapse_runtime.runtime.errors import RemoteProtocolError, TransportError
from timelapse_runtime.runtime.exchange import Transport, exchange
from timelapse_runtime.runtime.function import Deadline, Environment, StatefulFunction
from timelapse_runtime.runtime.log import LogScope
from timelapse_runtime.runtime.protocol.failure import Failure
from timelapse_runtime.runtime.protocol.invocation import Invocation
from timelapse_runtime.runtime.protocol.messages import Request
from timelapse_runtime.runtime.protocol.runtime_api import Receipt, RuntimeApi, RuntimeState
from timelapse_runtime.runtime.termination import Terminated, Termination

EXIT_LEFT = 0
EXIT_FAILED = 1
TRACE_VARIABLE = "_X_AMZN_TRACE_ID"
BAD_ANSWER_LIMIT = 3
"""Answers to `next` that make no sense, in a row, before the process gives up and lets Lambda start another."""
BAD_ANSWER_PAUSE_SECONDS = 0.1

logger = logging.getLogger("timelapse_runtime.runtime.loop")


class Fatal(Exception):
    """The process must end, and not with 0. What it is raised from is reported already."""


class Runtime:
    """One process's run. `prepare` readies the shutdown and returns the handover folder, if there is an extension;
    `resolve` finds the function. Both are part of init and may fail it.

    `variables` is the process's environment, written for the trace id only.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        resolve: Callable[[], StatefulFunction],
        prepare: Callable[[], Path | None],
        variables: MutableMapping[str, str],
        scope: LogScope,
        clock: Clock,
        termination: Termination,
        pause: Callable[[float], None],
    ) -> None:
        self._transport, self._resolve, self._prepare = transport, resolve, prepare
        self._variables, self._scope, self._clock = variables, scope, clock
        self._termination, self._pause = termination, pause
        self._api = RuntimeApi()
        self._opened: StatefulFunction | None = None

    def run(self) -> int:
        """Run until SIGTERM or until the process must end; the exit code."""
        try:
            function = self._initialise()
            while True:
                self._termination.check()
                self._serve(function)
        except Terminated:
            self._leave(self._termination.deadline)
            return EXIT_LEFT
        except Fatal as error:
            logger.critical("The runtime ends: %r", error.__cause__)
        except RemoteProtocolError as error:
            logger.critical("The runtime ends, the Lambda service is broken: %s", error)
        return EXIT_FAILED

    def _initialise(self) -> StatefulFunction:
        try:
            plans = self._prepare()
            function = self._resolve()
            if self._variables.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
                self._api.restored(exchange(self._transport, self._api.restore_next(), self._pause))
            function.open(Environment(dict(self._variables), plans, cold_start_id=uuid.uuid4().hex))
        except Terminated:
            raise
        except BaseException as error:
            logger.exception("Init failed")
            failure = Failure.of(error)
            if self._api.state is RuntimeState.RESTORED:
                self._deliver(self._api.restore_error(failure))
            elif self._api.state is RuntimeState.INIT:
                self._deliver(self._api.init_error(failure))
            raise Fatal from error
        self._opened = function
        return function

    def _serve(self, function: StatefulFunction) -> None:
        invocation = self._next()
        self._scope.request_id, self._scope.tenant_id = invocation.request_id, invocation.tenant_id
        if invocation.trace_id is None:
            self._variables.pop(TRACE_VARIABLE, None)
        else:
            self._variables[TRACE_VARIABLE] = invocation.trace_id
        try:
            request = self._invoke(function, invocation)
        except Terminated:
            raise
        except BaseException as error:
            self._deliver(self._failed(error))
            raise Fatal from error
        self._deliver(request)
        self._scope.request_id = self._scope.tenant_id = None

    def _next(self) -> Invocation:
        for attempt in range(1, BAD_ANSWER_LIMIT + 1):
            answer = exchange(self._transport, self._api.next(), self._pause)
            try:
                return self._api.invocation(answer)
            except RemoteProtocolError as error:
                if attempt == BAD_ANSWER_LIMIT:
                    raise
                logger.warning("Asking again: %s", error)
                self._pause(BAD_ANSWER_PAUSE_SECONDS)
        raise AssertionError("the last attempt neither returned nor raised")

    def _invoke(self, function: StatefulFunction, invocation: Invocation) -> Request:
        try:
            event = invocation.event()
            context = make_context(invocation, self._variables, self._clock)
        except (ValueError, RecursionError) as error:
            return self._failed(error, "Runtime.UnmarshalError")
        try:
            result = function.invoke(event, context)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  a function may raise anything, and it fails its invocation only
            return self._failed(error)
        try:
            body = _marshal(result)
        except (TypeError, ValueError, RecursionError) as error:
            return self._failed(error, "Runtime.MarshalError")
        return self._api.response(body)

    def _failed(self, error: BaseException, error_type: str | None = None) -> Request:
        failure = Failure.of(error, error_type)
        logger.error("Invocation failed", exc_info=error, extra={"errorType": failure.error_type})
        return self._api.error(failure)

    def _deliver(self, request: Request) -> None:
        """Send a response or an error. Whatever becomes of it, the next step is the same."""
        try:
            receipt = self._api.receipt(exchange(self._transport, request, self._pause))
        except TransportError as error:
            logger.error("%s was not delivered: %s", request.path, error)  # noqa: TRY400  its stack says nothing
            return
        if receipt is Receipt.TOO_LARGE:
            logger.error("Lambda failed the invocation: a response of %d bytes is too large", len(request.body))
        elif receipt is Receipt.REFUSED:
            logger.warning("Lambda refused %s: the invocation is over", request.path)

    def _leave(self, deadline: Deadline) -> None:
        self._scope.request_id = self._scope.tenant_id = None
        if self._opened is None:
            return
        for step in (self._opened.flush, self._opened.close):
            try:
                step(deadline)
            except BaseException:
                logger.exception("%s failed at shutdown", step.__name__)
        logger.info("Left, %d ms before the deadline", deadline.remaining_ms(self._clock.now_epoch_ms()))


def _marshal(result: Any) -> bytes:
    # NaN and lone surrogates have no JSON: better our error than a caller who cannot read the answer.
    return json.dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
