"""Reads campaigns from a page's query string (GoatCounter contract, 3.5 and 3.6)."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from tallystick.model.referrer import tidied
from tallystick.model.text import ESCAPES, storable

SOURCES = ("utm_source", "ref", "src", "source")
NAMES = ("utm_campaign", "campaign")
MAX_NAME = 2_048
"""Characters of a campaign's name or source; the rest is cut off."""


class Campaign(NamedTuple):
    """The campaign in a query string.

    Attributes:
        source: replaces the referrer and is tidied like one; empty when the query has none.
        name: empty when the query has none.
    """

    source: str
    name: str


def campaign_of(query: str) -> Campaign:
    """Read the campaign from a query string, with or without ``?`` and fragment. The first non-empty value counts."""
    if "=" not in query:
        return NO_CAMPAIGN
    values = parameters(query)
    return Campaign(_first(values, SOURCES, tidied), _first(values, NAMES))


def parameters(query: str) -> dict[str, str]:
    """The parameters of a query string, with or without ``?`` and fragment; of a repeated one the first value."""
    values: dict[str, str] = {}
    for name, value in parse_qsl(query.lstrip("?").partition("#")[0], errors=ESCAPES):
        values.setdefault(name, value)
    return values


NO_CAMPAIGN = Campaign("", "")


def _first(values: Mapping[str, str], names: Iterable[str], clean: Callable[[str], str] = str.strip) -> str:
    cleaned = (clean(storable(values[name]).strip()[:MAX_NAME]) for name in names if name in values)
    return next(filter(None, cleaned), "")
