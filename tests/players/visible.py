"""Measures how long a photo takes from its upload to the playlist: `python -m tests.players.visible [--photos 300]`.

Real processes: the bootstrap and the extension in the local Lambda environment, with the default settings, and moto's
S3 on the disk. A camera uploads a photo each `--step` seconds and delivers its event at once; a sweep comes each five
minutes, as the stack's schedule has it. A viewer loads `video.m3u8` each second; photo n is visible when that has
listed more than n frames.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.photos import make_photos
from timelapse_runtime.emulator.deployment import INSTALLED
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.emulator.s3_server import EmbeddedS3, disk_command
from timelapse_runtime.runtime.state.errors import StorageError
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

_BUCKET, _SWEEP_SECONDS = "camera", 300
_SEGMENT = re.compile(rb"reels/([^/]+)/segments/(\d+)-(\d+)-")


class Viewer(threading.Thread):
    """Notes when each frame was in the playlist for the first time."""

    def __init__(self, store: S3Store) -> None:
        super().__init__(daemon=True)
        self._store = store
        self.seen: list[float] = []
        """Monotonic time for each frame so far."""
        self._frame_counts: dict[bytes, int] = {}  # by reel: the playlist has the newest one
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(1):
            self._look()
            self.seen += [time.monotonic()] * (sum(self._frame_counts.values()) - len(self.seen))

    def _look(self) -> None:
        with contextlib.suppress(StorageError):  # as a player, which tries again
            playlist = self._store.get("video/camera/video.m3u8").body
            for reel, first, count in _SEGMENT.findall(playlist):
                self._frame_counts[reel] = int(first) + int(count)


def run(photos: int, step: float, size: tuple[int, int]) -> None:
    """Play the camera, and print the delays."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedS3(disk_command(Path(folder), _BUCKET, {})) as server:
        stores = [S3Store(make_client(variables=server.variables()), _BUCKET) for _ in range(2)]
        variables = {
            **server.variables(),
            "STATEFUL_RUNTIME_PYTHON": sys.executable,
            "TIMELAPSE_FRAMES": f"s3://{_BUCKET}/frames/",
            "TIMELAPSE_VIDEO": f"s3://{_BUCKET}/video/",
        }
        viewer, uploaded = Viewer(stores[1]), list[float]()
        with LocalLambda(deployment=INSTALLED, variables=variables, temp_folder=Path(folder)) as environment:
            viewer.start()
            next_sweep = time.monotonic() + _SWEEP_SECONDS
            for number, body in enumerate(make_photos(photos, size)):
                due = time.monotonic() + step
                key = f"frames/camera/{number:06d}.jpg"
                stores[0].put(key, body)
                uploaded.append(time.monotonic())
                events = [object_created_event(_BUCKET, key)]
                if time.monotonic() >= next_sweep:
                    events.append({"sweep": {"stream": "camera"}})
                    next_sweep += _SWEEP_SECONDS
                for event in events:
                    result = environment.invoke(event)
                    assert result.error_type is None, result.error
                time.sleep(max(0.0, due - time.monotonic()))
            viewer.stopped.set()
            viewer.join()
    _report(uploaded, viewer.seen)


def _report(uploaded: Sequence[float], seen: Sequence[float]) -> None:
    delays = sorted(after - before for before, after in zip(uploaded, seen, strict=False))
    pace = (uploaded[-1] - uploaded[0]) / (len(uploaded) - 1)
    print(f"{len(uploaded)} photos, one in {pace:.2f} s; {len(delays)} were visible when the camera stopped")
    tenth = statistics.quantiles(delays, n=10)
    print(f"seconds from upload to video.m3u8: median {tenth[4]:.0f}, 90 % {tenth[8]:.0f}, most {delays[-1]:.0f}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--step", type=float, default=1.0, help="seconds between two photos")
    parser.add_argument("--size", default="1280x720")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    run(arguments.photos, arguments.step, (width, height))


if __name__ == "__main__":
    main()
