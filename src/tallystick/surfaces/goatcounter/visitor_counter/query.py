"""Parses a visitor counter's URL, and formats its number (contract, 2.5)."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import msgspec

from tallystick.model.site import Site
from tallystick.services.analytics.visitor_counter import Span
from tallystick.surfaces.goatcounter.visitor_counter.style import LONGEST
from tallystick.web.refusals import ApiRefused

TOTAL = "TOTAL"
EXTENSIONS = ("html", "json", "png", "svg")
SINCE = {"week": 7, "month": 30, "year": 365}
"""Words for ``start``, and their number of days."""

NO_SEPARATOR = 1
SEPARATORS = frozenset({0x202F, 0xA0, ord(","), ord("."), ord("'")})
USUAL_SEPARATOR = "\u202f"

_HOUR_S = 3_600
_END_OF_TIME = 2**62
_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_encode = msgspec.json.Encoder().encode


class VisitorCounterQuery(NamedTuple):
    """One counter.

    Attributes:
        path: None for the whole site.
        style: as it was sent.
    """

    path: str | None
    extension: str
    span: Span
    branding: bool
    style: str


def parsed_query(name: str, query: Mapping[str, str], now: int) -> VisitorCounterQuery:
    """Parse a counter's URL.

    Args:
        name: the path after ``/counter/``.
        now: Unix seconds.

    Raises:
        ApiRefused: the extension, a date or the style is not valid.
    """
    path, dot, extension = name.rpartition(".")
    if not dot or extension not in EXTENSIONS:
        msg = f'unknown extension: "{extension if dot else ""}"'
        raise ApiRefused(msg)
    style = query.get("style", "")
    if len(style) > LONGEST:
        msg = f"style is longer than {LONGEST} characters"
        raise ApiRefused(msg)
    return VisitorCounterQuery(
        path=None if path == TOTAL else path,
        extension=extension,
        span=Span(_begin(query.get("start", ""), now), _end(query.get("end", ""))),
        branding="no_branding" not in query,
        style=style,
    )


def _begin(text: str, now: int) -> int:
    if text in SINCE:
        return (now // _HOUR_S - SINCE[text] * 24) * _HOUR_S
    return _midnight("start", text) if text else 0


def _end(text: str) -> int:
    """The end of the day, which is included."""
    return _midnight("end", text) + 24 * _HOUR_S if text else _END_OF_TIME


def _midnight(name: str, text: str) -> int:
    try:
        day = date.fromisoformat(text if _date.fullmatch(text) else "")
    except ValueError as error:
        msg = f'invalid {name} date: "{text}"'
        raise ApiRefused(msg) from error
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        seconds=1
    )


def grouped(number: int, site: Site) -> str:
    """A number with the site's separator between thousands."""
    format_ = site.user_defaults.number_format
    if format_ == NO_SEPARATOR:
        return str(number)
    return f"{number:,}".replace(",", chr(format_) if format_ in SEPARATORS else USUAL_SEPARATOR)


def counter_json(number: str) -> bytes:
    """The JSON body; the space after the comma is the contract's."""
    text = _encode(number)
    return b'{"count_unique":%b, "count":%b}' % (text, text)
