"""What _HANDLER may name, and what is said when it names nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.errors import (
    BuiltInModuleConflict,
    HandlerError,
    ImportModuleError,
    MalformedHandlerName,
    UserCodeSyntaxError,
)
from timelapse_runtime.runtime.function import Context, Deadline, Environment
from timelapse_runtime.runtime.loader import PlainFunction, resolve
from timelapse_runtime.runtime.protocol.invocation import CognitoIdentity

SOURCE = """
import functools, json
LIMIT = 3
def handler(event, context):
    return [event, context]
class Whole:
    def open(self, environment): ...
    def invoke(self, event, context): return "whole"
    def flush(self, deadline): ...
    def close(self, deadline): ...
class Half:
    def open(self, environment): ...
class Model:
    def open(self, environment): self.opened = environment
    def invoke(self, event, context): return self.opened
    def flush(self, deadline): self.opened = deadline
class Demanding(Whole):
    def __init__(self, lens): ...
class Caller:
    def __call__(self, event, context): return [event, context]
made = Whole()
bound, caller = functools.partial(handler), Caller()
half = Half()
"""


@pytest.fixture
def task_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "shop_for_test"
    package.mkdir()
    (package / "app.py").write_text(SOURCE)
    (package / "needs.py").write_text("import not_there_at_all")
    (package / "takes.py").write_text("from json import no_such_thing")
    (package / "torn.py").write_text("import json\ndef handler(\n")
    (package / "latin.py").write_bytes(b"name = '\xe9'\n")
    (package / "broken.py").write_text("raise ZeroDivisionError('at import')")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("shop_for_test")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["shop_for_test/app.Whole", "shop_for_test.app.Whole", "shop_for_test.app.made"])
def test_class_or_object_with_the_four_methods_is_the_function(task_root: Path, name: str) -> None:
    function = resolve(name, task_root)
    assert type(function).__name__ == "Whole"


def test_flush_and_close_may_be_missing(task_root: Path, context: Context) -> None:
    function = resolve("shop_for_test/app.Model", task_root)
    function.open(Environment({}, None, "id"))
    assert function.invoke({}, context) == Environment({}, None, "id")
    function.flush(Deadline(1))
    function.close(Deadline(2))
    assert function.invoke({}, context) == Deadline(1)


@pytest.mark.parametrize("name", ["shop_for_test/app.bound", "shop_for_test/app.caller"])
def test_whatever_can_be_called_is_a_plain_function(task_root: Path, context: Context, name: str) -> None:
    function = resolve(name, task_root)
    assert isinstance(function, PlainFunction)
    assert function.invoke(1, context) == [1, context]


def test_plain_function_is_wrapped(task_root: Path, context: Context) -> None:
    function = resolve("shop_for_test/app.handler", task_root)
    assert isinstance(function, PlainFunction)
    function.open(Environment({}, None, "id"))
    assert function.invoke({"a": 1}, context) == [{"a": 1}, context]
    function.flush(Deadline(0))
    function.close(Deadline(0))


@pytest.fixture
def context() -> Context:
    return Context(
        function_name="function",
        function_version="$LATEST",
        invoked_function_arn="arn",
        memory_limit_in_mb="1769",
        aws_request_id="id",
        log_group_name="",
        log_stream_name="",
        tenant_id=None,
        identity=CognitoIdentity(None, None),
        client_context=None,
        deadline=Deadline(0),
        clock=ManualClock(),
    )


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("handler", MalformedHandlerName, "expected module.attribute"),
        ("", MalformedHandlerName, "expected module.attribute"),
        (".handler", MalformedHandlerName, "expected module.attribute"),
        ("/shop_for_test.handler", MalformedHandlerName, "expected module.attribute"),
        ("../shop_for_test.handler", MalformedHandlerName, "expected module.attribute"),
        ("shop_for_test.", MalformedHandlerName, "expected module.attribute"),
        ("shop_for_test:handler", MalformedHandlerName, "expected module.attribute"),
        ("nowhere_at_all.handler", ImportModuleError, "no module 'nowhere_at_all' in {root}"),
        ("shop_for_test/nowhere.handler", ImportModuleError, "no module 'shop_for_test.nowhere' in {root}"),
        ("shop_for_test/app.py.handler", ImportModuleError, "no module 'shop_for_test.app.py' in {root}"),
        ("shop_for_test/needs.handler", ImportModuleError, "No module named 'not_there_at_all'"),
        ("shop_for_test/takes.handler", ImportModuleError, "cannot import name 'no_such_thing' from 'json'"),
        ("shop_for_test/torn.handler", UserCodeSyntaxError, "torn.py, line 2: '(' was never closed"),
        ("shop_for_test/latin.handler", UserCodeSyntaxError, "latin.py"),
        (
            "shop_for_test/app.missing",
            HandlerError,
            "it has Caller, Demanding, Half, Model, Whole, bound, caller, handler",
        ),
        ("shop_for_test.handler", HandlerError, "the module 'shop_for_test' has no 'handler'"),
        ("shop_for_test/app.Half", HandlerError, "class Half has no invoke"),
        ("shop_for_test/app.Demanding", HandlerError, "Demanding() cannot be called"),
        ("shop_for_test/app.half", HandlerError, "it lacks invoke"),
        ("shop_for_test/app.LIMIT", HandlerError, "that is of type int"),
        ("sys.exit", BuiltInModuleConflict, "'sys' is built into Python"),
        ("time.handler", BuiltInModuleConflict, "'time' is built into Python"),
    ],
)
def test_error_says_what_was_looked_for_and_where(
    task_root: Path, name: str, kind: type[HandlerError], said: str
) -> None:
    with pytest.raises(HandlerError) as caught:
        resolve(name, task_root)
    assert type(caught.value) is kind
    assert repr(name) in str(caught.value)
    assert said.format(root=task_root) in str(caught.value)


def test_what_the_module_raises_passes_through(task_root: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        resolve("shop_for_test/broken.handler", task_root)


def test_what_layers_bring_is_found_behind_the_function(task_root: Path, tmp_path: Path) -> None:
    layers = tmp_path / "opt"
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = layers / "python" / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    for _ in range(2):
        resolve("shop_for_test.app.handler", task_root, layers)
    place = sys.path.index(str(task_root))
    assert sys.path[place + 1 : place + 3] == [str(packages), str(layers / "python")]
    assert sys.path.count(str(packages)) == 1
