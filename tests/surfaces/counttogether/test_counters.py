"""Counters are made, shown, changed and counted with: shapes, codes, and what is left as it was."""

from typing import Any

import pytest

from support.counting_together import Person
from tallystick.model.counter import INT64_MAX, INT64_MIN

V1, V2 = "/v1/counters", "/v2/counters"

CREATIONS = [
    # body, status, code
    ({"displayName": "Steps", "type": "UpDown"}, 201, None),
    ({"displayName": " Steps ", "type": "UpDown", "data": None, "members": [], "further": 1}, 201, None),
    ({"displayName": "x" * 40, "type": "UpDown", "data": {"value": INT64_MAX, "mode": "OnlyUp"}}, 201, None),
    ({"displayName": "👩\u200d👧 trip", "type": "UpDown", "data": {"value": INT64_MIN}}, 201, None),
    ({"displayName": "Steps", "type": "UpDown", "data": {"goal": None, "minValue": None}}, 201, None),
    ({}, 400, -2000),
    ({"type": "UpDown"}, 400, -2000),
    ({"displayName": "Steps"}, 400, -2000),
    ({"displayName": None, "type": "UpDown"}, 400, -2000),
    ({"displayName": 7, "type": "UpDown"}, 400, -2000),
    ([], 400, -2000),
    ({"displayName": "Four", "type": "UpDown"}, 400, -2030),
    ({"displayName": "x" * 41, "type": "UpDown"}, 400, -2030),
    ({"displayName": "Two\nlines", "type": "UpDown"}, 400, -2030),
    ({"displayName": "Steps", "type": "Sideways"}, 400, -2010),
    ({"displayName": "Steps", "type": ""}, 400, -2010),
    ({"displayName": "Steps", "type": "UpDown", "data": {"mode": "UpOnly"}}, 400, -2011),
    ({"displayName": "Steps", "type": "FromDate"}, 400, -2020),
    ({"displayName": "Steps", "type": "ToDate", "data": {}}, 400, -2021),
    ({"displayName": "Steps", "type": "UpDown", "data": {"value": 1.5}}, 400, -2000),
    ({"displayName": "Steps", "type": "UpDown", "data": {"value": "7"}}, 400, -2000),
    ({"displayName": "Steps", "type": "UpDown", "data": {"value": True}}, 400, -2000),
    ({"displayName": "Steps", "type": "UpDown", "data": {"value": INT64_MAX + 1}}, 400, -2043),
    ({"displayName": "Steps", "type": "UpDown", "data": {"goal": INT64_MIN - 1}}, 400, -2043),
    ({"displayName": "Steps", "type": "UpDown", "data": {"value": 1, "minValue": 2}}, 400, -2043),
    (b"{", 400, -2000),
    (b"", 400, -2000),
    (b'{"displayName": "\xff"}', 400, -2000),
    (b"[" * 100_000, 400, -2000),
    (b'{"displayName":"Steps","type":"UpDown","data":{"value":' + b"9" * 5_000 + b"}}", 400, None),
]


async def test_what_makes_a_counter(ada: Person) -> None:
    for body, status, code in CREATIONS:
        answer = await ada.ask("POST", V1, body)
        assert answer.status == status, (body, answer.text)
        assert code in {None, answer.json().get("code")}, (body, answer.text)
        if status == 201:
            made = answer.json()
            assert answer.headers["location"] == f"{V1}/{made['id']}"
            assert (await ada.ask("GET", answer.headers["location"])).json() == made


async def test_a_counter_as_both_versions_show_it(ada: Person, bob: Person) -> None:
    counter = await ada.new_counter("Cups of tea", value=3)
    await ada.invite(counter, bob)
    everyone = [
        {"userId": ada.userid, "displayName": "Ada", "isAdmin": True},
        {"userId": bob.userid, "displayName": "Bob", "isAdmin": False},
    ]
    whole = {
        "id": counter,
        "displayName": "Cups of tea",
        "type": "UpDown",
        "members": everyone,
        "data": {"value": 3, "mode": "UpAndDown"},
    }
    flat = {"id": counter, "name": "Cups of tea", "type": "UpDown", "value": 3, "created": "2027-01-15T08:00:00Z"}
    for person in (ada, bob):
        assert (await person.ask("GET", f"{V1}/{counter}")).json() == whole
        assert (await person.ask("GET", f"{V1}/{counter.upper()}/")).json() == whole
        assert (await person.ask("GET", f"{V1}/")).json() == [whole]
        assert (await person.ask("GET", f"{V2}/{counter}")).json() == flat
        assert (await person.ask("GET", V2)).json() == [flat]


