"""Members, invites and tokens."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from support.counting_together import READ, WRITE, Person, Together, counting_together
from support.people import a_person, a_site, a_token, again
from tallystick.model.account import Account, Permission


async def test_an_invite_lets_people_in_until_it_is_used_up(together: Together, ada: Person, bob: Person) -> None:
    counter = await ada.new_counter()
    path = f"/v1/counters/{counter}/invites"
    made = await ada.ask(
        "POST", path, {"maxUses": 1, "expiresIn": 60, "role": "viewer"}, headers={"host": "count.test"}
    )
    invite = made.json()
    assert invite["url"] == f"http://count.test/invites/{invite['code']}"
    assert (invite["role"], invite["maxUses"], invite["uses"]) == ("viewer", 1, 0)
    assert invite["expiresAt"] == "2027-01-15T08:01:00Z"
    [listed] = (await ada.ask("GET", path)).json()
    assert "code" not in listed
    assert invite["code"] not in str(listed)
    accepted = await bob.ask("POST", f"/v1/invites/{invite['code']}/accept")
    assert [member["displayName"] for member in accepted.json()["members"]] == ["Ada", "Bob"]
    eve = await together.person("Eve")
    gone = await eve.ask("POST", f"/v1/invites/{invite['code']}/accept")
    assert (gone.status, gone.json()["code"]) == (410, -2046)
    assert (await bob.ask("POST", f"/v1/invites/{invite['code']}/accept")).status == 200
    assert (await ada.ask("GET", path)).json() == []


PROXY = {"trusted_proxy": (ip_network("127.0.0.1"),)}


@pytest.mark.parametrize(
    ("settings", "headers", "origin"),
    [
        (PROXY, {"x-forwarded-proto": "https"}, "https://count.test"),
        (PROXY, {"x-forwarded-proto": "https,http"}, "https://count.test"),
        (PROXY, {"x-forwarded-proto": "https", "x-forwarded-host": "public.test"}, "https://public.test"),
        (PROXY, {"forwarded": "for=192.0.2.1;proto=https;host=public.test"}, "https://public.test"),
        ({}, {"x-forwarded-proto": "https", "x-forwarded-host": "evil.test"}, "http://count.test"),
        ({"public_url": "https://public.test"}, {"x-forwarded-proto": "http"}, "https://public.test"),
    ],
)
async def test_an_invites_link_has_the_address_that_people_use(
    tmp_path: Path, settings: dict[str, Any], headers: dict[str, str], origin: str
) -> None:
    async with counting_together(tmp_path, **settings) as together:
        ada = await together.person("Ada")
        path = f"/v1/counters/{await ada.new_counter()}/invites"
        invite = (await ada.ask("POST", path, headers={"host": "count.test", **headers})).json()
    assert invite["url"] == f"{origin}/invites/{invite['code']}"


async def test_an_invite_is_taken_back_by_its_code_too(ada: Person, bob: Person) -> None:
    counters = [await ada.new_counter(), await ada.new_counter()]
    path, elsewhere = [f"/v1/counters/{counter}/invites" for counter in counters]
    code = (await ada.ask("POST", path)).json()["code"]
    assert (await ada.ask("DELETE", f"{elsewhere}/{code}")).status == 404
    assert (await ada.ask("DELETE", f"{path}/{code}")).status == 204
    assert (await ada.ask("DELETE", f"{path}/{code}")).status == 404
    assert (await bob.ask("POST", f"/v1/invites/{code}/accept")).status == 404


async def test_everyone_of_a_counter_can_be_asked_for(ada: Person, bob: Person) -> None:
    path = f"/v1/counters/{await ada.new_counter()}/members"
    await ada.invite(path.split("/")[3], bob)
    [own, other] = (await ada.ask("GET", path)).json()
    assert [(await ada.ask("GET", f"{path}/{user}")).json() for user in ("me", bob.userid)] == [own, other]
    assert (await bob.ask("GET", f"{path}/me")).json() == other
    assert (await ada.ask("GET", f"{path}/nobody")).status == 404
    assert (await ada.ask("PATCH", f"{path}/me", {"isAdmin": False})).json()["code"] == -2045


async def test_invites_end_and_can_be_taken_back(together: Together, ada: Person, bob: Person) -> None:
    path = f"/v1/counters/{await ada.new_counter()}/invites"
    first, second = [(await ada.ask("POST", path)).json() for _ in range(2)]
    assert first["expiresAt"] == "2027-01-22T08:00:00Z"
    assert (await ada.ask("DELETE", f"{path}/{first['id']}")).status == 204
    assert (await ada.ask("DELETE", f"{path}/{first['id']}")).status == 404
    assert (await bob.ask("POST", f"/v1/invites/{first['code']}/accept")).status == 404
    together.clock.advance(seconds=7 * 86_400)
    assert (await bob.ask("POST", f"/v1/invites/{second['code']}/accept")).status == 410
    for body in ({"role": "admin"}, {"expiresIn": 0}, {"maxUses": 0}, {"expiresIn": 10**9}, {"maxUses": "1"}, b"["):
        assert (await ada.ask("POST", path, body)).json()["code"] == -2000, body


async def test_roles_are_given_in_either_way(ada: Person, bob: Person) -> None:
    counter = await ada.new_counter()
    await ada.invite(counter, bob, "viewer")
    path = f"/v1/counters/{counter}/members/{bob.userid}"
    steps = [
        ({"isAdmin": False}, "viewer"),
        ({"isAdmin": True}, "admin"),
        ({"isAdmin": False}, "member"),
        ({"role": "viewer"}, "viewer"),
        ({"role": "admin"}, "admin"),
    ]
    for body, role in steps:
        member = (await ada.ask("PATCH", path, body)).json()
        assert (member["role"], member["isAdmin"]) == (role, role == "admin")
    for refused in ({}, {"role": "owner"}, {"role": "member", "isAdmin": False}, {"isAdmin": 1}):
        assert (await ada.ask("PATCH", path, refused)).json()["code"] == -2000
    assert (await ada.ask("PATCH", path.replace(bob.userid, "nobody"), {"role": "member"})).status == 404
    members = (await bob.ask("GET", f"/v1/counters/{counter}/members")).json()
    assert [set(member) for member in members] == [{"userId", "displayName", "isAdmin", "role", "joinedAt"}] * 2


async def test_the_last_admin_stays_while_others_do(ada: Person, bob: Person) -> None:
    counter = await ada.new_counter()
    await ada.invite(counter, bob)
    own = f"/v1/counters/{counter}/members/{ada.userid}"
    for answer in (await ada.ask("DELETE", own), await ada.ask("PATCH", own, {"isAdmin": False})):
        assert (answer.status, answer.json()["code"], answer.json()["name"]) == (409, -2045, "LastAdmin")
    await ada.ask("DELETE", f"/v1/counters/{counter}/members/{bob.userid}")
    assert (await ada.ask("DELETE", own)).status == 204
    assert (await ada.ask("GET", f"/v1/counters/{counter}")).status == 404


async def test_tokens_come_change_their_secret_and_go(ada: Person) -> None:
    made = (await ada.ask("POST", "/v1/tokens", {"name": "button", "scopes": ["read"]})).json()
    assert (made["scopes"], made["prefix"]) == (["read"], made["token"][:8])
    path = f"/v1/tokens/{made['id']}"
    assert (await ada.ask("GET", "/v1/counters", token=made["token"])).status == 200
    rotated = (await ada.ask("POST", f"{path}/rotate")).json()
    assert rotated["id"] == made["id"]
    assert (await ada.ask("GET", "/v1/counters", token=made["token"])).status == 401
    assert (await ada.ask("GET", "/v1/counters", token=rotated["token"])).status == 200
    listed = (await ada.ask("GET", "/v1/tokens")).json()
    assert [token["name"] for token in listed] == ["a script", "button"]
    assert "token" not in listed[1]
    assert (await ada.ask("DELETE", path)).status == 204
    assert (await ada.ask("GET", "/v1/counters", token=rotated["token"])).status == 401
    for body in ({}, {"name": ""}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["all"]}, {"name": "x" * 201}):
        assert (await ada.ask("POST", "/v1/tokens", body)).json()["code"] == -2000, body


async def an_owner(together: Together) -> Account:
    """Somebody with a site, whose tokens may do more than count together."""
    person = await a_person(together.ledger, "root@example.com", access={"all": "*"})
    await a_site(together.ledger, person)
    return await again(together.ledger, person)


async def test_a_token_is_no_way_to_more(together: Together, bob: Person) -> None:
    root = await an_owner(together)
    greater = await a_token(together.ledger, root, READ | WRITE | Permission.COUNT)
    usual = Person(together.running, root, await a_token(together.ledger, root, READ | WRITE))
    only_reads = await a_token(together.ledger, root, READ)
    listed = (await usual.ask("GET", "/v1/tokens")).json()
    [number] = [token["id"] for token in listed if greater.startswith(token["prefix"])]
    refused = [
        await usual.ask("DELETE", f"/v1/tokens/{number}"),
        await usual.ask("POST", f"/v1/tokens/{number}/rotate"),
        await usual.ask("POST", "/v1/tokens", {"name": "more"}, token=only_reads),
    ]
    assert [answer.status for answer in refused] == [403] * 3
    assert (await usual.ask("GET", "/v1/counters", token=greater)).status == 200
    others = (await bob.ask("POST", "/v1/tokens", {"name": "bob's"})).json()
    for stranger in (others["id"], 10**6, "x", "-1", "\u0661"):
        assert (await usual.ask("DELETE", f"/v1/tokens/{stranger}")).status == 404
        assert (await usual.ask("POST", f"/v1/tokens/{stranger}/rotate")).status == 404
    assert (await bob.ask("GET", "/v1/counters", token=others["token"])).status == 200


async def test_a_token_for_one_site_is_no_way_to_another(together: Together) -> None:
    root = await an_owner(together)
    assert root.site is not None
    everything = READ | WRITE | Permission.COUNT
    of_one = Person(together.running, root, await a_token(together.ledger, root, everything, (root.site,)))
    of_all = await a_token(together.ledger, root, everything)
    first, second = (await of_one.ask("GET", "/v1/tokens")).json()
    for method, action in (("POST", "/rotate"), ("DELETE", "")):
        assert (await of_one.ask(method, f"/v1/tokens/{second['id']}{action}")).status == 403
    assert (await of_one.ask("GET", "/v1/counters", token=of_all)).status == 200
    # Not even one that may do more manages a token that was not made with it.
    assert (await of_one.ask("POST", f"/v1/tokens/{first['id']}/rotate", token=of_all)).status == 403
    assert (await of_one.ask("POST", f"/v1/tokens/{first['id']}/rotate")).status == 200


async def test_a_leaked_token_takes_no_other_away_and_leaves_none_behind(together: Together, ada: Person) -> None:
    leaked = await together.token(ada, READ | WRITE)
    [own, other] = (await ada.ask("GET", "/v1/tokens")).json()
    for method, action in (("POST", "/rotate"), ("DELETE", "")):
        refused = await ada.ask(method, f"/v1/tokens/{own['id']}{action}", token=leaked)
        assert (refused.status, refused.json()["name"]) == (403, "Forbidden")
    child = (await ada.ask("POST", "/v1/tokens", {"name": "child"}, token=leaked)).json()
    grandchild = (await ada.ask("POST", "/v1/tokens", {"name": "grandchild"}, token=child["token"])).json()
    child = (await ada.ask("POST", f"/v1/tokens/{child['id']}/rotate", token=leaked)).json()
    for secret in (child["token"], grandchild["token"]):
        assert (await ada.ask("GET", "/v1/counters", token=secret)).status == 200
        assert (await ada.ask("DELETE", f"/v1/tokens/{other['id']}", token=secret)).status == 403
    assert (await ada.ask("DELETE", f"/v1/tokens/{other['id']}", token=leaked)).status == 204
    for secret in (leaked, child["token"], grandchild["token"]):
        assert (await ada.ask("GET", "/v1/counters", token=secret)).status == 401
    assert [token["id"] for token in (await ada.ask("GET", "/v1/tokens")).json()] == [own["id"]]


async def test_who_was_removed_or_lowered_cannot_use_an_older_invite(ada: Person, bob: Person) -> None:
    counter = await ada.new_counter()
    path = f"/v1/counters/{counter}"
    old = (await ada.ask("POST", f"{path}/invites", {"role": "member"})).json()["code"]
    accept = f"/v1/invites/{old}/accept"
    assert (await bob.ask("POST", accept)).status == 200
    assert (await bob.ask("DELETE", f"{path}/members/me")).status == 204
    assert (await bob.ask("POST", accept)).status == 200, "who left may come back"
    assert (await ada.ask("PATCH", f"{path}/members/{bob.userid}", {"role": "viewer"})).status == 200
    raised = await bob.ask("POST", accept)
    assert (raised.status, raised.json()["name"]) == (403, "Forbidden")
    assert "ask for a new one" in raised.json()["message"]
    assert (await ada.ask("DELETE", f"{path}/members/{bob.userid}")).status == 204
    assert (await bob.ask("POST", accept)).status == 403
    new = (await ada.ask("POST", f"{path}/invites", {"role": "member"})).json()["code"]
    assert (await bob.ask("POST", f"/v1/invites/{new}/accept")).status == 200


async def test_a_token_without_permissions_for_counters_is_not_listed(together: Together) -> None:
    root = await an_owner(together)
    await a_token(together.ledger, root, Permission.COUNT)
    usual = Person(together.running, root, await a_token(together.ledger, root, READ | WRITE))
    [listed] = (await usual.ask("GET", "/v1/tokens")).json()
    assert listed["scopes"] == ["read", "write"]
    assert (await usual.ask("DELETE", f"/v1/tokens/{listed['id'] - 1}")).status == 404
