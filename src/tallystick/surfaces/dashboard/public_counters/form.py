"""The forms of public counters: what is typed, and what it means."""

from collections.abc import Mapping
from uuid import uuid4

from tallystick.errors import InvalidFields
from tallystick.model.counter import INT64_MAX, INT64_MIN, Create
from tallystick.model.key import DEFAULT_NAMESPACE, Key, legal_name
from tallystick.services.counting.owned.changing import OneEach, OwnerRules
from tallystick.surfaces.dashboard.counters.form import whole_number
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_

NEW_FIELDS = ("namespace", "key", "label", "value", "lower", "upper", "unique", "resettable")
UNIQUE: Mapping[OneEach, str] = {
    "": N_("each time"),
    "hour": N_("once an hour"),
    "day": N_("once a day"),
    "visit": N_("once a visit, which ends after eight hours without a request"),
}
"""How often a visitor counts, by ``CounterOwner.one_each``."""
NOT_A_NAME = N_("must have 3 to 64 of the characters A-Z a-z 0-9 . _ -")
TOO_LARGE = N_("must fit into 64 bits")
NOT_DOWN = N_("must be 0 or less")
NOT_UP = N_("must be 0 or more")
NOT_OFFERED = N_("must be one of those that are offered")


def new_key(form: Form) -> Key:
    """The name of the counter that a form describes; an empty key becomes a random one.

    Raises:
        InvalidFields: no counter can have the name.
    """
    key = Key(form.text("namespace") or DEFAULT_NAMESPACE, form.text("key") or str(uuid4()))
    problems = {
        field: [NOT_A_NAME] for field, name in zip(("namespace", "key"), key, strict=True) if not legal_name(name)
    }
    if problems:
        raise InvalidFields(problems)
    return key


def creation(form: Form) -> Create:
    """The counter that a form describes.

    Raises:
        InvalidFields: a number is none, or does not fit.
    """
    default = Create()
    lower, upper = _number(form, "lower", default.lower), _number(form, "upper", default.upper)
    if lower > 0:
        raise InvalidFields({"lower": [NOT_DOWN]})
    if upper < 0:
        raise InvalidFields({"upper": [NOT_UP]})
    return Create(_number(form, "value", default.value), lower, upper, form.checked("resettable"))


def first_rules(form: Form) -> OwnerRules:
    """The rules of the counter that a form describes.

    Raises:
        InvalidFields: visitors cannot count so.
    """
    return OwnerRules(label=form.text("label"), one_each=_unique(form))


def new_value(form: Form) -> int:
    """The value that a form sets.

    Raises:
        InvalidFields: it is no number, or does not fit.
    """
    value = whole_number("value", form.text("value") or "nothing")
    assert value is not None
    return _fitting("value", value)


def _unique(form: Form) -> OneEach:
    for each in UNIQUE:
        if each == form.text("unique"):
            return each
    raise InvalidFields({"unique": [NOT_OFFERED]})


def _number(form: Form, field: str, default: int) -> int:
    typed = whole_number(field, form.text(field))
    return default if typed is None else _fitting(field, typed)


def _fitting(field: str, number: int) -> int:
    if not INT64_MIN <= number <= INT64_MAX:
        raise InvalidFields({field: [TOO_LARGE]})
    return number
