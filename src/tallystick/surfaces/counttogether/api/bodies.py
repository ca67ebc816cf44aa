"""Bodies of requests that create or edit counters. Checks that need the counter's type are made with the counter."""

from collections.abc import Collection
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from tallystick.errors import SharingReason, SharingRefused
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.sharing.counters import Edit, NewCounter
from tallystick.surfaces.counttogether.api.dates import WrittenDate, date_of, day_of

START = {"FromDate": SharingReason.INVALID_START_DATE, "ToDate": SharingReason.INVALID_END_DATE}
"""Reason of the refusal of a date, by type of counter."""

_OF_COUNTING = {
    "value": "value",
    "mode": "mode",
    "goal": "goal",
    "allow_exceed": "allow_exceed",
    "min_value": "least",
    "reset_value": "reset_value",
}
"""Fields of UpDown counters alone, and their names in ``Edit``."""

_CLEARED = frozenset({"goal", "min_value"})
"""Fields that null clears. In other fields null changes nothing: some clients send all the fields that they know."""

_DATE_FIELDS = {"FromDate": "start_date", "ToDate": "end_date"}
"""The field of a patch that is the date, by type of counter."""


class Data(Struct, frozen=True, rename="camel", kw_only=True):
    """A counter's ``data`` in v1, as clients send it; computed members are ignored."""

    value: int | UnsetType | None = UNSET
    mode: str | UnsetType | None = UNSET
    goal: int | UnsetType | None = UNSET
    allow_exceed: bool | UnsetType | None = UNSET
    min_value: int | UnsetType | None = UNSET
    reset_value: int | UnsetType | None = UNSET
    date: str | UnsetType | None = UNSET
    date_only: str | UnsetType | None = UNSET


class NewBody(Struct, frozen=True, rename="camel", kw_only=True):
    """``POST /v1/counters``."""

    display_name: str
    type: str
    data: Data | None = None


class WholeBody(Struct, frozen=True, rename="camel", kw_only=True):
    """``PUT /v1/counters/{id}``: a counter; only its name and its data take effect."""

    display_name: str | UnsetType | None = UNSET
    type: str | UnsetType | None = UNSET
    data: Data | None = None
    confirm: bool = False


class Patch(Struct, frozen=True, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """``PATCH /v2/counters/{id}``."""

    name: str | UnsetType | None = UNSET
    value: int | UnsetType | None = UNSET
    start_date: str | UnsetType | None = UNSET
    end_date: str | UnsetType | None = UNSET
    mode: str | UnsetType | None = UNSET
    goal: int | UnsetType | None = UNSET
    allow_exceed: bool | UnsetType | None = UNSET
    min_value: int | UnsetType | None = UNSET
    reset_value: int | UnsetType | None = UNSET
    confirm: bool = False


def new_counter(body: NewBody) -> NewCounter:
    """Translate the body of a creation.

    Raises:
        SharingRefused: a date is not valid.
    """
    data = body.data or Data()
    values = _dates(data, START[body.type]) if body.type in START else _counting(data)
    return NewCounter(name=body.display_name, type=body.type, **values)


def whole_edit(body: WholeBody, counter: SharedCounter) -> Edit:
    """The edit that turns the stored counter into the one in the body.

    Raises:
        SharingRefused: it is of another type, or a date is not valid.
    """
    if body.type not in {UNSET, None, counter.type}:
        msg = f"this is a {counter.type} counter, and its type cannot be changed"
        raise SharingRefused(SharingReason.INVALID_DATA, msg)
    data = body.data or Data()
    values = _dates(data, START[counter.type], counter) if counter.type in START else _counting(data)
    return Edit(name=_unset_if_null(body.display_name), confirm=body.confirm, **values)


def patch_edit(body: Patch, counter: SharedCounter) -> Edit:
    """The edit of a patch.

    Raises:
        SharingRefused: a field is not for this type of counter, or a date is not valid.
    """
    date_field = _DATE_FIELDS.get(counter.type)
    _refuse_fields(body, counter, {date_field} if date_field else set(_OF_COUNTING))
    if date_field is None:
        return Edit(name=_unset_if_null(body.name), confirm=body.confirm, **_counting(body))
    data = Data(date=getattr(body, date_field))
    return Edit(name=_unset_if_null(body.name), confirm=body.confirm, **_dates(data, START[counter.type], counter))


def is_empty(body: Patch) -> bool:
    """Whether a patch changes nothing."""
    return not any(_is_set(body, field) for field in body.__struct_fields__ if field != "confirm")


def _refuse_fields(body: Patch, counter: SharedCounter, allowed: Collection[str]) -> None:
    for field, name in zip(body.__struct_fields__, body.__struct_encode_fields__, strict=True):
        if field not in {"name", "confirm", *allowed} and _is_set(body, field):
            raise SharingRefused(SharingReason.WRONG_TYPE, f"a {counter.type} counter has no {name}")


def _counting(source: Data | Patch) -> dict[str, Any]:
    return {ours: getattr(source, field) for field, ours in _OF_COUNTING.items() if _is_set(source, field)}


def _is_set(source: Data | Patch, field: str) -> bool:
    value = getattr(source, field)
    return value is not UNSET and (value is not None or field in _CLEARED)


def _unset_if_null(value: str | UnsetType | None) -> str | UnsetType:
    return UNSET if value is None else value


def _dates(data: Data, reason: SharingReason, stored: SharedCounter | None = None) -> dict[str, Any]:
    """The instant and the day to set; a day alone also sets the instant.

    A value that equals the stored one changes nothing, so that a client that edits one of the two may send both back.
    """
    date = date_of(data.date, reason) if isinstance(data.date, str) else None
    day = day_of(data.date_only, reason) if isinstance(data.date_only, str) else None
    if stored is not None:
        day = None if day == stored.day else day
        date = None if date is not None and _is_stored(date, stored) else date
    if date is None:
        return {} if day is None else {"day": day}
    return {"day": day or date.day} | ({} if date.instant is None else {"date": date.instant})


def _is_stored(date: WrittenDate, stored: SharedCounter) -> bool:
    return date.day == stored.day if date.instant is None else date.instant == stored.date
