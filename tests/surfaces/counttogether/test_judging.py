"""Every route for every kind of caller and counter: the stated refusal, and never a word about what is hidden."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.asking import Answer
from support.counting_together import READ, WRITE, Person, Together, counting_together
from tallystick.model.sharing import RANKS
from tallystick.surfaces.counttogether.api.judging import CounterRoute
from tallystick.surfaces.counttogether.routes import API

SECRET_NAME, SECRET_VALUE = "Forbidden fruit", 987_654_321
UNKNOWN = "018f5b5c-1f21-7c3a-9b1e-3f1f2a7c9d10"
NO_COUNTERS = (UNKNOWN, "nonsense")
ROLES = ("outsider", "viewer", "member", "admin")
BODIES: dict[str, Any] = {
    "POST /v1/counters": {"displayName": "Another one", "type": "UpDown"},
    "PUT /v1/counters/{id}": {"displayName": "Another name"},
    "POST /v1/counters/{id}/set": {"value": 5},
    "POST /v1/counters/{id}/batch": {"operations": [{"operation": "increment"}]},
    "PATCH /v1/counters/{id}/members/{userId}": {"role": "viewer"},
    "POST /v1/tokens": {"name": "another", "scopes": ["read"]},
    "PATCH /v2/counters/{id}": {"name": "Another name"},
}
LEAST = {
    "PUT /v1/counters/{id}": "admin",
    "PATCH /v2/counters/{id}": "admin",
    "DELETE /v1/counters/{id}/members/{userId}": "admin",
}
"""What a request takes that changes something, or removes somebody else: less is enough for other ones."""

LIVE = frozenset({"/v1/ws", "/v2/ws", "/v1/events", "/v2/events", "/v1/ws/tickets"})
ROUTES = [route for route in API if route.path not in LIVE]
OF_COUNTERS = [route for route in ROUTES if route.least is not None]


class Scene(NamedTuple):
    """A counter, everyone who has to do with it, and someone who has not."""

    counter: str
    people: dict[str, Person]

    async def state(self) -> list[str]:
        """Everything there is to know about the counter."""
        paths = ("", "/members", "/invites", "/history")
        asked = [await self.people["admin"].ask("GET", f"/v1/counters/{self.counter}{path}") for path in paths]
        return [answer.text for answer in asked]


async def a_scene(together: Together) -> Scene:
    return await with_a_counter({name: await together.person(name.title()) for name in (*ROLES, "victim")})


async def with_a_counter(people: dict[str, Person]) -> Scene:
    admin = people["admin"]
    counter = await admin.new_counter(SECRET_NAME, value=SECRET_VALUE)
    for role in ("viewer", "member"):
        await admin.invite(counter, people[role], role)
    await admin.invite(counter, people["victim"])
    return Scene(counter, people)


def named(route: CounterRoute) -> str:
    return f"{route.method} {route.path}"


def request(route: CounterRoute, scene: Scene, counter: str) -> tuple[str, str, Any]:
    """A request that makes sense; whom it removes or changes is not who asks."""
    target = route.path.replace("{amount}", "2").replace("{userId}", scene.people["victim"].userid)
    target = target.replace("{inviteId}", UNKNOWN).replace("{code}", "no-such-code")
    target = target.replace("{id}", counter if "counters" in route.path else "12345")
    if route.path == "/v1/batch":
        return route.method, target, {"operations": [{"operation": "increment", "counterId": counter}]}
    return route.method, target, BODIES.get(named(route))


def has(role: str, least: str | None) -> bool:
    """Whether a role is at least this one; where there is no counter in the path, everyone's is."""
    return least is None or (role != "outsider" and RANKS[role] >= RANKS[least])  # type: ignore[index]


def is_enough(role: str, route: CounterRoute) -> bool:
    return has(role, LEAST.get(named(route), route.least))


