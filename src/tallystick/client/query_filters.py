"""Filters of questions, and the names of what is asked: ``all_of(is_("source", "Google"), negated(is_("page", "/")))``.

A dimension has a short name, and the one that it has on the wire; both are accepted.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NewType, TypeAlias

from msgspec import Struct

from tallystick.client.arguments import with_checked_arguments
from tallystick.client.errors import InvalidArgument

Metric = Literal[
    "visitors",
    "visits",
    "pageviews",
    "events",
    "count",
    "views_per_visit",
    "bounce_rate",
    "visit_duration",
    "percentage",
    "exit_rate",
    "conversion_rate",
    "group_conversion_rate",
]
ShortName = Literal[
    "page",
    "event",
    "goal",
    "host",
    "next_page",
    "previous_page",
    "entry_page",
    "exit_page",
    "entry_host",
    "exit_host",
    "source",
    "channel",
    "referrer",
    "campaign",
    "utm_source",
    "utm_medium",
    "utm_content",
    "utm_term",
    "country",
    "country_name",
    "region",
    "language",
    "device",
    "size",
    "browser",
    "browser_version",
    "system",
    "system_version",
    "bot",
]
WireName = Literal[
    "event:page",
    "event:name",
    "event:goal",
    "event:hostname",
    "event:next_page",
    "event:previous_page",
    "visit:entry_page",
    "visit:exit_page",
    "visit:entry_page_hostname",
    "visit:exit_page_hostname",
    "visit:source",
    "visit:channel",
    "visit:referrer",
    "visit:utm_campaign",
    "visit:utm_source",
    "visit:utm_medium",
    "visit:utm_content",
    "visit:utm_term",
    "visit:country",
    "visit:country_name",
    "visit:region",
    "visit:language",
    "visit:device",
    "visit:size",
    "visit:browser",
    "visit:browser_version",
    "visit:os",
    "visit:os_version",
    "event:bot",
]
TimeName = Literal[
    "time",
    "minute",
    "quarter_hour",
    "hour",
    "day",
    "week",
    "sunday_week",
    "month",
    "weekday",
    "hour_of_the_day",
    "time:minute",
    "time:quarter_hour",
    "time:hour",
    "time:day",
    "time:week",
    "time:sunday_week",
    "time:month",
    "time:weekday",
    "time:hour_of_day",
]
Property = NewType("Property", str)
"""A property of events and pageviews; ``prop`` makes one."""
Dimension: TypeAlias = ShortName | WireName | Property
Grouping: TypeAlias = Dimension | TimeName

WIRE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "page": "event:page",
        "event": "event:name",
        "goal": "event:goal",
        "host": "event:hostname",
        "next_page": "event:next_page",
        "previous_page": "event:previous_page",
        "entry_host": "visit:entry_page_hostname",
        "exit_host": "visit:exit_page_hostname",
        "campaign": "visit:utm_campaign",
        "system": "visit:os",
        "system_version": "visit:os_version",
        "bot": "event:bot",
        "hour_of_the_day": "time:hour_of_day",
        "time": "time",
        **{
            name: f"time:{name}"
            for name in ("minute", "quarter_hour", "hour", "day", "week", "sunday_week", "month", "weekday")
        },
    }
)
"""Short names whose name on the wire is not ``visit:`` and themselves."""


class Filter(Struct, frozen=True):
    """A filter as it is sent. The functions below make them; they refuse other arguments with ``InvalidArgument``."""

    parts: tuple[Any, ...]


@with_checked_arguments
def prop(name: str) -> Property:
    """A property as a dimension, which rows have as ``prop:NAME``: ``row.values["prop:plan"]``."""
    return Property(f"prop:{name}")


@with_checked_arguments
def in_segment(segment: int | str, *others: int | str) -> Filter:
    """The hit is in one of the segments, which are named by their ids or their names."""
    return Filter(("is", "segment", (segment, *others)))


@with_checked_arguments
def is_(dimension: Dimension, *values: str, ignoring_case: bool = False) -> Filter:
    """The value is one of ``values``; ``""`` stands for none."""
    return _compared("is", dimension, values, ignoring_case=ignoring_case)


@with_checked_arguments
def is_not(dimension: Dimension, *values: str, ignoring_case: bool = False) -> Filter:
    """The value is none of ``values``."""
    return _compared("is_not", dimension, values, ignoring_case=ignoring_case)


@with_checked_arguments
def contains(dimension: Dimension, *values: str, ignoring_case: bool = False) -> Filter:
    """One of ``values`` is a part of the value."""
    return _compared("contains", dimension, values, ignoring_case=ignoring_case)


@with_checked_arguments
def does_not_contain(dimension: Dimension, *values: str, ignoring_case: bool = False) -> Filter:
    """None of ``values`` is a part of the value."""
    return _compared("contains_not", dimension, values, ignoring_case=ignoring_case)


@with_checked_arguments
def matches(dimension: Dimension, *expressions: str) -> Filter:
    """One of the RE2 expressions is found in the value."""
    return _compared("matches", dimension, expressions)


@with_checked_arguments
def does_not_match(dimension: Dimension, *expressions: str) -> Filter:
    """None of the RE2 expressions is found in the value."""
    return _compared("matches_not", dimension, expressions)


@with_checked_arguments
def all_of(first: Filter, *others: Filter) -> Filter:
    """Every one of the filters passes."""
    return Filter(("and", [first.parts, *(each.parts for each in others)]))


@with_checked_arguments
def any_of(first: Filter, *others: Filter) -> Filter:
    """At least one of the filters passes."""
    return Filter(("or", [first.parts, *(each.parts for each in others)]))


@with_checked_arguments
def negated(filter_: Filter) -> Filter:
    """The filter does not pass."""
    return Filter(("not", filter_.parts))


@with_checked_arguments
def has_done(filter_: Filter) -> Filter:
    """The visit has a hit that passes a filter on pages, events or hosts."""
    return Filter(("has_done", filter_.parts))


@with_checked_arguments
def has_not_done(filter_: Filter) -> Filter:
    """The visit has no hit that passes a filter on pages, events or hosts."""
    return Filter(("has_not_done", filter_.parts))


def wire_name(name: str) -> str:
    """The name on the wire of a metric, a dimension or a unit of time."""
    if name.startswith("prop:"):
        return f"event:props:{name.removeprefix('prop:')}"
    return WIRE_NAMES.get(name) or (name if ":" in name else f"visit:{name}")


def _compared(operator: str, dimension: str, values: tuple[str, ...], *, ignoring_case: bool = False) -> Filter:
    if not values:
        msg = "a filter needs at least one value; an empty text stands for none"
        raise InvalidArgument(msg)
    modifier = ({"case_sensitive": False},) if ignoring_case else ()
    return Filter((operator, wire_name(dimension), values, *modifier))
