"""A browser without a screen: Chromium through chromedriver (W3C WebDriver), Firefox through Marionette, its own
protocol, which takes the same commands. Both speak JSON, so no package is needed for it.

Sources: W3C WebDriver (June 2018); Firefox source docs, 'Marionette: Protocol', read November 2026.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, Self

import httpx

from tests.programs import require_program

_START_SECONDS = 60
_SCRIPT_MS = 60_000


class Browser(Protocol):
    """One window."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def command(self, name: str, **parameters: Any) -> Any:
        """A WebDriver command that both browsers have: see `_PATHS`."""
        ...


def go(browser: Browser, url: str) -> None:
    """Open a page."""
    browser.command("Navigate", url=url)


def evaluate(browser: Browser, script: str, *arguments: Any) -> Any:
    """What the body of an async function returns. What it throws fails the test."""
    wrapped = (
        "const done = arguments[arguments.length - 1];"
        f"(async (...args) => {{ {script} }})(...Array.from(arguments).slice(0, -1))"
        ".then((value) => done({ value: value ?? null }), (error) => done({ error: `${error}\\n${error.stack}` }));"
    )
    found = browser.command("ExecuteAsyncScript", script=wrapped, args=list(arguments))
    assert "error" not in found, found["error"]
    return found["value"]


def wait_for(browser: Browser, condition: str, *arguments: Any, seconds: float = 60) -> Any:
    """Wait until the expression is true, and return it. The wait is for the machine: nothing depends on its length."""
    end = time.monotonic() + seconds
    while True:
        found = evaluate(browser, f"return {condition};", *arguments)
        if found:
            return found
        assert time.monotonic() < end, f"{condition} did not become true; the page says: {page_text(browser)}"
        time.sleep(0.1)


def page_text(browser: Browser) -> str:
    """The text that is shown."""
    return str(evaluate(browser, "return document.body.innerText;"))


def resize(browser: Browser, width: int, height: int) -> None:
    """The window's size in pixels."""
    browser.command("SetWindowRect", width=width, height=height)


def screenshot(browser: Browser, path: Path) -> None:
    """Write what is shown as a PNG."""
    path.write_bytes(base64.b64decode(browser.command("TakeScreenshot")))


_PATHS = {
    "Navigate": ("POST", "url"),
    "ExecuteAsyncScript": ("POST", "execute/async"),
    "SetWindowRect": ("POST", "window/rect"),
    "TakeScreenshot": ("GET", "screenshot"),
    "GetLog": ("POST", "se/log"),
    "Emulate": ("POST", "goog/cdp/execute"),  # of Chromium alone
}


class Chromium:
    """Chromium, and what its console says."""

    def __init__(self, folder: Path) -> None:
        self._profile = folder / "chromium"
        self._program = require_program("chromedriver")
        require_program("chromium")

    def __enter__(self) -> Self:
        port = _free_port()
        self._process = subprocess.Popen([self._program, f"--port={port}"], stdout=subprocess.DEVNULL)
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}/", timeout=120, trust_env=False)
        _wait_until(self._is_ready, "chromedriver")
        options = {
            "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={self._profile}"],
            "binary": require_program("chromium"),
        }
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        wanted |= {"timeouts": {"script": _SCRIPT_MS}}
        created = self._send("POST", "session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = created["sessionId"]
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_session"):
            self._send("DELETE", f"session/{self._session}", None)
        self._http.close()
        self._process.terminate()
        self._process.wait()

    def command(self, name: str, **parameters: Any) -> Any:
        """See Browser."""
        method, path = _PATHS[name]
        return self._send(method, f"session/{self._session}/{path}", parameters if method == "POST" else None)

    def console_errors(self) -> list[str]:
        """The console's errors since the last call."""
        return [entry["message"] for entry in self.command("GetLog", type="browser") if entry["level"] == "SEVERE"]

    def _is_ready(self) -> bool:
        try:
            return bool(self._http.get("status").json()["value"]["ready"])
        except httpx.TransportError:
            return False

    def _send(self, method: str, path: str, body: Any) -> Any:
        response = self._http.request(method, path, json=body)
        value = response.json()["value"]
        assert response.status_code == 200, f"{method} {path}: {value}"
        return value


class Firefox:
    """Firefox. Its console is not read."""

    def __init__(self, folder: Path) -> None:
        self._profile = folder / "firefox"
        self._program = require_program("firefox-esr")

    def __enter__(self) -> Self:
        self._profile.mkdir()
        preferences = {
            "marionette.port": 0,
            "app.normandy.enabled": False,
            "datareporting.policy.dataSubmissionEnabled": False,
            "browser.startup.page": 0,
        }
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()]
        (self._profile / "user.js").write_text("".join(lines))
        command = [self._program, "--headless", "--no-remote", "--marionette", "--profile", str(self._profile)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port_file = self._profile / "MarionetteActivePort"
        _wait_until(port_file.exists, "firefox-esr")
        self._socket = socket.create_connection(("127.0.0.1", int(port_file.read_text())), timeout=120)
        self._buffer = b""
        self._count = 0
        self._receive()  # who it is
        self.command("NewSession", timeouts={"script": _SCRIPT_MS})
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_socket"):
            self._socket.close()
        self._process.terminate()
        self._process.wait()

    def command(self, name: str, **parameters: Any) -> Any:
        """See Browser."""
        self._count += 1
        text = json.dumps([0, self._count, f"WebDriver:{name}", parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, number, error, result = self._receive()
        assert (number, error) == (self._count, None), error
        return result["value"] if isinstance(result, dict) and set(result) == {"value"} else result

    def _receive(self) -> Any:
        while b":" not in self._buffer:
            self._read()
        length, _, self._buffer = self._buffer.partition(b":")
        while len(self._buffer) < int(length):
            self._read()
        text, self._buffer = self._buffer[: int(length)], self._buffer[int(length) :]
        return json.loads(text)

    def _read(self) -> None:
        received = self._socket.recv(65_536)
        assert received, "Firefox closed the connection"
        self._buffer += received


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while not condition():
        assert time.monotonic() < end, f"{what} did not start in {_START_SECONDS} s"
        time.sleep(0.05)
