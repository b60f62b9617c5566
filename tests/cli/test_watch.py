"""`timelapse watch`: serving and publishing."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from pathlib import Path

import pytest

from tests.world import STREAM, World
from timelapse_runtime.cli import CommandFailed, watch
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.watch.files import page_files
from timelapse_runtime.watch.publish import publish

PAGE = Path(watch.__file__).parents[1] / "watch" / "page"
HLS = "hls-1.7.4.light.min.mjs"
HLS_SHA256 = "3d82a88cf9ae0d9aaab3cbe9ff6ecbb64bb89c54a399c34ae9bf8b559baeb20f"
"""Of dist/hls.light.min.mjs in the npm package hls.js 1.7.4."""


def test_the_player_library_is_the_one_that_was_pinned() -> None:
    assert hashlib.sha256((PAGE / HLS).read_bytes()).hexdigest() == HLS_SHA256
    assert HLS in (PAGE / "deck.js").read_text()


def test_the_page_asks_no_other_host() -> None:
    for path in PAGE.iterdir():
        if path.name != HLS and path.suffix in {".css", ".html", ".js"}:
            assert not re.search(r"https?://(?!www\.w3\.org/)", path.read_text()), path


def test_each_module_that_is_imported_is_there() -> None:
    names = set(page_files())
    for path in PAGE.glob("*.js"):
        assert set(re.findall(r'from "\./([^"]+)"', path.read_text())) <= names, path
    linked = re.findall(r'(?:src|href)="([^"#]+)"', (PAGE / "index.html").read_text())
    assert set(linked) <= names


def test_published_files_have_types_and_the_index_comes_last() -> None:
    world = World()
    puts: list[str] = []
    world.video.on_request = lambda operation, key: puts.append(key) if operation == "PutObject" else None
    keys = publish(world.video, Location(world.video.bucket, "video/"), [STREAM])
    assert set(keys) == set(puts) == {f"video/watch/{name}" for name in {*page_files(), "streams.json"}}
    assert puts.index("video/watch/index.html") == len(puts) - 2
    streams = json.loads(world.video.get("video/watch/streams.json").body)
    assert streams == {"streams": [STREAM], "is_served": False}


def test_a_port_in_use_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "S3Store", lambda _client, bucket, **_options: MemoryStore(bucket))
    variables = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandFailed, match=f"^port {port} is in use: choose another by --port[^\n]*$"):
            with watch.serve(Location("video-bucket", "video/"), variables, port):
                pass
