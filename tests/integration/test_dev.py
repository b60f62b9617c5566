"""`timelapse-runtime dev`: a function of one's own in the local environment, as its author sees it."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest

FUNCTION = """
import json, pathlib, time

class Counter:
    def open(self, environment):
        self.file = pathlib.Path(environment.variables["COUNT"])
        self.count = json.loads(self.file.read_text()) if self.file.exists() else 0

    def invoke(self, event, context):
        if "fail" in event:
            raise ValueError(event["fail"])
        time.sleep(event.get("sleep", 0))
        self.count += 1
        return {"STEP": self.count}

    def flush(self, deadline):
        self.file.write_text(json.dumps(self.count))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the function, and events."""
    (tmp_path / "counter.py").write_text(FUNCTION.replace("STEP", "count"))
    for name, event in {"once": {}, "failing": {"fail": "as asked"}, "sleeping": {"sleep": 60}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(event))
    return tmp_path


def command(folder: Path, *arguments: str) -> list[str]:
    count = ["--env", f"COUNT={folder / 'count'}", "--folder", str(folder)]
    return [sys.executable, "-m", "timelapse_runtime.dev.main", "dev", "counter:Counter", *count, *arguments]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Not in text mode, which would take a carriage return for the end of a line."""
    done = subprocess.run(command(folder, *arguments), cwd=folder, capture_output=True, check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_events_are_run_one_after_the_other_and_the_state_is_saved_at_the_end(folder: Path) -> None:
    done = run(folder, "--event", "once.json", "--event", "failing.json", "--event", "once.json", "--freeze")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answers[0], answers[2]] == [{"count": 1}, {"count": 2}]
    assert (answers[1]["errorType"], answers[1]["errorMessage"]) == ("ValueError", "as asked")
    assert done.returncode == 1
    assert "invocation 2: failed after" in done.stderr
    assert 'raise ValueError(event["fail"])\n' in done.stderr  # a stack trace in lines, not in one
    assert "\r" not in done.stderr  # on a terminal, it would hide the line before
    assert json.loads((folder / "count").read_text()) == 2


def test_a_shutdown_keeps_what_a_kill_loses(folder: Path) -> None:
    twice = ("--event", "once.json", "--event", "once.json")
    for option, first, second in (("--kill", 1, 1), ("--shutdown", 1, 2)):
        done = run(folder, *twice, option)
        assert done.returncode == 0, done.stderr
        assert [json.loads(line)["count"] for line in done.stdout.splitlines()] == [first, second]
    assert done.stderr.count("shut down: the runtime ended") == 2
    assert "timelapse-shutdown ended after" in done.stderr


def test_an_invocation_past_its_time_is_interrupted_and_the_memory_stays(folder: Path) -> None:
    done = run(folder, "--event", "once.json", "--event", "sleeping.json", "--event", "once.json", "--timeout", "1")
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert (first, second["errorType"], third) == ({"count": 1}, "Function.DeadlineTooClose", {"count": 2})


@pytest.mark.parametrize(
    ("source", "reason"),
    [("import nothing_like_it", "No module named 'nothing_like_it'"), ("1 / 0", "division by zero")],
)
def test_a_function_that_cannot_be_opened_ends_the_command_with_the_reason(
    folder: Path, source: str, reason: str
) -> None:
    (folder / "counter.py").write_text(source)
    done = run(folder, "--event", "once.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "init failed after" in done.stderr
    assert reason in done.stderr
    first = next(line for line in done.stderr.splitlines() if "  File " in line)
    assert f'"{folder}/counter.py", line 1' in first


@pytest.fixture
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, IO[str]]]:
    """The command that serves, its address, and what it says from then on."""
    with subprocess.Popen(command(folder, "--port", "0"), cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            said = next(line for line in process.stderr if line.startswith("curl "))
            yield process, said.split()[-1], process.stderr
        finally:
            process.kill()


def wait_for(said: IO[str], text: str) -> str:
    return next(line for line in said if text in line)


def test_it_serves_as_lambda_does_and_restarts_with_the_state_when_the_source_changes(
    folder: Path, serving: tuple[subprocess.Popen[str], str, IO[str]]
) -> None:
    process, url, said = serving
    wait_for(said, "open after")
    assert httpx.post(url, json={}).json() == {"count": 1}
    failed = httpx.post(url, json={"fail": "x"})
    assert (failed.status_code, failed.headers["X-Amz-Function-Error"]) == (200, "Unhandled")
    assert httpx.post(url, content=b"{").status_code == 400
    assert httpx.post(url.replace("/function/", "/other/"), content=b"").json() == {"count": 2}
    assert httpx.get(url).status_code == 404
    queued = httpx.post(url, json={}, headers={"X-Amz-Invocation-Type": "Event"})
    assert (queued.status_code, queued.content) == (202, b"")
    wait_for(said, '{"count":3}')
    (folder / "counter.py").write_text(FUNCTION.replace("STEP", "counted"))
    wait_for(said, "counter.py changed: restarting")
    wait_for(said, "open after")
    assert httpx.post(url, json={}).json() == {"counted": 4}
    process.send_signal(signal.SIGINT)
    wait_for(said, "shut down: the runtime ended")
    assert process.wait() == 0
    assert json.loads((folder / "count").read_text()) == 4


def test_a_port_that_is_in_use_is_told(folder: Path, serving: tuple[subprocess.Popen[str], str, IO[str]]) -> None:
    port = serving[1].split(":")[2].partition("/")[0]
    done = run(folder, "--port", port)
    assert done.returncode == 2
    assert f"port {port} cannot be used: Address already in use; choose another one with --port" in done.stderr


def test_the_function_of_the_guide_counts_on_after_a_shutdown(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "your-own-function.md").read_text()
    example = re.search(r"^```python\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    assert example is not None
    (tmp_path / "app.py").write_text(example[1])
    (tmp_path / "event.json").write_text("{}")
    commands = re.findall(r"^timelapse-runtime (dev .*--event .*)$", guide, re.MULTILINE)
    counts = []
    for text in commands:
        command = [sys.executable, "-m", "timelapse_runtime.dev.main", *shlex.split(text)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert re.search(r"^aws .*--endpoint-url http://127.0.0.1:\d+ s3 ls .*s3://state$", done.stderr, re.MULTILINE)
        counts.append([json.loads(line)["count"] for line in done.stdout.splitlines()])
    assert counts == [[1, 2], [3, 3]]  # --shutdown, then --kill
