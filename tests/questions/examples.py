"""Small worlds written as text, and questions about them, for ``test_examples.py``.

A line is a hit, in the order of arrival: when, visitor and page or event, and the hit's other fields. A time without a
date is of 2020-06-18, a Thursday, in UTC; ``-`` stands for a hit without a session; what begins with ``/`` is a page.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from support.analytics import Analytics
from support.telling import at
from tallystick.model.dimensions import BOT, CAMPAIGN, EVENT_NAME, PAGEVIEW, PAGEVIEW_ID, Dimension, ValueKind
from tallystick.model.hit import Bot, Hit, Visitor
from tallystick.model.metrics import Metric
from tallystick.model.period import Period, exact_period, period
from tallystick.model.question import (
    CLOCK_UNITS,
    DATE_UNITS,
    EVERYTHING,
    NO_ID,
    AllOf,
    AnyOf,
    Comparison,
    FilterExpression,
    Grouping,
    HasDone,
    Match,
    Not,
    Operator,
    Question,
    TimeUnit,
)
from tallystick.services.accounts.sites import NewSite, create_site
from tallystick.services.analytics.bot_hits import reason
from tallystick.services.analytics.names import NewPath
from tallystick.services.analytics.questions import first_day, time_text

THE_DAY = "2020-06-18"
OWN, OTHER = "own", "other"
NUMBERS = {"width", "bot"}


class Asked(NamedTuple):
    """A question with names of sites in place of their ids."""

    fields: dict[str, Any]
    sites: tuple[str, ...]
    zone: ZoneInfo

    def question(self, sites: dict[str, int]) -> Question:
        """The question."""
        return Question(sites=tuple(sites[name] for name in self.sites), **self.fields)


def asked(  # noqa: PLR0913  # each has a default
    *metrics: Metric,
    by: Sequence[Grouping] = (),
    where: FilterExpression = EVERYTHING,
    day: str = THE_DAY,
    until: str | None = None,
    moments: tuple[str, str] | None = None,
    zone: str = "UTC",
    sites: tuple[str, ...] = (OWN,),
    against: tuple[str, str] | None = None,
    **fields: Any,
) -> Asked:
    """A question about a day, or the days until another one, by the zone's clocks.

    Args:
        moments: the first and last second in UTC, in place of days.
        against: the first and the last day of a comparison.
    """
    clocks = ZoneInfo(zone)
    span = exact_period(at(moments[0]), at(moments[1]), clocks) if moments else days(day, until or day, clocks)
    compare = Comparison(days(*against, clocks)) if against else None
    asking = {"metrics": metrics, "dimensions": tuple(by), "condition": where, "period": span, "compare": compare}
    return Asked(asking | fields, sites, clocks)


def days(first: str, last: str, zone: ZoneInfo) -> Period:
    """From the midnight of one date to that after another one."""
    begin, after = (datetime.combine(each, datetime.min.time(), zone) for each in (_date(first), _date(last, 1)))
    return period(int(begin.timestamp()), int(after.timestamp()) - 1, zone)


def _date(text: str, later: int = 0) -> date:
    return date.fromisoformat(text) + timedelta(days=later)


# Filters.


def is_(dimension: Dimension, *values: str, **fields: Any) -> Match:
    return Match(dimension=dimension, values=values, **fields)


def is_not(dimension: Dimension, *values: str, **fields: Any) -> Match:
    return is_(dimension, *values, negated=True, **fields)


def contains(dimension: Dimension, *values: str, **fields: Any) -> Match:
    return is_(dimension, *values, operator=Operator.CONTAINS, **fields)


def contains_not(dimension: Dimension, *values: str, **fields: Any) -> Match:
    return contains(dimension, *values, negated=True, **fields)


def matches(dimension: Dimension, *values: str, **fields: Any) -> Match:
    return is_(dimension, *values, operator=Operator.MATCHES, **fields)


def matches_not(dimension: Dimension, *values: str, **fields: Any) -> Match:
    return matches(dimension, *values, negated=True, **fields)


def both(*parts: FilterExpression) -> AllOf:
    return AllOf(parts)


def either(*parts: FilterExpression) -> AnyOf:
    return AnyOf(parts)


# Worlds.


class Names(NamedTuple):
    """The names of a world, by id."""

    sites: dict[str, int]
    paths: dict[int, str]
    campaigns: dict[int, str]

    def of(self, dimension: Dimension) -> dict[int, str]:
        """The names of an ID dimension."""
        if dimension.name == CAMPAIGN.name:
            return self.campaigns | {NO_ID: ""}
        if dimension.name == EVENT_NAME.name:
            return self.paths | {PAGEVIEW_ID: PAGEVIEW}
        if dimension.name == BOT.name:
            return {int(bot): reason(bot) for bot in Bot}
        return self.paths | {NO_ID: ""}


async def told(analytics: Analytics, hits: str) -> Names:
    """Store the hits of a world, one after the other."""
    services, lines = analytics.services, list(_lines(hits))
    names = Names({OWN: analytics.site.id}, {}, {})
    if any(line.fields.get("site") == OTHER for line in lines):
        other = await services.ledger.write(
            create_site, analytics.prepared.account, NewSite(cname="other.example.com"), analytics.clock()
        )
        names.sites[OTHER] = other.id
    for line in lines:
        site = names.sites[line.fields.pop("site", OWN)]
        event, campaign = not line.name.startswith("/"), line.fields.pop("campaign", None)
        await services.names.learn(site, [NewPath(line.name, "", event, counted=True)], [campaign] if campaign else [])
        known = services.names.path(site, line.name)
        assert known is not None
        names.paths[known.id] = line.name
        number = services.names.campaign(site, campaign) if campaign else None
        if number:
            names.campaigns[number] = campaign
        visitor = None if line.visitor == "-" else Visitor(ord(line.visitor), ord(line.visitor))
        hit = Hit(
            site=site, path=known.id, created=line.when, event=event, visitor=visitor, campaign=number, **line.fields
        )
        await services.warehouse.append([hit])
    return names


class _Line(NamedTuple):
    when: int
    visitor: str
    name: str
    fields: dict[str, Any]


def _lines(hits: str) -> Iterator[_Line]:
    for text in hits.strip().splitlines():
        when, visitor, name, *fields = shlex.split(text)
        pairs = (field.split("=", 1) for field in fields)
        yield _Line(
            at(when if "T" in when else f"{THE_DAY}T{when}"),
            visitor,
            name,
            {field: int(value) if field in NUMBERS else value for field, value in pairs},
        )


# What the oracle takes and returns is ids and integers.


def in_ids(expression: FilterExpression, names: Names) -> FilterExpression:
    """A filter with ids in place of names."""
    match expression:
        case Match():
            if expression.dimension.kind is not ValueKind.ID:
                return expression
            ids = [id_ for id_, name in names.of(expression.dimension).items() if _fits(expression, name)]
            return Match(dimension=expression.dimension, values=tuple(ids), negated=expression.negated)
        case AllOf(parts):
            return AllOf(tuple(in_ids(part, names) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(in_ids(part, names) for part in parts))
        case Not(part):
            return Not(in_ids(part, names))
        case HasDone(part):
            return HasDone(in_ids(part, names))


def _fits(match: Match, name: str) -> bool:
    for value in map(str, match.values):
        wanted = value
        if match.operator is Operator.MATCHES:
            if re.search(wanted, name, re.IGNORECASE if match.caseless else 0):
                return True
            continue
        if match.caseless:
            name, wanted = name.lower(), wanted.lower()
        if name == wanted if match.operator is Operator.IS else wanted in name:
            return True
    return False


def in_names(values: Iterable[Any], question: Question, names: Names) -> tuple[Any, ...]:
    """The values of a row as answers of the service show them."""
    return tuple(
        _named(value, grouping, question, names) for value, grouping in zip(values, question.dimensions, strict=True)
    )


def _named(value: Any, grouping: Grouping, question: Question, names: Names) -> Any:
    if isinstance(grouping, TimeUnit):
        shown = grouping in CLOCK_UNITS | DATE_UNITS
        return time_text(grouping, value, first_day(question)) if shown else value
    return names.of(grouping)[value] if grouping.kind is ValueKind.ID else value
