"""How long questions take: of the warehouse itself, without HTTP, over three periods. See README.md."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated
from zoneinfo import ZoneInfo

import hits
from cyclopts import App, Parameter
from cyclopts.validators import Number
from report import machine, timed
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tallystick.model.dimensions import (
    BROWSER,
    CHANNEL,
    COUNTRY,
    DEVICE,
    ENTRY_PAGE,
    EVENT_NAME,
    EXIT_PAGE,
    HOST,
    NEXT_PAGE,
    PAGE,
    SOURCE,
    SYSTEM,
)
from tallystick.model.metrics import Metric
from tallystick.model.period import DAY_S, period
from tallystick.model.question import (
    AllOf,
    FilterExpression,
    Grouping,
    HasDone,
    Match,
    Operator,
    Question,
    TimeUnit,
)
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE, Store

MEMORY_MB = 512
"""The default of --warehouse-memory."""
DAYS = (7, 28, 365)
ENDS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
TOP = 10
SCAN = "SELECT path, count(*) FROM hit WHERE bot = 0 GROUP BY path"
"""The yardstick: what it takes to look at one column of all hits."""

_VISITORS = (Metric.VISITORS,)
_TOTALS = (
    Metric.VISITORS,
    Metric.VISITS,
    Metric.PAGEVIEWS,
    Metric.VIEWS_PER_VISIT,
    Metric.BOUNCE_RATE,
    Metric.VISIT_DURATION,
)
_GERMAN = Match(dimension=COUNTRY, values=("DE",))
_CHROME = Match(dimension=BROWSER, values=("Chrome",))
_ONE_PAGE = Match(dimension=PAGE, values=(1,))
_TEN_PAGES = Match(dimension=PAGE, values=tuple(range(1, 11)))
_RARER_PAGES = Match(dimension=PAGE, values=(20, 30, 40, 50, 60))

Asked = tuple[tuple[Metric, ...], tuple[Grouping, ...], FilterExpression]
EVERYTHING = AllOf(())
FIRST_PAGE: Mapping[str, Asked] = {
    "all metrics": (_TOTALS, (), EVERYTHING),
    "visitors and pageviews by day": ((Metric.VISITORS, Metric.PAGEVIEWS), (TimeUnit.DAY,), EVERYTHING),
    "pages": (_VISITORS, (PAGE,), EVERYTHING),
    "sources": (_VISITORS, (SOURCE,), EVERYTHING),
    "countries": (_VISITORS, (COUNTRY,), EVERYTHING),
    "devices": (_VISITORS, (DEVICE,), EVERYTHING),
    "browsers": (_VISITORS, (BROWSER,), EVERYTHING),
    "entry pages": (_VISITORS, (ENTRY_PAGE,), EVERYTHING),
}
"""The questions of a usual first page."""
QUESTIONS: Mapping[str, Asked] = {
    **FIRST_PAGE,
    "all metrics, two filters": (_TOTALS, (), AllOf((_GERMAN, _CHROME))),
    "all metrics by source": (_TOTALS, (SOURCE,), EVERYTHING),
    "all metrics by page": (_TOTALS, (PAGE,), EVERYTHING),
    "all metrics by day": (_TOTALS, (TimeUnit.DAY,), EVERYTHING),
    "visitors by day, two filters": (_VISITORS, (TimeUnit.DAY,), AllOf((_GERMAN, _CHROME))),
    "visitors by weekday and hour": (_VISITORS, (TimeUnit.WEEKDAY, TimeUnit.HOUR_OF_DAY), EVERYTHING),
    "pageviews by weekday and hour": ((Metric.PAGEVIEWS,), (TimeUnit.WEEKDAY, TimeUnit.HOUR_OF_DAY), EVERYTHING),
    "pages, two filters": (_VISITORS, (PAGE,), AllOf((_GERMAN, _CHROME))),
    "sources of one page": (_VISITORS, (SOURCE,), _ONE_PAGE),
    "all metrics of one page": ((*_TOTALS[:3], *_TOTALS[4:]), (), _ONE_PAGE),
    "all metrics of ten pages": ((*_TOTALS[:3], *_TOTALS[4:]), (), _TEN_PAGES),
    "all metrics of five rarer pages": ((*_TOTALS[:3], *_TOTALS[4:]), (), _RARER_PAGES),
    "sources of one page, two filters": (_VISITORS, (SOURCE,), AllOf((_ONE_PAGE, _GERMAN, _CHROME))),
    "visitors who have seen two pages": (
        _VISITORS,
        (),
        AllOf((HasDone(_ONE_PAGE), HasDone(Match(dimension=PAGE, values=(2,))))),
    ),
    "events": ((Metric.VISITORS, Metric.EVENTS), (EVENT_NAME,), Match(dimension=EVENT_NAME, values=(0,), negated=True)),
    "exit rate by page": ((Metric.EXIT_RATE,), (PAGE,), EVERYTHING),
    "exit pages": (_VISITORS, (EXIT_PAGE,), EVERYTHING),
    "next pages of one page": ((Metric.PAGEVIEWS,), (NEXT_PAGE,), _ONE_PAGE),
    "hosts": (_VISITORS, (HOST,), EVERYTHING),
    "channels and systems": (_VISITORS, (CHANNEL, SYSTEM), EVERYTHING),
    "sources by expression": (
        _VISITORS,
        (SOURCE,),
        Match(dimension=SOURCE, operator=Operator.MATCHES, values=("site-[12]",)),
    ),
}

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="questions.py", help=__doc__)
console = Console(width=120)


@app.default
def main(
    *, data: Path | None = None, count: AtLeastOne = hits.HITS, times: AtLeastOne = 10, zone: str = "Europe/Berlin"
) -> None:
    """Measure: a minute and a half, a third of it to make the hits.

    Args:
        data: a folder that ``hits.py`` has made; without one it is made and removed.
        count: hits to make.
        times: each question is asked so often.
        zone: of days and hours.
    """
    console.print(machine())
    with hits.made(data, count) as folder:
        store = Store(folder / WAREHOUSE_FILE, MEMORY_MB)
        store.open()
        try:
            with store.session() as session:
                _measure(session, times, ZoneInfo(zone))
        finally:
            store.close()


def _measure(session: DuckDbSession, times: int, zone: ZoneInfo) -> None:
    table = Table("p50 / p95 / CPU, ms", *(f"{days} days" for days in DAYS), "a year, of the scan")
    pages, scans = dict.fromkeys(DAYS, 0.0), []
    for name in track(list(QUESTIONS), transient=True):
        # Beside each question, because the speed of a shared machine changes within seconds.
        scan = timed(lambda: session.connection.execute(SCAN).fetchall(), times)
        scans.append(median(scan.measured))
        cells = []
        for days in DAYS:
            found = timed(partial(session.answer, question(name, days, zone)), times)
            cells.append(str(found))
            pages[days] += median(found.measured) if name in FIRST_PAGE else 0.0
        table.add_row(name, *cells, f"{median(found.measured) / scans[-1]:.1f}")
    table.add_row("the first eight together", *(f"{milliseconds:.0f}" for milliseconds in pages.values()))
    table.add_row("the scan, p50", "", "", f"{min(scans):.0f} to {max(scans):.0f}")
    console.print(table)


def question(name: str, days: int, zone: ZoneInfo) -> Question:
    """The question of a name about the newest days."""
    metrics, dimensions, condition = QUESTIONS[name]
    limit = TOP if dimensions and not any(isinstance(each, TimeUnit) for each in dimensions) else 10_000
    return Question(
        sites=(1,),
        period=period(ENDS - days * DAY_S, ENDS - 1, zone),
        metrics=metrics,
        dimensions=dimensions,
        condition=condition,
        limit=limit,
    )


if __name__ == "__main__":
    app()
