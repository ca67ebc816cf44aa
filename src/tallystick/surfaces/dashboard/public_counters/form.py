"""The forms of public counters: what is typed, and what it means."""

from collections.abc import Mapping
from uuid import uuid4

from tallystick.errors import InvalidFields
from tallystick.model.counter import INT64_MAX, INT64_MIN, Amend, Counter, Create
from tallystick.model.key import DEFAULT_NAMESPACE, Key, legal_name
from tallystick.services.counting.owned.changing import OneEach, OwnerRules
from tallystick.services.counting.owned.rows import CounterOwner, OwnedCounter
from tallystick.surfaces.dashboard.counters.form import whole_number
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_

NEW_FIELDS = ("namespace", "key", "label", "value", "lower", "upper", "unique", "resettable")
NAME_FIELDS = ("namespace", "key")
RULE_FIELDS = ("label", "lower", "upper", "unique", "origins", "locked", "resettable")
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
    return _legal(Key(form.text("namespace") or DEFAULT_NAMESPACE, form.text("key") or str(uuid4())))


def other_name(form: Form) -> Key:
    """The name that a form gives to a counter.

    Raises:
        InvalidFields: no counter can have it.
    """
    return _legal(Key(form.text("namespace"), form.text("key")))


def _legal(key: Key) -> Key:
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
    lower, upper = _bounds(form, default.lower, default.upper)
    return Create(_number(form, "value", default.value), lower, upper, form.checked("resettable"))


def first_rules(form: Form) -> OwnerRules:
    """The rules of the counter that a form describes.

    Raises:
        InvalidFields: visitors cannot count so.
    """
    return OwnerRules(label=form.text("label"), one_each=_unique(form))


def amendment(form: Form, counter: Counter) -> Amend:
    """What a counter allows from now on; a bound that is not typed stays.

    Raises:
        InvalidFields: a number is none, or does not fit.
    """
    lower, upper = _bounds(form, counter.lower, counter.upper)
    return Amend(lower, upper, form.checked("resettable"))


def changed_rules(form: Form) -> OwnerRules:
    """The rules that a form gives to a counter.

    Raises:
        InvalidFields: visitors cannot count so.
    """
    return OwnerRules(
        label=form.text("label"),
        origins=tuple(form.text("origins").split()),
        one_each=_unique(form),
        locked=form.checked("locked"),
    )


def present(found: OwnedCounter) -> Mapping[str, str]:
    """What the forms for the name and the rules of a counter show."""
    counter, owner = found.counter, found.owner or CounterOwner()
    return {
        "namespace": found.key.namespace,
        "key": found.key.key,
        "label": owner.label,
        "lower": str(counter.lower),
        "upper": str(counter.upper),
        "unique": owner.one_each,
        "origins": "\n".join(owner.origins),
        "locked": "on" if found.locked else "",
        "resettable": "on" if counter.resettable else "",
    }


def new_value(form: Form) -> int:
    """The value that a form sets.

    Raises:
        InvalidFields: it is no number, or does not fit.
    """
    value = whole_number("value", form.text("value") or "nothing")
    assert value is not None
    return _fitting("value", value)


def _bounds(form: Form, lower: int, upper: int) -> tuple[int, int]:
    """The bounds that are typed, or else those that are given."""
    lower, upper = _number(form, "lower", lower), _number(form, "upper", upper)
    if lower > 0:
        raise InvalidFields({"lower": [NOT_DOWN]})
    if upper < 0:
        raise InvalidFields({"upper": [NOT_UP]})
    return lower, upper


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
