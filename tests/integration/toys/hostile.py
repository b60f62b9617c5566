"""A stateful function that harms its own process in one way at a time. Not a test."""

import ctypes
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from timelapse_runtime.runtime import Context, Deadline, Environment


def close_descriptors() -> None:
    os.closerange(3, 256)


def close_stdout() -> None:
    sys.stdout.close()


def close_stderr() -> None:
    sys.stderr.close()


def lose_streams() -> None:
    sys.stdout = sys.stderr = None


def replace_json() -> None:
    json.dumps = json.loads = None  # type: ignore[assignment]


def disable_logging() -> None:
    logging.getLogger().handlers.clear()
    logging.disable()


def set_default_timeout() -> None:
    socket.setdefaulttimeout(0.001)


def leave_threads() -> None:
    for daemon in (True, False):
        threading.Thread(target=time.sleep, args=(3600,), daemon=daemon).start()
    threading.Thread(target=sys.exit, args=(3,)).start()


def use_the_alarm() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(0.05)


def clear_variables() -> None:
    os.environ.clear()


def leave_the_folder() -> None:
    os.chdir("/")


def ignore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def handle_sigterm() -> None:
    signal.signal(signal.SIGTERM, _exit_gracefully)


def fall() -> NoReturn:
    ctypes.string_at(0)
    raise AssertionError("address 0 can be read")


def _exit_gracefully(_number: int, _frame: object) -> NoReturn:
    os.write(2, b"own handler of SIGTERM\n")
    sys.exit(0)


WAYS: dict[str, Callable[[], object]] = {
    way.__name__: way
    for way in (
        close_descriptors,
        replace_json,
        set_default_timeout,
        leave_threads,
        use_the_alarm,
        clear_variables,
        leave_the_folder,
        disable_logging,
        ignore_sigterm,
        handle_sigterm,
        close_stdout,
        close_stderr,
        lose_streams,
        fall,
    )
}


class Hostile:
    """Answers how often it was invoked. It writes with `os.write`: its streams may be closed."""

    def open(self, environment: Environment) -> None:
        self.count = 0
        if environment.variables.get("HOSTILE_OPEN") == "forks" and os.fork() == 0:
            return  # the child comes back as if it were the parent
        if environment.variables.get("HOSTILE_OPEN") == "handles SIGTERM":
            handle_sigterm()

    def invoke(self, event: Any, _context: Context) -> Any:
        self.count += 1
        if "do" in event:
            WAYS[event["do"]]()
        if "raise" in event:
            raise ValueError(event["raise"])
        return [self.count, os.getpid()]

    def flush(self, _deadline: Deadline) -> None:
        os.write(2, b"flushed\n")

    def close(self, _deadline: Deadline) -> None:
        os.write(2, b"closed after %d\n" % self.count)
