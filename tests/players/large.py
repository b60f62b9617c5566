"""Makes the `video.mp4` of a long reel, and measures how players open it and seek in it.

    python -m tests.players.large make FILE [--frames 100000]
    python -m tests.players.large measure FILE [--rate 2500000]

`make` encodes pictures with the product's writer and publishes `video.mp4` as it grows, over moto's S3 on the disk: in
parts of 5 MiB and more, with server-side copies. Nothing is left out but the photos themselves and the checkpoint.

`measure` serves the file at a rate in bytes per second for each connection, and prints a table: the time to the first
picture and what was read by then, and the same for a seek to 99 % of the video. Each picture carries its number
(modulo 65,536); a player that shows another one fails. Programs that are not installed are left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from tests.photos import square_size
from tests.players.measure import measure
from timelapse_runtime.emulator.s3_server import EmbeddedS3, disk_command
from timelapse_runtime.runtime.state.contract import IfAbsent, Store
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.reel_writer import ReelWriter
from timelapse_runtime.timelapse.video.codec import X264Codec
from timelapse_runtime.timelapse.video.encode import EncoderSettings
from timelapse_runtime.timelapse.video.sample_table import head_size_bytes
from timelapse_runtime.timelapse.video_file import VideoFile

SIZE = (320, 180)
_FPS, _INTERVAL, _FLUSH_EVERY = 30, 180, 60
_BUCKET, _KEYS = "video", StreamKeys("video/camera/")
_BEGAN_EPOCH_MS = 1_795_658_343_000


def pictures(count: int) -> Iterator[VideoFrame]:
    """Numbered pictures whose noise makes packets of a kilobyte or two."""
    width, height = SIZE
    random, square = np.random.default_rng(1), square_size(width)
    ground = 118 + 60 * np.sin(np.mgrid[0:height, 0:width][1] / 30)
    grounds = [ground + random.normal(0, 3, (height, width)) for _ in range(8)]
    chroma = np.full((height // 2, width), 128, np.uint8)
    for number in range(count):
        luma = np.clip(grounds[number % 8] + number // 3 % 20, 16, 235).astype(np.uint8)
        luma[80:96, number * 3 % width :][:, :16] = 40
        for bit in range(16):
            luma[:square, bit * square : (bit + 1) * square] = 235 if number >> (15 - bit) & 1 else 16
        yield VideoFrame.from_ndarray(np.vstack([luma, chroma]), format="yuv420p")


class LongReel:
    """A reel that grows in `store`, flush by flush, with its `video.mp4`."""

    def __init__(self, store: Store) -> None:
        settings = EncoderSettings(*SIZE, _FPS, _INTERVAL, crf=23, preset="superfast", threads=1)
        self._store, self._writer = store, ReelWriter(X264Codec(), settings)
        self._file = VideoFile(store, _KEYS, "2026-11-20-0001")
        self._reel: Reel | None = None

    def append(self, number: int, picture: VideoFrame) -> None:
        """Add one frame."""
        self._writer.append(picture, SourceFrame(f"{number:06d}.jpg", _BEGAN_EPOCH_MS + 1000 * number))

    def flush(self, *, close: bool = False) -> None:
        """Store what has come out of the encoder, and publish if that is due."""
        self._writer.cut(drain=close)
        init = self._writer.init_segment
        if init is None:
            return
        if self._reel is None:
            size = len(init.body), init.sha256
            self._reel = Reel(1, self._file.reel_path, *SIZE, _FPS, _INTERVAL, init.reorder_frames, *size, 0, None)
            self._store.put(_KEYS.init(self._reel.name), init.body)
        segments = {segment.first: segment for segment in self._reel.segments}
        for data in self._writer.uncommitted():
            segment = replace(data.segment, attempt=f"{self._writer.cut_number:012d}")
            segments[segment.first] = segment
            self._store.put(segment_key(_KEYS, self._reel, segment), data.body, condition=IfAbsent())
        is_open = self._writer.has_open_segment
        self._reel = replace(self._reel, segments=tuple(segments.values()), last_is_open=is_open, is_closed=close)
        self._writer.committed(self._writer.cut_number)
        self._file.publish(self._reel, self._writer.release(), force=close)


def make(path: Path, count: int) -> None:
    """Write `video.mp4` of a closed reel of `count` frames to `path`."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, EmbeddedS3(disk_command(Path(folder), _BUCKET, {})) as server:
        store = S3Store(make_client(variables=server.variables()), _BUCKET)
        reel = LongReel(store)
        for number, picture in enumerate(pictures(count)):
            reel.append(number, picture)
            if (number + 1) % _FLUSH_EVERY == 0:
                reel.flush()
        reel.flush(close=True)
        path.write_bytes(store.get(_KEYS.video("2026-11-20-0001")).body)
        requests = dict(store.request_counts)
    with path.open("rb") as file:
        head_bytes = head_size_bytes(file.read(64))
    print(f"{count} frames, {path.stat().st_size:,} bytes, of which {head_bytes:,} are the head")
    print(f"{time.monotonic() - began:.0f} s, requests: {requests}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["make", "measure"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=2_500_000)
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(arguments.file, arguments.frames)
    else:
        sys.exit(measure(arguments.file, arguments.rate))


if __name__ == "__main__":
    main()
