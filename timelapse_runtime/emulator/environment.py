"""A Lambda execution environment on a developer's machine: one function, one environment, one invocation at a time.

It runs the bootstrap and the external extensions of a deployment as processes. It provides the Runtime API, the
Extensions API, SIGSTOP between invocations, the time-out, resets that keep the temporary folder, the shutdown sequence,
and (`kill`) the loss of a host. It does not limit memory or CPU, and has no SnapStart. For several environments, make
several objects.

If Lambda and AWS's runtime interface emulator differ, it follows the stricter one.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from timelapse_runtime.emulator.control_plane import (
    INVOCATION_ID_HEADER,
    ControlPlane,
    Event,
    Failure,
    InvocationEvents,
)
from timelapse_runtime.emulator.deployment import Deployment
from timelapse_runtime.emulator.result import InvocationResult, ProcessUsage
from timelapse_runtime.emulator.sandbox import TIMED_OUT, Programs, Sandbox, ShutdownBudget, ShutdownReport
from timelapse_runtime.emulator.server import RuntimeApiServer

REGION = "us-east-1"
FUNCTION_NAME = "local"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:000000000000:function:{FUNCTION_NAME}"
UNSAMPLED_TRACE = "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0"
SHUTDOWN_BUDGET = ShutdownBudget()


class LocalLambda:
    """Starts with `start` or the first `invoke`, ends with `shutdown` or `kill`; the next `invoke` starts a new
    environment.

    Use it in a `with` statement, or call `close`; otherwise processes and threads remain. `on_log` gets each line that
    a process prints, with `runtime` or the extension's name, from threads of this class. TMPDIR of the processes is
    `temporary_folder`, in `temp_folder`, which no other object may use. Resets keep its files; `shutdown` and `kill`
    remove them unless `keep_temporary_files`. The processes inherit PATH and no other variable of this process.
    """

    def __init__(
        self,
        *,
        deployment: Deployment,
        variables: Mapping[str, str],
        temp_folder: Path,
        timeout_seconds: float = 60.0,
        init_timeout_seconds: float = 10.0,
        memory_size_mb: int = 1769,
        freeze: bool = True,
        keep_temporary_files: bool = False,
        shutdown_budget: ShutdownBudget = SHUTDOWN_BUDGET,
        on_log: Callable[[str, str], None] | None = None,
    ) -> None:
        self.cold_starts = 0
        self.temporary_folder = temp_folder.absolute() / "environment"
        self._log_stream = f"[$LATEST]{uuid.uuid4().hex}"
        """Of all cold starts, as if each were a reset: what replaces a killed environment need not wait for a lease."""
        self._deployment = deployment
        self._variables = dict(variables)
        self._timeout_seconds = timeout_seconds
        self._init_timeout_seconds = init_timeout_seconds
        self._memory_size_mb = memory_size_mb
        self._freeze = freeze
        self._keep_temporary_files = keep_temporary_files
        self._budget = shutdown_budget
        self._on_log = on_log or (lambda _source, _line: None)
        self._server: RuntimeApiServer | None = None
        self._sandbox: Sandbox | None = None
        self._ending = threading.Lock()
        self._past_usage = ProcessUsage()

    def invoke(
        self,
        event: Any,
        *,
        tenant_id: str | None = None,
        client_context: Any | None = None,
        cognito_identity: Any | None = None,
        trace_id: str | None = UNSAMPLED_TRACE,
    ) -> InvocationResult:
        """Run one invocation, after an init if there is no environment. Failures of the function do not raise.

        An init that fails or takes too long is run again within the invocation's time-out, as on Lambda; both count as
        cold starts. After a time-out or a crash, the environment has been reset when this returns.
        """
        request_id = str(uuid.uuid4())
        sandbox, failure, init = self._sandbox, None, self._sandbox is None
        if sandbox is None:
            sandbox, failure = self._init(self._init_timeout_seconds)
            if failure is not None:
                self._reset(sandbox, failure)
                sandbox, failure = self._init(self._timeout_seconds)
        began = time.monotonic()
        if failure is None:
            optional = {
                "Lambda-Runtime-Trace-Id": trace_id,
                "Lambda-Runtime-Client-Context": None if client_context is None else json.dumps(client_context),
                "Lambda-Runtime-Cognito-Identity": None if cognito_identity is None else json.dumps(cognito_identity),
                "Lambda-Runtime-Aws-Tenant-Id": tenant_id,
            }
            sandbox.thaw()
            failure = sandbox.invoke(self._invocation(request_id, event, optional), self._timeout_seconds)
        duration_ms = (time.monotonic() - began) * 1000
        if failure is not None:
            self._reset(sandbox, failure)
        elif self._freeze:
            sandbox.freeze()
        return InvocationResult.of(request_id, sandbox.result, failure, duration_ms=duration_ms, init=init)

    def start(self) -> Failure | None:
        """Run the init phase now, as Lambda does for provisioned concurrency, if there is no environment.

        Returns why it failed, if it did. There is no environment then, and the next `invoke` runs it again.
        """
        if self._sandbox is not None:
            return None
        sandbox, failure = self._init(self._init_timeout_seconds)
        if failure is not None:
            self._reset(sandbox, failure)
        elif self._freeze:
            sandbox.freeze()
        return failure

    def shutdown(self) -> ShutdownReport:
        """End the environment as Lambda does after a long idle time."""
        with self._ending:
            sandbox, self._sandbox = self._sandbox, None
            if sandbox is None:
                return ShutdownReport("spindown", None, False, {})
            report = sandbox.stop("spindown", self._budget)
            self._finish(sandbox)
            return report

    def kill(self) -> None:
        """Lose the host: SIGKILL to all processes, no SHUTDOWN. May be called while another thread invokes."""
        with self._ending:
            sandbox, self._sandbox = self._sandbox, None
            if sandbox is not None:
                sandbox.kill()
                self._finish(sandbox)

    def close(self) -> None:
        """Kill the processes and end the threads. The object may be used again."""
        self.kill()
        if self._server is not None:
            self._server.close()
            self._server = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def usage(self) -> ProcessUsage:
        """What the runtime's processes have used so far, including the running one."""
        usage = replace(self._past_usage)
        if (sandbox := self._sandbox) is not None and sandbox.runtime is not None:
            usage.add(sandbox.runtime)
        return usage

    @property
    def process_ids(self) -> Mapping[str, int]:
        """The ids of the current sandbox's processes: `runtime`, and the extensions by name."""
        return {} if self._sandbox is None else {process.name: process.pid for process in self._sandbox.processes}

    def _init(self, timeout_seconds: float) -> tuple[Sandbox, Failure | None]:
        self.cold_starts += 1
        self.temporary_folder.mkdir(parents=True, exist_ok=True)
        plane = ControlPlane(
            external_extensions=frozenset(path.name for path in self._deployment.extension_files()),
            handler=self._deployment.handler,
            function_name=FUNCTION_NAME,
        )
        if self._server is None:
            self._server = RuntimeApiServer(plane)
        else:
            self._server.serve(plane)
        sandbox = self._sandbox = Sandbox(self._programs(self._server.address), plane, self._on_log)
        return sandbox, sandbox.start(timeout_seconds)

    def _programs(self, runtime_api_address: str) -> Programs:
        variables = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **self._variables,
            "AWS_LAMBDA_RUNTIME_API": runtime_api_address,
            "AWS_LAMBDA_FUNCTION_NAME": FUNCTION_NAME,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._memory_size_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "TMPDIR": str(self.temporary_folder),
        }
        runtime_only = {  # 'Lambda Extensions API' lists what extensions do not get
            "_HANDLER": self._deployment.handler,
            "LAMBDA_TASK_ROOT": str(self._deployment.task_root.absolute()),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{FUNCTION_NAME}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self._log_stream,
        }
        return Programs(self._deployment, variables | runtime_only, variables)

    def _invocation(self, request_id: str, event: Any, optional: Mapping[str, str | None]) -> InvocationEvents:
        deadline_epoch_ms = int((time.time() + self._timeout_seconds) * 1000)
        trace = optional["Lambda-Runtime-Trace-Id"]
        for_extensions = {
            "eventType": "INVOKE",
            "deadlineMs": deadline_epoch_ms,
            "requestId": request_id,
            "invokedFunctionArn": FUNCTION_ARN,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": trace or ""},
        }
        invocation_id = str(uuid.uuid4())
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            INVOCATION_ID_HEADER: invocation_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_epoch_ms),
            "Lambda-Runtime-Invoked-Function-Arn": FUNCTION_ARN,
            **{name: value for name, value in optional.items() if value is not None},
        }
        return InvocationEvents(
            request_id,
            invocation_id,
            Event(json.dumps(event).encode(), headers),
            Event(json.dumps(for_extensions).encode()),
        )

    def _reset(self, sandbox: Sandbox, failure: Failure) -> None:
        """End the processes and keep the temporary folder. A `kill` from another thread may have come first."""
        with self._ending:
            if self._sandbox is sandbox:
                self._sandbox = None
                sandbox.stop("timeout" if failure.error_type == TIMED_OUT else "failure", self._budget)
                self._count(sandbox)

    def _finish(self, sandbox: Sandbox) -> None:
        """Account for a sandbox that has ended, and remove the temporary folder."""
        self._count(sandbox)
        if not self._keep_temporary_files:
            shutil.rmtree(self.temporary_folder)

    def _count(self, sandbox: Sandbox) -> None:
        if sandbox.runtime is not None:
            self._past_usage.add(sandbox.runtime)
