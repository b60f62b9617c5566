"""`timelapse replay`: a folder of photos becomes a video on this machine, through the real runtime.

Starts an S3 server (or takes a real one) and the local Lambda environment, uploads the photos one by one and sends
each one's event, ends the environment as Lambda would, and copies the video to a folder. Needs the extra `local`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from timelapse_runtime.cli import EXIT_OK, CommandFailed
from timelapse_runtime.cli.download import download_video
from timelapse_runtime.cli.progress import Progress
from timelapse_runtime.cli.replay_report import Totals, describe_left_out, format_table
from timelapse_runtime.emulator.camera import NoPhotos, Photos, photos_in_folder, sample_scene
from timelapse_runtime.emulator.deployment import INSTALLED
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.emulator.s3_server import EmbeddedS3, S3ServerFailed
from timelapse_runtime.timelapse.config import PREFIX, parse_config
from timelapse_runtime.timelapse.storage.contract import Store
from timelapse_runtime.timelapse.storage.s3 import S3Store, make_client

_SCENE_SIZE = (1280, 720)
_ATTEMPTS = 3  # Lambda's asynchronous queue retries a failed event twice
_FRAMES_PREFIX, _VIDEO_PREFIX = "frames/", "video/"
_LINES_KEPT = 40


class _Logs:
    """The processes' last log lines: printed if the replay fails, or at once if asked. Called from several threads."""

    def __init__(self, totals: Totals, *, verbose: bool) -> None:
        self._totals, self._verbose = totals, verbose
        self._kept: deque[str] = deque(maxlen=_LINES_KEPT)

    def add(self, source: str, line: str) -> None:
        """Take one line of the process `source`."""
        self._kept.append(f"{source}: {line}")
        if self._verbose:
            self.print_kept()
        with contextlib.suppress(ValueError):  # a line of text, not a record
            record = json.loads(line)
            if isinstance(record, dict):
                self._totals.add_log_record(record)

    def print_kept(self) -> None:
        """Print the lines that are kept, on stderr, and forget them."""
        while self._kept:
            print(self._kept.popleft(), file=sys.stderr)


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Replay the photos. Prints the report; the exit code. Raises CommandFailed and TimelapseError."""
    began = time.monotonic()
    try:
        configured = _configuration(options, variables)
        config = parse_config(configured)
        if options.frames:
            by_bytes = config.order == "name"
            photos = photos_in_folder(options.frames, config.include, byte_order=by_bytes, output=options.out)
        else:
            photos = sample_scene(options.scene_frames, config.size or _SCENE_SIZE)
        if photos.left_out and not options.json:
            print(f"replay: {photos.count} photos; {describe_left_out(photos.left_out)}", file=sys.stderr)
        with contextlib.ExitStack() as stack:
            report = _replay(options, photos, {**configured, **_start_storage(options, variables, stack)}, stack)
    except (NoPhotos, S3ServerFailed) as error:
        raise CommandFailed(str(error)) from error
    report["wall_seconds"] = round(time.monotonic() - began, 3)
    print(json.dumps(report) if options.json else format_table(report))
    return EXIT_OK


def _replay(
    options: argparse.Namespace, photos: Photos, variables: Mapping[str, str], stack: contextlib.ExitStack
) -> dict[str, Any]:
    """Upload the photos and deliver their events to an environment with these variables. The report."""
    store = S3Store(make_client(variables=variables, user_agent="timelapse-replay"), options.bucket)
    _refuse_an_existing_stream(store, options.stream)
    totals = Totals()
    logs = _Logs(totals, verbose=options.verbose)
    environment = stack.enter_context(
        LocalLambda(
            deployment=INSTALLED,
            variables=variables,
            temp_folder=Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="timelapse-replay-"))),
            timeout_seconds=60,
            on_log=logs.add,
        )
    )
    progress = stack.enter_context(Progress(photos.count, quiet=options.json and not sys.stderr.isatty()))
    for name, body in photos.bodies:
        key = f"{_FRAMES_PREFIX}{options.stream}/{name}"
        etag = store.put(key, body, content_type=guess_type(name)[0] or "application/octet-stream")
        event = object_created_event(options.bucket, key, size_bytes=len(body), etag=etag)
        _invoke(environment, event, totals, logs)
        totals.frames_in += 1
        progress.step()
        if options.kill_every and totals.frames_in % options.kill_every == 0:
            environment.kill()
        elif options.restart_every and totals.frames_in % options.restart_every == 0:
            environment.shutdown()
    _invoke(environment, {"sweep": {"stream": options.stream, "close": True}}, totals, logs)
    environment.shutdown()
    totals.finish()
    return {**_report(options, store, environment, totals), "left_out": _counts(photos.left_out)}


def _counts(left_out: Mapping[str, Sequence[str]]) -> dict[str, int]:
    return {reason: len(names) for reason, names in left_out.items()}


def _report(options: argparse.Namespace, store: Store, environment: LocalLambda, totals: Totals) -> dict[str, Any]:
    video = download_video(store, f"{_VIDEO_PREFIX}{options.stream}/", options.out)
    usage = environment.usage
    return {
        "frames_in": totals.frames_in,
        "frames_in_video": video.frame_count,
        "rejected": video.rejected_count,
        "rejected_by_reason": dict(video.rejected_by_reason),
        "video": str(video.file),
        "playlist": str(video.playlist),
        "video_bytes": video.size_bytes,
        "reels": video.reel_count,
        "invocations": totals.invocations,
        "cold_starts": environment.cold_starts,
        "flushes": totals.flushes,
        "s3_requests": dict(sorted(totals.requests.items())),
        "runtime_cpu_seconds": round(usage.cpu_seconds, 3),
        "runtime_peak_rss_bytes": usage.peak_rss_bytes,
    }


def _start_storage(
    options: argparse.Namespace, variables: Mapping[str, str], stack: contextlib.ExitStack
) -> dict[str, str]:
    """The variables by which the runtime and this process reach S3. An embedded server has the bucket already."""
    if options.endpoint_url is None:
        server = stack.enter_context(EmbeddedS3())
        server.create_buckets(options.bucket)
        return dict(server.variables())
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    credentials = {name: variables[name] for name in names if name in variables}
    if len(credentials) < 2:
        raise CommandFailed("--endpoint-url needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment")
    return {**credentials, "AWS_ENDPOINT_URL_S3": options.endpoint_url}


def _refuse_an_existing_stream(store: S3Store, stream: str) -> None:
    for prefix in (_FRAMES_PREFIX, _VIDEO_PREFIX):
        for info in store.list_after(f"{prefix}{stream}/"):
            raise CommandFailed(f"stream {stream} exists (s3://{store.bucket}/{info.key}): name another --stream")


def _configuration(options: argparse.Namespace, variables: Mapping[str, str]) -> dict[str, str]:
    """The function's variables: TIMELAPSE_ ones of this shell, and over them the options and the replay's own places.

    TIMELAPSE_STREAM is not taken: `--stream` names the folder of the only stream that there is.
    """
    flags = {"FLUSH_EVERY": options.flush_every, "SIZE": options.size}
    return {
        f"{PREFIX}REEL": "never",  # a folder becomes one video, also if midnight passes during the replay
        **{name: value for name, value in variables.items() if name.startswith(PREFIX)},
        **{f"{PREFIX}{name}": str(value) for name, value in flags.items() if value is not None},
        f"{PREFIX}FRAMES": f"s3://{options.bucket}/{_FRAMES_PREFIX}",
        f"{PREFIX}VIDEO": f"s3://{options.bucket}/{_VIDEO_PREFIX}",
        f"{PREFIX}STREAM": "",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "STATEFUL_RUNTIME_PYTHON": sys.executable,
    }


def _invoke(environment: LocalLambda, event: dict[str, Any], totals: Totals, logs: _Logs) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        outcome = environment.invoke(event)
        totals.invocations += 1
        if outcome.error_type is None:
            totals.add_response(outcome.payload)
            return
        logs.print_kept()
        print(f"replay: invocation failed (attempt {attempt} of {_ATTEMPTS}): {outcome.error}", file=sys.stderr)
    raise CommandFailed(f"the function failed {_ATTEMPTS} times on the same event; its log is above")
