"""Who may see and change a site's imported figures: every route, for people and tokens of all kinds."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.analytics import HOST
from support.rights import PEOPLE, World, world
from tallystick.model.account import Permission
from tallystick.surfaces.plausible.judging import StatsRoute
from tallystick.surfaces.plausible.routes import IMPORT_ROUTES

READERS = {"superuser", "admin", "site admin", "settings", "reader"}
WRITERS = {"superuser", "admin", "site admin"}
UNKNOWN_TOKEN, NO_TOKEN = "an unknown token", "no token"
BODIES: Mapping[str, Any] = {
    "imports": {"name": "x.zip", "digest": "a" * 64, "tables": {}},
    "rows": {"part": 1, "tables": {"visitors": {"columns": ["date", "visitors"], "rows": [["2020-06-01", 3]]}}},
    "finish": {"rows": 0},
}


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def ask(everybody: World, route: StatsRoute, token: str | None, site: str, number: int) -> int:
    body = BODIES.get(route.path.rpartition("/")[2]) if route.method == "POST" else None
    answer = await everybody.analytics.ask(
        route.path.replace("{domain}", site).replace("{id}", str(number)),
        method=route.method,
        headers={} if token is None else {"authorization": f"Bearer {token}"},
        body=None if body is None else msgspec.json.encode(body),
    )
    return answer.status


def test_every_route_needs_what_it_should() -> None:
    assert {route.needed for route in IMPORT_ROUTES if route.method == "GET"} == {Permission.STATS}
    assert {route.needed for route in IMPORT_ROUTES if route.method != "GET"} == {Permission.SITE_UPDATE}


@pytest.mark.parametrize("person", [NO_TOKEN, UNKNOWN_TOKEN, *PEOPLE])
async def test_imports_are_for_whom_they_should(everybody: World, person: str) -> None:
    member = everybody.people.get(person)
    token = member.token if member else (None if person == NO_TOKEN else "x" * 48)
    for route in IMPORT_ROUTES:
        allowed = person in (READERS if route.method == "GET" else WRITERS)
        status = await ask(everybody, route, token, HOST, 999_999)
        if member is None or not allowed:
            assert status == 401, route.path
        elif "{id}" not in route.path:
            assert status == (200 if route.method == "GET" else 201), route.path
        else:
            assert status == 404, route.path
        assert await ask(everybody, route, token, "nowhere.example.net", 1) == 401


@pytest.mark.parametrize("person", [NO_TOKEN, UNKNOWN_TOKEN, "reader"])
async def test_a_large_body_is_not_read_of_a_key_that_may_not_send_it(everybody: World, person: str) -> None:
    member = everybody.people.get(person)
    token = member.token if member else (None if person == NO_TOKEN else "x" * 48)
    answer = await everybody.analytics.ask(
        f"/api/v2/sites/{HOST}/imports/1/rows",
        method="POST",
        headers={} if token is None else {"authorization": f"Bearer {token}"},
        body=b"this is no JSON",
    )
    assert answer.status == 401


@pytest.mark.parametrize("permission", sorted(set(Permission)), ids=lambda permission: permission.label)
async def test_a_token_does_what_its_permissions_say(everybody: World, permission: Permission) -> None:
    token = await everybody.analytics.new_token(permission)
    for route in IMPORT_ROUTES:
        status = await ask(everybody, route, token, HOST, 999_999)
        allowed = {200, 201, 404} if permission is route.needed else {401}
        assert status in allowed, (route.path, status)


async def test_an_import_of_another_site_is_not_there(everybody: World) -> None:
    token = everybody.people["superuser"].token
    begun = await everybody.analytics.ask(
        f"/api/v2/sites/{HOST}/imports",
        method="POST",
        headers={"authorization": f"Bearer {token}"},
        body=msgspec.json.encode(BODIES["imports"]),
    )
    number = begun.json()["id"]
    for route in IMPORT_ROUTES:
        if "{id}" in route.path:
            assert await ask(everybody, route, token, "second.example.com", number) == 404, route.path
    assert await ask(everybody, IMPORT_ROUTES[2], token, HOST, number) == 200
