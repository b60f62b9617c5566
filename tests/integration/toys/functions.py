"""Functions for the real runtime: a plain handler, and a stateful one that leaves an outbox job at shutdown. Not a
test."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from timelapse_runtime.runtime.function import Context, Deadline, Environment
from timelapse_runtime.runtime.interrupts import DeadlineReached
from timelapse_runtime.runtime.outbox import OutboxPut
from timelapse_runtime.runtime.result import Result


def plain(event: Any, context: Context) -> Any:
    match event:
        case {"do": "error"}:
            raise ValueError("as the test wished")
        case {"do": "sleep", "seconds": seconds}:
            print("sleeps", flush=True)
            time.sleep(seconds)
        case {"do": "sleep through the alarm"}:
            while True:
                with contextlib.suppress(DeadlineReached):
                    time.sleep(60)
        case {"do": "fork", "how": how}:
            fork(how)
        case {"do": "raise a long message", "characters": characters}:
            raise ValueError("é" * characters)
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


def fork(how: str) -> None:
    """A child that ends in one of the ways in which children end. The parent waits for it and continues."""
    if how == "terminated":
        process = multiprocessing.Process(target=time.sleep, args=(60,))
        process.start()
        time.sleep(0.2)
        process.terminate()
        process.join()
        return
    child = os.fork()
    if child:
        time.sleep(0.2)
        if how == "gets SIGTERM":
            os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
    elif how == "gets SIGTERM":
        time.sleep(60)
    elif how == "exits":
        sys.exit(3)
    elif how == "fails":
        raise ValueError("in the child")


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
        if self.environment.outbox is not None:
            body = json.dumps({"count": self.count}).encode()
            put = OutboxPut(self.environment.variables["COUNTER_URL"], {"X-Toy": "1"}, body, read_url="")
            self.environment.outbox.write("counter", [put], lifetime_seconds=3_600)

    def close(self, deadline: Deadline) -> None:
        assert deadline.epoch_ms > 0
        print(f"closed after {self.count}, flushed {self.flushed}", flush=True)


def streaming(event: Any, context: Context) -> Any:
    """Answers in chunks, and fails in the way that the event names."""
    match event:
        case {"do": "stream HTTP"}:
            return Result(iter(["<p>", "hi"]), "text/html", status=404, headers={"X-Toy": "1"}, cookies=["a=b"])
        case {"do": "stream asynchronously"}:
            return async_chunks()
    return chunks(event, context)


def chunks(event: Any, context: Context) -> Iterator[str | bytes]:
    try:
        match event:
            case {"do": "error before the first chunk"}:
                raise ValueError("as the test wished")
            case {"do": "stream bytes", "size_bytes": size_bytes}:
                yield bytes(size_bytes)
        yield "first "
        match event:
            case {"do": "error", "characters": characters}:
                raise ValueError("é" * characters)
            case {"do": "yield a number"}:
                yield 7  # type: ignore[misc]
            case {"do": "sleep"}:
                print("sleeps", flush=True)
                time.sleep(60)
            case {"do": "exit"}:
                sys.exit(3)
            case {"do": "die"}:
                os.abort()
        yield b"second"
    finally:
        print(f"closed {context.aws_request_id}", flush=True)


async def async_chunks() -> AsyncIterator[bytes]:
    for number in range(3):
        await asyncio.sleep(0.001)
        yield b"%d" % number
