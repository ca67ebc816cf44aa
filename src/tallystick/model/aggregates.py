"""Imported aggregates: figures by day and value that another program has counted, kept apart from hits.

The tables are those of Plausible's export (contract, part 7). They cannot be joined with each other, so a question is
answered from one of them, or not at all.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

from msgspec import Struct

from tallystick.model.dimensions import (
    BROWSER,
    CAMPAIGN,
    COUNTRY,
    COUNTRY_NAME,
    DEVICE,
    ENTRY_PAGE,
    EVENT_NAME,
    EXIT_PAGE,
    HOST,
    PAGE,
    PAGEVIEW,
    REFERRING_PAGE,
    REGION,
    SOURCE,
    SYSTEM,
    UTM_CONTENT,
    UTM_MEDIUM,
    UTM_SOURCE,
    UTM_TERM,
    VERSION_OF_BROWSER,
    VERSION_OF_SYSTEM,
)
from tallystick.model.metrics import Metric
from tallystick.model.product import known_browser, known_system
from tallystick.model.question import FilterExpression, Grouping
from tallystick.model.shown_values import DIRECT, NONE, NOT_SET
from tallystick.model.text import storable

PLAUSIBLE = "plausible"
LONGEST_VALUE = 2_048
"""Characters of a value."""
GREATEST_NUMBER = 10**12
FIRST_DAY = date(1995, 1, 1)
EPOCH = date(1970, 1, 1).toordinal()
LONGEST_SHOWN = 60

_OF_VISITS = frozenset(
    {
        Metric.VISITORS,
        Metric.VISITS,
        Metric.PAGEVIEWS,
        Metric.VIEWS_PER_VISIT,
        Metric.BOUNCE_RATE,
        Metric.VISIT_DURATION,
        Metric.PERCENTAGE,
    }
)


class Aggregate(Struct, frozen=True, kw_only=True):
    """A table of aggregates.

    Attributes:
        name: of the table in an export; it is stored as ``imported_NAME``.
        texts: columns of values.
        numbers: columns of sums.
        visits: the column with the number of visits; empty without one.
        dimensions: the column of each dimension of questions that the table has, by the dimension's name. The name of
            an event is a column that questions see only: in pages it is ``pageview``.
        metrics: those that can be made of it.
    """

    name: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    visits: str = "visits"
    dimensions: Mapping[str, str] = MappingProxyType({})
    metrics: frozenset[Metric] = _OF_VISITS

    @property
    def table(self) -> str:
        """The table that it is stored in."""
        return f"imported_{self.name}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row: the day, values and sums."""
        return ("date", *self.texts, *self.numbers)


VISITORS = Aggregate(
    name="visitors",
    texts=(),
    numbers=("visitors", "pageviews", "bounces", "visits", "visit_duration"),
    metrics=_OF_VISITS | {Metric.EVENTS},
)
PAGES = Aggregate(
    name="pages",
    texts=("hostname", "page"),
    numbers=("visits", "visitors", "pageviews"),
    dimensions={PAGE.name: "page", HOST.name: "hostname", EVENT_NAME.name: "name"},
    metrics=frozenset({Metric.VISITORS, Metric.VISITS, Metric.PAGEVIEWS, Metric.PERCENTAGE}),
)
EVENTS = Aggregate(
    name="custom_events",
    texts=("name", "link_url", "path"),
    numbers=("visitors", "events"),
    visits="",
    dimensions={EVENT_NAME.name: "name", "prop:url": "link_url", "prop:path": "path"},
    metrics=frozenset({Metric.VISITORS, Metric.EVENTS, Metric.PAGEVIEWS, Metric.PERCENTAGE}),
)
"""Questions see pageviews, which the table ``visitors`` has, as events of the name ``pageview`` beside them."""

