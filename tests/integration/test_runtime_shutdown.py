"""SIGTERM to the real process: in `next`, in an invocation, in init, in C code; and what it leaves and finds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from timelapse_runtime.runtime.clock import SystemClock
from timelapse_runtime.runtime.outbox import Outbox, OutboxPut, hold_presence, outbox_folder

ROOT = Path(__file__).parents[2]
FUNCTION = """
import hashlib, os, signal, sys, threading

def terminate():
    os.kill(os.getpid(), signal.SIGTERM)

def work_in_c():
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)  # minutes, without the interpreter's lock

def work_in_c_and_terminate_there():
    gate = threading.Lock()
    gate.acquire()
    threading.Thread(target=lambda: (gate.acquire(), terminate()), daemon=True).start()
    sys.setswitchinterval(1000)  # the thread gets the interpreter's lock once C code gives it up, and not before
    gate.release()
    work_in_c()

class Function:
    def __init__(self):
        self.at = os.environ.get("TERMINATE_AT")
        self.hang_at = os.environ.get("HANG_AT")
    def step(self, name):
        print(name)
        if self.at == name:
            terminate()
        if self.at == "in c" and self.hang_at == name:
            work_in_c_and_terminate_there()
        if self.hang_at == name:
            work_in_c()
    def open(self, environment):
        print("outbox", environment.outbox and environment.outbox.folder)
        self.step("open")
    def invoke(self, event, context):
        self.step("invoke")
    def flush(self, deadline):
        self.step("flush")
    def close(self, deadline):
        self.step("close")
"""


class Lambda(ThreadingHTTPServer):
    """Registers who comes, hands out one invocation, and keeps what was asked and put."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str] = []
        self.invocations = 1
        self.waits = threading.Event()
        self.release = threading.Event()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Lambda

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = self.path.removeprefix("/2018-06-01/runtime/").removeprefix("/2020-01-01/")
        if call == "extension/event/next":
            self.server.release.wait()
            self.close_connection = True
            return
        self.server.seen.append(call)
        if call == "invocation/next":
            if self.server.invocations == 0:
                self.server.waits.set()
                self.server.release.wait()
                self.close_connection = True
                return
            self.server.invocations -= 1
        self.send_response(202 if call.endswith(("response", "error")) else 200)
        self.send_header("Content-Length", "2")
        self.send_header("Lambda-Extension-Identifier", "key")
        self.send_header("Lambda-Runtime-Aws-Request-Id", "id-1")
        self.send_header("Lambda-Runtime-Deadline-Ms", "1990000000000")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def service() -> Iterator[Lambda]:
    with Lambda() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.release.set()
        made.shutdown()
        thread.join()


