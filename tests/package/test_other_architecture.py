"""The package of the other architecture, built here and run by QEMU: in CI on x86-64 that is Graviton's."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.packager.elf import elf_files
from scripts.packager.system import this_architecture
from tests.integration.conftest import emulator_binary, ending  # noqa: F401 - fixtures
from tests.package.conftest import ROOT, Packages
from tests.package.sandbox import emulator_in_chroot, make_root, unzip
from tests.package.test_alone import BUCKET, server, settings  # noqa: F401 - a fixture
from tests.photos import make_photos
from tests.probe import ffmpeg_numbers, ffprobe_frames
from tests.programs import require_program
from timelapse_runtime.emulator.deployment import HANDLER
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys

pytestmark = pytest.mark.timeout(600)
OTHER, MACHINE, QEMU = {
    "x86_64": ("arm64", 183, "qemu-aarch64-static"),
    "arm64": ("x86_64", 62, "qemu-x86_64-static"),
}[this_architecture()]
"""The architecture, ELF's number for it (e_machine), and the program that runs its programs here."""
FRAMES, FLUSHED = 30, 15


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """One build for the module."""
    for program in ("apt-get", "dpkg-deb"):
        require_program(program)
    out = tmp_path_factory.mktemp("dist")
    command = [str(ROOT / "scripts" / "package"), "--arch", OTHER, "--image", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Packages(json.loads(done.stdout.splitlines()[-1]), done.stdout)


def test_every_program_and_library_is_of_that_architecture(foreign: Packages, tmp_path: Path) -> None:
    unzip(foreign.function, tmp_path)
    files = elf_files(tmp_path)
    assert len(files) > 100
    assert {struct.unpack_from("<H", path.read_bytes(), 18)[0] for path in files} == {MACHINE}
    assert "GNU C Library" in (tmp_path / "LICENSES" / "system" / "libc6.txt").read_text()
    assert list((tmp_path / "LICENSES" / "cpython").iterdir())


def test_it_makes_a_video_in_an_empty_root(
    foreign: Packages,
    server: EmbeddedS3,  # noqa: F811
    emulator_binary: Path,  # noqa: F811
    ending: ExitStack,  # noqa: F811
    tmp_path: Path,
) -> None:
    root = make_root(tmp_path / "root", emulator_binary)
    unzip(foreign.function, root / "var" / "task")
    run_by_qemu(root)
    variables = {**settings(server), "TIMELAPSE_FLUSH_EVERY": str(FLUSHED), "TIMELAPSE_PRESET": "ultrafast"}
    running = ending.enter_context(
        emulator_in_chroot(
            root, tmp_path / "scratch", bootstrap=Path("/var/task/bootstrap"), handler=HANDLER, variables=variables
        )
    )
    store = S3Store(make_client(variables=server.variables()), BUCKET)
    keys = StreamKeys("video/other/")
    for number, body in enumerate(make_photos(FRAMES)):
        key = f"frames/other/{number:06d}.jpg"
        answer = running.invoke(object_created_event(BUCKET, key, size_bytes=len(body), etag=store.put(key, body)))
        assert "other" in answer.payload.get("streams", {}), answer.body
    answer = running.invoke({"sweep": {"stream": "other", "drain": True}})
    assert answer.payload["streams"]["other"]["frames_in_video"] == FRAMES, answer.payload
    reel = Checkpoint.from_json(store.get(keys.checkpoint).body).reel
    assert reel is not None
    parts = [keys.init(reel.name), *(segment_key(keys, reel, segment) for segment in reel.segments)]
    video = tmp_path / "video.mp4"
    video.write_bytes(b"".join(store.get(key).body for key in parts))
    probe = ffprobe_frames(video)
    assert (probe.frame_count, probe.messages) == (FRAMES, "")
    assert ffmpeg_numbers(video) == list(range(FRAMES))


def run_by_qemu(root: Path) -> None:
    """Put a script in the place of the loader, the one program of the other architecture that is executed.

    The shell stays this machine's. Libraries that need the loader get the one that runs already (by its soname).
    """
    shutil.copy2(require_program(QEMU), root / "qemu")
    (loader,) = (root / "var" / "task" / "python" / "lib").glob("ld-linux*")
    real = loader.rename(loader.with_name("loader"))
    loader.write_text(f'#!/bin/sh\nexec /qemu "/{real.relative_to(root)}" "$@"\n')
    loader.chmod(0o755)


def test_without_apt_it_is_refused_with_the_reason(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.packager", "--arch", OTHER, "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": "/none"}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "there is no apt-get and no dpkg-deb: build on Debian or Ubuntu" in done.stderr
    assert list(tmp_path.iterdir()) == []
