"""``tallystick stats``: the statistics of a site as a table."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from cyclopts import Parameter

from tallystick.cli.support.data_directory import server_runs
from tallystick.cli.support.days import first_and_last_day
from tallystick.cli.support.listing import print_rows
from tallystick.cli.support.overview import print_overview
from tallystick.cli.support.site_access import api_client, is_url, opened_site, running_server
from tallystick.client import GoatCounter
from tallystick.model.account import Permission
from tallystick.model.dimensions import REFERRER, UNKNOWN, pages
from tallystick.model.period import period
from tallystick.model.referrer import tidied
from tallystick.model.selection import ReportRequest
from tallystick.model.site import Site
from tallystick.services.analytics.display_names import display_name
from tallystick.services.analytics.reporting import Reporting, ReportRow, Slice
from tallystick.settings import AnalyticsSettings, whole_number

REPORTS = ("days", "paths", "referrers", *(page for page in pages() if page != REFERRER.page))
Report: TypeAlias = Literal[REPORTS]  # type: ignore[valid-type]  # the names are known when the program runs
DAYS_SHOWN, ROWS_SHOWN, ROWS_OF_AN_OVERVIEW = 7, 20, 10
MOST_ROWS = 100_000

Rows = Sequence[tuple[str, int]]


class StatsQuery(NamedTuple):
    """Parameters of a report; days are whole ones, in UTC."""

    report: Report
    first: dt.date
    last: dt.date
    limit: int


def stats(  # noqa: PLR0913  # one an option
    report: Annotated[Report | None, Parameter(show_default=False)] = None,
    /,
    *,
    site: Annotated[str | None, Parameter(metavar="URL|ID|HOST", show_default=False)] = None,
    start: Annotated[str | None, Parameter(metavar="YYYY-MM-DD", show_default=False)] = None,
    end: Annotated[str | None, Parameter(metavar="YYYY-MM-DD", show_default=False)] = None,
    limit: Annotated[int | None, whole_number(1, MOST_ROWS), Parameter(show_default=False)] = None,
    settings: AnalyticsSettings = AnalyticsSettings(),
) -> None:
    """Show an overview of a site, or visits by day, path, referrer, browser, and so on.

    Without a report: today, 7 and 28 days, each compared with the period before it, and the pages and sources of the 28
    days with most visitors, and the goals that were reached. Days are those of the site's time zone.

    With one: on a terminal a table, otherwise one row a line, separated by tabs: name and visits. Days are UTC.

    With a URL the API of the running server is used, with the token in TALLYSTICK_TOKEN, which needs the permission
    stats. Without a URL the data directory is read, through its server if that is running.

    Args:
        report: What the rows are; with --start or --end days unless given, otherwise there is an overview.
        site: The site's id or host in the data directory, not needed if there is only one site; or the URL of a
            running server at the site's host.
        start: The first day; by default seven days before the last one.
        end: The last day; today by default.
        limit: At most this many rows, 20 unless given; days are always shown completely. In an overview at most this
            many pages, sources and goals, 10 unless given.
    """
    if report is None and start is None and end is None:
        print_overview(site, settings, limit or ROWS_OF_AN_OVERVIEW)
        return
    report = report or "days"
    first, last = first_and_last_day(start, end, lambda last: last - dt.timedelta(days=DAYS_SHOWN))
    query = StatsQuery(report, first, last, limit or ROWS_SHOWN)
    rows = _rows(site, settings, query)
    title = {"days": "Day", "sizes": "Screen"}.get(report, report.removesuffix("s").capitalize())
    total = [("total", sum(count for _, count in rows))] if report == "days" else []
    print_rows((title, "Visits"), [*rows, *total])


def _rows(site: str | None, settings: AnalyticsSettings, query: StatsQuery) -> Rows:
    if site and is_url(site):
        with api_client(site, "stats") as api:
            return _from_server(api, query)
    if server_runs(settings.data):
        with running_server(site, settings, Permission.STATS) as (api, _):
            return _from_server(api, query)
    return asyncio.run(_from_data(site, settings, query))


def _from_server(api: GoatCounter, query: StatsQuery) -> Rows:
    after = dt.datetime.combine(query.last, dt.time(23, 59, 59), dt.UTC)
    span: dict[str, Any] = {"start": dt.datetime.combine(query.first, dt.time(), dt.UTC), "end": after}
    if query.report == "days":
        return [(str(day.day), day.daily) for day in api.total(**span).stats]
    if query.report == "paths":
        return [(path.path, path.count) for path in islice(api.hits(**span), query.limit)]
    page: Any = REFERRER.page if query.report == "referrers" else query.report
    rows = islice(api.stats(page, **span), query.limit)
    return [(_known(row.name or row.id), row.count) for row in rows if row.count]


async def _from_data(site: str | None, settings: AnalyticsSettings, query: StatsQuery) -> Rows:
    async with opened_site(site, settings) as (opened, ledger, warehouse):
        return await _reported(Reporting(ledger, warehouse), opened, query)


async def _reported(reporting: Reporting, site: Site, query: StatsQuery) -> Rows:
    begin, until = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in (query.first, query.last))
    span = period(int(begin.timestamp()), int((until + dt.timedelta(days=1)).timestamp()) - 1, dt.UTC)
    question, slice_ = ReportRequest(site=site.id, period=span), Slice(query.limit)
    if query.report == "days":
        return [(day.day, day.daily) for day in (await reporting.total(question)).days]
    if query.report == "paths":
        return [(path.path, days.visits) for path, days in (await reporting.top_paths(question, query.limit)).rows]
    if query.report == "referrers":
        rows: Sequence[ReportRow] = (await reporting.referrers(question, slice_, tidied(site.link_domain))).rows
        return [(_known(row.name), row.visits) for row in rows]
    dimension = pages()[query.report]
    rows = (await reporting.by_value(question, dimension, slice_)).rows
    if dimension.ranges:
        counts = {row.value: row.visits for row in rows}
        return [(_known(range_.name), counts[range_.name]) for range_ in dimension.ranges if counts.get(range_.name)]
    return [(_known(display_name(dimension, row.name)), row.visits) for row in rows]


def _known(name: str) -> str:
    return name or UNKNOWN
