"""What photos are left out for, as a setting says it."""

from __future__ import annotations

import pytest

from timelapse_runtime.timelapse.errors import REJECTION_REASONS, is_skip
from timelapse_runtime.timelapse.model.refusal import Refusal
from timelapse_runtime.timelapse.model.skip import Look, SkipRules, parse_skip


def test_each_rule_has_its_limit_or_the_usual_one() -> None:
    assert parse_skip("off") == SkipRules()
    assert parse_skip("dark:20.5,  bright:230,night") == SkipRules(dark=20.5, bright=230, night=6)
    assert parse_skip("night:12, frozen, blurred, bright, dark") == SkipRules(16, 240, 0.65, 0, 12)


@pytest.mark.parametrize(
    "text", ["", "on", "dim", "dark:", "dark:-1", "dark 16", "dark,", "off,dark", "Dark", "dark:1e1"]
)
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        parse_skip(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dark:256", "dark is 255 at most"),
        ("blurred:1.01", "blurred is 1 at most"),
        ("night:91", "night is 90 at most"),
        ("dark, dark:3", "dark is there twice"),
        ("dark:200, bright:100", "would skip every photo"),
    ],
)
def test_rules_that_make_no_sense_are_refused(text: str, why: str) -> None:
    with pytest.raises(Refusal, match=why):
        parse_skip(text)


def reason(rules: SkipRules, *, mean: float = 100, blur: float = 0.3) -> str | None:
    rejection = rules.check_look(Look(mean, blur, ()))
    return rejection.reason if rejection else None


def test_a_photo_is_left_out_beyond_a_limit_and_not_at_it() -> None:
    rules = SkipRules(dark=16, bright=240, blurred=0.65)
    assert reason(rules) is None
    assert (reason(rules, mean=15.9), reason(rules, mean=16)) == ("skipped-dark", None)
    assert (reason(rules, mean=240.1), reason(rules, mean=240)) == ("skipped-bright", None)
    assert (reason(rules, blur=0.66), reason(rules, blur=0.65)) == ("skipped-blurred", None)
    assert reason(SkipRules(), mean=0, blur=1) is None


def test_the_sun_counts_below_the_limit() -> None:
    rules = SkipRules(night=6)
    assert rules.check_sun(-6) is None
    rejection = rules.check_sun(-6.1)
    assert rejection is not None
    assert (rejection.reason, "6.1 degrees" in rejection.detail) == ("skipped-night", True)
    assert SkipRules().check_sun(-50) is None


@pytest.mark.parametrize(("changed", "is_frozen"), [(0, True), (14, True), (15, False), (144, False)])
def test_a_tenth_of_the_picture_may_change_in_a_frozen_one(changed: int, is_frozen: bool) -> None:
    before = Look(0, 0, tuple(range(144)))
    now = Look(0, 0, (*(cell + 1 for cell in before.cells[:changed]), *before.cells[changed:]))
    assert (SkipRules(frozen=0).check_frozen(now, before) is not None) == is_frozen
    assert SkipRules(frozen=1).check_frozen(now, before) is not None
    assert SkipRules().check_frozen(now, before) is None


def test_each_rule_has_a_reason_of_its_own() -> None:
    rules = set(SkipRules.__dataclass_fields__)
    assert {one.removeprefix("skipped-") for one in REJECTION_REASONS if is_skip(one)} == rules
