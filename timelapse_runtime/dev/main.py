"""The `timelapse-runtime` command.

    timelapse-runtime dev module:Class                 serve invocations, restart when the source changes
    timelapse-runtime dev module:Class --event FILE    run one invocation for each FILE, and print the results

What the function prints and logs, and what happens to it, goes to stderr; results of --event go to stdout, one a line.

Exit code 0: done, and each invocation succeeded; 1: one of them failed; 2: the arguments are wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from timelapse_runtime import __version__
from timelapse_runtime.dev.invoke_api import InvokeApi
from timelapse_runtime.dev.session import Afterwards, Session
from timelapse_runtime.dev.source_files import SourceFiles
from timelapse_runtime.emulator.deployment import INSTALLED, Deployment
from timelapse_runtime.emulator.environment import LocalLambda

EXIT_OK, EXIT_FAILED, EXIT_ERROR = 0, 1, 2
_PORT = 9000
_LOOK_EVERY_SECONDS = 0.3
_SERVER_NEEDS = ("moto", "flask", "flask_cors")
_BUCKET_FOLDER = ".s3"
_PYTHON = "STATEFUL_RUNTIME_PYTHON"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends as after Ctrl-C: the function saves its state
    try:
        return _run(options, _Console())
    except KeyboardInterrupt:
        return EXIT_OK
    except OSError as error:
        print(f"timelapse-runtime: {error}", file=sys.stderr)
        return EXIT_ERROR


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of a command. Raises SystemExit after help, and for wrong arguments."""
    return _parser().parse_args(argv)


class _Console:
    """Prints lines from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def say(self, line: str) -> None:
        """A line of the command itself."""
        self.log("", line)

    def log(self, source: str, line: str) -> None:
        """A line of a process. What has several, a stack for example, has carriage returns in it (`runtime/log.py`):
        on a terminal each would hide the one before."""
        with self._lock:
            for part in line.replace("\r\n", "\r").split("\r"):
                print(f"{source} | {part}" if source else part, file=sys.stderr, flush=True)


def _run(options: argparse.Namespace, console: _Console) -> int:
    deployment = Deployment(
        bootstrap=INSTALLED.bootstrap,
        extensions=None if options.without_extension else INSTALLED.extensions,
        task_root=options.folder.resolve(),
        handler=options.handler,
    )
    with (
        tempfile.TemporaryDirectory(prefix="timelapse-runtime-") as folder,
        _bucket(options.folder, options.bucket) as of_bucket,
        LocalLambda(
            deployment=deployment,
            variables={**_variables(os.environ), **of_bucket, **dict(options.env)},
            temp_folder=Path(folder),
            timeout_seconds=options.timeout,
            memory_size_mb=options.memory,
            freeze=options.freeze,
            on_log=console.log,
        ) as environment,
    ):
        if of_bucket:
            url = of_bucket["AWS_ENDPOINT_URL_S3"]
            console.say(f"aws --no-sign-request --endpoint-url {url} s3 ls --recursive s3://{options.bucket}")
        session = Session(environment, console.say, options.afterwards)
        try:
            if options.event:
                return _run_events(session, options.event)
            return _serve(session, options, console.say)
        finally:
            session.end()


def _run_events(session: Session, events: Sequence[Any]) -> int:
    failed = not session.start()
    for event in () if failed else events:
        result = session.invoke(event)
        failed |= result.error_type is not None
        sys.stdout.buffer.write(result.body + b"\n")
        sys.stdout.buffer.flush()
    return EXIT_FAILED if failed else EXIT_OK


def _serve(session: Session, options: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Until Ctrl-C."""
    files = SourceFiles(options.folder)
    try:
        api = InvokeApi(options.port, session.invoke)
    except OSError as error:
        raise OSError(
            f"port {options.port} cannot be used: {error.strerror}; choose another one with --port"
        ) from error
    with api:
        say(f"{options.handler} restarts when a .py file in {options.folder.resolve()} changes; Ctrl-C ends it")
        say(f"curl -d '{{}}' {api.url}")
        try:
            session.start()
            while True:
                time.sleep(_LOOK_EVERY_SECONDS)
                if changed := files.changed():
                    session.restart(changed)
        except KeyboardInterrupt:
            session.end()  # before the server: a request that waits for an invocation is answered
            return EXIT_OK


