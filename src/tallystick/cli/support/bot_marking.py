"""Marks hits by a filter: through the API of a running server, or in a data directory, beside its server or without."""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import httpx
import msgspec
from msgspec import Struct

from tallystick.cli.support.data_directory import server_runs
from tallystick.cli.support.days import first_and_last_day
from tallystick.cli.support.site_access import api_errors_refused, is_url, lent_access, opened_site, server_url, token
from tallystick.errors import InputRefused
from tallystick.model.account import Permission
from tallystick.model.filter_lists import filter_of
from tallystick.model.filter_text import parse_filter
from tallystick.model.hit import is_bot
from tallystick.model.period import period
from tallystick.model.question import AllOf
from tallystick.services.accounts.audit import COMMAND_LINE
from tallystick.services.analytics.bot_filters import Marking, mark_matching
from tallystick.services.analytics.display_names import country_by_name
from tallystick.services.analytics.questions import Questions
from tallystick.services.job_worker import JobWorker
from tallystick.settings import AnalyticsSettings

FIRST_DAY = dt.date(1970, 1, 2)
"""Earlier than any hit."""


class MarkingOptions(NamedTuple):
    """Which hits are to be what; days are whole ones, in UTC."""

    filters: Sequence[list[object]]
    first: dt.date
    last: dt.date
    into: int


def options_of(filters: Sequence[str], start: str | None, end: str | None, into: int) -> MarkingOptions:
    """The options of a command, read.

    Raises:
        InputRefused: one is malformed.
    """
    if not filters:
        msg = "--filter is needed: it says which hits"
        raise InputRefused(msg)
    try:
        parsed = [parse_filter(text) for text in filters]
    except ValueError as error:
        msg = f"--filter: {error}"
        raise InputRefused(msg) from error
    first, last = first_and_last_day(start, end, lambda _: FIRST_DAY)
    return MarkingOptions(parsed, first, last, into)


def mark(site: str | None, settings: AnalyticsSettings, options: MarkingOptions) -> int:
    """Mark the hits. Returns their number.

    Args:
        site: the URL of a running server; otherwise see ``opened_site``.

    Raises:
        InputRefused: it cannot be done.
    """
    if site and is_url(site):
        with httpx.Client() as client:
            return _at_server(client, server_url(site), token("site-update"), {}, options)
    if server_runs(settings.data):
        with (
            lent_access(site, settings, Permission.SITE_UPDATE) as lent,
            httpx.Client(transport=lent.transport) as client,
        ):
            return _at_server(client, lent.url, lent.secret, lent.headers, options)
    return asyncio.run(_in_data(site, settings, options))


class _Marked(Struct):
    hits: int


def _at_server(client: httpx.Client, url: str, secret: str, headers: Mapping[str, str], options: MarkingOptions) -> int:
    body = {
        "to": options.into,
        "filters": options.filters,
        "start": f"{options.first}T00:00:00Z",
        "end": f"{options.last}T23:59:59Z",
    }
    with api_errors_refused(url):
        answer = client.post(
            f"{url}/api/v0/bots",
            json=body,
            headers={"authorization": f"Bearer {secret}", **headers},
            timeout=60,
        )
        if answer.status_code != httpx.codes.ACCEPTED:
            msg = f"{url}: the server answered {answer.status_code}: {answer.text[:200]}"
            raise InputRefused(msg)
        return msgspec.json.decode(answer.content, type=_Marked).hits


async def _in_data(site: str | None, settings: AnalyticsSettings, options: MarkingOptions) -> int:
    begin, until = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in (options.first, options.last))
    country_name = country_by_name()
    async with opened_site(site, settings) as (opened, ledger, warehouse):
        marking = Marking(
            site=opened.id,
            period=period(int(begin.timestamp()), int((until + dt.timedelta(days=1)).timestamp()) - 1, dt.UTC),
            condition=AllOf(tuple(filter_of(lists, country_name) for lists in options.filters)),
            bots=not is_bot(options.into),
            into=options.into,
        )
        questions, now = Questions(ledger, warehouse), ledger.clock()
        marked = await mark_matching(ledger, warehouse, questions, marking, now, actor=COMMAND_LINE)
        await JobWorker(ledger, warehouse, lambda _: None, seen_within=0).work()
        return marked.hits
