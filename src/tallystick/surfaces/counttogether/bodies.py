"""The bodies of counters, and what they ask for. What depends on the counter's type is judged with the counter."""

from collections.abc import Collection
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from tallystick.errors import SharingReason, SharingRefused
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.sharing.counters import Edit, NewCounter
from tallystick.surfaces.counttogether.dates import Written, day_of, written

START = {"FromDate": SharingReason.INVALID_START_DATE, "ToDate": SharingReason.INVALID_END_DATE}
"""What is wrong with a date, by type."""

_OF_COUNTING = {
    "value": "value",
    "mode": "mode",
    "goal": "goal",
    "allow_exceed": "allow_exceed",
    "min_value": "least",
    "reset_value": "reset_value",
}
"""What only UpDown counters have, and our names for it."""

_DATE_FIELDS = {"FromDate": "start_date", "ToDate": "end_date"}
"""Which field of a patch is a type's date."""


class Data(Struct, frozen=True, rename="camel", kw_only=True):
    """A counter's ``data`` in v1, as it is sent; what is computed is passed over."""

    value: int | UnsetType = UNSET
    mode: str | UnsetType = UNSET
    goal: int | UnsetType | None = UNSET
    allow_exceed: bool | UnsetType = UNSET
    min_value: int | UnsetType | None = UNSET
    reset_value: int | UnsetType = UNSET
    date: str | UnsetType = UNSET
    date_only: str | UnsetType = UNSET


class NewBody(Struct, frozen=True, rename="camel", kw_only=True):
    """``POST /v1/counters``."""

    display_name: str
    type: str
    data: Data | None = None


class WholeBody(Struct, frozen=True, rename="camel", kw_only=True):
    """``PUT /v1/counters/{id}``: a counter; only its name and its data take effect."""

    display_name: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    data: Data | None = None
    confirm: bool = False


class Patch(Struct, frozen=True, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """``PATCH /v2/counters/{id}``."""

    name: str | UnsetType = UNSET
    value: int | UnsetType = UNSET
    start_date: str | UnsetType = UNSET
    end_date: str | UnsetType = UNSET
    mode: str | UnsetType = UNSET
    goal: int | UnsetType | None = UNSET
    allow_exceed: bool | UnsetType = UNSET
    min_value: int | UnsetType | None = UNSET
    reset_value: int | UnsetType = UNSET
    confirm: bool = False


def new_counter(body: NewBody) -> NewCounter:
    """What a creation asks for.

    Raises:
        SharingRefused: a date makes no sense.
    """
    data = body.data or Data()
    asked = _dates(data, START[body.type]) if body.type in START else _counting(data)
    return NewCounter(name=body.display_name, type=body.type, **asked)


def whole_edit(body: WholeBody, counter: SharedCounter) -> Edit:
    """What a whole counter changes about the stored one.

    Raises:
        SharingRefused: it is of another type, or a date makes no sense.
    """
    if body.type not in {UNSET, counter.type}:
        msg = f"this is a {counter.type} counter, and its type cannot be changed"
        raise SharingRefused(SharingReason.INVALID_DATA, msg)
    data = body.data or Data()
    asked = _dates(data, START[counter.type], counter) if counter.type in START else _counting(data)
    return Edit(name=body.display_name, confirm=body.confirm, **asked)


def patch_edit(body: Patch, counter: SharedCounter) -> Edit:
    """What a patch changes about a counter.

    Raises:
        SharingRefused: a field is not for this type of counter, or a date makes no sense.
    """
    date_field = _DATE_FIELDS.get(counter.type)
    _refuse_fields(body, counter, {date_field} if date_field else set(_OF_COUNTING))
    if date_field is None:
        return Edit(name=body.name, confirm=body.confirm, **_counting(body))
    data = Data(date=getattr(body, date_field))
    return Edit(name=body.name, confirm=body.confirm, **_dates(data, START[counter.type], counter))


def is_empty(body: Patch) -> bool:
    """Whether a patch asks for nothing."""
    return all(getattr(body, field) is UNSET for field in body.__struct_fields__ if field != "confirm")


def _refuse_fields(body: Patch, counter: SharedCounter, fitting: Collection[str]) -> None:
    for field, name in zip(body.__struct_fields__, body.__struct_encode_fields__, strict=True):
        if field not in {"name", "confirm", *fitting} and getattr(body, field) is not UNSET:
            raise SharingRefused(SharingReason.WRONG_TYPE, f"a {counter.type} counter has no {name}")


def _counting(source: Data | Patch) -> dict[str, Any]:
    found = {ours: getattr(source, field) for field, ours in _OF_COUNTING.items()}
    return {ours: value for ours, value in found.items() if value is not UNSET}


def _dates(data: Data, reason: SharingReason, stored: SharedCounter | None = None) -> dict[str, Any]:
    """The instant and the day that are asked for; a day that is given alone stands for its instant, too.

    What is sent back as it was read says nothing: whoever knows only one of the two changes only that one.
    """
    date = None if data.date is UNSET else written(data.date, reason)
    day = None if data.date_only is UNSET else day_of(data.date_only, reason)
    if stored is not None:
        day = None if day == stored.day else day
        date = None if date is not None and _is_stored(date, stored) else date
    if date is None:
        return {} if day is None else {"day": day}
    return {"day": day or date.day} | ({} if date.instant is None else {"date": date.instant})


def _is_stored(date: Written, stored: SharedCounter) -> bool:
    return date.day == stored.day if date.instant is None else date.instant == stored.date
