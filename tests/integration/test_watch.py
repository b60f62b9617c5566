"""`timelapse watch` as a user runs it, on an S3 server."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.photos import make_photos
from timelapse_runtime.cli import main as cli
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.model.playlist import LEFT_OUT

STREAM = "garden"
COMMAND = [sys.executable, "-m", "timelapse_runtime.cli.main", "watch"]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedS3]:
    """An S3 server with the video of one camera, and without one of another."""
    with pytest.MonkeyPatch.context() as patch, EmbeddedS3() as running:
        running.create_buckets("photos", "videos")
        for name, value in running.variables().items():
            patch.setenv(name, value)
        store = S3Store(make_client(variables=running.variables()), "photos")
        for number, body in enumerate(make_photos(20, (128, 64))):
            store.put(f"old/{STREAM}/IMG_{number}.jpg", body)
        assert cli.main(["backfill", "s3://photos/old/", "s3://videos/made/", "--json"]) == 0
        yield running


@contextlib.contextmanager
def watching(server: EmbeddedS3, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command, and the address that it printed."""
    variables = {**os.environ, **server.variables()}
    command = [*COMMAND, "s3://videos/made/", *arguments]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def test_it_serves_until_it_is_interrupted(server: EmbeddedS3) -> None:
    with watching(server, "--port", "0", "--json") as (process, line):
        url = json.loads(line)["url"]
        with httpx.Client(base_url=url, trust_env=False, follow_redirects=True) as client:
            assert client.get("/").headers["Content-Type"].startswith("text/html")
            assert client.get("/watch/streams.json").json() == {"streams": [STREAM], "is_served": True}
            playlist = client.get(f"/{STREAM}/video.m3u8").text
            segment = next(line for line in playlist.splitlines() if line.endswith(".m4s"))
            part = client.get(f"/{STREAM}/{segment}", headers={"Range": "bytes=4-7"})
            assert (part.status_code, part.content) == (206, b"uuid")
            assert client.get(f"/{STREAM}/checkpoint.json").status_code == 404
            details = client.get(f"/watch/details/{STREAM}.json").json()
            assert (len(details["reels"]), LEFT_OUT in playlist) == (1, False), "nothing was rejected"
            assert details["photos"] == f"s3://photos/old/{STREAM}/"
            assert client.get(f"/watch/photos/{STREAM}/IMG_3.jpg").content.startswith(b"\xff\xd8")
            process.send_signal(signal.SIGINT)  # while a connection is open
            assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_port_in_use_is_told_in_one_sentence(server: EmbeddedS3) -> None:
    with watching(server, "--port", "0", "--json") as (_, line):
        port = json.loads(line)["url"].rstrip("/").rpartition(":")[2]
        with watching(server, "--port", port) as (second, said):
            assert (second.wait(30), said) == (2, "")
            assert second.stderr is not None
            assert second.stderr.read() == (
                f"timelapse: port {port} is in use: choose another by --port, or any free one by --port 0\n"
            )


def test_publishing_writes_the_page_beside_the_streams(server: EmbeddedS3, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["watch", "--publish", "s3://videos/made/", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["streams"] == [STREAM]
    client = make_client(variables=server.variables())
    page = client.head_object(Bucket="videos", Key="made/watch/index.html")
    assert (page["ContentType"], page["CacheControl"]) == ("text/html; charset=utf-8", "no-cache")
    (library,) = [key for key in said["keys"] if Path(key).suffix == ".mjs"]
    assert "immutable" in client.head_object(Bucket="videos", Key=library)["CacheControl"]


def test_one_streams_folder_is_no_place_for_the_page(server: EmbeddedS3, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["watch", "--publish", f"s3://videos/made/{STREAM}"]) == 2
    assert "is one stream" in capsys.readouterr().err
    assert not list(S3Store(make_client(variables=server.variables()), "videos").list_after(f"made/{STREAM}/watch/"))
