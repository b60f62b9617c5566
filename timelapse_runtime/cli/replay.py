"""Replay: a folder of photos becomes a timelapse on this machine, through the real runtime.

Starts an S3 server (or takes a real one) and the local Lambda environment, uploads the photos one by one, sends
each one's event, ends the environment as Lambda would, and copies the film to a folder. `scripts/replay` calls it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timelapse_runtime.cli.download import download_film
from timelapse_runtime.cli.progress import Progress
from timelapse_runtime.emulator.camera import NoPhotos, Shots, object_created_event, photos_in_folder, sample_scene
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.s3_server import EmbeddedS3, S3ServerFailed
from timelapse_runtime.timelapse.errors import TimelapseError
from timelapse_runtime.timelapse.storage.s3 import S3Store, make_client

ROOT = Path(__file__).resolve().parents[2]
HANDLER = "timelapse_runtime.timelapse.Timelapse"
SCENE_FRAMES, SCENE_SIZE = 300, (1280, 720)
_TRIES = 3  # Lambda's asynchronous queue tries a failed event twice more
_FRAMES_PREFIX, _VIDEO_PREFIX = "frames/", "video/"


class ReplayFailed(Exception):
    """The film could not be made; the message says why."""


@dataclass(slots=True)
class Totals:
    """What the environments reported, and what is counted here."""

    frames_in: int = 0
    invocations: int = 0
    flushes: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    _environments: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answered(self, payload: Any) -> None:
        """An invocation's answer: its environment's running totals."""
        environment = payload["environment"]
        self._environments[environment["id"]] = environment

    def carried_out(self, record: dict[str, Any]) -> None:
        """A line of the extension's log: a shutdown plan was carried out. One flush, of so many PUTs."""
        self.requests["PutObject"] += record["done_count"]
        self.flushes += 1

    def sum_up(self) -> None:
        """Add the environments' totals."""
        for environment in self._environments.values():
            self.flushes += environment.get("flushes", 0)
            self.requests.update(environment["s3_requests"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; the exit code."""
    options = _parser().parse_args(argv)
    began = time.monotonic()
    try:
        shots = (
            photos_in_folder(options.frames)
            if options.frames
            else sample_scene(options.scene_frames, options.size or SCENE_SIZE)
        )
        with contextlib.ExitStack() as stack:
            report = _replay(options, shots, stack, began)
    except (NoPhotos, ReplayFailed, S3ServerFailed, TimelapseError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("replay: stopped", file=sys.stderr)
        return 130
    print(json.dumps(report) if options.json else _table(report))
    return 0


def _replay(options: argparse.Namespace, shots: Shots, stack: contextlib.ExitStack, began: float) -> dict[str, Any]:
    variables = _storage(options, stack)
    client = make_client(variables=variables, user_agent="timelapse-replay")
    store = S3Store(client, options.bucket)
    for place in (_FRAMES_PREFIX, _VIDEO_PREFIX):
        for info in store.list_after(f"{place}{options.stream}/"):
            raise ReplayFailed(
                f"stream {options.stream} exists (s3://{options.bucket}/{info.key}): name another --stream"
            )
    totals = Totals()
    logs = _Logs(totals, verbose=options.verbose)
    environment = stack.enter_context(
        LocalLambda(
            bootstrap=ROOT / "bootstrap",
            handler=HANDLER,
            variables={**variables, **_configuration(options)},
            extensions=ROOT / "layer" / "extensions",
            task_root=ROOT,
            temp_folder=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="timelapse-replay-"))),
            timeout_seconds=60,
            on_log=logs.line,
        )
    )
    progress = stack.enter_context(Progress(shots.count, quiet=options.json and not sys.stderr.isatty()))
    for name, body in shots.photos:
        key = f"{_FRAMES_PREFIX}{options.stream}/{name}"
        etag = store.put(key, body, content_type="image/png" if name.lower().endswith("png") else "image/jpeg")
        _invoke(environment, object_created_event(options.bucket, key, len(body), etag), totals, logs)
        totals.frames_in += 1
        progress.step()
        if options.kill_every and totals.frames_in % options.kill_every == 0:
            environment.kill()
        elif options.restart_every and totals.frames_in % options.restart_every == 0:
            environment.shutdown()
    _invoke(environment, {"sweep": {"stream": options.stream, "close": True}}, totals, logs)
    environment.shutdown()
    totals.sum_up()
    film = download_film(store, f"{_VIDEO_PREFIX}{options.stream}/", options.out)
    usage = environment.usage
    return {
        "frames_in": totals.frames_in,
        "frames_in_video": film.frame_count,
        "rejected": film.rejected_count,
        "video": str(film.video),
        "playlist": str(film.playlist),
        "video_bytes": film.video_bytes,
        "reels": film.reel_count,
        "invocations": totals.invocations,
        "cold_starts": environment.cold_starts,
        "flushes": totals.flushes,
        "s3_requests": dict(sorted(totals.requests.items())),
        "runtime_cpu_seconds": round(usage.cpu_seconds, 3),
        "runtime_peak_rss_bytes": usage.peak_rss_bytes,
        "wall_seconds": round(time.monotonic() - began, 3),
    }


def _storage(options: argparse.Namespace, stack: contextlib.ExitStack) -> dict[str, str]:
    """The variables by which the runtime and we reach S3; the bucket is there when this returns."""
    if options.endpoint_url is None:
        server = stack.enter_context(EmbeddedS3())
        server.create_buckets(options.bucket)
        return dict(server.variables())
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    credentials = {name: os.environ[name] for name in names if name in os.environ}
    if len(credentials) < 2:
        raise ReplayFailed("--endpoint-url needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment")
    return {**credentials, "AWS_ENDPOINT_URL_S3": options.endpoint_url}


def _configuration(options: argparse.Namespace) -> dict[str, str]:
    size = options.size
    return {
        "TIMELAPSE_FRAMES": f"s3://{options.bucket}/{_FRAMES_PREFIX}",
        "TIMELAPSE_VIDEO": f"s3://{options.bucket}/{_VIDEO_PREFIX}",
        "TIMELAPSE_FLUSH_EVERY": str(options.flush_every),
        "TIMELAPSE_SIZE": f"{size[0]}x{size[1]}" if size else "auto",
        "TIMELAPSE_REEL": "never",  # one folder, one film, at whatever hour it is replayed
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "TIMELAPSE_PYTHON": sys.executable,
    }


def _invoke(environment: LocalLambda, event: dict[str, Any], totals: Totals, logs: _Logs) -> None:
    for attempt in range(1, _TRIES + 1):
        outcome = environment.invoke(event)
        totals.invocations += 1
        if outcome.error_type is None:
            totals.answered(outcome.payload)
            return
        logs.flush()
        print(f"replay: invocation failed (try {attempt} of {_TRIES}): {outcome.error}", file=sys.stderr)
    raise ReplayFailed("the function failed at the same event three times; its log stands above")


class _Logs:
    """The processes' logs: kept for a failure, shown at once when asked for. Lines come from several threads."""

    def __init__(self, totals: Totals, *, verbose: bool) -> None:
        self._totals, self._verbose = totals, verbose
        self._kept: deque[str] = deque(maxlen=40)

    def line(self, source: str, line: str) -> None:
        """Take one line."""
        self._kept.append(f"{source}: {line}")
        if self._verbose:
            self.flush()
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict) and "done_count" in record:
                self._totals.carried_out(record)

    def flush(self) -> None:
        """Print what is kept."""
        while self._kept:
            print(self._kept.popleft(), file=sys.stderr)


def _table(report: dict[str, Any]) -> str:
    requests: dict[str, int] = report["s3_requests"]
    rows = [
        ("frames in", report["frames_in"]),
        ("frames in the video", report["frames_in_video"]),
        ("frames rejected", report["rejected"]),
        ("invocations", report["invocations"]),
        ("cold starts", report["cold_starts"]),
        ("flushes", report["flushes"]),
        ("S3 requests", f"{sum(requests.values())}: " + ", ".join(f"{n} {kind}" for kind, n in requests.items())),
        ("CPU of the runtime", f"{report['runtime_cpu_seconds']:.1f} s"),
        ("its peak memory", f"{report['runtime_peak_rss_bytes'] / 1024**2:.0f} MiB"),
        ("wall time", f"{report['wall_seconds']:.1f} s"),
        ("bytes of video", f"{report['video_bytes']:,}"),
        ("video", report["video"]),
        ("playlist", report["playlist"]),
    ]
    return "\n".join(f"{label:<20} {value}" for label, value in rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/replay", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "frames", nargs="?", type=Path, help="a folder of photos; without it a sample scene is rendered"
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="where the film is left (default: out)")
    parser.add_argument("--stream", type=_stream_name, default="camera", help="the stream's name (default: camera)")
    parser.add_argument("--flush-every", type=_positive, default=60, metavar="N", help="frames per flush (default: 60)")
    parser.add_argument("--size", type=_size, metavar="WxH", help="the film's size (default: the first photo's)")
    parser.add_argument("--scene-frames", type=_positive, default=SCENE_FRAMES, metavar="N", help="the scene's length")
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--restart-every", type=_positive, metavar="K", help="a new environment after every K frames")
    ends.add_argument("--kill-every", type=_positive, metavar="K", help="the same by SIGKILL, as when a host is lost")
    parser.add_argument("--endpoint-url", metavar="URL", help="use this S3 server instead of an embedded one")
    parser.add_argument("--bucket", default="timelapse-replay", help="the bucket (default: timelapse-replay)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else on stdout")
    parser.add_argument("--verbose", action="store_true", help="show the runtime's log on stderr")
    return parser


def _positive(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= value <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 1 to 10000")
    return value


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if min(size) < 16 or size[0] % 2 or size[1] % 2:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: WIDTHxHEIGHT, even, at least 16, such as 1280x720")
    return size


def _stream_name(text: str) -> str:
    if not re.fullmatch(r"[^/\x00-\x1f]{1,200}", text):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a name without a slash")
    return text


if __name__ == "__main__":
    sys.exit(main())
