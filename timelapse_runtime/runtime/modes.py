"""Lambda's modes that this runtime does not serve. Init fails with a sentence, instead of a function that half works.

- Lambda Managed Instances run several invocations at once in one environment, and say how many in
  AWS_LAMBDA_MAX_CONCURRENCY ('Lambda Managed Instances runtimes', read November 2026). Here all of them would share one
  function's state. AWS's Python runtime starts a process for each, which would be as many states.
- SnapStart copies an environment after init, with its state, connections and random numbers. AWS has it for its own
  Java, Python and .NET runtimes ('Improving startup performance with Lambda SnapStart', read November 2026).

Durable functions need nothing of a runtime: their SDK is a decorator around a plain handler.
"""

from __future__ import annotations

from collections.abc import Mapping

from timelapse_runtime.runtime.errors import UnsupportedMode


def require_supported_mode(variables: Mapping[str, str]) -> None:
    """Raise UnsupportedMode if Lambda has started this environment in a mode that this runtime does not serve."""
    concurrency = variables.get("AWS_LAMBDA_MAX_CONCURRENCY") or "1"
    if concurrency != "1":
        raise UnsupportedMode(
            f"Lambda would run up to {concurrency} invocations at once here (AWS_LAMBDA_MAX_CONCURRENCY), "
            "but this runtime runs one at a time, because they share the function's state. Set "
            "PerExecutionEnvironmentMaxConcurrency to 1, or do not use Lambda Managed Instances."
        )
    if variables.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        raise UnsupportedMode(
            "SnapStart is on (AWS_LAMBDA_INITIALIZATION_TYPE is 'snap-start'), but this runtime does not support it: "
            "all copies of the snapshot would share one function's state and connections. Turn SnapStart off."
        )
