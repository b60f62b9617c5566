"""Where a stack begins, and where it is cut."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from timelapse_runtime.runtime.awaiting import Awaiting
from timelapse_runtime.runtime.errors import ImportModuleError
from timelapse_runtime.runtime.loader import PlainFunction, resolve
from timelapse_runtime.runtime.protocol.stack import STACK_LIMIT_FRAMES, stack_of

MODULES = {
    "divides.py": "import stack_test.inner",
    "inner.py": "1 / 0",
    "wraps.py": "try:\n    import stack_test.inner\nexcept Exception as error:\n    raise LookupError from error",
    "needs.py": "import not_there_at_all",
    "group.py": "import stack_test.raises",
    "raises.py": "try:\n    import stack_test.inner\nexcept ValueError:\n    pass\n"
    "except Exception as error:\n    raise ExceptionGroup('two', [error, KeyError()])",
    "torn.py": "def handler(\n",
}


@pytest.fixture
def task_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "stack_test").mkdir()
    for name, source in MODULES.items():
        (tmp_path / "stack_test" / name).write_text(source)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("stack_test")]:
        del sys.modules[name]


def failed(module: str, task_root: Path) -> BaseException:
    """What resolving a handler in `module` raises. Its stack begins in the loader, as that of the loop's errors
    does."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  what it is differs
        resolve(f"stack_test.{module}.handler", task_root)
    return caught.value.with_traceback(caught.value.__traceback__ and caught.value.__traceback__.tb_next)


def files(stack: object) -> list[str]:
    return [Path(frame.filename).name for frame in getattr(stack, "stack", ())]


def test_an_import_that_fails_begins_in_the_module(task_root: Path) -> None:
    stack = stack_of(failed("divides", task_root))
    assert files(stack)[0] == "divides.py"
    assert files(stack)[-1] == "inner.py"


def test_causes_and_members_of_groups_begin_there_too(task_root: Path) -> None:
    stack = stack_of(failed("wraps", task_root))
    assert files(stack) == ["wraps.py"]
    assert files(stack.__cause__)[:1] == ["wraps.py"]
    group = stack_of(failed("group", task_root))
    assert files(group)[0] == "group.py"
    assert [files(one)[:1] for one in group.exceptions or ()] == [["raises.py"], []]


def test_an_error_of_the_runtime_keeps_the_runtimes_frames_and_shows_where_the_function_failed(task_root: Path) -> None:
    error = failed("needs", task_root)
    assert isinstance(error, ImportModuleError)
    stack = stack_of(error)
    assert set(files(stack)) == {"loader.py"}
    assert files(stack.__cause__) == ["needs.py"]


def test_of_a_module_that_cannot_be_found_or_read_no_frame_of_the_import_system_is_left(task_root: Path) -> None:
    for module in ("nowhere", "torn"):
        stack = stack_of(failed(module, task_root))
        assert files(stack.__cause__) == ["loader.py"]


def test_an_async_functions_stack_begins_in_the_function() -> None:
    async def handler(_event: object, _context: object) -> None:
        await asyncio.sleep(0)
        raise KeyError("k")

    with pytest.raises(KeyError) as caught:
        Awaiting().result(PlainFunction(handler).invoke(None, None))  # type: ignore[arg-type]
    trace = caught.value.__traceback__
    assert trace is not None
    assert files(stack_of(caught.value.with_traceback(trace.tb_next))) == [Path(__file__).name]


def test_what_the_function_imports_by_itself_stays() -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        __import__("importlib").import_module("not_there_at_all")
    assert files(stack_of(caught.value))[:2] == [Path(__file__).name, "__init__.py"]


def test_deep_stack_is_cut_to_its_innermost_frames() -> None:
    def down(depth: int) -> None:
        if depth == 0:
            raise LookupError("the bottom")
        down(depth - 1)

    with pytest.raises(LookupError) as caught:
        down(300)
    stack = stack_of(caught.value)
    assert len(stack.stack) == STACK_LIMIT_FRAMES
    assert stack.stack[-1].line == 'raise LookupError("the bottom")'
