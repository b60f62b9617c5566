"""`timelapse replay`: a folder of photos becomes a video on this machine, through the real runtime.

Starts an S3 server (or takes a real one) and the local Lambda environment, uploads the photos one by one and sends
each one's event, ends the environment as Lambda would, verifies the stream, and copies the video to a folder. Needs the
extra `local`.

A replay that ended early, in whatever way, is continued by the same command: the embedded server's objects are on the
disk, and the function continues from its checkpoint, as it does in Lambda.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading
import time
import webbrowser
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from timelapse_runtime.cli import EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK, CommandFailed
from timelapse_runtime.cli.output_folder import OutputFolder
from timelapse_runtime.cli.progress import Progress
from timelapse_runtime.cli.replay_plan import FRAMES_PREFIX, VIDEO_PREFIX, Plan, make_plan
from timelapse_runtime.cli.replay_report import Totals, describe_left_out, format_next, format_table
from timelapse_runtime.cli.watch import serve
from timelapse_runtime.emulator.camera import NoPhotos
from timelapse_runtime.emulator.deployment import INSTALLED
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.emulator.s3_server import EmbeddedS3, S3ServerFailed, disk_command
from timelapse_runtime.runtime.state.errors import StateError
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.errors import TimelapseError
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.timelapse.variables import PREFIX
from timelapse_runtime.timelapse.verify_report import Outcome, VerifyReport
from timelapse_runtime.watch.server import WatchServer

_ATTEMPTS = 3  # Lambda's asynchronous queue retries a failed event twice
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
    """Replay the photos. Prints the report; the exit code. Raises CommandFailed, StateError and TimelapseError."""
    began = time.monotonic()
    plan = make_plan(options, variables)
    if plan.photos.left_out and not options.json:
        print(f"replay: {len(plan.photos.names)} photos; {describe_left_out(plan.photos.left_out)}", file=sys.stderr)
    with OutputFolder.opened(options.out) as output:
        output.begin(_session(options, plan))
        replay = _Replay(options, plan, output, began)
        try:
            return replay.run()
        except (StateError, TimelapseError, CommandFailed, NoPhotos, S3ServerFailed) as error:
            output.explain_full_disk()
            is_told = isinstance(error, (StateError, TimelapseError, CommandFailed))
            raise error if is_told else CommandFailed(str(error)) from error
        finally:
            output.forget_if_nothing_happened(happened=replay.totals.frames_in > 0)


def _session(options: argparse.Namespace, plan: Plan) -> dict[str, str]:
    """What a replay is of: one that is continued must be of the same."""
    scene = f"a sample scene of {options.scene_frames} frames"
    return {
        "photos": str(options.frames.resolve()) if options.frames else scene,
        "stream": options.stream,
        "server": f"{options.endpoint_url} {options.bucket}" if options.endpoint_url else "embedded",
        **{name: value for name, value in plan.variables.items() if name.startswith(PREFIX)},
    }


class _Replay:
    """One run of the command, which began at `began` (`time.monotonic`)."""

    def __init__(self, options: argparse.Namespace, plan: Plan, output: OutputFolder, began: float) -> None:
        self.totals, self._stop = Totals(), threading.Event()
        self._options, self._plan, self._output, self._began = options, plan, output, began
        self._photos = Location(options.bucket, f"{FRAMES_PREFIX}{options.stream}/")
        self._video = Location(options.bucket, f"{VIDEO_PREFIX}{options.stream}/")
        self._logs = _Logs(self.totals, verbose=options.verbose)

    def run(self) -> int:
        """Replay what is not done yet, publish the video, and print the report. The exit code."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._interruptible())
            variables = {**self._plan.variables, **self._storage(stack)}
            store = S3Store(make_client(variables=variables, user_agent="timelapse-replay"), self._options.bucket)
            done = self._uploaded(store)
            page = self._page(variables, stack) if self._options.watch else None
            environment = stack.enter_context(
                LocalLambda(
                    deployment=INSTALLED,
                    variables=variables,
                    temp_folder=self._output.new_folder("temporary"),
                    timeout_seconds=60,
                    on_log=self._logs.add,
                )
            )
            self._upload(store, environment, done)
            uploaded_count = len(done) + self.totals.frames_in
            if not uploaded_count:
                raise CommandFailed("interrupted before the first photo")
            is_complete = not self._stop.is_set()
            ending = {"close": True} if is_complete else {"drain": True}
            self._invoke(environment, {"sweep": {"stream": self._options.stream, **ending}})
            environment.shutdown()
            self.totals.finish()
            outcome = self._verified(store, variables) if is_complete else None
            self._report(store, environment, uploaded_count, continued_after=len(done), outcome=outcome)
            if is_complete and page is not None:
                print(f"replay: {page.url} shows the video until Ctrl-C", file=sys.stderr)
                self._stop.wait()
        if not is_complete:
            return EXIT_INTERRUPTED
        self._output.finish()
        return EXIT_FINDINGS if outcome is Outcome.DAMAGED else EXIT_OK

    # ---- photos

    def _uploaded(self, store: S3Store) -> frozenset[str]:
        """The names of the photos that an earlier run uploaded. Raises CommandFailed for another replay's stream."""
        names = frozenset(info.key[len(self._photos.prefix) :] for info in store.list_after(self._photos.prefix))
        if not self._output.began_before:
            exists = names or any(True for _ in store.list_after(self._video.prefix))
            if exists:
                raise CommandFailed(f"stream {self._options.stream} exists in {self._video}: name another --stream")
        elif names and not self._options.json:
            print(f"replay: continuing after {len(names)} photos", file=sys.stderr)
        return names

    def _upload(self, store: S3Store, environment: LocalLambda, done: frozenset[str]) -> None:
        """Upload the photos that are not done, and deliver their events, until all are done or this is to stop."""
        options, totals = self._options, self.totals
        count, quiet = len(self._plan.photos.names), options.json and not sys.stderr.isatty()
        with Progress(count, done=len(done), unit="photos", quiet=quiet) as progress:
            for name, body in self._plan.photos.bodies(done):
                if self._stop.is_set():
                    progress.say("replay: interrupted; saving the video so far (once more to end at once)")
                    return
                key = f"{self._photos.prefix}{name}"
                etag = store.put(key, body, content_type=guess_type(name)[0] or "application/octet-stream")
                self._invoke(environment, object_created_event(store.bucket, key, size_bytes=len(body), etag=etag))
                totals.frames_in += 1
                progress.step()
                if options.kill_every and totals.frames_in % options.kill_every == 0:
                    environment.kill()
                elif options.restart_every and totals.frames_in % options.restart_every == 0:
                    environment.shutdown()

    def _invoke(self, environment: LocalLambda, event: dict[str, Any]) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            outcome = environment.invoke(event)
            self.totals.invocations += 1
            if outcome.error_type is None:
                self.totals.add_response(outcome.payload)
                return
            self._output.explain_full_disk()
            self._logs.print_kept()
            print(f"replay: invocation failed (attempt {attempt} of {_ATTEMPTS}): {outcome.error}", file=sys.stderr)
        raise CommandFailed(f"the function failed {_ATTEMPTS} times on the same event; its log is above")

    # ---- the end

    def _verified(self, store: S3Store, variables: Mapping[str, str]) -> Outcome:
        """Compare photos and video, and print what is wrong."""
        # libav, 16 MB, which are only needed when the runtime has ended.
        from timelapse_runtime.cli.target import Target  # noqa: PLC0415
        from timelapse_runtime.cli.verify import format_report, verify  # noqa: PLC0415

        if not self._options.json:
            print("replay: verifying", file=sys.stderr)
        found: VerifyReport = verify(Target(self._video, self._photos, store, store), variables)
        if found.outcome is Outcome.DAMAGED:
            print(format_report(found), file=sys.stderr)
        return found.outcome

    def _report(
        self,
        store: S3Store,
        environment: LocalLambda,
        uploaded_count: int,
        *,
        continued_after: int,
        outcome: Outcome | None,
    ) -> None:
        """Publish the video with a report, and print that."""
        from timelapse_runtime.cli.download import NoVideo, download_video  # noqa: PLC0415 - libav, as above

        result = self._output.new_folder("result")
        try:
            video = download_video(store, self._video.prefix, result)
        except NoVideo:
            self._output.finish()  # to continue would end in the same way
            raise
        usage, totals, out = environment.usage, self.totals, self._output.out.absolute()
        report = {
            "frames_in": uploaded_count,
            "frames_in_video": video.frame_count,
            "rejected": video.rejected_count,
            "rejected_by_reason": dict(video.rejected_by_reason),
            "verified": outcome.value if outcome is not None else None,
            "video": str(out / "video.mp4"),
            "playlist": str(out / "index.m3u8"),
            "video_bytes": video.size_bytes,
            "reels": video.reel_count,
            "invocations": totals.invocations,
            "cold_starts": environment.cold_starts,
            "flushes": totals.flushes,
            "s3_requests": dict(sorted(totals.requests.items())),
            "runtime_cpu_seconds": round(usage.cpu_seconds, 3),
            "runtime_peak_rss_bytes": usage.peak_rss_bytes,
            "photos": len(self._plan.photos.names),
            "continued_after": continued_after,
            "interrupted": outcome is None,
            "left_out": {reason: len(names) for reason, names in self._plan.photos.left_out.items()},
            "wall_seconds": round(time.monotonic() - self._began, 3),
        }
        self._output.publish(result, report)
        print(
            json.dumps(report) if self._options.json else f"{format_table(report)}\n\n{format_next(report)}", flush=True
        )

    # ---- what runs around it

    def _storage(self, stack: contextlib.ExitStack) -> Mapping[str, str]:
        """The variables by which the runtime and this process reach S3. An embedded server has the bucket already."""
        if self._plan.connection is not None:
            return self._plan.connection
        places: Sequence[tuple[str, Path]] = [(self._photos.prefix, self._options.frames)] * bool(self._options.frames)
        command = disk_command(self._output.state / "s3", self._options.bucket, dict(places))
        return stack.enter_context(EmbeddedS3(command)).variables()

    def _page(self, variables: Mapping[str, str], stack: contextlib.ExitStack) -> WatchServer:
        """The watch page over the video, while it grows, in the browser."""
        page = stack.enter_context(serve(Location(self._options.bucket, VIDEO_PREFIX), variables))
        print(f"replay: watch at {page.url}", file=sys.stderr)
        webbrowser.open(page.url)
        return page

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first Ctrl-C (or SIGTERM) ends the replay after the current photo, the second one at once."""

        def interrupted(number: int, _frame: object) -> None:
            self._stop.set()
            signal.signal(number, signal.default_int_handler)

        if threading.current_thread() is not threading.main_thread():
            yield  # signals are the main thread's
            return
        before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, earlier in before.items():
                signal.signal(number, earlier)
