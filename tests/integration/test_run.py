"""`timelapse run` as a process, on an S3 server: it is ended, killed, started again, and reads notifications from SQS.

Judged by ffmpeg, which shows the number of each frame's photo.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.photos import make_photos
from tests.probe import ffmpeg_numbers
from timelapse_runtime.cli import EXIT_ERROR, EXIT_OK
from timelapse_runtime.cli.main import main
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client, make_session

_PATIENCE_SECONDS = 60
SMALL = (128, 64)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedS3]:
    with EmbeddedS3() as running:
        yield running


@pytest.fixture
def buckets(server: EmbeddedS3, request: pytest.FixtureRequest) -> tuple[str, str]:
    name = request.node.name.replace("_", "-").split("[")[0][-40:].strip("-")
    server.create_buckets(f"{name}-in", f"{name}-out")
    return f"{name}-in", f"{name}-out"


def store(server: EmbeddedS3, bucket: str) -> S3Store:
    return S3Store(make_client(variables=server.variables()), bucket)


class Running:
    """The process, and the lines that it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.lines, self.said = process, list[dict[str, Any]](), list[str]()
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            threading.Thread(
                target=self._read, args=(process.stdout, lambda line: self.lines.append(json.loads(line)))
            ),
            threading.Thread(target=self._read, args=(process.stderr, self.said.append)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any, take: Callable[[str], object]) -> None:
        for line in stream:
            take(line)

    @property
    def frame_count(self) -> int:
        """By all lines so far."""
        return sum(int(line["frames"]) for line in self.lines)

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        """Fails after a minute, or if the process ends."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not is_so():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, (self.lines, self.said)
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(_PATIENCE_SECONDS)
        for reader in self._readers:
            reader.join()
        return code


@contextmanager
def running(server: EmbeddedS3, buckets: tuple[str, str], *options: str) -> Iterator[Running]:
    command = [
        sys.executable,
        "-m",
        "timelapse_runtime.cli.main",
        "run",
        f"s3://{buckets[0]}/in/",
        f"s3://{buckets[1]}/",
    ]
    settings = {"TIMELAPSE_REEL": "never", "TIMELAPSE_REORDER_WINDOW": "0", "TIMELAPSE_PRESET": "superfast"}
    variables = {**os.environ, **server.variables(), **settings, "TIMELAPSE_FLUSH_EVERY": "8"}
    with subprocess.Popen(
        [*command, "--json", "--interval", "1", "--sweep-every", "2", *options],
        env=variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def numbers(server: EmbeddedS3, bucket: str, camera: str, folder: Path) -> list[int]:
    """Of the photos in the newest reel's video, by ffmpeg."""
    found = store(server, bucket)
    checkpoint = json.loads(found.get(f"{camera}/checkpoint.json").body)
    file = folder / "video.mp4"
    file.write_bytes(found.get(f"{camera}/reels/{checkpoint['reel']['name']}/video.mp4").body)
    return ffmpeg_numbers(file)


def test_a_run_that_is_ended_and_killed_continues(
    server: EmbeddedS3, buckets: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, frames = list(make_photos(30, SMALL)), store(server, buckets[0])

    def upload(first: int, last: int) -> None:
        for number in range(first, last):
            for camera in ("garden", "roof"):
                frames.put(f"in/{camera}/{number:04d}.jpg", photos[number])

    upload(0, 10)
    with running(server, buckets) as run:
        run.wait_for(lambda: run.frame_count == 20)
        upload(10, 14)
        assert run.end(signal.SIGINT) == EXIT_OK
        assert "ended; the next run continues from here" in run.said[-1]
    with running(server, buckets) as run:
        upload(14, 20)
        run.wait_for(lambda: run.frame_count > 0)
        assert run.end(signal.SIGKILL) == -signal.SIGKILL
    upload(20, 30)
    with running(server, buckets, "--once") as run:
        assert run.process.wait(_PATIENCE_SECONDS) == EXIT_OK
    for camera in ("garden", "roof"):
        assert numbers(server, buckets[1], camera, tmp_path) == list(range(30))
        options = ["--endpoint-url", server.endpoint_url]
        with pytest.MonkeyPatch.context() as patch:
            for name, value in server.variables().items():
                patch.setenv(name, value)
            assert main(["verify", f"s3://{buckets[1]}/{camera}", *options]) == EXIT_OK
    assert "no problems found" in capsys.readouterr().out


def test_notifications_are_read_from_a_queue(server: EmbeddedS3, buckets: tuple[str, str], tmp_path: Path) -> None:
    variables = server.variables()
    queues: Any = make_session(variables).client("sqs", endpoint_url=server.endpoint_url)
    url = queues.create_queue(QueueName="photos", Attributes={"VisibilityTimeout": "5"})["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    configuration: Any = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    make_client(variables=variables).put_bucket_notification_configuration(
        Bucket=buckets[0], NotificationConfiguration=configuration
    )
    frames = store(server, buckets[0])
    with running(server, buckets, "--queue", url, "--sweep-every", "3600") as run:
        for number, body in enumerate(make_photos(20, SMALL)):
            frames.put(f"in/garden/{number:04d}.jpg", body)
        run.wait_for(lambda: run.frame_count == 20)
        run.wait_for(lambda: messages_in(queues, url) == 0)
        assert run.end(signal.SIGTERM) == EXIT_OK
    with running(server, buckets, "--once") as run:
        assert run.process.wait(_PATIENCE_SECONDS) == EXIT_OK
    assert numbers(server, buckets[1], "garden", tmp_path) == list(range(20))


def messages_in(queues: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found: Mapping[str, str] = queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["s3://nobody/in/", "s3://nobody/out/"], "no bucket nobody"),
        (["s3://nobody/in/", "s3://nobody/in/videos/"], "not apart from the photos"),
        (["s3://nobody/in/", "s3://nobody/out/", "--once", "--queue", "http://127.0.0.1:9/q"], "leave --queue out"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(
    server: EmbeddedS3,
    options: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in server.variables().items():
        monkeypatch.setenv(name, value)
    assert main(["run", *options]) == EXIT_ERROR
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].startswith("timelapse: ")
    assert says in printed.err
    assert printed.out == ""