AGGREGATES: tuple[Aggregate, ...] = (
    VISITORS,
    PAGES,
    Aggregate(
        name="entry_pages",
        texts=("entry_page",),
        numbers=("visitors", "entrances", "visit_duration", "bounces", "pageviews"),
        visits="entrances",
        dimensions={ENTRY_PAGE.name: "entry_page"},
    ),
    Aggregate(
        name="exit_pages",
        texts=("exit_page",),
        numbers=("visitors", "visit_duration", "exits", "bounces", "pageviews"),
        visits="exits",
        dimensions={EXIT_PAGE.name: "exit_page"},
    ),
    EVENTS,
    Aggregate(
        name="sources",
        texts=("source", "referrer", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"),
        numbers=("pageviews", "visitors", "visits", "visit_duration", "bounces"),
        dimensions={
            SOURCE.name: "source",
            REFERRING_PAGE.name: "referrer",
            UTM_SOURCE.name: "utm_source",
            UTM_MEDIUM.name: "utm_medium",
            CAMPAIGN.name: "utm_campaign",
            UTM_CONTENT.name: "utm_content",
            UTM_TERM.name: "utm_term",
        },
    ),
    Aggregate(
        name="locations",
        texts=("country", "region", "city"),
        numbers=("visitors", "visits", "visit_duration", "bounces", "pageviews"),
        dimensions={COUNTRY.name: "country", COUNTRY_NAME: "country", REGION.name: "region"},
    ),
    Aggregate(
        name="devices",
        texts=("device",),
        numbers=("visitors", "visits", "visit_duration", "bounces", "pageviews"),
        dimensions={DEVICE.name: "device"},
    ),
    Aggregate(
        name="browsers",
        texts=("browser", "browser_version"),
        numbers=("visitors", "visits", "visit_duration", "bounces", "pageviews"),
        dimensions={BROWSER.name: "browser", VERSION_OF_BROWSER.name: "browser_version"},
    ),
    Aggregate(
        name="operating_systems",
        texts=("operating_system", "operating_system_version"),
        numbers=("visitors", "visits", "visit_duration", "bounces", "pageviews"),
        dimensions={SYSTEM.name: "operating_system", VERSION_OF_SYSTEM.name: "operating_system_version"},
    ),
)
"""Every table, in the order of the contract."""

BY_NAME: Mapping[str, Aggregate] = MappingProxyType({each.name: each for each in AGGREGATES})

Row = tuple[int | str, ...]
"""Of an aggregate: the day, in days since 1970, its values and its numbers."""

_NUMBER = re.compile(r"[0-9]{1,13}(?:[.]0{1,6})?")
_BLANK = frozenset({DIRECT, NOT_SET, NONE})
_DESKTOPS = frozenset({"Laptop", "Desktop", "Ultra-wide"})


def row_of(aggregate: Aggregate, day: str, texts: Sequence[str], numbers: Sequence[str | int], last: int) -> Row:
    """A row as it is stored: values in the spelling that hits have, words for no value as none.

    Args:
        day: for example ``2026-01-31``.
        texts, numbers: in the order of the aggregate's columns.
        last: the last day that there can be, in days since 1970.

    Raises:
        ValueError: it cannot be stored; the message says why.
    """
    values = [_text(name, text) for name, text in zip(aggregate.texts, texts, strict=True)]
    counted = [_number(name, number) for name, number in zip(aggregate.numbers, numbers, strict=True)]
    return (day_number(day, last), *_SPELLED.get(aggregate.name, tuple)(values), *counted)


def day_number(text: str, last: int) -> int:
    """The day of a date such as ``2026-01-31``, in days since 1970.

    Raises:
        ValueError: it is none, or not between 1995 and ``last``.
    """
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        msg = f"date: {_shown(text)} is not a date such as 2026-01-31"
        raise ValueError(msg)
    number = found.toordinal() - EPOCH
    if found < FIRST_DAY or number > last:
        msg = f"date: {text} is before 1995 or in the future"
        raise ValueError(msg)
    return number


def _text(name: str, text: str) -> str:
    if len(text) > LONGEST_VALUE:
        msg = f"{name}: longer than {LONGEST_VALUE:,} characters"
        raise ValueError(msg)
    text = storable(text).strip()
    return "" if text in _BLANK else text


def _number(name: str, number: str | int) -> int:
    if isinstance(number, str):
        number = number.strip() or "0"
        if not _NUMBER.fullmatch(number):
            msg = f"{name}: {_shown(number)} is not a whole number from 0 to {GREATEST_NUMBER:,}"
            raise ValueError(msg)
        number = int(number.partition(".")[0])
    if not 0 <= number <= GREATEST_NUMBER:
        msg = f"{name}: {_shown(str(number))} is not a whole number from 0 to {GREATEST_NUMBER:,}"
        raise ValueError(msg)
    return number


def _shown(text: str) -> str:
    return repr(text[:LONGEST_SHOWN])


def without_slash(path: str) -> str:
    """A path without a slash at the end, as paths of hits are."""
    return path.rstrip("/") or "/" if path.startswith("/") else path


def _pages(values: Sequence[str]) -> tuple[str, ...]:
    host, page = values
    return host.lower().removeprefix("www."), without_slash(page)


def _ends(values: Sequence[str]) -> tuple[str, ...]:
    return (without_slash(values[0]),)


def _events(values: Sequence[str]) -> tuple[str, ...]:
    name, url, path = values
    if name.strip() in {"", PAGEVIEW}:
        msg = f"name: {_shown(name)} is not the name of an event"
        raise ValueError(msg)
    return name, url, path


def _locations(values: Sequence[str]) -> tuple[str, ...]:
    country, region, city = values
    return country.upper(), region.upper(), "" if city == "0" else city


def _devices(values: Sequence[str]) -> tuple[str, ...]:
    return ("Desktop" if values[0] in _DESKTOPS else values[0],)


def _browsers(values: Sequence[str]) -> tuple[str, ...]:
    name, version = values
    known = known_browser(name, version)
    return known if known[0] else (name, version)


def _systems(values: Sequence[str]) -> tuple[str, ...]:
    name, version = values
    known = known_system(name.removeprefix("GNU/"), version)
    return known if known[0] else (name, version)


_SPELLED = {
    PAGES.name: _pages,
    "entry_pages": _ends,
    "exit_pages": _ends,
    EVENTS.name: _events,
    "locations": _locations,
    "devices": _devices,
    "browsers": _browsers,
    "operating_systems": _systems,
}
"""How the values of a table are spelled as those of hits are."""


class TableSpan(Struct, frozen=True):
    """What an import has of one table. Days are in days since 1970, both included."""

    rows: int
    first: int
    last: int


class AggregateImport(Struct, frozen=True, kw_only=True):
    """An import of aggregates into a site.

    Attributes:
        kind: the program that counted.
        name: of the file.
        digest: of its content: the same file is the same import.
        created: Unix seconds.
        parts: how many have arrived.
        done: whether all have; before, no question reads it.
        tables: what it has, by the aggregate's name.
    """

    id: int
    site: int
    kind: str
    name: str
    digest: str
    created: int
    parts: int
    done: bool
    tables: Mapping[str, TableSpan] = MappingProxyType({})

    @property
    def rows(self) -> int:
        """All of its rows."""
        return sum(each.rows for each in self.tables.values())

    @property
    def first(self) -> int | None:
        """Its first day, in days since 1970; None without rows."""
        return min((each.first for each in self.tables.values()), default=None)

    @property
    def last(self) -> int | None:
        """Its last day."""
        return max((each.last for each in self.tables.values()), default=None)


def overlapping(spans: Mapping[str, TableSpan], others: Sequence[AggregateImport]) -> list[AggregateImport]:
    """Those of the other imports that have days of the same tables."""
    return [
        each
        for each in others
        if any(
            name in each.tables and span.first <= each.tables[name].last and each.tables[name].first <= span.last
            for name, span in spans.items()
        )
    ]


class AggregateQuestion(Struct, frozen=True, kw_only=True):
    """What is asked of one table.

    Attributes:
        sites: each with its last day that counts, in days since 1970.
        first, last: the days of the period.
        groupings: time units have days, everything else is in ``aggregate.dimensions``.
        condition: of dimensions of the table.
        limit: rows with the most visitors.
    """

    aggregate: Aggregate
    sites: tuple[tuple[int, int], ...]
    first: int
    last: int
    groupings: tuple[Grouping, ...]
    condition: FilterExpression
    limit: int


class AggregateFigures(Struct, frozen=True):
    """Sums of a group; those that a table does not have are 0. ``seconds`` are the durations of all visits."""

    visitors: int
    visits: int
    pageviews: int
    events: int
    bounces: int
    seconds: int
