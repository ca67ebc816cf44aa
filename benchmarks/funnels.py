"""How long questions about funnels take: of the warehouse itself, without HTTP, over three periods. See README.md."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import hits
from cyclopts import App, Parameter
from cyclopts.validators import Number
from report import machine, timed
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tallystick.model.dimensions import BROWSER, COUNTRY, EVENT_NAME, PAGE, PAGEVIEW_ID
from tallystick.model.funnel import AskedStep, FunnelQuestion
from tallystick.model.period import DAY_S, period
from tallystick.model.question import AllOf, FilterExpression, Match
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE, Store

MEMORY_MB = 512
"""The default of --warehouse-memory."""
DAYS = (7, 28, 365)
ENDS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())

_PAGEVIEWS = Match(dimension=EVENT_NAME, values=(PAGEVIEW_ID,))
_GERMAN = Match(dimension=COUNTRY, values=("DE",))
_CHROME = Match(dimension=BROWSER, values=("Chrome",))


def _pages(*numbers: int) -> FilterExpression:
    return AllOf((Match(dimension=PAGE, values=numbers), _PAGEVIEWS))


def _steps(*pages: FilterExpression, optional: tuple[int, ...] = ()) -> tuple[AskedStep, ...]:
    return tuple(
        AskedStep(name=str(number), condition=page, optional=number in optional) for number, page in enumerate(pages)
    )


_MOST_SEEN = tuple(_pages(number) for number in (1, 2, 3, 4))
"""A tenth of all hits is on the first page, a fourth on the four."""
FUNNELS: Mapping[str, dict[str, Any]] = {
    "four steps": {"steps": _steps(*_MOST_SEEN)},
    "strict": {"steps": _steps(*_MOST_SEEN), "strict": True},
    "two of them optional": {"steps": _steps(*_MOST_SEEN, optional=(1, 2))},
    "two filters": {"steps": _steps(*_MOST_SEEN), "condition": AllOf((_GERMAN, _CHROME))},
    "two steps": {"steps": _steps(*_MOST_SEEN[:2])},
    "eight steps": {"steps": _steps(*(_pages(number) for number in range(1, 9)))},
    "four steps of 100 pages each": {
        "steps": _steps(*(_pages(*range(first, first + 100)) for first in (101, 201, 301, 401)))
    },
    "where visits went": {"steps": _steps(*_MOST_SEEN), "left_to": True},
}

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="funnels.py", help=__doc__)
console = Console(width=120)


@app.default
def main(*, data: Path | None = None, count: AtLeastOne = hits.HITS, times: AtLeastOne = 10) -> None:
    """Measure: a minute, half of it to make the hits.

    Args:
        data: a folder that ``hits.py`` has made; without one it is made and removed.
        count: hits to make.
        times: each question is asked so often.
    """
    console.print(machine())
    with hits.made(data, count) as folder:
        store = Store(folder / WAREHOUSE_FILE, MEMORY_MB)
        store.open()
        try:
            with store.session() as session:
                _measure(session, times)
        finally:
            store.close()


def _measure(session: DuckDbSession, times: int) -> None:
    table = Table("p50 / p95 / CPU, ms", *(f"{days} days" for days in DAYS))
    for name in track(list(FUNNELS), transient=True):
        cells = []
        for days in DAYS:
            span = period(ENDS - days * DAY_S, ENDS - 1, UTC)
            question = FunnelQuestion(site=1, period=span, **FUNNELS[name])
            cells.append(str(timed(partial(session.answer_funnel, question), times)))
        table.add_row(name, *cells)
    console.print(table)


if __name__ == "__main__":
    app()
