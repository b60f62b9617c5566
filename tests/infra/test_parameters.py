"""The templates' parameters: those of the function's settings refuse what the function refuses, before a deployment."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.deploy_check.parameters import SETTINGS, given_value, parameter, parameter_name
from tests.infra.conftest import GIVEN, OF_CAMERAS, OF_TIMELAPSE, TEMPLATES, transformed
from tests.timelapse.test_config import WRONG
from timelapse_runtime.timelapse.variables import Variable

EACH = pytest.mark.parametrize("name", sorted(TEMPLATES))
BEYOND_A_PATTERN = {
    ("TIMEZONE", "Mars/Olympus"),  # only the time zone data knows what exists
    ("FLUSH_EVERY", "1.5"),  # CloudFormation has one type for all numbers
    ("CLOCK", "\u6771 %H"),  # only the font knows which characters it has
    *(("CAPTION", value) for value in WRONG["CAPTION"] if value.isprintable() and len(value) <= 120),
    *(("SKIP", value) for value in ("dark:256", "dark,dark", "blurred:1.5")),
    *(("PLACE", value) for value in ("91,0", "0,181")),
    ("MASKS", "10,10 101,20"),  # numbers are compared by the function alone
    ("MASKS", "5,5 5,9"),
    *(("INCLUDE", value) for value in WRONG["INCLUDE"] if value and value.isprintable()),
}
"""Wrong values that CloudFormation takes. `scripts/deploy-check` refuses them."""


def declared(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(transformed(name))["Parameters"]
    return found


@pytest.mark.parametrize("name", OF_TIMELAPSE)
def test_a_settings_parameter_is_the_one_that_the_table_makes(name: str) -> None:
    parameters = declared(name)
    # A tenant is one stream, and a backfill names the stream that it is of.
    absent = set() if name == "template" else {"Stream", "OpenStreams"}
    expected = {parameter_name(one): parameter(one) for one in SETTINGS if parameter_name(one) not in absent}
    assert {key: value for key, value in parameters.items() if key in expected} == expected
    assert not absent & set(parameters)


@EACH
def test_every_parameter_has_a_default_that_it_takes_or_is_asked_for_and_says_what_it_means(name: str) -> None:
    for key, one in declared(name).items():
        default = GIVEN[name][key] if key in GIVEN.get(name, {}) else one["Default"]
        assert str(given_value(one, default)) == str(default), key
        assert one["Description"], key


@pytest.mark.parametrize("variable", SETTINGS, ids=lambda one: one.name)
def test_cloudformation_refuses_what_the_function_refuses(variable: Variable) -> None:
    for value in WRONG[variable.name]:
        if (variable.name, value) in BEYOND_A_PATTERN:
            given_value(parameter(variable), value)
        else:
            assert not is_taken(parameter(variable), value), value


def is_taken(one: dict[str, Any], value: str) -> bool:
    try:
        given_value(one, value)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("variable", SETTINGS, ids=lambda one: one.name)
@given(data=st.data())
def test_cloudformation_takes_what_the_function_takes(variable: Variable, data: st.DataObject) -> None:
    numbers, sizes = st.integers(-1, 2**31).map(str), st.tuples(st.integers(0, 12_000), st.integers(0, 12_000))
    words = st.sampled_from(
        ["auto", "photos", "*.dat", "black", "0aFF10", "Europe/Berlin", "America/Indiana/Knox", "x"]
    )
    small = st.integers(-1, 200).map(str)
    text = data.draw(st.one_of(numbers, small, sizes.map(lambda size: f"{size[0]}x{size[1]}"), words, st.text()))
    try:
        variable.parse(text)
    except ValueError:
        return
    assert is_taken(parameter(variable), text)


@pytest.mark.parametrize(
    ("schedule", "is_allowed"),
    [
        ("rate(1 minute)", True),
        ("rate(5 minutes)", True),
        ("rate(1 day)", True),
        ("rate(12 hours)", True),
        ("cron(0/15 6-20 * * ? *)", True),
        ("cron(0 10 ? * MON-FRI *)", True),
        ("rate(1 days)", False),
        ("rate(1 minutes)", False),
        ("rate(5 minute)", False),
        ("rate(0 minutes)", False),
        ("rate(05 minutes)", False),
        ("rate(1.5 hours)", False),
        ("rate(5 minutes) ", False),
        ("rate(5  minutes)", False),
        ("rate(30 seconds)", False),
        ("cron(0 10 * * *)", False),
        ("cron(0 10 ? * MON-FRI * *)", False),
        ("5 minutes", False),
    ],
)
@pytest.mark.parametrize("name", OF_CAMERAS)
def test_a_schedule_has_the_grammar_of_eventbridge(name: str, schedule: str, is_allowed: bool) -> None:
    """One takes the singular, more the plural (EventBridge user guide, 'Schedule types', read November 2026)."""
    one = declared(name)["SweepSchedule"]
    assert is_taken(one, schedule) == is_allowed