def refused_with(status: int, answer: Answer) -> None:
    """A refusal that says nothing about the counter."""
    assert answer.status == status, answer.text
    error = answer.json()
    assert set(error) == {"message", "code", "name", "traceId"}
    told = answer.text + str(answer.headers)
    assert not any(hidden in told for hidden in (SECRET_NAME, str(SECRET_VALUE), "Victim", "Admin")), told


async def test_without_a_good_token_everything_is_refused_alike(together: Together) -> None:
    scene = await a_scene(together)
    before = await scene.state()
    for route in ROUTES:
        for counter in (scene.counter, *NO_COUNTERS):
            method, target, _ = request(route, scene, counter)
            for token, challenge in (("", ""), ("unknown", ', error="invalid_token"')):
                headers = [("authorization", f"Bearer {token}")] if token else []
                answer = await together.running.ask(target, method=method, headers=headers)
                refused_with(401, answer)
                assert answer.headers["www-authenticate"] == f'Bearer realm="counttogether"{challenge}'
                assert "ratelimit" not in answer.headers
    assert await scene.state() == before


async def test_a_token_that_only_writes_is_a_button(together: Together) -> None:
    scene = await a_scene(together)
    before = await scene.state()
    admin = scene.people["admin"]
    token = await together.token(admin, WRITE)
    for route in ROUTES:
        for counter in (scene.counter, *NO_COUNTERS) if not route.writes else ():
            answer = await admin.ask(*request(route, scene, counter), token=token)
            refused_with(403, answer)
            assert 'error="insufficient_scope", scope="counters-read"' in answer.headers["www-authenticate"]
    assert await scene.state() == before
    pressed = await admin.ask("POST", f"/v1/counters/{scene.counter}/increment", token=token)
    assert (pressed.status, pressed.text) == (200, str(SECRET_VALUE + 1))
    for counter in NO_COUNTERS:
        refused_with(404, await admin.ask("POST", f"/v1/counters/{counter}/increment", token=token))


@pytest.mark.parametrize("role", ROLES)
async def test_a_token_that_only_reads_changes_nothing(together: Together, role: str) -> None:
    scene = await a_scene(together)
    before = await scene.state()
    token = await together.token(scene.people[role], READ)
    for route in ROUTES:
        if not route.writes:
            continue
        answer = await scene.people[role].ask(*request(route, scene, scene.counter), token=token)
        refused_with(403, answer)
        if has(role, route.least):
            assert 'error="insufficient_scope", scope="counters-write"' in answer.headers["www-authenticate"]
        for counter in NO_COUNTERS if route.least else ():
            refused_with(404, await scene.people[role].ask(*request(route, scene, counter), token=token))
    assert await scene.state() == before


@pytest.mark.parametrize("role", ROLES)
async def test_who_may_not_is_told_so(together: Together, role: str) -> None:
    scene = await a_scene(together)
    before = await scene.state()
    for route in OF_COUNTERS:
        for counter in (scene.counter, scene.counter.upper()):
            if not is_enough(role, route):
                expected = 404 if role == "outsider" and not route.writes else 403
                refused_with(expected, await scene.people[role].ask(*request(route, scene, counter)))
        for counter in (*NO_COUNTERS, scene.counter + "0", "%00", "\u2028"):
            refused_with(404, await scene.people[role].ask(*request(route, scene, counter)))
    assert await scene.state() == before


@pytest.mark.parametrize("role", ROLES)
async def test_who_may_not_is_told_so_before_what_makes_no_sense(together: Together, role: str) -> None:
    scene = await a_scene(together)
    before = await scene.state()
    person = scene.people[role]
    for route in OF_COUNTERS:
        for counter in (scene.counter, UNKNOWN):
            method, target, _ = request(route, scene, counter)
            expected = 403 if route.writes or role != "outsider" else 404
            expected = 404 if counter == UNKNOWN else 400 if has(role, route.least) else expected
            if named(route) in BODIES:
                refused_with(expected, await person.ask(method, target, b"{"))
            if route.writes:
                refused_with(expected, await person.ask(method, target, headers={"idempotency-key": "a b"}))
                refused_with(413 if expected == 400 else expected, await person.ask(method, target, b" " * 300_000))
    assert await scene.state() == before


