"""The runtime's life: init, then invocation after invocation, until SIGTERM.

It runs a stateful function and knows nothing of what it does. The Lambda service is told `init/error` if the function
cannot be opened, and a response or an error for each invocation. An error fails its invocation only, whatever its class
is. So does an invocation that comes near its deadline: an alarm interrupts it, and what is in memory survives. After
MemoryError, SystemExit and KeyboardInterrupt the process reports and exits: what is in memory can no longer be trusted,
or is not wanted any more, and everything that matters is in durable storage.

A child that the function forked must not act as the runtime: if it comes back here, it exits.
"""

from __future__ import annotations

import gc
import logging
import os
import uuid
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from typing import Any

from timelapse_runtime.runtime.awaiting import Awaiting
from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.delivery import Answer, Delivery
from timelapse_runtime.runtime.errors import (
    AnsweredEarly,
    MarshalError,
    RemoteProtocolError,
    ServiceGone,
    TransportError,
)
from timelapse_runtime.runtime.function import Context, Deadline, Environment, StatefulFunction
from timelapse_runtime.runtime.interrupts import DeadlineReached, SigtermReceived, Termination, deadline_alarm
from timelapse_runtime.runtime.log import LogScope
from timelapse_runtime.runtime.modes import require_supported_mode
from timelapse_runtime.runtime.outbox import Outbox
from timelapse_runtime.runtime.protocol.error_report import ErrorReport
from timelapse_runtime.runtime.protocol.invocation import Invocation
from timelapse_runtime.runtime.protocol.messages import Request, Response, StreamEnd
from timelapse_runtime.runtime.protocol.runtime_api import RuntimeApi, RuntimeState
from timelapse_runtime.runtime.result import Chunk, Stream, Whole, chunk_bytes, marshal
from timelapse_runtime.runtime.retry import RuntimeTransport, call

EXIT_OK = 0
EXIT_FAILED = 1
TRACE_VARIABLE = "_X_AMZN_TRACE_ID"
BAD_RESPONSE_LIMIT = 3
"""Unusable responses to `next`, in a row, before the process gives up and lets Lambda start another."""
BAD_RESPONSE_PAUSE_SECONDS = 0.1
DEADLINE_ERROR_TYPE = "Function.DeadlineTooClose"
TERMINATED_ERROR_TYPE = "Runtime.Terminated"
TERMINATED_STREAM_MS = 50
"""For the end of a stream that SIGTERM interrupts, out of the time that `flush` and `close` have."""
_ENDS_THE_PROCESS = (MemoryError, SystemExit, KeyboardInterrupt)

logger = logging.getLogger("timelapse_runtime.runtime.loop")


class Fatal(Exception):
    """The process must end with a code other than 0. Its cause has been reported."""