def start(service: Lambda, folder: Path, source: str = FUNCTION, **variables: str) -> subprocess.Popen[str]:
    (folder / "app.py").write_text(source)
    environment = {
        "PATH": os.environ["PATH"],
        "STATEFUL_RUNTIME_PYTHON": sys.executable,
        "LAMBDA_TASK_ROOT": str(folder),
        "TMPDIR": str(folder),
        "AWS_LAMBDA_RUNTIME_API": service.authority,
        "_HANDLER": "app.Function",
        **variables,
    }
    return subprocess.Popen(
        [str(ROOT / "bootstrap")], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[list[str], str]:
    """The steps that the function printed, and stderr. Whatever happens, SIGTERM must have ended it with 0."""
    with process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return [line for line in out.splitlines() if not line.startswith("outbox")], err


def test_sigterm_while_it_waits_for_an_invocation(service: Lambda, tmp_path: Path) -> None:
    process = start(service, tmp_path)
    assert service.waits.wait(60)
    process.send_signal(signal.SIGTERM)
    steps, err = finish(process)
    assert steps == ["open", "invoke", "flush", "close"]
    assert "before the deadline" in err
    assert service.seen == ["extension/register", "invocation/next", "invocation/id-1/response", "invocation/next"]


def test_sigterm_inside_an_invocation(service: Lambda, tmp_path: Path) -> None:
    steps, _ = finish(start(service, tmp_path, TERMINATE_AT="invoke"))
    assert steps == ["open", "invoke", "flush", "close"]
    assert service.seen == ["extension/register", "invocation/next"]


def test_second_sigterm_changes_nothing(service: Lambda, tmp_path: Path) -> None:
    process = start(service, tmp_path, TERMINATE_AT="flush")
    assert service.waits.wait(60)
    process.send_signal(signal.SIGTERM)
    steps, err = finish(process)
    assert steps == ["open", "invoke", "flush", "close"]
    assert "failed at shutdown" not in err


def test_sigterm_during_init_leaves_at_once(service: Lambda, tmp_path: Path) -> None:
    steps, _ = finish(start(service, tmp_path, TERMINATE_AT="open"))
    assert steps == ["open"]
    assert service.seen == ["extension/register"]


@pytest.mark.parametrize(("where", "steps"), [("flush", ["flush"]), ("close", ["flush", "close"])])
def test_watchdog_ends_a_shutdown_that_hangs_in_c(
    service: Lambda, tmp_path: Path, where: str, steps: list[str]
) -> None:
    process = start(service, tmp_path, HANG_AT=where)
    assert service.waits.wait(60)
    process.send_signal(signal.SIGTERM)
    printed, err = finish(process)
    assert printed == ["open", "invoke", *steps]
    assert "Shutdown deadline reached" in err


def test_watchdog_ends_a_process_whose_main_thread_never_sees_the_signal(service: Lambda, tmp_path: Path) -> None:
    steps, err = finish(start(service, tmp_path, HANG_AT="invoke", TERMINATE_AT="in c"))
    assert steps == ["open", "invoke"]
    assert "Shutdown deadline reached" in err


def test_job_that_an_earlier_process_left_is_sent_before_anything_else(service: Lambda, tmp_path: Path) -> None:
    folder = outbox_folder({"TMPDIR": str(tmp_path)})
    put = OutboxPut(f"http://{service.authority}/bucket/segment", {"If-None-Match": "*"}, b"frames", read_url="")
    Outbox(folder, SystemClock()).write("cam", [put], lifetime_seconds=60)
    _, err = finish(start(service, tmp_path, TERMINATE_AT="open"))
    assert service.seen[0] == "/bucket/segment"
    assert "Outbox job cam: sent" in err
    assert list(folder.iterdir()) == []


def test_outbox_is_known_only_while_an_extension_lives(service: Lambda, tmp_path: Path) -> None:
    folder = outbox_folder({"TMPDIR": str(tmp_path)})
    with hold_presence(folder), start(service, tmp_path, TERMINATE_AT="open") as process:
        out, _ = process.communicate(timeout=60)
    assert f"outbox {folder}" in out
    assert service.seen == []
    with start(service, tmp_path, TERMINATE_AT="open") as process:
        out, _ = process.communicate(timeout=60)
    assert "outbox None" in out
    assert service.seen == ["extension/register"]


def test_without_a_runtime_api_it_says_which_variable_is_missing(service: Lambda, tmp_path: Path) -> None:
    with start(service, tmp_path, AWS_LAMBDA_RUNTIME_API="") as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "AWS_LAMBDA_RUNTIME_API" in err


BREAKS_THE_RUNTIME = """
import threading, time
import timelapse_runtime.runtime.loop

class Function:
    def open(self, environment):
        threading.Thread(target=time.sleep, args=(3600,)).start()
        timelapse_runtime.runtime.loop.call = None
    def invoke(self, event, context): ...
"""


def test_runtime_that_fails_ends_at_once_with_its_stack(service: Lambda, tmp_path: Path) -> None:
    with start(service, tmp_path, BREAKS_THE_RUNTIME) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The runtime failed" in err
    assert "TypeError: 'NoneType' object is not callable" in err
