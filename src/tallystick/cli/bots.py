"""``tallystick bots``: lists and relabels hits that were classified as bots'."""

import sys
from datetime import UTC
from typing import Annotated

import httpx
import msgspec
from cyclopts import App, Parameter
from msgspec import Struct

from tallystick.cli.site import site_of
from tallystick.cli.support.bot_marking import mark as mark_by_filter
from tallystick.cli.support.bot_marking import options_of
from tallystick.cli.support.jobs import read_hits, write_and_do_jobs
from tallystick.cli.support.listing import instant, print_rows
from tallystick.cli.support.opening import opened_ledger
from tallystick.cli.support.prompts import Yes, confirm
from tallystick.cli.support.site_access import api_errors_refused, is_url, server_url, token
from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.model.hit import HOUR_S, Bot, is_bot
from tallystick.model.period import period
from tallystick.services.accounts.audit import COMMAND_LINE, done_by
from tallystick.services.analytics import bot_hits
from tallystick.services.ingest.dropped_hits import dropped_hits, reason_name
from tallystick.services.jobs import Relabel
from tallystick.settings import AnalyticsSettings, StorageSettings
from tallystick.warehouse.types import EVERY_ID

FIRST_DAY = "1970-01-02"
"""Earlier than any hit: without a start the API reports the last week only."""

LABELS = {bot_hits.label(code): code for code in Bot if code != Bot.NO_MATCH}

Label = Annotated[str, Parameter(metavar="LABEL")]
FilterOptions = Annotated[
    tuple[str, ...], Parameter(name="--filter", n_tokens=1, negative=(), metavar="TEXT", show_default=False)
]
DayOption = Annotated[str | None, Parameter(metavar="YYYY-MM-DD", show_default=False)]
SiteOption = Annotated[str | None, Parameter(metavar="URL|ID|HOST", show_default=False)]

app = App(
    name="bots",
    help="List and relabel hits that were classified as bots', which are stored but in no statistic; count hits that"
    " were not recorded at all.",
    help_epilogue=f"Labels: {', '.join(LABELS)}.",
)