async def test_what_somebody_has_decided_is_shown_too(ada: Person) -> None:
    rules = {"goal": 10, "allowExceed": False, "minValue": -2, "resetValue": 1}
    counter = await ada.new_counter(**dict[str, Any](rules))
    assert (await ada.ask("GET", f"{V1}/{counter}")).json()["data"] == {"value": 0, "mode": "UpAndDown", **rules}
    flat = (await ada.ask("GET", f"{V2}/{counter}")).json()
    assert {name: flat[name] for name in rules} == rules
    cleared = {"goal": None, "allowExceed": True, "minValue": None, "resetValue": 0}
    assert not set(rules) & set((await ada.ask("PATCH", f"{V2}/{counter}", cleared)).json())


VALUES: list[tuple[str, str, Any, int, Any]] = [
    # method, path behind the counter's, body, status, number or code
    ("POST", "increment", None, 200, 6),
    ("POST", "decrement", b"", 200, 5),
    ("POST", "increment", b"what is no JSON is not read", 200, 6),
    ("POST", "set", {"value": -9}, 200, -9),
    ("POST", "set", {}, 400, -2000),
    ("POST", "set", {"value": None}, 400, -2000),
    ("POST", "set", {"value": INT64_MAX + 1}, 400, -2043),
    ("POST", "set", {"value": INT64_MAX}, 400, -2043),  # 64 bits do not hold by how much it would change
    ("POST", "set", {"value": 0}, 200, 0),
    ("POST", "set", {"value": INT64_MAX}, 200, INT64_MAX),
    ("POST", "increment", None, 400, -2043),
    ("POST", "reset", None, 200, 0),
    ("POST", "reset", {}, 200, 0),
    ("POST", "undo", {}, 200, INT64_MAX),
    ("POST", "undo", {"offset": 10**6}, 409, -2044),
    ("POST", "undo", {"offset": "1"}, 400, -2000),
    ("POST", "increment/2", None, 404, -1100),
    ("GET", "increment", None, 405, -1405),
]
AMOUNTS = [
    # path behind the counter's, status, number or code
    ("increment/1", 200, 1),
    ("increment/41", 200, 42),
    ("decrement/2", 200, 40),
    ("increment/+2", 200, 42),
    ("increment/0", 400, -2042),
    ("increment/-1", 400, -2042),
    ("increment/1.5", 400, -2042),
    ("increment/x", 400, -2042),
    ("increment/\u0661", 400, -2042),
    (f"increment/{INT64_MAX + 1}", 400, -2042),
    ("increment/" + "9" * 5_000, 400, -2042),
    (f"increment/{INT64_MAX}", 400, -2043),
    (f"decrement/{INT64_MAX}", 200, 42 - INT64_MAX),
    ("increment/1/1", 404, -1100),
]


SAID_NOTHING = (b"", b"{}", b" {} ", b"null", b'""', b"[]", b"no JSON")
SAID_SOMETHING = (b'{"amount":5}', b'{"value": 5}', b"5", b"[5]", b'"5"', b"amount=5", b'{"amount":5')


@pytest.mark.parametrize("path", ["v1/{}/increment", "v1/{}/decrement", "v2/{}/increment", "v2/{}/decrement/2"])
async def test_an_amount_in_a_body_is_refused_instead_of_counted_as_1(ada: Person, path: str) -> None:
    counter = await ada.new_counter()
    target = "/" + path.format(f"counters/{counter}")
    for body in SAID_SOMETHING:
        refused = await ada.ask("POST", target, body)
        assert (refused.status, refused.json()["code"]) == (400, -2000), body
        assert "/v2/counters/ID/" in refused.json()["message"]
    assert (await ada.ask("POST", f"{target}?amount=5")).status == 400
    assert (await ada.ask("GET", f"{V2}/{counter}")).json()["value"] == 0
    for body in SAID_NOTHING:
        assert (await ada.ask("POST", target, body)).status == 200, body


async def test_values_are_bare_numbers(ada: Person) -> None:
    counter = await ada.new_counter(value=5)
    for method, path, body, status, expected in VALUES:
        answer = await ada.ask(method, f"{V1}/{counter}/{path}", body)
        found = answer.json()["code"] if status >= 400 else int(answer.text)
        assert (answer.status, found) == (status, expected), (path, body)


async def test_amounts_stand_in_the_path(ada: Person) -> None:
    counter = await ada.new_counter()
    for path, status, expected in AMOUNTS:
        answer = await ada.ask("POST", f"{V2}/{counter}/{path}")
        found = answer.json()["code"] if status >= 400 else int(answer.text)
        assert (answer.status, found) == (status, expected), path


