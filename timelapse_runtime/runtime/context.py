"""The context object that a handler gets.

The attributes and methods are those of AWS's Python runtime. Source: Lambda developer guide, 'Using the Lambda
context object to retrieve Python function information', read November 2026; `deadline_epoch_ms` is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.protocol.invocation import ClientContext, CognitoIdentity, Invocation


@dataclass(slots=True, kw_only=True)
class InvocationContext:
    """One invocation's context; see `function.Context`."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    tenant_id: str | None
    identity: CognitoIdentity
    client_context: ClientContext | None
    deadline_epoch_ms: int
    clock: Clock

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds left before Lambda ends the invocation, 0 when they are over."""
        return max(0, self.deadline_epoch_ms - self.clock.now_epoch_ms())


def make_context(invocation: Invocation, variables: Mapping[str, str], clock: Clock) -> InvocationContext:
    """The context of an invocation. Raises ValueError when what the caller sent with it is not JSON."""
    return InvocationContext(
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
        deadline_epoch_ms=invocation.deadline_epoch_ms,
        clock=clock,
    )
