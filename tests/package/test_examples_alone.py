"""The examples, packaged by the commands of their READMEs, alone in an otherwise empty root, under AWS's emulator.

Not in CI: it downloads 40 MB and takes four minutes. `scripts/test tests/package/test_examples_alone.py` runs it. What
else happens to their processes is in tests/integration/test_examples.py.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.examples.upstream import Upstream
from tests.examples.writes import SALES, VECTORS, Writes
from tests.integration.conftest import emulator_binary, ending  # noqa: F401 - fixtures
from tests.integration.environments import kill_runtime
from tests.package.conftest import ROOT
from tests.package.sandbox import emulator_in_chroot, make_root, unzip
from timelapse_runtime.emulator.rie import Emulator
from timelapse_runtime.emulator.s3_server import EmbeddedS3

pytestmark = pytest.mark.timeout(900)
Start = Callable[..., Emulator]


@pytest.fixture
def start(tmp_path: Path, emulator_binary: Path, ending: ExitStack) -> Start:  # noqa: F811 - a fixture
    """`start(handler, extension=…, …)` packages the example once, and starts an environment of it."""
    built: dict[str, Any] = {}

    def begin(handler: str, *, extension: bool = True, **variables: str) -> Emulator:
        example, _, name = handler.partition("/")
        if not built:
            built.update(package(example, tmp_path))
        root = make_root(tmp_path / f"root-{len(list(tmp_path.iterdir()))}", emulator_binary)
        unzip(Path(built["path"]), root / "var" / "task")
        if extension:
            unzip(Path(built["extension_layer"]), root / "opt")
        return ending.enter_context(
            emulator_in_chroot(
                root, root / "scratch", bootstrap=Path("/var/task/bootstrap"), handler=name, variables=variables
            )
        )

    return begin


def package(example: str, out: Path) -> dict[str, Any]:
    """Run the command of the example's README. Its report."""
    readme = (ROOT / "examples" / example / "README.md").read_text()
    (command,) = re.findall(r"^scripts/package .*$", readme, re.MULTILINE)
    words = [*shlex.split(command), "--out", str(out / "dist")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


@pytest.mark.parametrize("example", [SALES, VECTORS], ids=["sqlite", "similarity"])
def test_a_packaged_example_keeps_what_it_acknowledged(example: Writes, start: Start) -> None:
    with EmbeddedS3() as s3:
        s3.create_buckets("state")
        variables = {**s3.variables(), "STATE_BUCKET": "state"}
        environment = start(example.handler, **variables)
        assert "errorType" not in environment.invoke(example.write(1)).payload
        kill_runtime("STATE_BUCKET=state\0")
        answers = [environment.invoke(example.write(number)).payload for number in (2, 2, 3)]
        assert ["errorType" in answer for answer in answers[1:]] == [False, False]
        environment.shutdown()
        again = start(example.handler, extension=False, **variables)
        assert example.found(again.invoke(example.read).payload) == {1, 2, 3}
        again.shutdown()


def test_a_packaged_client_keeps_its_connections(start: Start) -> None:
    with Upstream() as upstream:
        url = upstream.url.replace("localhost", "127.0.0.1")  # the root has no /etc/hosts
        environment = start("http_client/fetch.Fetcher", UPSTREAM=url)
        for _ in range(2):
            answers = environment.invoke({"paths": ["/a", "/b"]}).payload["answers"]
            assert [answer["text"] for answer in answers] == ["/a", "/b"]
        assert upstream.connection_count == 2
        environment.shutdown()