async def test_modes_and_goals(ada: Person) -> None:
    up = await ada.new_counter(mode="OnlyUp", goal=3, allowExceed=False)
    day = await ada.new_counter(type_="FromDate", dateOnly="2026-05-01")
    steps: list[tuple[str, str, Any, Any]] = [
        (up, "increment", None, 1),
        (up, "decrement", None, -2040),
        (up, "set", {"value": 0}, -2040),
        (up, "set", {"value": 0, "confirm": True}, 0),
        (up, "set", {"value": 2}, 2),
        (up, "reset", None, -2040),
        (up, "increment", None, 3),
        (up, "increment", None, -2041),
        (day, "increment", None, -2040),
        (day, "set", {"value": 1}, -2040),
        (day, "undo", None, -2040),
    ]
    for counter, path, body, expected in steps:
        found = (await ada.ask("POST", f"{V1}/{counter}/{path}", body)).json()
        assert (found if isinstance(found, int) else found["code"]) == expected, (path, body)


PATCHES: list[tuple[str, Any, int]] = [
    # type, patch, code or 0
    ("UpDown", {}, -2000),
    ("UpDown", {"confirm": True}, -2000),
    ("UpDown", {"unknown": 1}, -2000),
    ("UpDown", {"name": "Other", "unknown": 1}, -2000),
    ("UpDown", {"name": None}, -2000),
    ("UpDown", {"value": 1.5}, -2000),
    ("UpDown", {"value": 2**64}, -2043),
    ("UpDown", {"startDate": "2026-05-01"}, -2040),
    ("UpDown", {"name": "Four"}, -2030),
    ("UpDown", {"mode": "Both"}, -2011),
    ("UpDown", {"name": "Other", "value": 4, "mode": "OnlyUp", "goal": 9, "resetValue": 1}, 0),
    ("UpDown", {"value": 3}, -2040),
    ("UpDown", {"value": 3, "confirm": True}, 0),
    ("UpDown", {"name": None, "value": 5, "startDate": None, "endDate": None, "mode": None}, 0),
    ("UpDown", {"name": None, "value": None, "startDate": None, "endDate": None}, -2000),
    ("UpDown", {"allowExceed": False}, 0),
    ("UpDown", {"value": 10}, -2041),
    ("FromDate", {"endDate": "2026-05-01"}, -2040),
    ("FromDate", {"value": 3}, -2040),
    ("FromDate", {"mode": "OnlyUp"}, -2040),
    ("FromDate", {"name": "Other", "startDate": "2026-06-01"}, 0),
    ("FromDate", {"name": None, "value": None, "startDate": "2026-06-02", "endDate": None}, 0),
    ("FromDate", {"startDate": None}, -2000),
    ("ToDate", {"startDate": "2026-05-01"}, -2040),
    ("ToDate", {"endDate": "2026-06-01T12:00:00Z"}, 0),
]


async def test_a_patch_changes_what_it_names_and_nothing_when_it_is_refused(ada: Person) -> None:
    counters = {type_: await ada.new_counter(type_=type_, dateOnly="2026-05-01") for type_ in ("FromDate", "ToDate")}
    counters["UpDown"] = await ada.new_counter(value=2)
    for type_, patch, code in PATCHES:
        path = f"{V2}/{counters[type_]}"
        before = await ada.ask("GET", path)
        answer = await ada.ask("PATCH", path, patch)
        after = await ada.ask("GET", path)
        if code:
            assert (answer.status, answer.json()["code"]) == (400, code), (type_, patch)
            assert (after.body, after.headers["etag"]) == (before.body, before.headers["etag"])
        else:
            assert (answer.status, answer.body) == (200, after.body), (type_, patch, answer.text)
            assert answer.headers["etag"] == after.headers["etag"]
            asked = {name: patch[name] for name in ("name", "value", "goal") if patch.get(name) is not None}
            assert asked.items() <= after.json().items()


async def test_put_takes_a_whole_counter_and_minds_only_name_and_data(ada: Person) -> None:
    counter = await ada.new_counter("Before", value=2)
    path = f"{V1}/{counter}"
    whole = (await ada.ask("GET", path)).json()
    sent = whole | {"displayName": "After", "members": [], "id": "another", "new": {}}
    sent["data"] = {"value": 7, "mode": "OnlyUp", "pastDays": 3, "date": None, "dateOnly": None, "resetValue": None}
    shown = (await ada.ask("PUT", path, sent)).json()
    assert shown == whole | {"displayName": "After", "data": {"value": 7, "mode": "OnlyUp"}}
    for body, code in (
        (whole | {"type": "FromDate"}, -2000),
        ({"data": {"value": "7"}}, -2000),
        ({"data": {"value": 6}}, -2040),
        ({"displayName": "x"}, -2030),
    ):
        refused = await ada.ask("PUT", path, body)
        assert (refused.status, refused.json()["code"]) == (400, code)
    assert (await ada.ask("PUT", path, {})).json() == shown
    assert (await ada.ask("PUT", path, {"data": None})).json() == shown


