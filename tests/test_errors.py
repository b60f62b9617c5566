"""The trees that the three errors.py draw are the trees of their classes."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from timelapse_runtime.runtime import errors as runtime_errors
from timelapse_runtime.runtime.state import errors as state_errors
from timelapse_runtime.timelapse import errors as timelapse_errors

LINE = re.compile(r"^ {4}(?P<branches>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: {2,}.*)?$")
PRODUCTS = {
    runtime_errors: runtime_errors.LambdaRuntimeError,
    state_errors: state_errors.StateError,
    timelapse_errors: timelapse_errors.TimelapseError,
}

each_product = pytest.mark.parametrize("errors", PRODUCTS, ids=lambda errors: errors.__name__)


def drawn(errors: ModuleType) -> Iterator[tuple[int, str]]:
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        match = LINE.match(line)
        if match:
            yield len(match["branches"]) // 4, match["name"]


def defined(errors: ModuleType, root: type[Exception], depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, root.__name__
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from defined(errors, child, depth + 1)


def all_classes(errors: ModuleType) -> list[type[Exception]]:
    return [one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, Exception)]


@each_product
def test_the_drawn_tree_is_the_tree_of_classes(errors: ModuleType) -> None:
    assert list(drawn(errors)) == list(defined(errors, PRODUCTS[errors]))
    assert len(all_classes(errors)) == len(list(drawn(errors)))


@each_product
def test_each_class_has_its_own_error_type_in_lambdas_form(errors: ModuleType) -> None:
    types = [vars(one).get("error_type") for one in all_classes(errors)]
    assert len(set(types)) == len(types)
    assert all(isinstance(one, str) and re.fullmatch(r"(Runtime|Function)\.[A-Z][A-Za-z]+", one) for one in types)


def test_no_tree_is_part_of_another() -> None:
    for root, other in itertools.permutations(PRODUCTS.values(), 2):
        assert not issubclass(root, other)


def test_each_reason_of_a_rejection_is_in_the_list() -> None:
    sources = [path.read_text() for path in Path(inspect.getfile(timelapse_errors)).parent.rglob("*.py")]
    said = {reason for text in sources for reason in re.findall(r'FrameRejected\(\s*"([a-z-]+)"', text)}
    named = {"late", "missing", "forbidden", "skipped-frozen"}  # by constants and error classes
    assert said | named == set(timelapse_errors.REJECTION_REASONS)
