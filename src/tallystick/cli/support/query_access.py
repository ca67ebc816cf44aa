"""Asks questions: through the API of a running server, or in a data directory, beside its server if there is one."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tallystick.cli.support.data_directory import server_runs
from tallystick.cli.support.site_access import api_client, is_url, opened_site, running_server
from tallystick.client import GoatCounter
from tallystick.client.calls import Call, Repeat, json_as
from tallystick.client.query_answers import SentAnswer
from tallystick.client.query_calls import PATH
from tallystick.errors import InputRefused
from tallystick.ledger.ledger import milliseconds
from tallystick.model.account import Permission
from tallystick.services.analytics.kept.goals import Goals
from tallystick.services.analytics.kept.keeping import KeptCache
from tallystick.services.analytics.kept.segments import Segments
from tallystick.services.analytics.questions import Questions
from tallystick.settings import AnalyticsSettings
from tallystick.surfaces.plausible.asking import answered
from tallystick.surfaces.plausible.configured import configured

Body = Mapping[str, Any]
Answers = Sequence[dict[str, Any]]

_read = json_as(dict[str, Any])


def answers_to(site: str | None, url: str | None, settings: AnalyticsSettings, bodies: Sequence[Body]) -> Answers:
    """The answer to each body, as ``POST /api/query`` sends it.

    Args:
        site: id, code, domain or host, None for the only site; or the URL of a running server at the site's host.
        url: of a running server.

    Raises:
        TallystickError: they cannot be answered.
    """
    if site and is_url(site):
        if url:
            msg = "the URL of the server is given twice, in --url and in --site"
            raise InputRefused(msg)
        site, url = None, site
    if url:
        with api_client(url, "stats") as api:
            return _from_server(api, {"site_id": site} if site else {}, bodies)
    if server_runs(settings.data):
        with running_server(site, settings, Permission.STATS) as (api, found):
            return _from_server(api, {"site_id": found.address_name}, bodies)
    return asyncio.run(_from_data(site, settings, bodies))


def decoded(answer: Mapping[str, Any]) -> SentAnswer:
    """An answer with its types."""
    return msgspec.convert(answer, SentAnswer)


async def _from_data(site: str | None, settings: AnalyticsSettings, bodies: Sequence[Body]) -> Answers:
    async with opened_site(site, settings) as (opened, ledger, warehouse):
        questions, cache = Questions(ledger, warehouse), KeptCache(ledger)
        known = await configured(Goals(cache), Segments(cache), [opened.id], person=None)
        return [await answered(questions, [opened], known, body, milliseconds(), extended=True) for body in bodies]


def _from_server(api: GoatCounter, named: Body, bodies: Sequence[Body]) -> Answers:
    return [
        api.carry_out(Call(method="POST", path=PATH, body={**named, **body}, read=_read, repeat=Repeat.SAFE))
        for body in bodies
    ]
