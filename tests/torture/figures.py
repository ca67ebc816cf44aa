"""What the lake has, row by row, and the statistics of servers beside the slow oracle's over these rows."""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg

from questions.oracle import Row
from questions.wire import COLUMNS, DIMENSIONS, UNITS, Asked, expected, figures_in, with_names
from support.analytics import HOST
from tallystick.model.metrics import Metric
from tallystick.model.period import exact_period
from tallystick.model.question import AllOf, FilterExpression, Grouping, Match, Operator, Question
from tallystick.warehouse.duckdb.session import DuckDbSession
from torture.endpoints import Request
from torture.mixed import Send, now_and_around

UTC, KATHMANDU = ZoneInfo("UTC"), ZoneInfo("Asia/Kathmandu")
OF_VISITS = (Metric.BOUNCE_RATE, Metric.VIEWS_PER_VISIT, Metric.VISIT_DURATION)
PLAIN = (Metric.VISITORS, Metric.VISITS, Metric.PAGEVIEWS, Metric.EVENTS)


class Inquiry(NamedTuple):
    """A question.

    Attributes:
        dimensions: as they are sent.
        filters: an operator, a dimension and a value each.
    """

    metrics: Sequence[Metric]
    dimensions: Sequence[str] = ()
    filters: Sequence[tuple[str, str, str]] = ()
    zone: ZoneInfo = UTC

    def asked(self, site: int) -> Asked:
        """The question about a site, as it is sent and as the oracle takes it."""
        span = now_and_around()
        begin, end = (int(datetime.fromisoformat(moment).timestamp()) for moment in span)
        body: dict[str, Any] = {
            "site_id": HOST,
            "metrics": [metric.value for metric in self.metrics],
            "dimensions": self.dimensions,
            "filters": [[operator, dimension, [value]] for operator, dimension, value in self.filters],
            "timezone": str(self.zone),
            "date_range": span,
        }
        by_unit: Mapping[str, Grouping] = {sent: unit for unit, sent in UNITS.items()}
        conditions: list[FilterExpression] = [
            Match(dimension=DIMENSIONS[dimension].dimension, operator=Operator(operator), values=(value,))
            for operator, dimension, value in self.filters
        ]
        question = Question(
            sites=(site,),
            period=exact_period(begin, end, self.zone),
            metrics=tuple(self.metrics),
            dimensions=tuple(by_unit.get(name) or DIMENSIONS[name].dimension for name in self.dimensions),
            condition=AllOf(tuple(conditions)),
        )
        return Asked(body, question, list(self.dimensions), self.zone)


INQUIRIES = (
    Inquiry((*PLAIN, *OF_VISITS)),
    Inquiry(PLAIN, ["time:day"]),
    Inquiry(PLAIN, ["time:minute"], zone=KATHMANDU),
    Inquiry((*PLAIN, *OF_VISITS, Metric.PERCENTAGE), ["visit:source"]),
    Inquiry(PLAIN, ["visit:browser", "time:hour"]),
    Inquiry((*PLAIN, *OF_VISITS), filters=[("contains", "event:page", "/page-1")]),
    Inquiry(PLAIN, ["event:page"], filters=[("contains", "event:page", "7")]),
    Inquiry(PLAIN, ["event:props:plan"]),
    Inquiry((Metric.VISITORS, *OF_VISITS), ["visit:os"], filters=[("is", "visit:source", "a.example")]),
)


def rows_of(session: DuckDbSession, url: str, site: int) -> list[dict[str, Any]]:
    """All rows of a site, by id, with names in place of ids."""
    rows = session.connection.execute(f"SELECT {COLUMNS} FROM hit WHERE site = {site} ORDER BY id").fetchall()
    with psycopg.connect(url) as ledger:
        paths: dict[int, str] = dict(ledger.execute("SELECT id, path FROM path WHERE site = %s", [site]).fetchall())
    return with_names(rows, paths, {})


def differences(
    servers: Mapping[str, Send], bearer: Mapping[str, str], site: int, rows: Iterable[Row], chance: random.Random
) -> list[str]:
    """What the statistics of servers say that the rows do not; each server is asked three of the questions.

    Args:
        servers: by the name that they have in the result.
    """
    rows, found = list(rows), []
    for name, send in servers.items():
        for place in chance.sample(range(len(INQUIRIES)), 3):
            asked = INQUIRIES[place].asked(site)
            right = expected(asked, rows)
            answer = send(Request("POST", "/api/query", asked.body, bearer))
            assert answer is not None
            if (figures := figures_in(answer.json())) != right:
                wrong = {values for values in {*right, *figures} if right.get(values) != figures.get(values)}
                shown = [(values, figures.get(values), right.get(values)) for values in sorted(wrong, key=str)[:3]]
                found.append(f"{name} differs in {asked.body}: (values, its figures, right ones) {shown}")
    return found