async def test_a_batch_is_carried_out_in_order_whatever_is_refused(ada: Person) -> None:
    counter = await ada.new_counter(mode="OnlyUp")
    operations = [
        {"operation": "increment", "amount": 5},
        {"operation": "decrement", "id": "down"},
        {"operation": "increment", "amount": 0},
        {"operation": "set", "value": 9},
        {"operation": "set"},
        {"operation": "reset", "confirm": True},
        {"operation": "undo"},
    ]
    answer = await ada.ask("POST", f"{V1}/{counter}/batch", {"operations": operations})
    results = answer.json()["results"]
    assert [result.get("value") or result.get("error", {}).get("code") for result in results] == [
        *(5, -2040, -2042, 9, -2000, None, 9)
    ]
    assert results[1]["id"] == "down"
    assert set(results[1]["error"]) == {"message", "code", "name"}
    assert [result["version"] for result in results if "version" in result] == [2, 3, 4, 5]


async def test_a_batch_of_the_wrong_shape_changes_nothing(ada: Person) -> None:
    counter = await ada.new_counter()
    one = {"operation": "increment"}
    path = f"{V1}/{counter}/batch"
    for target, operations in (
        (path, []),
        (path, [one] * 501),
        (path, [{"operation": "multiply"}]),
        (path, [one, {}]),
        (path, [one, {"operation": "increment", "amount": "1"}]),
        (path, [one, one | {"counterId": counter}]),
        (path, [one | {"id": ""}]),
        ("/v1/batch", [one]),
        ("/v1/batch", None),
    ):
        refused = await ada.ask("POST", target, {"operations": operations})
        assert (refused.status, refused.json()["code"]) == (400, -2000)
    assert (await ada.ask("GET", f"{V2}/{counter}")).json()["value"] == 0
    most = await ada.ask("POST", path, {"operations": [one] * 500})
    assert most.json()["results"][-1] == {"status": 200, "value": 500, "version": 501}


async def test_history_tells_who_did_what(ada: Person, bob: Person) -> None:
    counter = await ada.new_counter(value=1)
    await ada.invite(counter, bob)
    path = f"{V1}/{counter}"
    await bob.ask("POST", f"{V2}/{counter}/increment/4")
    await ada.ask("PATCH", f"{V2}/{counter}", {"name": "Renamed"})
    await bob.ask("POST", f"{path}/undo")
    everything = (await ada.ask("GET", f"{path}/history")).json()
    shown = [(entry["kind"], entry["actor"]["displayName"], entry["delta"], entry["value"]) for entry in everything]
    assert shown == [
        ("created", "Ada", None, 1),
        ("value", "Bob", 4, 5),
        ("details", "Ada", None, 5),
        ("value", "Bob", -4, 1),
    ]
    assert [entry["version"] for entry in everything] == [1, 2, 3, 4]
    assert everything[3]["undoes"] == everything[1]["offset"]
    assert everything[0]["at"] == "2027-01-15T08:00:00Z"
    second = (await bob.ask("GET", f"{path}/history?limit=2&after={everything[0]['offset']}")).json()
    assert second == everything[1:3]
    newest = (await bob.ask("GET", f"{path}/history?limit=2&order=newest")).json()
    assert newest == [everything[3], everything[2]]
    older = (await bob.ask("GET", f"{path}/history?order=newest&after={newest[-1]['offset']}")).json()
    assert older == [everything[1], everything[0]]
    for query in ("limit=0", "limit=1001", "limit=x", "after=-1", f"after={2**63}", "order=up"):
        assert (await ada.ask("GET", f"{path}/history?{query}")).json()["code"] == -2000


async def test_a_deleted_counter_is_gone_for_everyone(ada: Person, bob: Person) -> None:
    counter = await ada.new_counter()
    await ada.invite(counter, bob)
    assert (await ada.ask("DELETE", f"{V1}/{counter}")).status == 204
    for person in (ada, bob):
        assert (await person.ask("GET", V1)).json() == []
        assert (await person.ask("POST", f"{V1}/{counter}/increment")).status == 404


async def test_as_home_assistant_sends_it(ada: Person) -> None:
    counter = await ada.new_counter()
    headers = {"content-type": "application/json", "user-agent": "HomeAssistant", "library-version": "1.0.1"}
    answer = await ada.ask("POST", f"{V2}/{counter}/increment/2?timezone=UTC", headers=headers)
    assert (answer.status, answer.json()) == (200, 2)
    assert answer.headers["content-type"].startswith("application/json")
