"""The forms of shared counters: what is typed, and what it means."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence

from tallystick.errors import InvalidFields
from tallystick.model.shared_counter import SharedCounter
from tallystick.model.sharing import in_range
from tallystick.services.sharing.counters import Edit, NewCounter
from tallystick.services.sharing.own_milestones import OWN_MILESTONES_AT_MOST
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_

KINDS: Sequence[tuple[str, str]] = (
    ("UpDown", N_("Presses: people count up and down")),
    ("FromDate", N_("Days since a date")),
    ("ToDate", N_("Days until a date")),
)
MODES: Sequence[tuple[str, str]] = (
    ("UpAndDown", N_("up and down")),
    ("OnlyUp", N_("only up")),
    ("OnlyDown", N_("only down")),
)
NEW_FIELDS = ("name", "type", "mode", "date")
NUMBERS = ("goal", "least", "reset_value")
NOT_WHOLE = N_("must be a whole number")
NOT_WHOLE_NUMBERS = N_("must be whole numbers such as 250, without commas and with spaces between them")
TOO_LARGE, TOO_MANY = N_("must fit into 64 bits"), N_("may be 20 at most")
NOT_A_DATE = N_("must be a date such as 2026-03-10")

_is_whole = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII).fullmatch


def new_counter(form: Form) -> NewCounter:
    """The counter that a form describes.

    Raises:
        InvalidFields: the date is none.
    """
    kind = form.text("type") or "UpDown"
    if kind == "UpDown":
        return NewCounter(name=form.text("name"), type=kind, mode=form.text("mode") or None)
    return NewCounter(name=form.text("name"), type=kind, day=_day(form.text("date")))


def edit_of(form: Form, counter: SharedCounter) -> Edit:
    """The changes that a form describes.

    Raises:
        InvalidFields: a number or a date is none.
    """
    if counter.type != "UpDown":
        return Edit(name=form.text("name"), day=_day(form.text("date")))
    numbers = {name: whole_number(name, form.text(name)) for name in NUMBERS}
    return Edit(
        name=form.text("name"),
        mode=form.text("mode"),
        goal=numbers["goal"],
        least=numbers["least"],
        reset_value=numbers["reset_value"] or 0,
        allow_exceed=form.checked("allow_exceed"),
        milestones=_milestones(form.text("milestones")),
    )


def typed_details(counter: SharedCounter, milestones: Sequence[int], form: Form | None) -> Mapping[str, str]:
    """What the form of a counter's details shows: the present details, or what was just typed.

    Args:
        milestones: the counter's own.
    """
    if form is not None:
        return {name: form.text(name) for name in ("name", "mode", "date", "allow_exceed", "milestones", *NUMBERS)}
    return {
        "name": counter.name,
        "mode": counter.mode or "",
        "date": "" if counter.day is None else counter.day.isoformat(),
        "allow_exceed": "on" if counter.allow_exceed else "",
        "goal": "" if counter.goal is None else str(counter.goal),
        "least": "" if counter.least is None else str(counter.least),
        "reset_value": str(counter.reset_value),
        "milestones": " ".join(map(str, milestones)),
    }


def whole_number(field: str, text: str) -> int | None:
    """A whole number as it is typed; None for nothing.

    Raises:
        InvalidFields: the text is something else.
    """
    if not text:
        return None
    # A minus sign from a word processor is one, too.
    plain = text.replace("\N{MINUS SIGN}", "-")
    if not _is_whole(plain):
        raise InvalidFields({field: [NOT_WHOLE]})
    return int(plain)


def _milestones(text: str) -> tuple[int, ...]:
    """Whole numbers with spaces between them. A comma could be one of thousands, so it separates nothing."""
    try:
        values = [whole_number("milestones", word) for word in text.split()]
    except InvalidFields as error:
        raise InvalidFields({"milestones": [NOT_WHOLE_NUMBERS]}) from error
    found = tuple(value for value in values if value is not None and in_range(value))
    if len(found) < len(values):
        raise InvalidFields({"milestones": [TOO_LARGE]})
    if len(set(found)) > OWN_MILESTONES_AT_MOST:
        raise InvalidFields({"milestones": [TOO_MANY]})
    return found


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise InvalidFields({"date": [NOT_A_DATE]}) from error