class Runtime:
    """One process's run. `prepare` prepares the shutdown and returns the outbox, if there is an extension to send it.
    `resolve` finds the function. Both are part of init and may fail it.

    `variables` is the process's environment; only the trace id is written to it.
    """

    def __init__(
        self,
        *,
        transport: RuntimeTransport,
        resolve: Callable[[], StatefulFunction],
        prepare: Callable[[], Outbox | None],
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
        self._delivery = Delivery(self._api, transport, clock, pause)
        self._opened: StatefulFunction | None = None
        self._awaiting = Awaiting()
        self._was_interrupted = False
        self._process_id = os.getpid()

    def run(self) -> int:
        """Run until SIGTERM or until the process must end; the exit code."""
        try:
            function = self._initialise()
            while True:
                self._termination.check()
                self._serve(function)
        except SigtermReceived:
            self._shut_down(self._termination.deadline)
            return EXIT_OK
        except Fatal as error:
            logger.critical("The runtime ends: %r", error.__cause__)
        except (RemoteProtocolError, ServiceGone) as error:
            logger.critical("The runtime ends, the Lambda service cannot be used: %s", error)
        return EXIT_FAILED

    def _initialise(self) -> StatefulFunction:
        try:
            require_supported_mode(self._variables)
            outbox = self._prepare()
            function = self._resolve()
            environment = Environment(dict(self._variables), outbox, cold_start_id=uuid.uuid4().hex)
            self._awaiting.result(function.open(environment))
        except SigtermReceived:
            raise
        except BaseException as error:
            self._exit_if_forked(error)
            logger.exception("Init failed")
            self._delivery.deliver(self._api.init_error(ErrorReport.of(error)))
            raise Fatal from error
        self._exit_if_forked(None)
        self._opened = function
        # What init made lives as long as the process: the collector need not look at it again. `__main__` disabled it.
        gc.freeze()
        gc.enable()
        return function

    def _serve(self, function: StatefulFunction) -> None:
        invocation = self._next()
        self._scope.enter(invocation.request_id, invocation.tenant_id, invocation.trace_id)
        if invocation.trace_id is None:
            self._variables.pop(TRACE_VARIABLE, None)
        else:
            self._variables[TRACE_VARIABLE] = invocation.trace_id
        deadline = Deadline(invocation.deadline_epoch_ms)
        try:
            answer = self._invoke(function, invocation)
        except SigtermReceived:
            if self._api.state is RuntimeState.STREAMING:
                text = "SIGTERM ended the environment in the middle of the stream"
                end = self._api.error(ErrorReport(TERMINATED_ERROR_TYPE, TERMINATED_ERROR_TYPE, text))
                self._delivery.deliver(end, Deadline(self._clock.now_epoch_ms() + TERMINATED_STREAM_MS))
            raise
        except BaseException as error:
            self._exit_if_forked(error)
            self._delivery.deliver(self._failed(error), deadline)
            raise Fatal from error
        self._exit_if_forked(None)
        if answer is not None:
            self._delivery.deliver(answer, deadline)
        self._scope.leave()

    def _next(self) -> Invocation:
        for attempt in range(1, BAD_RESPONSE_LIMIT + 1):
            response = call(self._transport, self._api.next(), self._pause)
            try:
                return self._api.invocation(response)
            except RemoteProtocolError as error:
                if attempt == BAD_RESPONSE_LIMIT:
                    raise
                logger.warning("Asking again: %s", error)
                self._pause(BAD_RESPONSE_PAUSE_SECONDS)
        raise AssertionError("the last attempt neither returned nor raised")

    def _invoke(self, function: StatefulFunction, invocation: Invocation) -> Answer | None:
        """What is left to send; of a stream that is cut off, the service's answer, or None if there is none."""
        try:
            context = self._context(invocation)
        except ValueError as error:
            return self._failed(error, "Runtime.LambdaContextUnmarshalError")
        try:
            event = invocation.event()
        except (ValueError, RecursionError) as error:
            return self._failed(error, "Runtime.UnmarshalError", "Unable to unmarshal input")
        try:
            self._was_interrupted = True
            with deadline_alarm(context.deadline, self._clock):
                result = self._result(function, event, context)
            self._was_interrupted = False
        except SigtermReceived:
            raise
        except BaseException as error:
            if _has(error, _ENDS_THE_PROCESS):
                raise
            is_late = _has(error, (DeadlineReached,))
            # SIGTERM in a group: `run` looks for it before it asks for another invocation.
            self._was_interrupted = is_late or _has(error, (SigtermReceived,))
            if isinstance(error, MarshalError):
                return self._failed(error.__cause__ or error, error.error_type, "Unable to marshal response")
            return self._failed(error, DEADLINE_ERROR_TYPE if is_late else None)
        if isinstance(result, Whole):
            return self._api.response(result.body, result.content_type)
        return self._api.end_stream() if isinstance(result, Stream) else result

    def _result(self, function: StatefulFunction, event: Any, context: Context) -> Whole | Stream | Response | None:
        """Call the function and send what it streams, but not its end. See `_invoke` for a stream that is cut off."""
        result = marshal(self._awaiting.result(function.invoke(event, context)))
        if isinstance(result, Whole):
            return result
        stream = self._delivery.streamed(result)

        def take(chunk: Chunk) -> None:
            self._exit_if_forked(None)
            stream.write(chunk_bytes(chunk))

        try:
            self._awaiting.each(result.chunks, take)
            stream.begin()
        except AnsweredEarly as error:
            return error.response
        except TransportError as error:
            logger.error("The streamed response was not delivered: %s", error)  # noqa: TRY400  its stack says nothing
            return None
        return result

    def _context(self, invocation: Invocation) -> Context:
        """Raises ValueError if what the caller sent with the event is not JSON."""
        variables = self._variables
        return Context(
            function_name=variables.get("AWS_LAMBDA_FUNCTION_NAME", ""),
            function_version=variables.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            invoked_function_arn=invocation.invoked_function_arn,
            memory_limit_in_mb=variables.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", ""),
            aws_request_id=invocation.request_id,
            log_group_name=variables.get("AWS_LAMBDA_LOG_GROUP_NAME", ""),
            log_stream_name=variables.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
            tenant_id=invocation.tenant_id,
            identity=invocation.cognito_identity(),
            client_context=invocation.client_context(),
            deadline=Deadline(invocation.deadline_epoch_ms),
            clock=self._clock,
            w3c_fields=invocation.w3c(),
            follows_interruption=self._was_interrupted,
        )

    def _failed(self, error: BaseException, error_type: str | None = None, failed: str = "") -> Request | StreamEnd:
        logger.error("Invocation failed", exc_info=error)
        return self._api.error(ErrorReport.of(error, error_type, failed))

    def _exit_if_forked(self, error: BaseException | None) -> None:
        """End a child that the function forked: only the parent may answer the invocation."""
        if os.getpid() == self._process_id:
            return
        if error is not None and not isinstance(error, SystemExit):
            logger.error("A forked child failed", exc_info=error)
        code = error.code if isinstance(error, SystemExit) else error is not None
        os._exit(code if isinstance(code, int) else EXIT_OK if code is None else EXIT_FAILED)

    def _shut_down(self, deadline: Deadline) -> None:
        self._scope.leave()
        if self._opened is None:
            return
        deadline = replace(deadline, follows_interruption=self._was_interrupted)
        for step in (self._opened.flush, self._opened.close):
            try:
                self._awaiting.result(step(deadline))
            except BaseException as error:
                self._exit_if_forked(error)
                logger.exception("%s failed at shutdown", step.__name__)
            self._exit_if_forked(None)
        remaining_ms = deadline.remaining_ms(self._clock.now_epoch_ms())
        logger.info("Shutdown complete %d ms before the deadline", remaining_ms, extra={"remaining_ms": remaining_ms})


def _has(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """Whether it is one of these, or a group with one of them: what task groups make of an interruption."""
    if isinstance(error, BaseExceptionGroup):
        return any(_has(one, kinds) for one in error.exceptions)
    return isinstance(error, kinds)
