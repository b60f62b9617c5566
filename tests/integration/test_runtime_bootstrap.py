"""bootstrap and the extension's script: how they find Python, under the shells that a minimal image may have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import require_program

ROOT = Path(__file__).parents[2]
SHELLS = [["dash"], ["busybox", "sh"]]


def run(
    shell: list[str], script: Path, *arguments: str, path: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    program = require_program(shell[0])
    environment = {"PATH": os.environ["PATH"] if path is None else str(path), **variables}
    return subprocess.run(
        [program, *shell[1:], str(script), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A deployed package whose runtime only says how it was started."""
    package = tmp_path / "task with space"
    (package / "timelapse_runtime").mkdir(parents=True)
    (package / "extensions").mkdir()
    shutil.copy(ROOT / "bootstrap", package)
    shutil.copy(ROOT / "layer/extensions/timelapse-shutdown", package / "extensions")
    shutil.copy(ROOT / "timelapse_runtime/start.sh", package / "timelapse_runtime")
    (package / "timelapse_runtime/__init__.py").touch()
    said = "import os, sys; print(sys.executable, sys.flags.no_site, sys.argv[1:], os.environ.get('LAMBDA_TASK_ROOT'))"
    (package / "timelapse_runtime/__main__.py").write_text(said)
    (package / "timelapse_runtime/runtime").mkdir()
    (package / "timelapse_runtime/runtime/__init__.py").touch()
    (package / "timelapse_runtime/runtime/extension.py").write_text(said)
    return package


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> list[str]:
    assert isinstance(request.param, list)
    return request.param


@pytest.mark.parametrize("arguments", [(), ("image.handler",)], ids=["none", "an image's CMD"])
def test_an_argument_is_the_handler(shell: list[str], package: Path, arguments: tuple[str, ...]) -> None:
    (package / "timelapse_runtime/__main__.py").write_text("import os; print(os.environ['_HANDLER'])")
    done = run(shell, package / "bootstrap", *arguments, STATEFUL_RUNTIME_PYTHON=sys.executable, _HANDLER="zip.handler")
    assert (done.stdout, done.stderr) == (f"{(*arguments, 'zip.handler')[0]}\n", "")


def test_chosen_python_runs_the_package_beside_bootstrap(shell: list[str], package: Path) -> None:
    done = run(shell, package / "bootstrap", STATEFUL_RUNTIME_PYTHON=sys.executable)
    assert done.stderr == ""
    assert done.stdout == f"{sys.executable} 0 [] {package}\n"


def test_task_root_that_lambda_sets_stays(shell: list[str], package: Path) -> None:
    done = run(shell, package / "bootstrap", STATEFUL_RUNTIME_PYTHON=sys.executable, LAMBDA_TASK_ROOT="/var/task")
    assert done.stdout.endswith(" /var/task\n")


def test_bootstrap_of_an_installed_package_runs_functions_elsewhere(shell: list[str], package: Path) -> None:
    inside = package / "timelapse_runtime" / "bootstrap"
    shutil.move(package / "bootstrap", inside)
    done = run(shell, inside, STATEFUL_RUNTIME_PYTHON=sys.executable, LAMBDA_TASK_ROOT="/var/task")
    assert done.stderr == ""
    assert done.stdout.endswith(" /var/task\n")


def test_bundled_python_comes_first(shell: list[str], package: Path) -> None:
    executable(package / "python/bin/python3", f'#!/bin/sh\necho bundled "$@"\nexec "{sys.executable}" "$@"\n')
    done = run(shell, package / "bootstrap", STATEFUL_RUNTIME_PYTHON="/nowhere")
    assert done.stdout.splitlines()[0] == "bundled -P -u -mtimelapse_runtime"


