"""Bodies of requests."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from tallystick.model.counter import INT64_MAX, INT64_MIN
from tallystick.services.counting.many import MOST_AT_ONCE
from tallystick.services.counting.owned.changing import OneEach, OwnerRules
from tallystick.surfaces.counters.errors import INVALID_FIELD, CounterRefused
from tallystick.web.bodies import json_problem
from tallystick.web.refusals import ApiRefused

Whole = Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)]
AtMostZero = Annotated[int, Meta(ge=INT64_MIN, le=0)]
AtLeastZero = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Unique = Literal["hour", "day", "visit"] | None

_ACCEPTED: Mapping[str, str] = {
    "counters": f"a list of 1 to {MOST_AT_ONCE} objects, each with namespace and key, to add also with a whole amount",
    "namespace": "a text",
    "key": "a text",
    "value": f"a whole number from {INT64_MIN} to {INT64_MAX}",
    "lower": f"a whole number from {INT64_MIN} to 0",
    "upper": f"a whole number from 0 to {INT64_MAX}",
    "resettable": "true or false",
    "locked": "true or false",
    "label": "a text",
    "origins": "a list of origins, for example https://example.com",
    "unique": "hour, day, visit or null",
}


class RulesBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """What an owner decides about a counter; what is left out stays as it is."""

    resettable: bool | UnsetType = UNSET
    locked: bool | UnsetType = UNSET
    label: str | UnsetType = UNSET
    origins: tuple[str, ...] | UnsetType = UNSET
    unique: Unique | UnsetType = UNSET
    lower: AtMostZero | UnsetType = UNSET
    upper: AtLeastZero | UnsetType = UNSET

    @property
    def rules(self) -> OwnerRules:
        """The rules that the counter's own bounds are not."""
        one_each: OneEach | UnsetType = UNSET if self.unique is UNSET else self.unique or ""
        return OwnerRules(label=self.label, origins=self.origins, one_each=one_each, locked=self.locked)


class CreationBody(RulesBody, kw_only=True, forbid_unknown_fields=True):
    """A new counter."""

    namespace: str
    key: str
    value: Whole = 0


class ValueBody(Struct, forbid_unknown_fields=True):
    """A new value."""

    value: Whole


class NameBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """A new name; without a namespace, the counter keeps its own."""

    namespace: str | None = None
    key: str


class CounterName(Struct, forbid_unknown_fields=True):
    """A counter of many; its name is checked later."""

    namespace: str
    key: str


class AdditionBody(CounterName, forbid_unknown_fields=True):
    """An addition of many."""

    amount: Whole


class NamesBody(Struct, forbid_unknown_fields=True):
    """Counters to read."""

    counters: Annotated[tuple[CounterName, ...], Meta(min_length=1, max_length=MOST_AT_ONCE)]


class AdditionsBody(Struct, forbid_unknown_fields=True):
    """Counters to add to."""

    counters: Annotated[tuple[AdditionBody, ...], Meta(min_length=1, max_length=MOST_AT_ONCE)]


class EmptyBody(Struct, forbid_unknown_fields=True):
    """Nothing; also no body at all."""


Body = TypeVar("Body")


def decoded(body: bytes, kind: type[Body]) -> Body:
    """The JSON object of a request.

    Raises:
        CounterRefused: a member of it is not valid.
        ApiRefused: it is no JSON.
    """
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = json_problem(error, body)
        msg = f"the body is not JSON that can be read: {problem}" if problem else "the body is not JSON"
        raise ApiRefused(msg) from error


def _refused(text: str) -> ApiRefused:
    if member := re.search(r"at `\$\.(\w+)", text):
        field = member[1]
        return CounterRefused(400, INVALID_FIELD, f"{field} has to be {_ACCEPTED.get(field, 'valid')}", field=field)
    if member := re.search(r"missing required field `(\w+)`", text):
        return CounterRefused(400, INVALID_FIELD, f"{member[1]} is missing", field=member[1])
    if member := re.search(r"unknown field `(.*)`$", text):
        return CounterRefused(400, INVALID_FIELD, "the body has a member that is not known here", field=member[1])
    return ApiRefused("the body has to be a JSON object")