@contextmanager
def _bucket(folder: Path, name: str | None) -> Iterator[Mapping[str, str]]:
    """An S3 server with this bucket, kept in a hidden folder of the function's; the variables that lead to it."""
    if name is None:
        yield {}
        return
    missing = [module for module in _SERVER_NEEDS if find_spec(module) is None]
    if missing:
        raise OSError(f"--bucket needs {', '.join(missing)}: python -m pip install 'timelapse-runtime[local]'")
    from timelapse_runtime.emulator.s3_server import (  # noqa: PLC0415  few need it: 0.5 s
        EmbeddedS3,
        S3ServerFailed,
        disk_command,
    )

    with ExitStack() as stack:
        try:
            server = stack.enter_context(EmbeddedS3(disk_command(folder / _BUCKET_FOLDER, name, {})))
        except S3ServerFailed as error:
            raise OSError(f"--bucket {name}: {error}") from error
        yield server.variables()


def _variables(own: Mapping[str, str]) -> dict[str, str]:
    """The function's: AWS's of this process (credentials, region, profile)."""
    taken = {name: value for name, value in own.items() if name == "HOME" or name.startswith("AWS_")}
    return {_PYTHON: own.get(_PYTHON, sys.executable), **taken}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="timelapse-runtime", description="Run a stateful function on this machine.")
    parser.add_argument("--version", action="version", version=f"timelapse-runtime {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    dev = commands.add_parser("dev", help="serve invocations of a function, and restart it when its source changes")
    dev.add_argument(
        "handler", type=_handler, metavar="MODULE:NAME", help="class, object or function, as in app:Counter"
    )
    what = dev.add_mutually_exclusive_group()
    what.add_argument(
        "--event",
        type=_event,
        action="append",
        default=[],
        metavar="FILE",
        help="run it with this JSON and end; repeatable; - is stdin",
    )
    what.add_argument("--port", type=int, default=_PORT, help="serve at 127.0.0.1:PORT; default: %(default)s")
    dev.add_argument("--folder", type=_folder, default=Path(), metavar="DIR", help="the function's; default: this one")
    dev.add_argument(
        "--env",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a variable for it; repeatable",
    )
    dev.add_argument(
        "--bucket",
        type=_bucket_name,
        metavar="NAME",
        help=f"an S3 bucket on this machine for it, kept in DIR/{_BUCKET_FOLDER}",
    )
    dev.add_argument("--timeout", type=_seconds, default=30.0, metavar="SECONDS", help="of an invocation; default: 30")
    dev.add_argument(
        "--memory", type=int, default=1769, metavar="MB", help="what the context says; default: %(default)s"
    )
    dev.add_argument("--freeze", action="store_true", help="stop its processes between invocations, as Lambda does")
    after = dev.add_mutually_exclusive_group()
    after.add_argument(
        "--shutdown",
        action="store_const",
        const=Afterwards.IS_SHUT_DOWN,
        dest="afterwards",
        help="after each invocation, end the environment as Lambda does: SIGTERM, flush, close, outbox",
    )
    after.add_argument(
        "--kill",
        action="store_const",
        const=Afterwards.IS_KILLED,
        dest="afterwards",
        help="after each invocation, and at the end, lose the environment: SIGKILL",
    )
    dev.add_argument("--without-extension", action="store_true", help="as if the layer with the extension were missing")
    parser.set_defaults(afterwards=Afterwards.STAYS)
    dev.set_defaults(afterwards=Afterwards.STAYS)
    return parser


def _handler(text: str) -> str:
    module, colon, name = text.rpartition(":")
    handler = f"{module}.{name}" if colon else text
    if not all(handler.rpartition(".")[::2]):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: module:Name, as in app:Counter or package.app:handler")
    return handler


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or (not equals and name not in os.environ):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: NAME=VALUE, or the NAME of a variable that is set here")
    return name, value if equals else os.environ[name]


def _bucket_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", text):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 3 to 63 of a-z, 0-9, . and -")
    return text


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 900:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: more than 0, and 900 at most")
    return seconds


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return Path(text)


def _event(path: str) -> Any:
    try:
        return json.loads(sys.stdin.read() if path == "-" else Path(path).read_text())
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{path} is not JSON: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
