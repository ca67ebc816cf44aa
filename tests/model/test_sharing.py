"""How the value of a shared counter may change, and what people may decide about one."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from tallystick.errors import SharingReason, SharingRefused
from tallystick.model.counter import INT64_MAX, INT64_MIN, Counter
from tallystick.model.shared_counter import CounterType, Mode, Role, SharedCounter
from tallystick.model.sharing import (
    ValueChange,
    ValueRules,
    Verb,
    apply_step,
    check_replacement,
    edited_number,
    may,
    new_number,
    undo_change,
)
from tallystick.model.sharing_details import checked, clean_name

Expected = int | SharingReason
INCREMENT, DECREMENT, SET, RESET = Verb.INCREMENT, Verb.DECREMENT, Verb.SET, Verb.RESET
values = st.integers(INT64_MIN, INT64_MAX) | st.integers(-20, 20)
modes: st.SearchStrategy[Mode] = st.sampled_from(["OnlyUp", "OnlyDown", "UpAndDown"])


def a_number(value: int = 0, mode: Mode | None = "UpAndDown") -> Counter:
    return new_number(mode, value, NOW)


def rules(mode: Mode | None = "UpAndDown", kind: CounterType = "UpDown", **limits: Any) -> ValueRules:
    return ValueRules(kind, mode, **limits)


def outcome(number: Counter, rules: ValueRules, verb: Verb, **step: Any) -> Expected:
    try:
        after = apply_step(rules, number, ValueChange(counter="", verb=verb, **step), NOW)
    except SharingRefused as refused:
        return refused.reason
    assert after.version == number.version + 1
    return after.value


@pytest.mark.parametrize(
    ("mode", "verb", "step", "expected"),
    [
        ("UpAndDown", INCREMENT, {}, 6),
        ("UpAndDown", DECREMENT, {}, 4),
        ("UpAndDown", INCREMENT, {"amount": INT64_MAX - 5}, INT64_MAX),
        ("UpAndDown", INCREMENT, {"amount": INT64_MAX - 4}, SharingReason.OUT_OF_RANGE),
        ("UpAndDown", INCREMENT, {"amount": INT64_MAX + 1}, SharingReason.INVALID_AMOUNT),
        ("UpAndDown", INCREMENT, {"amount": 0}, SharingReason.INVALID_AMOUNT),
        ("UpAndDown", DECREMENT, {"amount": -1}, SharingReason.INVALID_AMOUNT),
        ("UpAndDown", DECREMENT, {"amount": INT64_MAX}, 5 - INT64_MAX),
        ("OnlyUp", INCREMENT, {"amount": 2}, 7),
        ("OnlyUp", DECREMENT, {}, SharingReason.WRONG_TYPE),
        ("OnlyDown", DECREMENT, {"amount": 7}, -2),
        ("OnlyDown", INCREMENT, {}, SharingReason.WRONG_TYPE),
        ("UpAndDown", SET, {"value": INT64_MIN + 5}, INT64_MIN + 5),
        ("UpAndDown", SET, {"value": INT64_MIN + 4}, SharingReason.OUT_OF_RANGE),
        ("UpAndDown", SET, {"value": INT64_MIN - 1}, SharingReason.OUT_OF_RANGE),
        ("UpAndDown", SET, {"value": INT64_MAX + 1}, SharingReason.OUT_OF_RANGE),
        ("UpAndDown", SET, {}, SharingReason.INVALID_DATA),
        ("UpAndDown", SET, {"value": 5}, 5),
        ("OnlyUp", SET, {"value": 4}, SharingReason.WRONG_TYPE),
        ("OnlyUp", SET, {"value": 4, "confirm": True}, 4),
        ("OnlyUp", SET, {"value": 6}, 6),
        ("OnlyDown", SET, {"value": 6}, SharingReason.WRONG_TYPE),
        ("OnlyDown", SET, {"value": 6, "confirm": True}, 6),
        ("OnlyDown", SET, {"value": 4}, 4),
        ("UpAndDown", RESET, {}, 0),
        ("OnlyUp", RESET, {}, SharingReason.WRONG_TYPE),
        ("OnlyUp", RESET, {"confirm": True}, 0),
    ],
)
def test_what_each_mode_allows(mode: Mode, verb: Verb, step: dict[str, Any], expected: Expected) -> None:
    assert outcome(a_number(5, mode), rules(mode), verb, **step) == expected


@pytest.mark.parametrize("verb", [INCREMENT, DECREMENT, SET, RESET])
@pytest.mark.parametrize("kind", ["FromDate", "ToDate"])
def test_days_count_themselves(kind: CounterType, verb: Verb) -> None:
    assert outcome(a_number(0, None), rules(None, kind), verb, value=1) == SharingReason.WRONG_TYPE


@pytest.mark.parametrize(
    ("limits", "mode", "verb", "amount", "expected"),
    [
        ({"goal": 7, "allow_exceed": False}, "UpAndDown", INCREMENT, 2, 7),
        ({"goal": 7, "allow_exceed": False}, "UpAndDown", INCREMENT, 3, SharingReason.GOAL_EXCEEDED),
        ({"goal": 4, "allow_exceed": False}, "OnlyUp", INCREMENT, 1, SharingReason.GOAL_EXCEEDED),
        ({"goal": 4, "allow_exceed": False}, "UpAndDown", DECREMENT, 9, -4),
        ({"goal": 7}, "UpAndDown", INCREMENT, 3, 8),
        ({"goal": 3, "allow_exceed": False}, "OnlyDown", DECREMENT, 2, 3),
        ({"goal": 3, "allow_exceed": False}, "OnlyDown", DECREMENT, 3, SharingReason.GOAL_EXCEEDED),
        ({"least": 3}, "UpAndDown", DECREMENT, 2, 3),
        ({"least": 3}, "UpAndDown", DECREMENT, 3, SharingReason.OUT_OF_RANGE),
        ({"least": 9}, "UpAndDown", INCREMENT, 1, 6),
    ],
)
def test_goals_and_the_least_value(
    limits: dict[str, Any], mode: Mode, verb: Verb, amount: int, expected: Expected
) -> None:
    assert outcome(a_number(5, mode), rules(mode, **limits), verb, amount=amount) == expected


def test_a_value_that_is_set_heeds_the_least_value_and_the_goal() -> None:
    limited = rules(goal=7, allow_exceed=False, least=3, reset_value=4)
    assert outcome(a_number(5), limited, SET, value=2) == SharingReason.OUT_OF_RANGE
    assert outcome(a_number(5), limited, SET, value=7) == 7
    assert outcome(a_number(5), limited, SET, value=8) == SharingReason.GOAL_EXCEEDED
    assert outcome(a_number(10), limited, SET, value=9) == 9
    assert outcome(a_number(5), rules(goal=7), SET, value=8) == 8
    assert outcome(a_number(5), limited, RESET) == 4
    assert outcome(a_number(5), rules(least=3), RESET) == 3


@pytest.mark.parametrize(
    ("mode", "delta", "limits", "expected"),
    [
        ("OnlyUp", 3, {}, 2),
        ("OnlyDown", -3, {}, 8),
        ("UpAndDown", 3, {"least": 3}, SharingReason.OUT_OF_RANGE),
        ("UpAndDown", -3, {"goal": 7, "allow_exceed": False}, SharingReason.GOAL_EXCEEDED),
        ("OnlyDown", -3, {"goal": 7, "allow_exceed": False}, 8),
        ("UpAndDown", INT64_MIN, {}, SharingReason.OUT_OF_RANGE),
        ("UpAndDown", -INT64_MAX, {}, SharingReason.OUT_OF_RANGE),
    ],
)
def test_a_change_is_taken_back_in_any_mode_within_the_limits(
    mode: Mode, delta: int, limits: dict[str, Any], expected: Expected
) -> None:
    try:
        after: Expected = undo_change(rules(mode, **limits), a_number(5, mode), delta, NOW).value
    except SharingRefused as refused:
        after = refused.reason
    assert after == expected


@given(present=values, wanted=values, mode=modes)
def test_what_a_value_changes_by_at_once_fits_64_bits(present: int, wanted: int, mode: Mode) -> None:
    fits = INT64_MIN <= wanted - present <= INT64_MAX
    after = outcome(a_number(present, mode), rules(mode), SET, value=wanted, confirm=True)
    assert after == (wanted if fits else SharingReason.OUT_OF_RANGE)


@given(present=values, wanted=values, mode=modes, least=values | st.none())
def test_no_value_goes_against_its_mode_or_below_the_least_unseen(
    present: int, wanted: int, mode: Mode, least: int | None
) -> None:
    try:
        check_replacement(rules(mode, least=least), present, wanted, confirm=False)
    except SharingRefused:
        return
    assert least is None or wanted >= least
    assert not (mode == "OnlyUp" and wanted < present)
    assert not (mode == "OnlyDown" and wanted > present)


def test_an_edit_raises_the_version_by_one_and_gives_the_modes_bounds() -> None:
    edited = edited_number(a_number(5, "OnlyUp"), "OnlyDown", 3, NOW)
    assert (edited.value, edited.version, edited.lower, edited.upper) == (3, 2, INT64_MIN, 0)
    assert edited.expires == INT64_MAX


@pytest.mark.parametrize(
    ("role", "expected"),
    [(None, []), ("viewer", ["viewer"]), ("member", ["viewer", "member"]), ("admin", ["viewer", "member", "admin"])],
)
def test_a_role_may_what_the_ones_below_it_may(role: Role | None, expected: list[Role]) -> None:
    every: list[Role] = ["viewer", "member", "admin"]
    assert [least for least in every if may(role, least)] == expected


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Visitors", "Visitors"),
        ("  Besucher\t", "Besucher"),
        ("Cafe\u0301s", "Caf\u00e9s"),
        ("x" * 40, "x" * 40),
        ("\U0001f37a" * 5, "\U0001f37a" * 5),
        ("x" * 41, None),
        ("Cafe\u0301", None),
        (" four ", None),
        ("", None),
        ("line\nbreak", None),
        ("Trip \U0001f469\u200d\U0001f467", "Trip \U0001f469\u200d\U0001f467"),
        ("two\u2028lines", None),
        ("nul\0nul", None),
        ("surrogate\ud800", None),
    ],
)
def test_names(text: str, kept: str | None) -> None:
    if kept is not None:
        assert clean_name(text) == kept
        return
    with pytest.raises(SharingRefused) as refused:
        clean_name(text)
    assert refused.value.reason is SharingReason.NAME_LENGTH


def details(**given: Any) -> SharedCounter:
    ordinary: dict[str, Any] = {"name": "Visitors", "type": "UpDown", "value": 0}
    return SharedCounter(**(ordinary | given), id=1, uid="", created=NOW, version=1)


DAY = dt.date(2024, 2, 29)
START_MS, END_MS = 1_709_164_800_000, 1_709_251_199_000


@pytest.mark.parametrize(
    ("given", "date", "day"),
    [
        ({"type": "FromDate", "day": DAY}, START_MS, DAY),
        ({"type": "ToDate", "day": DAY}, END_MS, DAY),
        ({"type": "ToDate", "date": END_MS}, END_MS, DAY),
        ({"type": "FromDate", "date": -1}, -1, dt.date(1969, 12, 31)),
        ({"type": "FromDate", "date": END_MS, "day": dt.date(2024, 3, 1)}, END_MS, dt.date(2024, 3, 1)),
    ],
)
def test_a_date_and_its_day_stand_for_each_other(given: dict[str, Any], date: int, day: dt.date) -> None:
    kept = checked(details(**given))
    assert (kept.date, kept.day) == (date, day)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"type": "Sideways"}, SharingReason.UNKNOWN_TYPE),
        ({"mode": None}, SharingReason.INVALID_MODE),
        ({"mode": "UpOnly"}, SharingReason.INVALID_MODE),
        ({"mode": "OnlyUp", "day": DAY}, SharingReason.INVALID_DATA),
        ({"mode": "OnlyUp", "value": INT64_MAX + 1}, SharingReason.OUT_OF_RANGE),
        ({"mode": "OnlyUp", "goal": INT64_MIN - 1}, SharingReason.OUT_OF_RANGE),
        ({"mode": "OnlyUp", "least": 1}, SharingReason.OUT_OF_RANGE),
        ({"mode": "OnlyUp", "value": 1, "least": 2, "reset_value": 3}, SharingReason.OUT_OF_RANGE),
        ({"type": "FromDate"}, SharingReason.INVALID_START_DATE),
        ({"type": "ToDate"}, SharingReason.INVALID_END_DATE),
        ({"type": "ToDate", "date": 10**18}, SharingReason.INVALID_END_DATE),
        ({"type": "FromDate", "day": DAY, "mode": "OnlyUp"}, SharingReason.INVALID_MODE),
        ({"type": "FromDate", "day": DAY, "value": 1}, SharingReason.INVALID_DATA),
        ({"type": "FromDate", "day": DAY, "goal": 1}, SharingReason.INVALID_DATA),
        ({"type": "FromDate", "day": DAY, "allow_exceed": False}, SharingReason.INVALID_DATA),
        ({"name": "four", "mode": "OnlyUp"}, SharingReason.NAME_LENGTH),
    ],
)
def test_what_a_counter_cannot_be(given: dict[str, Any], reason: SharingReason) -> None:
    with pytest.raises(SharingRefused) as refused:
        checked(details(**given))
    assert refused.value.reason is reason
