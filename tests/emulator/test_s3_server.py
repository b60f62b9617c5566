"""The embedded server: up when the block begins, gone when it ends or when we are gone, and clear about why not."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.programs import require_program
from timelapse_runtime.emulator.s3_server import EmbeddedS3, S3ServerFailed

PROGRAM = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(403)
        self.end_headers()
        self.wfile.write(b"%d" % os.getpid())

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
LIGHT = (sys.executable, "-c", PROGRAM, "{port}")
"""Any answer will do for "it is up"; this one is the server's process id. (moto's takes most of a second to start.)"""


def pid_of(endpoint_url: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc)
    try:
        connection.request("GET", "/")
        return int(connection.getresponse().read())
    finally:
        connection.close()


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_the_server_is_gone_after_the_block(error: type[BaseException] | None) -> None:
    with contextlib.ExitStack() as stack:
        if error is not None:
            stack.enter_context(pytest.raises(error))
        pid = pid_of(stack.enter_context(EmbeddedS3(LIGHT)).endpoint_url)
        if error is not None:
            raise error
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_ends_at_once_is_quoted() -> None:
    command = (sys.executable, "-c", "import sys; print('no module', {port}); sys.exit('named moto')")
    with (
        pytest.raises(S3ServerFailed, match=r"ended with exit code 1:\n(.*\n)*named moto") as caught,
        EmbeddedS3(command),
    ):
        pass
    assert "no module" in str(caught.value)


def test_a_server_that_is_not_installed_is_named() -> None:
    with pytest.raises(S3ServerFailed, match="no-such-program"), EmbeddedS3(("no-such-program", "{port}")):
        pass


def test_ctrl_c_does_not_reach_the_server() -> None:
    """What ends on Ctrl-C saves its work on the way out, and needs the server for that."""
    with EmbeddedS3(LIGHT) as server:
        assert os.getpgid(pid_of(server.endpoint_url)) != os.getpgid(0)


def test_the_server_goes_when_we_are_killed() -> None:
    require_program("setpriv")
    program = (
        "import sys; from timelapse_runtime.emulator.s3_server import EmbeddedS3\n"
        f"with EmbeddedS3({LIGHT!r}) as server: print(server.endpoint_url, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        watch = os.pidfd_open(pid_of(owner.stdout.readline().strip()))
        try:
            owner.send_signal(signal.SIGKILL)
            assert select.select([watch], [], [], 30)[0] == [watch]
        finally:
            os.close(watch)
