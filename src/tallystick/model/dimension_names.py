"""Names of dimensions as people write them, and the names that questions have for them on the wire.

Filters written as text (``filter_text``) and the command line take these names. Upper and lower case are the same, and
so are blanks, ``_`` and ``-``.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from tallystick.model.props import MAX_PROP_NAME

DIMENSIONS: Mapping[str, str] = MappingProxyType(
    {
        "page": "event:page",
        "event": "event:name",
        "host": "event:hostname",
        "next page": "event:next_page",
        "previous page": "event:previous_page",
        "entry page": "visit:entry_page",
        "exit page": "visit:exit_page",
        "entry host": "visit:entry_page_hostname",
        "exit host": "visit:exit_page_hostname",
        "source": "visit:source",
        "channel": "visit:channel",
        "referrer": "visit:referrer",
        "campaign": "visit:utm_campaign",
        "utm source": "visit:utm_source",
        "utm medium": "visit:utm_medium",
        "utm content": "visit:utm_content",
        "utm term": "visit:utm_term",
        "country": "visit:country",
        "country name": "visit:country_name",
        "region": "visit:region",
        "language": "visit:language",
        "device": "visit:device",
        "size": "visit:size",
        "browser": "visit:browser",
        "browser version": "visit:browser_version",
        "system": "visit:os",
        "system version": "visit:os_version",
        "bot": "event:bot",
    }
)
"""What hits are filtered and grouped by."""

GOAL, SEGMENT, PROPERTY = "goal", "segment", "prop:"
"""Names that do not stand for one dimension: a goal of the site, a segment, and, before its name, a property."""
WIRE_GOAL, WIRE_PROPERTY = "event:goal", "event:props:"

TIMES: Mapping[str, str] = MappingProxyType(
    {
        "time": "time",
        "minute": "time:minute",
        "quarter hour": "time:quarter_hour",
        "hour": "time:hour",
        "day": "time:day",
        "week": "time:week",
        "sunday week": "time:sunday_week",
        "month": "time:month",
        "weekday": "time:weekday",
        "hour of the day": "time:hour_of_day",
    }
)
"""What hits are grouped by only. ``time`` is the unit that suits the period."""

OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "utm campaign": "campaign",
        "os": "system",
        "os version": "system version",
        "hostname": "host",
        "hour of day": "hour of the day",
    }
)
"""Second names."""


def plain(name: str) -> str:
    """A name as it stands in the tables: in lower case, its words separated by one blank."""
    words = name.lower().replace("_", " ").replace("-", " ").split()
    known = " ".join(words)
    return OTHER_NAMES.get(known, known)


def filtered_by(name: str) -> str:
    """The name on the wire of a dimension that hits are filtered by.

    Raises:
        ValueError: there is none of this name; the message suggests one.
    """
    if plain(name) in TIMES:
        msg = f'"{name}" is no filter: the period of a question says when'
        raise ValueError(msg)
    return _looked_up(name, {**DIMENSIONS, GOAL: WIRE_GOAL, SEGMENT: SEGMENT})


def grouped_by(name: str) -> str:
    """The name on the wire of a dimension, or of a unit of time, that hits are grouped by.

    Raises:
        ValueError: there is none of this name; the message suggests one.
    """
    return _looked_up(name, {**DIMENSIONS, GOAL: WIRE_GOAL, **TIMES})


def name_of(wire: str) -> str:
    """The name that people have for a name on the wire."""
    if wire.startswith(WIRE_PROPERTY):
        return PROPERTY + wire.removeprefix(WIRE_PROPERTY)
    return next((name for name, each in {**DIMENSIONS, GOAL: WIRE_GOAL, **TIMES}.items() if each == wire), wire)


def suggestion(name: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar known one, or all of them."""
    known = list(names)
    close = get_close_matches(name, known, 1)
    return f'did you mean "{close[0]}"?' if close else f"names are {', '.join(known)}"


def _looked_up(name: str, names: Mapping[str, str]) -> str:
    if name[: len(PROPERTY)].lower() == PROPERTY:
        return _property(name[len(PROPERTY) :])
    if (wire := names.get(plain(name))) is not None:
        return wire
    similar = suggestion(plain(name), [*names, *OTHER_NAMES, f"{PROPERTY}NAME"])
    msg = f'there is no "{name}": {similar}'
    raise ValueError(msg)


def _property(key: str) -> str:
    """The name on the wire of a property. Its own name is taken as it is."""
    if not 0 < len(key.encode("utf-8", "surrogatepass")) <= MAX_PROP_NAME:
        msg = f"{PROPERTY} is followed by the name of a property, of at most {MAX_PROP_NAME} bytes: {PROPERTY}plan"
        raise ValueError(msg)
    return WIRE_PROPERTY + key
