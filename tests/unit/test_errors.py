"""The tree that errors.py draws is the tree of its classes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from timelapse_runtime import errors
from timelapse_runtime.errors import TimelapseError

LINE = re.compile(r"^ {4}(?P<branches>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<disposition>retry|reject|stop)\b.*)?$")


def drawn() -> Iterator[tuple[int, str, str | None]]:
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        match = LINE.match(line)
        if match:
            yield len(match["branches"]) // 4, match["name"], match["disposition"]


def defined(root: type[TimelapseError] = TimelapseError, depth: int = 0) -> Iterator[tuple[int, str, str | None]]:
    children = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    yield depth, root.__name__, None if children else root.disposition.value
    for child in children:
        yield from defined(child, depth + 1)


def all_classes() -> list[type[TimelapseError]]:
    return [one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, TimelapseError)]


def test_the_drawn_tree_is_the_tree_of_classes() -> None:
    assert list(drawn()) == list(defined())
    assert len(all_classes()) == len(list(drawn()))


def test_each_class_has_its_own_error_type_in_lambdas_form() -> None:
    types = [one.error_type for one in all_classes()]
    assert len(set(types)) == len(types)
    assert all(re.fullmatch(r"(Runtime|Function)\.[A-Z][A-Za-z]+", one) for one in types)
