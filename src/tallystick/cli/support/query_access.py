"""Asks questions: through the API of a running server, or in a data directory, beside its server if there is one."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from tallystick.cli.support.data_directory import server_runs
from tallystick.cli.support.site_access import api_client, is_url, opened_site, running_server
from tallystick.client import GoatCounter
from tallystick.client.calls import Call, Repeat, json_as
from tallystick.client.query_answers import SentAnswer
from tallystick.client.query_calls import PATH
from tallystick.errors import InputRefused
from tallystick.ledger import Ledger
from tallystick.ledger.ledger import milliseconds
from tallystick.model.account import Permission
from tallystick.model.site import Site
from tallystick.services.analytics.kept.goals import Goals
from tallystick.services.analytics.kept.keeping import KeptCache
from tallystick.services.analytics.kept.segments import Segments
from tallystick.services.analytics.questions import Questions
from tallystick.services.inquiries.asking import answered
from tallystick.services.inquiries.configured import configured
from tallystick.settings import AnalyticsSettings
from tallystick.warehouse import Warehouse

Body = Mapping[str, Any]
Answers = Sequence[dict[str, Any]]

_read = json_as(dict[str, Any])

Result = TypeVar("Result")


def answers_to(site: str | None, url: str | None, settings: AnalyticsSettings, bodies: Sequence[Body]) -> Answers:
    """The answer to each body, as ``POST /api/query`` sends it.

    Args:
        site: id, code, domain or host, None for the only site; or the URL of a running server at the site's host.
        url: of a running server.

    Raises:
        TallystickError: they cannot be answered.
    """
    return reached(
        site,
        url,
        settings,
        lambda api, named: _from_server(api, named, bodies),
        lambda opened, ledger, warehouse: _from_data(opened, ledger, warehouse, bodies),
    )


def reached(
    site: str | None,
    url: str | None,
    settings: AnalyticsSettings,
    ask: Callable[[GoatCounter, Body], Result],
    find: Callable[[Site, Ledger, Warehouse], Coroutine[Any, Any, Result]],
) -> Result:
    """What a running server answers, or what is found in a data directory that no server uses.

    Args:
        site, url: see ``answers_to``.
        ask: asks a server; gets the part of a body that names the site.
        find: finds it in the opened stores.

    Raises:
        TallystickError: there is no answer.
    """
    if site and is_url(site):
        if url:
            msg = "the URL of the server is given twice, in --url and in --site"
            raise InputRefused(msg)
        site, url = None, site
    if url:
        with api_client(url, "stats") as api:
            return ask(api, {"site_id": site} if site else {})
    if server_runs(settings.data):
        with running_server(site, settings, Permission.STATS) as (api, found):
            return ask(api, {"site_id": found.address_name})

    async def opened() -> Result:
        async with opened_site(site, settings) as (place, ledger, warehouse):
            return await find(place, ledger, warehouse)

    return asyncio.run(opened())


def decoded(answer: Mapping[str, Any]) -> SentAnswer:
    """An answer with its types."""
    return msgspec.convert(answer, SentAnswer)


async def _from_data(site: Site, ledger: Ledger, warehouse: Warehouse, bodies: Sequence[Body]) -> Answers:
    questions, cache = Questions(ledger, warehouse), KeptCache(ledger)
    known = await configured(Goals(cache), Segments(cache), [site.id], person=None)
    return [await answered(questions, [site], known, body, milliseconds(), extended=True) for body in bodies]


def _from_server(api: GoatCounter, named: Body, bodies: Sequence[Body]) -> Answers:
    return [
        api.carry_out(Call(method="POST", path=PATH, body={**named, **body}, read=_read, repeat=Repeat.SAFE))
        for body in bodies
    ]
