"""Finds the stateful function that `_HANDLER` names.

`package/module.attribute` or `package.module.attribute`, found from LAMBDA_TASK_ROOT on, and then where layers have
their packages. The attribute is a class or an object with `open`, `invoke` and, if there is anything to save, `flush`
and `close`, or a plain `handler(event, context)`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

from timelapse_runtime.runtime.errors import (
    BuiltInModuleConflict,
    HandlerError,
    ImportModuleError,
    MalformedHandlerName,
    UserCodeSyntaxError,
)
from timelapse_runtime.runtime.function import Context, Deadline, Environment, StatefulFunction

LAYERS = Path("/opt")
"""Where Lambda unpacks layers."""
REQUIRED, OPTIONAL = ("open", "invoke"), ("flush", "close")


class PlainFunction:
    """A `handler(event, context)` as a stateful function without state."""

    def __init__(self, handler: Callable[[Any, Context], Any]) -> None:
        self._handler = handler

    def open(self, environment: Environment) -> None:
        """Nothing to open."""

    def invoke(self, event: Any, context: Context) -> Any:
        """Call the handler."""
        return self._handler(event, context)

    def flush(self, deadline: Deadline) -> None:
        """Nothing is held."""

    def close(self, deadline: Deadline) -> None:
        """Nothing is held."""


def resolve(name: str, task_root: Path, layers: Path = LAYERS) -> StatefulFunction:
    """Import what `_HANDLER` names; `task_root` goes to the front of `sys.path`, and what `layers` has behind it.

    Raises a HandlerError if there is no such thing, or if it cannot be imported. What else the module raises while it
    is imported passes through, with its own stack.
    """
    module_name, _, attribute = name.rpartition(".")
    module_name = module_name.replace("/", ".")
    if not attribute or not all(module_name.split(".")):
        raise MalformedHandlerName(
            f"_HANDLER is {name!r}: expected module.attribute, as in 'app.handler' or 'src/app.handler'"
        )
    if module_name.partition(".")[0] in sys.builtin_module_names:
        raise BuiltInModuleConflict(
            f"_HANDLER is {name!r}: the module {module_name!r} is built into Python, so a file of that name is never "
            "imported. Rename the file, and correct the function's handler setting."
        )
    if str(task_root) not in sys.path:
        sys.path.insert(0, str(task_root))
    behind = sys.path.index(str(task_root)) + 1
    sys.path[behind:behind] = [folder for folder in _layer_folders(layers) if folder not in sys.path]
    module = _module(name, module_name, task_root)
    try:
        found = getattr(module, attribute)
    except AttributeError as error:
        # A namespace package has no file.
        place = getattr(module, "__file__", None) or f"the module {module.__name__!r}"
        callables = sorted(key for key, value in vars(module).items() if callable(value) and not key.startswith("_"))
        raise HandlerError(
            f"_HANDLER is {name!r}: {place} has no {attribute!r}; "
            f"it has {', '.join(callables) or 'nothing that can be called'}. Correct the function's handler setting."
        ) from error
    return stateful(f"_HANDLER is {name!r}", found)


def _layer_folders(layers: Path) -> list[str]:
    """Where layers for AWS's Python runtimes have their packages, in the order of `sys.path` there.

    What the runtime itself needs of its packages was imported before.
    Source: Lambda developer guide, 'Working with layers for Python Lambda functions', read November 2026.
    """
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    folders = (layers / "python" / "lib" / version / "site-packages", layers / "python")
    return [str(folder) for folder in folders if folder.is_dir()]


def _module(name: str, module_name: str, task_root: Path) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except SyntaxError as error:
        place = f"{error.filename}, line {error.lineno}"
        raise UserCodeSyntaxError(f"_HANDLER is {name!r}: syntax error in {place}: {error.msg}") from error
    except ImportError as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is None or not f"{module_name}.".startswith(f"{missing}."):
            # The module is there; something that it imports is not.
            raise ImportModuleError(f"_HANDLER is {name!r}: cannot import module {module_name!r}: {error}") from error
        raise ImportModuleError(
            f"_HANDLER is {name!r}: there is no module {missing!r} in {task_root}, nor elsewhere on sys.path "
            f"({', '.join(sys.path)}). Add it to the deployed package or correct the function's handler setting."
        ) from error


def stateful(name: str, found: Any) -> StatefulFunction:
    """What was found as the function, with all four methods. `name` says in an error what it was found by.

    Raises HandlerError.
    """
    missing = [method for method in REQUIRED if not callable(getattr(found, method, None))]
    if isinstance(found, type):
        if missing:
            raise HandlerError(f"{name}: class {found.__name__} has no {', '.join(missing)}")
        try:
            return _complete(found())
        except TypeError as error:
            raise HandlerError(f"{name}: {found.__name__}() cannot be called: {error}") from error
    if not missing:
        return _complete(found)
    if callable(found):
        return PlainFunction(found)
    raise HandlerError(
        f"{name}: that is of type {type(found).__name__}, and neither a function (event, context) "
        f"nor an object with {', '.join(REQUIRED)} (it lacks {', '.join(missing)})"
    )


def _complete(found: Any) -> StatefulFunction:
    """`found`, whose methods `flush` and `close` may be missing: then nothing is done."""
    methods = {name: getattr(found, name, None) for name in (*REQUIRED, *OPTIONAL)}
    if all(map(callable, methods.values())):
        return cast(StatefulFunction, found)
    given = {name: method if callable(method) else _do_nothing for name, method in methods.items()}
    return cast(StatefulFunction, SimpleNamespace(**given))


def _do_nothing(_deadline: Deadline) -> None:
    """In place of a missing `flush` or `close`."""
