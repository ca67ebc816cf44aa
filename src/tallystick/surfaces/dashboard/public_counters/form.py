"""The forms of public counters: what is typed, and what it means."""

from uuid import uuid4

from tallystick.errors import InvalidFields
from tallystick.model.counter import INT64_MAX, INT64_MIN, Create
from tallystick.model.key import DEFAULT_NAMESPACE, Key, legal_name
from tallystick.surfaces.dashboard.counters.form import whole_number
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_

NEW_FIELDS = ("namespace", "key", "value", "lower", "upper", "resettable")
NOT_A_NAME = N_("must have 3 to 64 of the characters A-Z a-z 0-9 . _ -")
TOO_LARGE = N_("must fit into 64 bits")
NOT_DOWN = N_("must be 0 or less")
NOT_UP = N_("must be 0 or more")


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


def creation(form: Form, lifetime: int, *, authorized: bool = False) -> Create:
    """The counter that a form describes.

    Args:
        lifetime: of the counter, milliseconds.
        authorized: whether it may be made in any namespace.

    Raises:
        InvalidFields: a number is none, or does not fit.
    """
    default = Create()
    lower, upper = _number(form, "lower", default.lower), _number(form, "upper", default.upper)
    if lower > 0:
        raise InvalidFields({"lower": [NOT_DOWN]})
    if upper < 0:
        raise InvalidFields({"upper": [NOT_UP]})
    value, resettable = _number(form, "value", default.value), form.checked("resettable")
    return Create(value, lower, upper, resettable, lifetime, known=True, authorized=authorized)


def new_value(form: Form) -> int:
    """The value that a form sets.

    Raises:
        InvalidFields: it is no number, or does not fit.
    """
    value = whole_number("value", form.text("value") or "nothing")
    assert value is not None
    return _fitting("value", value)


def _number(form: Form, field: str, default: int) -> int:
    typed = whole_number(field, form.text(field))
    return default if typed is None else _fitting(field, typed)


def _fitting(field: str, number: int) -> int:
    if not INT64_MIN <= number <= INT64_MAX:
        raise InvalidFields({field: [TOO_LARGE]})
    return number