@pytest.mark.parametrize("role", ROLES[1:])
async def test_who_may_does(together: Together, role: str) -> None:
    allowed = [route for route in OF_COUNTERS if is_enough(role, route)]
    assert len(allowed) >= 4
    people = (await a_scene(together)).people
    for route in allowed:
        scene = await with_a_counter(people)
        person = people[role]
        await person.ask("POST", f"/v1/counters/{scene.counter}/increment")  # there is something to undo
        answer = await person.ask(*request(route, scene, scene.counter))
        expected = {404} if route.path.endswith("{inviteId}") else {200, 201, 204}
        assert answer.status in expected, (named(route), answer.text)


async def test_a_member_may_send_back_what_is_there_and_leave(together: Together) -> None:
    scene = await a_scene(together)
    member, path = scene.people["member"], f"/v1/counters/{scene.counter}"
    shown = (await member.ask("GET", path)).json()
    assert (await member.ask("PUT", path, shown)).json() == shown
    assert (await member.ask("PATCH", f"/v2/counters/{scene.counter}", {"name": SECRET_NAME})).status == 200
    for person in (member, scene.people["viewer"]):
        assert (await person.ask("DELETE", f"{path}/members/{person.userid}")).status == 204
        refused_with(404, await person.ask("GET", path))


async def test_a_members_edit_that_makes_no_sense_is_still_forbidden(together: Together) -> None:
    scene = await a_scene(together)
    for field in ({"startDate": "2026-01-01"}, {"name": "x"}, {"mode": "Sideways"}, {"value": 2**64}):
        refused_with(403, await scene.people["member"].ask("PATCH", f"/v2/counters/{scene.counter}", field))


async def test_foreign_counters_can_be_hidden_from_changes_too(tmp_path: Path) -> None:
    async with counting_together(tmp_path, hide_foreign_counters=True) as together:
        scene = await a_scene(together)
        outsider = scene.people["outsider"]
        read_only = await together.token(outsider, READ)
        for route in OF_COUNTERS:
            method, target, body = request(route, scene, scene.counter)
            refused_with(404, await outsider.ask(method, target, body))
            refused_with(404, await outsider.ask(method, target, body, token=read_only))
            refused_with(404, await outsider.ask(method, target, b"{"))


async def test_a_batch_tells_of_each_operation_what_may_be_known(together: Together) -> None:
    scene = await a_scene(together)
    operations = [
        {"operation": verb, "counterId": counter, "value": 3}
        for counter in (scene.counter, *NO_COUNTERS)
        for verb in ("increment", "decrement", "set", "reset", "undo")
    ]
    answer = await scene.people["outsider"].ask("POST", "/v1/batch", {"operations": operations})
    assert [result["status"] for result in answer.json()["results"]] == [403] * 5 + [404] * 10
    assert SECRET_NAME not in answer.text
    assert str(SECRET_VALUE) not in answer.text


async def test_lists_hold_nothing_of_others(together: Together) -> None:
    scene = await a_scene(together)
    for path in ("/v1/counters", "/v2/counters"):
        assert (await scene.people["outsider"].ask("GET", path)).text == "[]"
        assert scene.counter in (await scene.people["viewer"].ask("GET", path)).text


async def test_the_first_thing_that_is_wrong_decides(together: Together) -> None:
    scene = await a_scene(together)
    admin, outsider, path = scene.people["admin"], scene.people["outsider"], f"/v1/counters/{scene.counter}/set"
    asked = [
        (outsider.ask("POST", "/v1/nothing", b"{", token="unknown"), 401),
        (outsider.ask("POST", "/v1/nothing", b"{"), 404),
        (outsider.ask("PUT", path, b"{"), 405),
        (outsider.ask("POST", path, b"{"), 403),
        (admin.ask("POST", path, b"{"), 400),
    ]
    for answer, status in asked:
        refused_with(status, await answer)
