"""The same handlers, events and values of `_HANDLER` under this runtime and under awslambdaric: what each answers."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.differential.differences import DIFFERENCES, EVERYWHERE, INIT_DIFFERENCES, INIT_EVERYWHERE, Difference
from tests.differential.handlers import CASES
from tests.differential.observation import differences, facts
from tests.differential.service import Run, initialise, serve
from tests.programs import BENCH_PYTHON, require_bench

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
THIS, AWS = "this runtime", "awslambdaric"
COMMANDS = {THIS: [str(ROOT / "bootstrap")], AWS: [str(BENCH_PYTHON), "-u", "-m", "awslambdaric", "handlers.handler"]}
VARIABLES = {
    "PATH": "/usr/bin:/bin",
    "STATEFUL_RUNTIME_PYTHON": str(BENCH_PYTHON),
    "PYTHONPATH": str(ROOT),
    "LAMBDA_TASK_ROOT": str(FOLDER),
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "AWS_LAMBDA_FUNCTION_NAME": "cases",
    "AWS_LAMBDA_FUNCTION_VERSION": "7",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "AWS_LAMBDA_LOG_GROUP_NAME": "group",
}
MODULES = {
    "app.py": "LIMIT = 3\nclass Bare: ...\ndef handler(event, context): ...",
    "needs.py": "import not_there_at_all",
    "takes.py": "from json import no_such_thing",
    "torn.py": "import json\ndef handler(\n",
    "latin.py": "name = '\udce9'\n",
    "raises.py": "raise ZeroDivisionError('at import')",
    "exits.py": "raise SystemExit(3)",
    "folder/inner.py": "def handler(event, context): ...",
    "types.py": "def handler(event, context): ...",
    "time.py": "def handler(event, context): ...",
}
NAMES = (
    "app.handler",
    "folder/inner.handler",
    "folder.inner.handler",
    "app",
    "app.",
    ".handler",
    "app:handler",
    "./app.handler",
    "app.missing",
    "app.LIMIT",
    "app.Bare",
    "nowhere.handler",
    "folder/nowhere.handler",
    "app.py.handler",
    "folder.handler",
    "needs.handler",
    "takes.handler",
    "torn.handler",
    "latin.handler",
    "raises.handler",
    "exits.handler",
    "types.handler",
    "time.handler",
    "sys.exit",
)


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    require_bench()


def both(run: Callable[[str], Run]) -> Mapping[str, Run]:
    with ThreadPoolExecutor() as threads:
        return dict(zip(COMMANDS, threads.map(run, COMMANDS), strict=True))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Run]:
    logs = tmp_path_factory.mktemp("logs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http.client, "_MAXLINE", 2 << 20)  # of the service's own server; Lambda takes 1 MiB of headers
        return both(
            lambda runtime: serve(
                COMMANDS[runtime], CASES, {**VARIABLES, "_HANDLER": "handlers.handler"}, logs / f"{runtime}.log"
            )
        )


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Run]:
    root = tmp_path_factory.mktemp("task")
    for name, source in MODULES.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source.encode(errors="surrogateescape"))
    variables = {**VARIABLES, "LAMBDA_TASK_ROOT": str(root)}
    command = [str(BENCH_PYTHON), "-P", "-u", str(FOLDER / "forked.py")]
    return both(lambda runtime: initialise([*command, runtime], NAMES, variables, root / f"{runtime}.log"))


def found(runs: Mapping[str, Run], names: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """The facts that differ, by case. `names` has the names of cases, and the keys of their posts."""
    return {name: differences(facts(runs[THIS], key), facts(runs[AWS], key)) for name, key in names.items()}


def compare(seen: Mapping[str, frozenset[str]], everywhere: Collection[str], table: Collection[Difference]) -> None:
    listed = [(case, frozenset(row.facts.split(", "))) for row in table for case in row.cases.split()]
    assert len(dict(listed)) == len(listed), "a case has one row"
    assert set(everywhere) <= frozenset().union(*seen.values()), "differs nowhere any more"
    assert {name: rest for name, facts in seen.items() if (rest := facts - set(everywhere))} == dict(listed)


def test_each_difference_in_what_is_answered_is_in_the_table(served: Mapping[str, Run]) -> None:
    compare(found(served, {name: name for name in CASES}), EVERYWHERE, DIFFERENCES)


def test_each_difference_in_init_is_in_the_table(initialised: Mapping[str, Run]) -> None:
    seen = found(initialised, {name: str(at) for at, name in enumerate(NAMES)})
    compare(seen, INIT_EVERYWHERE, INIT_DIFFERENCES)


def test_each_difference_has_a_reason() -> None:
    reasons = [*EVERYWHERE.values(), *INIT_EVERYWHERE.values()]
    assert all([*reasons, *(row.reason for row in (*DIFFERENCES, *INIT_DIFFERENCES))])


def test_there_are_about_a_hundred_cases() -> None:
    assert len(CASES) >= 100
