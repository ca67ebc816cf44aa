"""Who may read and change goals, funnels, segments and annotations: people and tokens of all kinds."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.analytics import HOST
from support.asking import Answer
from support.rights import PEOPLE, World, world
from tallystick.model.account import Permission
from tallystick.surfaces.plausible.judging import StatsRoute
from tallystick.surfaces.plausible.kept.routes import KEPT_ROUTES

UNKNOWN_TOKEN, NO_TOKEN = "an unknown token", "no token"
SECOND = "second.example.com"
READERS: Mapping[str, frozenset[str]] = {
    HOST: frozenset({"superuser", "admin", "site admin", "settings", "reader"}),
    SECOND: frozenset({"superuser", "admin", "settings", "reader"}),
    "foreign.example.net": frozenset({"foreign admin"}),
}
CHANGERS: Mapping[str, frozenset[str]] = {site: people - {"reader"} for site, people in READERS.items()}

BODIES: Mapping[str, dict[str, Any]] = {
    "goals": {"event": "Signup", "name": "New"},
    "funnels": {"name": "New", "steps": [{"page": "/a"}, {"page": "/b"}]},
    "segments": {"name": "New", "filters": [["is", "event:page", ["/"]]]},
    "annotations": {"text": "New"},
}
OLDER_BODY = {"goal_type": "event", "event_name": "Signup"}


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def send(everybody: World, method: str, path: str, token: str | None, body: object = None) -> Answer:
    return await everybody.analytics.ask(
        path,
        method=method,
        headers={} if token is None else {"authorization": f"Bearer {token}"},
        body=None if body is None else msgspec.json.encode(body),
    )


def kind_of(route: StatsRoute) -> str:
    return next(kind for kind in BODIES if f"/{kind}" in route.path)


async def ask(everybody: World, route: StatsRoute, token: str | None, site: str, *, personal: bool = False) -> Answer:
    """Ask a route, about an object that the owner of the site has just made where it takes one."""
    kind, number = kind_of(route), 0
    if "{id}" in route.path:
        owner = everybody.people["foreign admin" if site == "foreign.example.net" else "superuser"]
        made = await send(everybody, "POST", f"/api/v2/sites/{site}/{kind}", owner.token, BODIES[kind])
        assert made.status == 201, made.text
        number = made.json()["id"]
    path = route.path.replace("{domain}", site).replace("{id}", str(number))
    body: dict[str, Any] | None = None
    if not route.in_path:
        path += f"?site_id={site}"
    if route.method in {"POST", "PUT"}:
        body = BODIES[kind] if route.in_path else OLDER_BODY | {"site_id": site}
    elif route.method == "PATCH":
        body = {"text": "Changed"} if kind == "annotations" else {"name": "Changed"}
    if personal:
        body = (body or {}) | {"personal": True}
    answer = await send(everybody, route.method, path, token, body)
    if number:
        await send(everybody, "DELETE", f"/api/v2/sites/{site}/{kind}/{number}", owner.token)
    elif answer.status in {200, 201} and route.changes and token:
        made_number = answer.json()["id"]
        gone = await send(everybody, "DELETE", f"/api/v2/sites/{site}/{kind}/{made_number}", token)
        assert gone.status == 200
    return answer


async def personal_ids(everybody: World, path: str, token: str) -> list[int]:
    """The ids of the personal objects that a token sees."""
    kept = (await send(everybody, "GET", path, token)).json()[path.rpartition("/")[2]]
    return [each["id"] for each in kept if each["personal"]]


@pytest.mark.parametrize("person", [NO_TOKEN, UNKNOWN_TOKEN, *PEOPLE])
async def test_a_sites_objects_are_read_and_changed_by_whom_they_should(everybody: World, person: str) -> None:
    member = everybody.people.get(person)
    token = member.token if member else (None if person == NO_TOKEN else "x" * 48)
    for site, readers in READERS.items():
        for route in KEPT_ROUTES:
            answer = await ask(everybody, route, token, site)
            allowed = person in (CHANGERS[site] if route.changes else readers)
            made = 201 if route.method == "POST" and route.in_path else 200
            assert answer.status == (made if allowed else 401), (route.method, route.path, site, answer.text)
            if not allowed:
                assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("kind", ["segments", "annotations"])
async def test_who_reads_a_site_keeps_for_themselves_and_nobody_else_sees_it(
    everybody: World, person: str, kind: str
) -> None:
    path, token = f"/api/v2/sites/{HOST}/{kind}", everybody.people[person].token
    made = await send(everybody, "POST", path, token, BODIES[kind] | {"personal": True})
    assert made.status == (201 if person in READERS[HOST] else 401)
    if made.status == 401:
        return
    own, change = f"{path}/{made.json()['id']}", {"personal": True}
    before = everybody.state()
    for other in PEOPLE:
        secret = everybody.people[other].token
        if other == person:
            continue
        expected = 404 if other in READERS[HOST] else 401
        for method, body in (("GET", None), ("PATCH", change), ("DELETE", None)):
            answer = await send(everybody, method, own, secret, body)
            assert answer.status == expected, (other, method, answer.text)
        if expected == 404:
            assert made.json()["id"] not in await personal_ids(everybody, path, secret)
    assert everybody.state() == before
    assert made.json()["id"] in await personal_ids(everybody, path, token)
    assert (await send(everybody, "PATCH", own, token, change)).status == 200
    assert (await send(everybody, "DELETE", own, token)).status == 200


@pytest.mark.parametrize("permission", sorted(set(Permission)), ids=lambda permission: permission.label)
async def test_a_token_reads_and_changes_what_its_permissions_say(everybody: World, permission: Permission) -> None:
    token = await everybody.analytics.new_token(permission)
    for route in KEPT_ROUTES:
        answer = await ask(everybody, route, token, HOST)
        needed = Permission.SITE_UPDATE if route.changes else Permission.STATS
        assert (answer.status in {200, 201}) == (permission is needed), (route.method, route.path, answer.text)
        assert answer.status in {200, 201, 401}
    own = await send(
        everybody,
        "POST",
        f"/api/v2/sites/{HOST}/annotations",
        token,
        {"text": "Mine", "personal": True},
    )
    assert own.status == (201 if permission is Permission.STATS else 401)


async def test_a_token_for_one_site_reaches_no_other(everybody: World) -> None:
    token = await everybody.analytics.new_token(sites=(everybody.sites["second"].id,))
    for route in KEPT_ROUTES:
        assert (await ask(everybody, route, token, SECOND)).status in {200, 201}
        assert (await ask(everybody, route, token, HOST)).status == 401


async def test_an_object_of_another_site_is_not_there(everybody: World) -> None:
    token = everybody.people["superuser"].token
    for kind, body in BODIES.items():
        made = (await send(everybody, "POST", f"/api/v2/sites/{HOST}/{kind}", token, body)).json()["id"]
        for method, sent in (("GET", None), ("PATCH", {}), ("DELETE", None)):
            answer = await send(everybody, method, f"/api/v2/sites/{SECOND}/{kind}/{made}", token, sent)
            assert (answer.status, f"{made}" in answer.json()["error"]) == (404, True)