@app.command(name="list", sort_key=1)
def list_(
    *,
    site: Annotated[str | None, Parameter(metavar="URL|ID|HOST", show_default=False)] = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """List why hits of a site were classified as bots', and how many.

    On a terminal a table, otherwise one label a line, separated by tabs: label, hits, first id, last id, newest.
    With a URL the API of the running server is used, with the token in TALLYSTICK_TOKEN, which needs the permission
    stats. It has the number of hits for each label, without ids. Without a URL the data directory is read.

    Args:
        site: The URL of a running server at the site's host; or, in a data directory that no server uses, the
            site's id or host, not needed if there is only one site.
    """
    titles = ("Label", "Hits", "First id", "Last id", "Newest")
    if site and is_url(site):
        print_rows(titles, [(_name(row.bot), row.count, None, None, None) for row in _answer_at(site).bots])
        return
    with opened_ledger(settings) as (_, session), session.snapshot():
        number = site_of(session, site).id
    rows = [
        (_name(code), hits, first, last, instant(newest * 1000))
        for code, hits, first, last, newest in read_hits(settings, lambda session: session.labels(number))
    ]
    print_rows(titles, rows)


@app.command(sort_key=2)
def dropped(
    *,
    site: Annotated[str | None, Parameter(metavar="URL|ID|HOST", show_default=False)] = None,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """List how many hits of a site were not recorded at all, and why.

    Of these hits nothing but their number is stored: prefetches, visitors who opted out, addresses and paths that the
    site ignores, spam referrers. On a terminal a table, otherwise reason and number, separated by tabs.

    Args:
        site: The URL of a running server at the site's host, with the token in TALLYSTICK_TOKEN; or the site's id or
            host in a data directory, not needed if there is only one site.
    """
    titles = ("Reason", "Hits")
    if site and is_url(site):
        print_rows(titles, [(row.reason, row.count) for row in _answer_at(site).dropped])
        return
    with opened_ledger(settings) as (_, session), session.snapshot():
        numbers = dropped_hits(session, [site_of(session, site).id], period(0, milliseconds() // 1000 + HOUR_S, UTC))
    print_rows(titles, [(reason_name(reason), hits) for reason, hits in numbers.items()])


@app.command(sort_key=3)
def relabel(  # noqa: PLR0913  # one an option
    old: Label,
    new: Label,
    /,
    *,
    site: str | None = None,
    first: Annotated[int, Parameter(show_default=False)] = EVERY_ID[0],
    last: Annotated[int, Parameter(show_default=False)] = EVERY_ID[1],
    yes: Yes = False,
    settings: StorageSettings = StorageSettings(),
) -> None:
    """Change the label of hits: "person" adds them to the statistics, any other label removes them.

    If other hits have the new label already, the two groups can be told apart by their ids only.

    Args:
        old: The present label.
        new: The new label.
        site: Id or host; not needed if there is only one site.
        first: Only hits with this id or a higher one.
        last: Only hits with this id or a lower one.
        yes: Do not ask.
    """
    codes = _code(old), _code(new)
    confirm(f"Relabel hits from {old} to {new}?", "no hit was relabelled", yes=yes)
    write_and_do_jobs(
        settings,
        lambda session: done_by(
            session,
            COMMAND_LINE,
            bot_hits.relabel,
            Relabel(site_of(session, site).id, *codes, (first, last)),
            milliseconds(),
        ),
    )


@app.command(sort_key=4)
def restore(  # noqa: PLR0913  # one an option
    *,
    filters: FilterOptions = (),
    start: DayOption = None,
    end: DayOption = None,
    site: SiteOption = None,
    yes: Yes = False,
    settings: AnalyticsSettings = AnalyticsSettings(),
) -> None:
    """Add hits of bots that pass a filter to the statistics.

        tallystick bots restore --filter "page contains /docs and bot is boty-word" --start 2026-01-01

    The number of hits is printed first by tallystick query --bots --metrics events, with the same filter. With a URL
    the API of the running server is used, with the token in TALLYSTICK_TOKEN, which needs the permission site-update.
    Without a URL the data directory is changed, through its server if that is running.

    Args:
        filters: Which hits, for example "browser is Firefox". May be repeated; all filters must hold.
        start: The first day, in UTC; by default that of the first hit.
        end: The last day, in UTC; today by default.
        site: The site's id or host in the data directory, not needed if there is only one site; or the URL of a
            running server at the site's host.
        yes: Do not ask.
    """
    options = options_of(filters, start, end, Bot.KNOWN_NOT)
    confirm(f"Make hits of bots people's where {' and '.join(filters)}?", "no hit was changed", yes=yes)
    _print_marked(mark_by_filter(site, settings, options))


@app.command(sort_key=5)
def mark(  # noqa: PLR0913  # one an option
    label: Label,
    /,
    *,
    filters: FilterOptions = (),
    start: DayOption = None,
    end: DayOption = None,
    site: SiteOption = None,
    yes: Yes = False,
    settings: AnalyticsSettings = AnalyticsSettings(),
) -> None:
    """Remove people's hits that pass a filter from the statistics, and label them as bots'.

        tallystick bots mark known --filter "source is spam.example"

    Brought back by "bot is known", the visits are what they were. With a URL the API of the running server is used,
    with the token in TALLYSTICK_TOKEN, which needs the permission site-update. Without a URL the data directory is
    changed, through its server if that is running.

    Args:
        label: The label that the hits get.
        filters: Which hits, for example "source is spam.example". May be repeated; all filters must hold.
        start: The first day, in UTC; by default that of the first hit.
        end: The last day, in UTC; today by default.
        site: The site's id or host in the data directory, not needed if there is only one site; or the URL of a
            running server at the site's host.
        yes: Do not ask.
    """
    code = _code(label)
    if not is_bot(code):
        msg = f"{label} is no label of bots; tallystick bots restore brings hits back"
        raise InputRefused(msg)
    options = options_of(filters, start, end, code)
    confirm(f"Make people's hits {label} where {' and '.join(filters)}?", "no hit was changed", yes=yes)
    _print_marked(mark_by_filter(site, settings, options))


def _print_marked(hits: int) -> None:
    print(f"{hits:,} hit{'s' if hits != 1 else ''}", file=sys.stderr)


class _Filtered(Struct):
    """Hits with one label, from the API."""

    bot: int
    count: int


class _Dropped(Struct):
    """Hits that were dropped for one reason, from the API."""

    reason: str
    count: int


class _Bots(Struct):
    bots: list[_Filtered]
    dropped: list[_Dropped] = []


def _answer_at(url: str) -> _Bots:
    with api_errors_refused(url):
        answer = httpx.get(
            f"{server_url(url)}/api/v0/bots",
            params={"start": FIRST_DAY, "limit": 1},
            headers={"authorization": f"Bearer {token('stats')}", "content-type": "application/json"},
            timeout=60,
        )
        if answer.status_code != httpx.codes.OK:
            msg = f"{url}: the server answered {answer.status_code}: {answer.text[:200]}"
            raise InputRefused(msg)
        return msgspec.json.decode(answer.content, type=_Bots)


def _code(label: str) -> int:
    if label not in LABELS:
        msg = f"there is no label {label}; it is one of {', '.join(LABELS)}"
        raise InputRefused(msg)
    return int(LABELS[label])


def _name(code: int) -> str:
    return next((name for name, label in LABELS.items() if label == code), str(code))
