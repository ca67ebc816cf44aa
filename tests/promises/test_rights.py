"""Who may do what: every route of the statistics API and every page, for people and tokens of every kind.

The rows are held against the routes themselves, so that a new route cannot be forgotten. Shared counters have the same
in ``tests/surfaces/counttogether/test_judging.py``.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from support.analytics import FIREFOX, HOST
from support.asking import Answer
from support.ledgers import until
from support.rights import EVERYTHING, MISSING, PEOPLE, STRANGERS, World, world
from tallystick.model.account import NEEDED_ACCESS, Permission
from tallystick.surfaces.goatcounter.api.judging import SiteRoute
from tallystick.surfaces.goatcounter.routes import API

UNKNOWN_TOKEN = "an unknown token"  # nobody's
NO_TOKEN = "no token"
HIT = {"path": "/of-the-matrix", "user_agent": FIREFOX, "ip": "192.0.2.7"}

BODIES: Mapping[str, Any] = {
    "POST /count": {"hits": [HIT]},
    "POST /export": {"start_from_hit_id": 0},
    "PUT /sites": {"cname": "third.example.com"},
    "POST /sites/{id}": {"cname": HOST, "link_domain": "www.example.com"},
    "PATCH /sites/{id}": {"link_domain": "www.example.com"},
    "POST /bots": {"from": 2, "to": 0},
}


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


def named(route: SiteRoute) -> str:
    return f"{route.method} {route.path}"


class Ids(Struct, frozen=True):
    """What stands in the place of an id."""

    site: int
    export: int
    path: int


async def ids_of(everybody: World) -> dict[str, Ids]:
    """Ids of the own and of a foreign site, and such that nothing has."""
    found = {"missing": Ids(MISSING, MISSING, MISSING)}
    for name, member in (("own", "superuser"), ("foreign", "foreign admin")):
        site = everybody.sites[name]
        token, headers = everybody.people[member].token, {"host": site.cname or HOST}
        body = BODIES["POST /export"]
        export = await everybody.analytics.api("POST", "/export", json=body, token=token, headers=headers)
        number = export.json()["id"]
        await until(partial(_finished, everybody, f"/export/{number}", token, headers))
        paths = await everybody.analytics.api("GET", "/paths", token=token, headers=headers)
        found[name] = Ids(site.id, number, paths.json()["paths"][0]["id"])
    return found


async def _finished(everybody: World, export: str, token: str, headers: Mapping[str, str]) -> bool:
    answer = await everybody.analytics.api("GET", export, token=token, headers=headers)
    return answer.json()["finished_at"] is not None


def target(route: SiteRoute, ids: Ids) -> str:
    path = route.path.replace("{path_id}", str(ids.path)).replace("{page}", "browsers").replace("{id*}", "Firefox")
    return path.replace("{id}", str(ids.export if "export" in path else ids.site))


async def send(everybody: World, route: SiteRoute, ids: Ids, token: str | None, host: str = HOST) -> Answer:
    headers = {"host": host}
    return await everybody.analytics.api(
        route.method, target(route, ids), json=BODIES.get(named(route)), token=token, headers=headers
    )


def expected_refusal(
    person: str, route: SiteRoute, access: str | None, permissions: Permission = EVERYTHING
) -> int | None:
    """The status that the README's table of checks says for a person's token; None where it is let in.

    Args:
        access: what the person may do on the site that the Host chooses, now.
        permissions: of the token.
    """
    order = ("r", "s", "a", "*")
    if person in STRANGERS:
        return 403
    asked = [route.needed] if route.needed else [needed for needed in NEEDED_ACCESS if needed & permissions]
    if not any(access and order.index(access) >= order.index(NEEDED_ACCESS[needed]) for needed in asked):
        return 401
    if route.needed and not route.needed & permissions:
        return 403
    # Who may not do something on every site of the account cannot add one to it.
    return 403 if route.needed is Permission.SITE_CREATE and person == "site admin" else None


ACCESS = {"superuser": "*", "admin": "a", "site admin": "a", "settings": "s", "reader": "r"}
ON_SECOND = {**ACCESS, "site admin": None}
"""What people may do on the second site of the account; the site admin is admin of the first only."""


@pytest.mark.parametrize("person", [NO_TOKEN, UNKNOWN_TOKEN, *PEOPLE])
async def test_the_statistics_api_lets_in_whom_it_should(everybody: World, person: str) -> None:
    ids = (await ids_of(everybody))["own"]
    member = everybody.people.get(person)
    token = member.token if member else (None if person == NO_TOKEN else "x" * 48)
    before, hits = everybody.state(), await everybody.analytics.hits()
    allowed: list[SiteRoute] = []
    for route in API:
        refusal = 401 if member is None else expected_refusal(person, route, ACCESS.get(person))
        if refusal is None:
            allowed.append(route)
            continue
        answer = await send(everybody, route, ids, token)
        assert answer.status == refusal, (named(route), answer.text)
        assert set(answer.json()) == {"error"}
    assert everybody.state() == before
    assert await everybody.analytics.hits() == hits
    for route in allowed:
        answer = await send(everybody, route, ids, token)
        assert 200 <= answer.status < 300, (named(route), answer.status, answer.text)


@pytest.mark.parametrize("person", ["admin", "site admin", "settings", "reader"])
async def test_access_is_that_to_the_site_of_the_host(everybody: World, person: str) -> None:
    second = everybody.sites["second"]
    for route in API:
        if "export/" in route.path or route.path == "/stats/hits/{path_id}":
            continue  # their ids are the first site's
        refusal = expected_refusal(person, route, ON_SECOND[person])
        ids = Ids(second.id, MISSING, MISSING)
        if refusal is not None:
            answer = await send(everybody, route, ids, everybody.people[person].token, second.cname or "")
            assert answer.status == refusal, (named(route), answer.text)


@pytest.mark.parametrize("permission", sorted(set(Permission)), ids=lambda permission: permission.label)
async def test_a_token_does_what_its_permissions_say(everybody: World, permission: Permission) -> None:
    ids = (await ids_of(everybody))["own"]
    token = await everybody.analytics.new_token(permission)
    for route in API:
        refusal = expected_refusal("superuser", route, "*", permission)
        if permission in {Permission.COUNTERS_READ, Permission.COUNTERS_WRITE}:
            refusal = 403  # such a token is for no site
        answer = await send(everybody, route, ids, token)
        if refusal is None:
            assert 200 <= answer.status < 300, (named(route), answer.status, answer.text)
        else:
            assert answer.status in {401, 403}, (named(route), answer.status, answer.text)


async def test_a_token_for_one_site_does_nothing_on_another(everybody: World) -> None:
    ids, second = await ids_of(everybody), everybody.sites["second"]
    token = await everybody.analytics.new_token(sites=(second.id,))
    before = everybody.state()
    for route in API:
        answer = await send(everybody, route, ids["own"], token)
        assert answer.status == 403, (named(route), answer.text)
    assert everybody.state() == before
    # At its own site's address another site's ids are as good as missing ones.
    for route in API:
        if "{id}" in route.path or "{path_id}" in route.path:
            assert await _alike(everybody, route, token, second.cname or "", (ids["own"], ids["missing"])), named(route)


@pytest.mark.parametrize("person", ["superuser", "admin"])
async def test_ids_of_another_account_are_as_good_as_missing(everybody: World, person: str) -> None:
    ids, token = await ids_of(everybody), everybody.people[person].token
    before = everybody.state()
    for route in API:
        if "{id}" in route.path or "{path_id}" in route.path:
            assert await _alike(everybody, route, token, HOST, (ids["foreign"], ids["missing"])), named(route)
    assert everybody.state() == before


async def _alike(everybody: World, route: SiteRoute, token: str, host: str, places: Sequence[Ids]) -> bool:
    """Whether two ids are answered with the same words, and neither with success about a site or an export."""
    answers = [await send(everybody, route, ids, token, host) for ids in places]
    if "{id}" in route.path:
        assert {answer.status for answer in answers} == {404}, (named(route), [answer.text for answer in answers])
    return answers[0].status == answers[1].status and answers[0].body == answers[1].body
