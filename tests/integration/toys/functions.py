"""Functions for the real runtime: a plain handler, and a stateful one that leaves a plan at shutdown. Not a test."""

import json
import os
import sys
import time
from typing import Any

from timelapse_runtime.runtime import outbox
from timelapse_runtime.runtime.function import Context, Deadline, Environment


def plain(event: Any, context: Context) -> Any:
    match event:
        case {"do": "error"}:
            raise ValueError("as the test wished")
        case {"do": "sleep", "seconds": seconds}:
            print("sleeps", flush=True)
            time.sleep(seconds)
        case {"do": "exit", "code": code}:
            sys.exit(code)
        case {"do": "die"}:
            os.abort()
        case {"do": "answer in bytes", "size_bytes": size_bytes}:
            return "x" * (size_bytes - 2)
    return {
        "event": event,
        "request id": context.aws_request_id,
        "tenant": context.tenant_id,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
        "pid": os.getpid(),
    }


class Counter:
    """Counts its invocations; at shutdown it leaves what it counted to the extension, or says it without one."""

    def __init__(self) -> None:
        self.count = 0
        self.flushed: int | None = None
        self.environment: Environment | None = None

    def open(self, environment: Environment) -> None:
        self.environment = environment
        if environment.variables.get("COUNTER_OPEN") == "fails":
            raise RuntimeError("open fails as the test wished")

    def invoke(self, event: Any, context: Context) -> Any:
        self.count += 1
        answer = plain(event, context)
        return {**answer, "count": self.count}

    def flush(self, deadline: Deadline) -> None:
        assert self.environment is not None
        assert deadline.epoch_ms > 0
        self.flushed = self.count
        if self.environment.handover is not None:
            now_epoch_ms = time.time_ns() // 1_000_000
            body = json.dumps({"count": self.count}).encode()
            put = outbox.Put(self.environment.variables["COUNTER_URL"], {"X-Toy": "1"}, body, read_url="")
            outbox.write_plan(
                self.environment.handover,
                "counter",
                [put],
                created_epoch_ms=now_epoch_ms,
                expires_epoch_ms=now_epoch_ms + 3_600_000,
            )

    def close(self, deadline: Deadline) -> None:
        assert deadline.epoch_ms > 0
        print(f"closed after {self.count}, flushed {self.flushed}", flush=True)
