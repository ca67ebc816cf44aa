"""Who may ask which question: every route of Plausible's API and ``/api/query``, for people and tokens of all kinds."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from support.analytics import HOST
from support.asking import Answer
from support.rights import PEOPLE, World, world
from tallystick.model.account import ACCESS_ORDER, NEEDED_ACCESS, Permission
from tallystick.surfaces.plausible.judging import StatsRoute
from tallystick.surfaces.plausible.kept.routes import KEPT_ROUTES
from tallystick.surfaces.plausible.routes import IMPORT_ROUTES, ROUTES

QUESTIONS = [route for route in ROUTES if route not in (*KEPT_ROUTES, *IMPORT_ROUTES)]
UNKNOWN_TOKEN, NO_TOKEN = "an unknown token", "no token"
ACCESS: Mapping[str, Any] = {"superuser": "*", "admin": "a", "site admin": "a", "settings": "s", "reader": "r"}
ON_SECOND = {**ACCESS, "site admin": None}


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def ask(everybody: World, route: StatsRoute, token: str | None, site: str) -> Answer:
    query = {"site_id": site, "property": "event:page"} if route.method == "GET" and route.of_site else {}
    steps = {"steps": [{"page": "/a"}, {"event": "b"}]}
    asked = {"funnel": steps} if route.path.endswith("/funnel") else {"metrics": ["visitors"]}
    body = {"site_id": site, "date_range": "all", **asked} if route.method == "POST" else None
    return await everybody.analytics.ask(
        f"{route.path.replace('{domain}', site)}?{urlencode(query)}",
        method=route.method,
        headers={} if token is None else {"authorization": f"Bearer {token}"},
        body=None if body is None else msgspec.json.encode(body),
    )


def may(route: StatsRoute, access: str | None) -> bool:
    return access is not None and ACCESS_ORDER.index(access) >= ACCESS_ORDER.index(NEEDED_ACCESS[route.needed])


def expected(route: StatsRoute, *, reached: bool) -> int:
    """The status for a token that is valid. A list is empty, and a single site not found, where nothing is reached."""
    if reached or route.path == "/api/v1/sites":
        return 200
    return 401 if route.of_site else 404


@pytest.mark.parametrize("person", [NO_TOKEN, UNKNOWN_TOKEN, *PEOPLE])
async def test_questions_are_answered_for_whom_they_should(everybody: World, person: str) -> None:
    member = everybody.people.get(person)
    token = member.token if member else (None if person == NO_TOKEN else "x" * 48)
    before = everybody.state()
    for route in QUESTIONS:
        for site, held in ((HOST, ACCESS), ("second.example.com", ON_SECOND), ("foreign.example.net", {})):
            answer = await ask(everybody, route, token, site)
            own = held.get(person)
            if person == "foreign admin" and site == "foreign.example.net":
                own = "a"
            status = 401 if member is None else expected(route, reached=may(route, own))
            if person == "counters only" and not route.of_site:
                status = 401  # such a token has no permission to read sites
            assert answer.status == status, (route.path, site, answer.text)
            if answer.status != 200:
                assert set(answer.json()) == {"error"}
    assert everybody.state() == before


@pytest.mark.parametrize("person", ["admin", "site admin", "reader", "foreign admin"])
async def test_sites_are_listed_as_far_as_a_person_reaches(everybody: World, person: str) -> None:
    headers = {"authorization": f"Bearer {everybody.people[person].token}"}
    listed = await everybody.analytics.ask("/api/v1/sites", headers=headers)
    assert [site["domain"] for site in listed.json()["sites"]] == {
        "admin": ["second.example.com", HOST],
        "site admin": [HOST],
        "reader": [],
        "foreign admin": ["foreign.example.net"],
    }[person]


@pytest.mark.parametrize("permission", sorted(set(Permission)), ids=lambda permission: permission.label)
async def test_a_token_asks_what_its_permissions_say(everybody: World, permission: Permission) -> None:
    token = await everybody.analytics.new_token(permission)
    for route in QUESTIONS:
        answer = await ask(everybody, route, token, HOST)
        assert answer.status == (200 if permission is route.needed else 401), (route.path, answer.text)


async def test_a_token_for_one_site_asks_about_no_other(everybody: World) -> None:
    token = await everybody.analytics.new_token(sites=(everybody.sites["second"].id,))
    for route in QUESTIONS:
        assert (await ask(everybody, route, token, "second.example.com")).status == 200
        answer = await ask(everybody, route, token, HOST)
        assert answer.status == expected(route, reached=False), (route.path, answer.text)
    listed = await everybody.analytics.ask("/api/v1/sites", headers={"authorization": f"Bearer {token}"})
    assert [site["domain"] for site in listed.json()["sites"]] == ["second.example.com"]
