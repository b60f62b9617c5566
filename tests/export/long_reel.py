"""Measures an export of a long reel: `python -m tests.export.long_reel [FRAMES [WIDTHxHEIGHT]]`.

Makes a reel in a folder, serves the folder as S3 would from another process, runs `timelapse export`, and prints its
time and its peak memory. The packets of 180 encoded photos are repeated, so that the reel needs no hours of encoding.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Process
from pathlib import Path

from tests.mp4 import check_file
from tests.photos import make_photos
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, Segment, checksum
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.video.boxes import pack_provenance
from timelapse_runtime.timelapse.video.decode import BLACK, PhotoDecoder
from timelapse_runtime.timelapse.video.encode import EncodedFrame, Encoder, EncoderSettings
from timelapse_runtime.timelapse.video.fit import PictureFitter
from timelapse_runtime.timelapse.video.mux import FragmentMuxer

KEYFRAME_INTERVAL = 180
BEGAN_EPOCH_MS = 1_795_658_343_000
KEYS = StreamKeys("video/camera/")


_PROGRAM = """
import re, sys
from timelapse_runtime.cli.main import main
code = main(sys.argv[1:])
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])  # getrusage counts what the parent has
sys.exit(code)
"""


def encode(count: int, size: tuple[int, int]) -> tuple[list[EncodedFrame], Encoder]:
    """One group of pictures."""
    settings = EncoderSettings(*size, 30, KEYFRAME_INTERVAL, 23, "veryfast", os.cpu_count() or 1)
    encoder = Encoder(settings, first_number=0)
    decoder, fitter = PhotoDecoder(maximum_pixels=10**9, background=BLACK), PictureFitter(*size)
    for photo in make_photos(count, size):
        encoder.append(fitter.fit(decoder.decode(photo)))
    encoder.drain()
    return encoder.cut(), encoder


def segments(count: int, size: tuple[int, int]) -> Iterator[tuple[Segment, bytes, bytes, int]]:
    """Each segment with its bytes, the init segment, and how far decoding runs ahead."""
    packets, encoder = encode(min(count, KEYFRAME_INTERVAL), size)
    ahead = encoder.reorder_frames
    muxer = FragmentMuxer(encoder.parameter_sets, packets[0], fps=30, reorder_frames=ahead)
    for first in range(0, count, KEYFRAME_INTERVAL):
        number = min(KEYFRAME_INTERVAL, count - first)
        if number < len(packets):
            packets, encoder = encode(number, size)
        photos = [SourceFrame(f"{one:06d}.jpg", BEGAN_EPOCH_MS + 1000 * one) for one in range(first, first + number)]
        moved = [replace(packet, pts=first + packet.pts) for packet in packets]
        body = pack_provenance(first, photos) + muxer.fragment(moved, number=first)
        taken = photos[0].captured_epoch_ms
        segment = Segment(first, number, "a" * 12, len(body), checksum(body), photos[-1].key, captured_epoch_ms=taken)
        yield segment, body, muxer.init_segment, ahead


def make_reel(folder: Path, count: int, size: tuple[int, int]) -> None:
    """The objects of a stream with one open reel."""
    reel = Reel(1, "2026-11-25-0001", *size, 30, KEYFRAME_INTERVAL, 0, 0, "", 0, None)
    for segment, body, init_segment, ahead in segments(count, size):
        if not reel.segments:
            sha256 = hashlib.sha256(init_segment).hexdigest()
            reel = replace(reel, reorder_frames=ahead, init_size_bytes=len(init_segment), init_sha256=sha256)
            write(folder / KEYS.init(reel.name), init_segment)
        reel = replace(reel, segments=(*reel.segments, segment))
        write(folder / segment_key(KEYS, reel, segment), body)
    last = reel.segments[-1].last_key
    checkpoint = Checkpoint("s3://frames/frames/camera/", 1, "a", last, (), count, 0, reel)
    write(folder / KEYS.checkpoint, checkpoint.to_json())


def write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def server_of(folder: Path) -> ThreadingHTTPServer:
    """Will answer GETs of objects, whole or a range of them, as S3 does."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = folder.joinpath(*self.path.partition("?")[0].split("/")[2:])
            if not path.is_file():
                self.send_error(404)
                return
            body = path.read_bytes()
            size, bounds = len(body), self.headers.get("Range")
            if bounds:
                start, end = map(int, bounds.removeprefix("bytes=").split("-"))
                body = body[start : end + 1]
            self.send_response(206 if bounds else 200)
            for name, value in (
                ("Content-Length", len(body)),
                ("ETag", '"an-etag"'),
                ("Last-Modified", formatdate(path.stat().st_mtime, usegmt=True)),
                *([("Content-Range", f"bytes {start}-{start + len(body) - 1}/{size}")] if bounds else []),
            ):
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def export(port: int, out: Path, *options: str) -> dict[str, object]:
    """Run the command in a process of its own; its report, with wall time and peak memory."""
    command = [sys.executable, "-c", _PROGRAM, "export", f"s3://bucket/{KEYS.folder}"]
    command += ["--out", str(out), "--json", "--endpoint-url", f"http://127.0.0.1:{port}", *options]
    credentials = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "a", "AWS_REGION": "eu-central-1"}
    began = time.monotonic()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **credentials})
    report, peak_kib = done.stdout.splitlines()
    wall_seconds = round(time.monotonic() - began, 1)
    return {**json.loads(report), "wall_seconds": wall_seconds, "peak_mib": round(int(peak_kib) / 1024)}


def main(arguments: Sequence[str]) -> None:
    count = int(arguments[0]) if arguments else 100_000
    width, height = map(int, (arguments[1] if len(arguments) > 1 else "1920x1080").split("x"))
    with tempfile.TemporaryDirectory(dir=os.environ.get("LONG_REEL_DIR")) as name:
        folder = Path(name) / "bucket"
        make_reel(folder, count, (width, height))
        server = server_of(folder)
        process = Process(target=server.serve_forever, daemon=True)
        process.start()
        try:
            for options in ((), ("--from", "2026-11-26T01:59:53", "--force")):
                report = export(server.server_port, Path(name) / "out.mp4", *options)
                check_file(Path(name) / "out.mp4", int(str(report["frame_count"])))
                print(*options, json.dumps(report), flush=True)
        finally:
            process.terminate()


if __name__ == "__main__":
    main(sys.argv[1:])
