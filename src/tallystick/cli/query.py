"""``tallystick query``: answers any question about a site's visits."""

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from tallystick.cli.support.query_access import answers_to
from tallystick.cli.support.query_body import dimensions_in, filters_in, included, metrics_in, order_in, period_in
from tallystick.cli.support.query_forms import Form, print_answer
from tallystick.errors import InputRefused
from tallystick.model.question import MOST_ROWS
from tallystick.settings import AnalyticsSettings, whole_number

_NOT_IMPORTED = {
    "no_imported_data": "Nothing is imported.",
    "out_of_range": "No imported day that counts lies in the period.",
}
METRICS, METRICS_OF_BOTS = "visitors,pageviews", "events"
ROWS_OF_A_TABLE = 100
LAST_ROW = 1_000_000


def query(  # noqa: PLR0913  # one an option
    *,
    site: Annotated[str | None, Parameter(metavar="URL|ID|HOST", show_default=False)] = None,
    url: Annotated[str | None, Parameter(metavar="URL", show_default=False)] = None,
    metrics: Annotated[str | None, Parameter(metavar="NAME,...", show_default=False)] = None,
    by: Annotated[str, Parameter(metavar="NAME,...", show_default=False)] = "",
    filters: Annotated[
        tuple[str, ...], Parameter(name="--filter", n_tokens=1, negative=(), metavar="TEXT", show_default=False)
    ] = (),
    period: Annotated[str, Parameter(metavar="NAME|DAY|FROM,TO")] = "7d",
    compare: Annotated[str | None, Parameter(metavar="previous|year|FROM,TO", show_default=False)] = None,
    same_weekdays: Annotated[bool, Parameter(negative=())] = False,
    order: Annotated[str, Parameter(metavar="[-]NAME,...", allow_leading_hyphen=True, show_default=False)] = "",
    limit: Annotated[int | None, whole_number(1, MOST_ROWS), Parameter(show_default=False)] = None,
    offset: Annotated[int, whole_number(0, LAST_ROW)] = 0,
    timezone: Annotated[str | None, Parameter(metavar="ZONE", show_default=False)] = None,
    bots: Annotated[bool, Parameter(negative=())] = False,
    imported: Annotated[bool, Parameter(negative=())] = False,
    form: Annotated[Form, Parameter(name="--format")] = "table",
    settings: AnalyticsSettings = AnalyticsSettings(),
) -> None:
    """Answer a question about a site's visits.

    Which sources brought visitors in the last 28 days, compared with the 28 days before:

        tallystick query --by source --period 28d --compare previous

    Of visitors from Google, the pages that they came to first, and how many left at once:

        tallystick query --by "entry page" --metrics visitors,bounce_rate --filter "source is Google"

    Signups of each day of a month, for a spreadsheet:

        tallystick query --by day --metrics events --filter "event is Signup" --period month --format csv

    How many visitors reached each goal, and which plans people who signed up chose:

        tallystick query --by goal --metrics visitors,conversion_rate
        tallystick query --by prop:plan --filter "goal is Signup"

    With a URL the API of the running server is used, with the token in TALLYSTICK_TOKEN, which needs the permission
    stats. Without a URL the data directory is read, through its server if that is running. All names and the language
    of filters: docs/questions.md.

    Args:
        site: The URL of a running server at the site's host; with --url the site's domain, host or code there; or, in
            the data directory, the site's id or host, not needed if there is only one site.
        url: The URL of a running server.
        metrics: What is counted: visitors, visits, pageviews, events, count, views_per_visit, bounce_rate,
            visit_duration, percentage or exit_rate, and with goals conversion_rate or group_conversion_rate;
            visitors,pageviews unless given, and of bots events.
        by: Rows for each page, event, goal, source, country, day, hour and so on, or for each value of a property
            (prop:plan); without it there is one row.
        filters: Which visits and hits, for example "source is Google and page contains blog". May be repeated; all
            filters must hold.
        period: Days before today (7d, 28d), months before this one (6mo), day (today), 24h, month, year, all, 30m,
            realtime, a day (2026-01-31), or the first and the last one.
        compare: Another period: the one just before, the same one of the year before, or any.
        same_weekdays: Move the other period by up to a few days, so that Mondays are compared with Mondays.
        order: Sort by metrics and dimensions of the question; descending with a dash in front.
        limit: At most this many rows; by default 100 in a table without time, otherwise 10,000.
        offset: Leave out this many rows.
        timezone: The time zone of days and hours, for example Europe/Berlin; by default the site's.
        bots: Hits of bots in place of those of people, with the metrics events and pageviews; --by bot says why.
        imported: With imported figures of days before the first hit (tallystick import plausible), where they can
            answer the question; otherwise a line says why not.
        form: How rows are printed. csv has plain numbers, and an apostrophe before texts that a spreadsheet would take
            for formulas; json is the answer of the API.
    """
    if metrics is None:
        metrics = METRICS_OF_BOTS if bots else METRICS
    body = _body(metrics, by, filters, period, order)
    body["include"] = included(compare, same_weekdays=same_weekdays) | {"total_rows": True}
    timeless = not any(each.startswith("time") for each in body["dimensions"])
    rows = limit or (ROWS_OF_A_TABLE if form == "table" and timeless else MOST_ROWS)
    body["pagination"] = {"limit": rows, "offset": offset}
    if timezone:
        body["timezone"] = timezone
    if bots:
        body["bots"] = True
    if imported:
        body["include"] |= {"imports": True}
    (answer,) = answers_to(site, url, settings, [body])
    if imported and (reason := answer["meta"].get("imports_skip_reason")):
        print(answer["meta"].get("imports_warning", _NOT_IMPORTED.get(reason, reason)), file=sys.stderr)
    print_answer(form, body, answer)


def _body(metrics: str, by: str, filters: tuple[str, ...], period: str, order: str) -> dict[str, Any]:
    known = metrics_in(metrics)
    if not known:
        msg = "--metrics needs at least one metric"
        raise InputRefused(msg)
    return {
        "metrics": known,
        "date_range": period_in(period),
        "dimensions": dimensions_in(by),
        "filters": filters_in(filters),
        "order_by": order_in(order, known),
    }