def test_old_python_on_the_path_is_passed_over(shell: list[str], package: Path, tmp_path: Path) -> None:
    binaries = tmp_path / "bin"
    executable(binaries / "python3", "#!/bin/sh\nexit 1\n")
    executable(binaries / "python3.11", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for tool in ("dirname", "readlink"):
        (binaries / tool).symlink_to(shutil.which(tool) or tool)
    done = run(shell, package / "bootstrap", path=binaries)
    assert done.returncode == 0
    assert done.stdout.startswith(sys.executable)


@pytest.mark.parametrize("script", ["bootstrap", "extensions/timelapse-shutdown"])
def test_no_python_is_said_with_what_was_tried(shell: list[str], package: Path, script: str) -> None:
    done = run(shell, package / script, STATEFUL_RUNTIME_PYTHON="/nowhere/python")
    assert done.returncode == 1
    assert "no Python of 3.11 or later" in done.stderr
    assert "/nowhere/python is missing or older" in done.stderr


@pytest.mark.parametrize("script", ["bootstrap", "extensions/timelapse-shutdown"])
def test_package_that_is_not_whole_is_said(shell: list[str], package: Path, script: str) -> None:
    (package / "timelapse_runtime/start.sh").unlink()
    done = run(shell, package / script, STATEFUL_RUNTIME_PYTHON=sys.executable)
    assert done.returncode == 1
    assert "no timelapse_runtime/" in done.stderr


def test_exec_wrapper_gets_the_command_and_runs_once(shell: list[str], package: Path, tmp_path: Path) -> None:
    wrapper = executable(tmp_path / "wrapper", '#!/bin/sh\necho "wrapped:" "$@"\nexec "$LAMBDA_TASK_ROOT/bootstrap"\n')
    done = run(
        shell, package / "bootstrap", STATEFUL_RUNTIME_PYTHON=sys.executable, AWS_LAMBDA_EXEC_WRAPPER=str(wrapper)
    )
    assert done.stdout.splitlines() == [
        f"wrapped: {sys.executable} -P -u -mtimelapse_runtime",
        f"{sys.executable} 0 [] {package}",
    ]


DOCUMENTED_WRAPPER = """#!/bin/bash

# the path to the interpreter and all of the originally intended arguments
args=("$@")

# the extra options to pass to the interpreter
extra_args=("-X" "importtime")

# insert the extra options
args=("${args[@]:0:$#-1}" "${extra_args[@]}" "${args[@]: -1}")

# start the runtime with the extra options
exec "${args[@]}"
"""
"""Verbatim. Source: Lambda developer guide, 'Modifying the runtime environment', read November 2026."""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_wrapper_of_awss_documentation_runs_verbatim(package: Path, tmp_path: Path) -> None:
    wrapper = executable(tmp_path / "wrapper", DOCUMENTED_WRAPPER)
    done = run(
        ["sh"], package / "bootstrap", STATEFUL_RUNTIME_PYTHON=sys.executable, AWS_LAMBDA_EXEC_WRAPPER=str(wrapper)
    )
    assert done.returncode == 0
    assert done.stdout == f"{sys.executable} 0 [] {package}\n"
    assert "import time:" in done.stderr


def test_wrapper_that_cannot_be_executed_is_said(shell: list[str], package: Path) -> None:
    done = run(shell, package / "bootstrap", STATEFUL_RUNTIME_PYTHON=sys.executable, AWS_LAMBDA_EXEC_WRAPPER="/nowhere")
    assert done.returncode == 1
    assert "AWS_LAMBDA_EXEC_WRAPPER is /nowhere" in done.stderr


def test_extension_runs_without_site_packages_under_its_file_name(shell: list[str], package: Path) -> None:
    done = run(shell, package / "extensions/timelapse-shutdown", STATEFUL_RUNTIME_PYTHON=sys.executable)
    assert done.stdout == f"{sys.executable} 1 ['timelapse-shutdown'] None\n"


def test_extension_imports_the_standard_library_only() -> None:
    program = (
        "import sys, timelapse_runtime.runtime.extension\n"
        "tops = {name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names\n"
        "print(sorted(tops), sorted(n for n in sys.modules if n.startswith('timelapse_runtime.')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    tops, _, own = done.stdout.partition("] ")
    assert tops == "['__main__', 'timelapse_runtime'"
    assert not {"loop", "handler", "transport", "timelapse", "media", "storage"} & {
        name.removeprefix("'timelapse_runtime.").rstrip("'") for name in own.strip("[]\n").split(", ")
    }
