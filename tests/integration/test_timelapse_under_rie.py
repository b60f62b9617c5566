"""The timelapse function under AWS's emulator, with the deployed bootstrap and extension and an S3 server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.photos import make_photos, read_number
from tests.probe import ffmpeg_lumas, ffprobe_frames
from timelapse_runtime.emulator.deployment import INSTALLED
from timelapse_runtime.emulator.rie import Emulator
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint

BUCKET = "bucket"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedS3]:
    with EmbeddedS3() as running:
        running.create_buckets(BUCKET)
        yield running


def emulator(ending: ExitStack, binary: Path, server: EmbeddedS3, folder: Path) -> Emulator:
    return ending.enter_context(
        Emulator(
            binary=binary,
            deployment=INSTALLED,
            variables={
                **server.variables(),
                "TIMELAPSE_FRAMES": f"s3://{BUCKET}/frames/",
                "TIMELAPSE_VIDEO": f"s3://{BUCKET}/video/",
                "TIMELAPSE_REEL": "never",
                "STATEFUL_RUNTIME_PYTHON": sys.executable,
            },
            temp_folder=folder,
        )
    )


def test_sigterm_saves_the_frames_in_the_encoder(
    ending: ExitStack, emulator_binary: Path, server: EmbeddedS3, tmp_path: Path
) -> None:
    store = S3Store(make_client(variables=server.variables()), BUCKET)
    running = emulator(ending, emulator_binary, server, tmp_path)
    for number, body in enumerate(make_photos(10)):
        key = f"frames/rie/{number:06d}.jpg"
        etag = store.put(key, body)
        response = running.invoke(object_created_event(BUCKET, key, size_bytes=len(body), etag=etag))
        assert response.payload["streams"]["rie"]["frames_in_video"] == 0
    (written,) = store.list_after("video/rie/")  # the owner's claim
    assert (written.key, Checkpoint.from_json(store.get(written.key).body).frame_count) == (
        "video/rie/checkpoint.json",
        0,
    )
    running.shutdown()
    checkpoint = Checkpoint.from_json(store.get("video/rie/checkpoint.json").body)
    assert checkpoint.frame_count == 10
    reel = checkpoint.reel
    assert reel is not None
    assert not reel.last_is_open
    video = tmp_path / "video.mp4"
    parts = [store.get(f"video/rie/reels/{reel.name}/init.mp4").body]
    parts += [store.get(info.key).body for info in store.list_after(f"video/rie/reels/{reel.name}/segments/")]
    video.write_bytes(b"".join(parts))
    assert [read_number(luma) for luma in ffmpeg_lumas(video)] == list(range(10))
    assert ffprobe_frames(video).messages == ""
    playlist = store.get(f"video/rie/reels/{reel.name}/index.m3u8").body.decode()
    assert "#EXTINF:0.333333," in playlist


def test_a_wrong_variable_ends_init_and_the_error_says_what_is_allowed(
    ending: ExitStack, emulator_binary: Path, server: EmbeddedS3, tmp_path: Path
) -> None:
    running = ending.enter_context(
        Emulator(
            binary=emulator_binary,
            deployment=INSTALLED,
            variables={
                **server.variables(),
                "TIMELAPSE_FRAMES": "my-bucket",
                "STATEFUL_RUNTIME_PYTHON": sys.executable,
            },
            temp_folder=tmp_path,
        )
    )
    response = json.dumps(running.invoke({}).payload)
    for part in ("Runtime.ConfigError", "TIMELAPSE_FRAMES", "my-bucket", "s3://BUCKET/PREFIX/"):
        assert part in response
