"""The packages run alone: in a root that holds them and a static busybox, under AWS's emulator."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.package.conftest import ROOT, Packages
from tests.package.sandbox import emulator_in_chroot, emulator_in_container, make_root, unzip
from tests.photos import make_photos
from tests.probe import ffmpeg_lumas, ffmpeg_numbers, ffprobe_frames
from tests.programs import require_program
from timelapse_runtime.emulator.deployment import HANDLER
from timelapse_runtime.emulator.rie import Emulator
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys

BUCKET = "bucket"
FRAMES, FLUSHED = 100, 60


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedS3]:
    with EmbeddedS3() as running:
        running.create_buckets(BUCKET)
        yield running


def settings(server: EmbeddedS3) -> dict[str, str]:
    return {
        **server.variables(),
        "TIMELAPSE_FRAMES": f"s3://{BUCKET}/frames/",
        "TIMELAPSE_VIDEO": f"s3://{BUCKET}/video/",
        "TIMELAPSE_REEL": "never",
        "TIMELAPSE_TIMEZONE": "Europe/Berlin",
        "TIMELAPSE_FLUSH_EVERY": str(FLUSHED),
    }


def shoot_and_judge(running: Emulator, server: EmbeddedS3, stream: str, folder: Path) -> None:
    """A hundred photos in, SIGTERM, and the same hundred, in order, in the video."""
    store = S3Store(make_client(variables=server.variables()), BUCKET)
    keys = StreamKeys(f"video/{stream}/")
    for number, body in enumerate(make_photos(FRAMES)):
        key = f"frames/{stream}/{number:06d}.jpg"
        answer = running.invoke(object_created_event(BUCKET, key, size_bytes=len(body), etag=store.put(key, body)))
        assert stream in answer.payload.get("streams", {}), answer.body
    flushed = Checkpoint.from_json(store.get(keys.checkpoint).body).frame_count
    assert 0 < flushed < FRAMES
    running.shutdown()
    checkpoint = Checkpoint.from_json(store.get(keys.checkpoint).body)
    assert checkpoint.frame_count == FRAMES
    reel = checkpoint.reel
    assert reel is not None
    parts = [keys.init(reel.name), *(segment_key(keys, reel, segment) for segment in reel.segments)]
    video = folder / "video.mp4"
    video.write_bytes(b"".join(store.get(key).body for key in parts))
    probe = ffprobe_frames(video)
    assert (probe.frame_count, probe.messages) == (FRAMES, "")
    assert ffmpeg_numbers(video) == list(range(FRAMES))


def test_the_zip_makes_a_video_in_an_empty_root(
    packages: Packages, server: EmbeddedS3, emulator_binary: Path, ending: ExitStack, tmp_path: Path
) -> None:
    root = make_root(tmp_path / "root", emulator_binary)
    unzip(packages.function, root / "var" / "task")
    unzip(packages.extension_layer, root / "opt")
    # What these need is in the layer.
    variables = {**settings(server), "TIMELAPSE_CLOCK": "%H:%M", "TIMELAPSE_MASKS": "black 90,90 100,100"}
    running = emulator_in_chroot(
        root, tmp_path / "scratch", bootstrap=Path("/var/task/bootstrap"), handler=HANDLER, variables=variables
    )
    shoot_and_judge(ending.enter_context(running), server, "zip", tmp_path)
    for luma in ffmpeg_lumas(tmp_path / "video.mp4"):  # a clock in one corner, and a mask in the other one
        assert luma[-20:, :40].max() > 220
        assert luma[-16:, -30:].max() < 25


HANDLER_FILE = """
import ctypes, os, pydoc, ssl, subprocess, sys, unittest.mock, zoneinfo
import av, boto3, httpx

def handle(event, context):
    asked = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True)
    return {
        "executable": sys.executable,
        "child": asked.stdout.strip(),
        "authorities": len(os.listdir(ssl.get_default_verify_paths().capath)),
        "zone": str(zoneinfo.ZoneInfo("America/Lima")),
        "x264": av.codec.Codec("libx264", "w").name,
        "libraries": sorted({line.split()[5] for line in open("/proc/self/maps") if ".so" in line}),
    }
"""


def test_a_function_is_a_handler_file_and_the_layer(
    packages: Packages, emulator_binary: Path, ending: ExitStack, tmp_path: Path
) -> None:
    root = make_root(tmp_path / "root", emulator_binary)
    unzip(packages.layer, root / "opt")
    (root / "var" / "task" / "handler.py").write_text(HANDLER_FILE)
    lines: list[str] = []
    running = ending.enter_context(
        emulator_in_chroot(
            root,
            tmp_path / "scratch",
            bootstrap=Path("/opt/bootstrap"),
            handler="handler.handle",
            variables={},
            on_log=lines.append,
        )
    )
    answer = running.invoke({}).payload
    libraries = answer.pop("libraries", answer)
    assert answer.pop("authorities") > 100
    assert answer == {
        "executable": "/opt/python/bin/python3",
        "child": "42",
        "zone": "America/Lima",
        "x264": "libx264",
    }
    assert len(libraries) > 30
    assert all(path.startswith("/opt/python/lib/") for path in libraries), libraries
    running.shutdown()
    assert any("SHUTDOWN" in line and "timelapse" in line for line in lines), lines


@pytest.fixture
def storage(tmp_path: Path) -> list[str]:
    place = ["--root", str(tmp_path / "images"), "--runroot", str(tmp_path / "run"), "--storage-driver", "vfs"]
    return [require_program("buildah"), *place]


def said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().rpartition("\n")[2]


def test_the_image_makes_a_video(
    packages: Packages,
    server: EmbeddedS3,
    storage: list[str],
    emulator_binary: Path,
    ending: ExitStack,
    tmp_path: Path,
) -> None:
    container = said(*storage, "from", f"oci-archive:{packages.image}")
    configuration = json.loads(subprocess.check_output([*storage, "inspect", container]))["OCIv1"]["config"]
    (bootstrap,) = configuration["Entrypoint"]
    running = emulator_in_container(
        storage,
        container,
        emulator_binary,
        settings(server),
        tmp_path / "scratch",
        command=configuration["Cmd"],
        bootstrap=Path(bootstrap),
        handler="",
    )
    shoot_and_judge(ending.enter_context(running), server, "image", tmp_path)


def test_the_dockerfile_puts_the_layer_where_the_base_image_looks(
    packages: Packages, storage: list[str], tmp_path: Path
) -> None:
    unzip(packages.layer, tmp_path / "layer")
    base = said(*storage, "from", "scratch")
    said(*storage, "copy", base, require_program("busybox"), "/bin/busybox")
    for name in ("sh", "dirname", "readlink"):
        said(*storage, "copy", base, require_program("busybox"), f"/bin/{name}")
    base_image = said(*storage, "commit", base)
    build = [*storage, "bud", "--isolation", "chroot", "--build-arg", f"BASE={base_image}"]
    image = said(*build, "-f", str(ROOT / "layer" / "Dockerfile"), str(tmp_path / "layer"))
    container = said(*storage, "from", image)
    run = [*storage, "run", "--isolation", "chroot", "--env", "PATH=/bin", container, "--", "/var/runtime/bootstrap"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert "AWS_LAMBDA_RUNTIME_API" in done.stderr, done.stderr  # found Python in /opt, and Lambda nowhere
