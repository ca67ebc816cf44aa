"""Requests with an Idempotency-Key are carried out once, whatever they ask for."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from support.counting_together import Person, Together
from support.old_records import store_old_record
from tallystick.errors import SharingRefused
from tallystick.ledger import Session
from tallystick.services.idempotency import KEPT_MS, KeyedRequest
from tallystick.services.sharing.changing import Done
from tallystick.surfaces.counttogether.api.handlers import counting
from tallystick.web.answers import ApiResponse


def with_key(key: str) -> dict[str, str]:
    return {"idempotency-key": key}


async def value_of(person: Person, counter: str) -> int:
    return int((await person.ask("GET", f"/v2/counters/{counter}")).json()["value"])


async def test_a_request_with_a_key_counts_once(ada: Person) -> None:
    counter = await ada.new_counter()
    path = f"/v2/counters/{counter}/increment/5"
    first = await ada.ask("POST", path, headers=with_key('"one"'))
    assert (first.status, first.text, first.headers.get("idempotent-replayed")) == (200, "5", None)
    await ada.ask("POST", path)
    again = await ada.ask("POST", path, headers=with_key("one"))
    assert (again.status, again.text, again.headers["idempotent-replayed"]) == (200, "5", "true")
    other = await ada.ask("POST", path, headers=with_key("two"))
    assert (other.text, other.headers.get("idempotent-replayed")) == ("15", None)
    assert await value_of(ada, counter) == 15


async def test_a_key_stands_for_one_request_of_one_person(ada: Person, bob: Person) -> None:
    counter = await ada.new_counter()
    await ada.invite(counter, bob)
    path = f"/v1/counters/{counter}"
    assert (await ada.ask("POST", f"{path}/set", {"value": 1}, headers=with_key("one"))).status == 200
    for target, body in ((f"{path}/set", {"value": 2}), (f"{path}/set?timezone=UTC", {"value": 1})):
        refused = await ada.ask("POST", target, body, headers=with_key("one"))
        assert (refused.status, refused.json()["code"]) == (422, -1422)
    assert (await ada.ask("POST", f"{path}/increment", headers=with_key("one"))).text == "2"
    assert (await bob.ask("POST", f"{path}/increment", headers=with_key("one"))).text == "3"


async def test_refusals_are_kept_as_well_but_not_what_makes_no_sense(ada: Person) -> None:
    counter = await ada.new_counter(mode="OnlyUp")
    down, path = f"/v1/counters/{counter}/decrement", f"/v2/counters/{counter}"
    refused = await ada.ask("POST", down, headers=with_key("down"))
    assert refused.status == 400
    assert (await ada.ask("PATCH", path, {"mode": "UpAndDown"})).status == 200
    again = await ada.ask("POST", down, headers=with_key("down"))
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (400, refused.body, "true")
    assert (await ada.ask("PATCH", path, b"{", headers=with_key("patch"))).status == 400
    assert (await ada.ask("PATCH", path, {"value": 7}, headers=with_key("patch"))).json()["value"] == 7


async def test_creations_deletions_and_people_are_kept(ada: Person, bob: Person) -> None:
    body = {"displayName": "Only one", "type": "UpDown"}
    made = [await ada.ask("POST", "/v1/counters", body, headers=with_key("new")) for _ in range(2)]
    assert [answer.status for answer in made] == [201, 201]
    assert made[0].body == made[1].body
    for name in ("location", "etag"):
        assert made[0].headers[name] == made[1].headers[name]
    assert len((await ada.ask("GET", "/v1/counters")).json()) == 1
    counter = made[0].json()["id"]
    await ada.invite(counter, bob)
    leaving = f"/v1/counters/{counter}/members/{bob.userid}"
    assert [(await bob.ask("DELETE", leaving, headers=with_key("x"))).status for _ in range(2)] == [204, 204]
    gone = [await ada.ask("DELETE", f"/v1/counters/{counter}", headers=with_key("x")) for _ in range(2)]
    assert [answer.status for answer in gone] == [204, 204]
    assert gone[1].headers["idempotent-replayed"] == "true"
    assert (await ada.ask("DELETE", f"/v1/counters/{counter}")).status == 404


async def test_codes_and_tokens_are_told_once_and_lie_nowhere(together: Together, ada: Person) -> None:
    counter = await ada.new_counter()
    for path, body, secret in (
        (f"/v1/counters/{counter}/invites", {}, "code"),
        ("/v1/tokens", {"name": "button"}, "token"),
    ):
        first, again = [await ada.ask("POST", path, body, headers=with_key("secret")) for _ in range(2)]
        assert (first.status, again.status, again.json()[secret]) == (201, 201, None)
        assert first.json()["id"] == again.json()["id"]
        assert len(first.json()[secret]) >= 32
        assert "http" not in again.text
        files = [file.read_bytes() for file in together.data.iterdir() if file.is_file()]
        assert not any(first.json()[secret].encode() in content for content in files)


async def test_a_request_that_is_being_carried_out_is_not_begun_again(ada: Person) -> None:
    counter = await ada.new_counter()
    path = f"/v1/counters/{counter}/increment"
    answers = await asyncio.gather(*(ada.ask("POST", path, headers=with_key("same")) for _ in range(5)))
    assert {answer.status for answer in answers} == {200, 409}
    assert [answer.status for answer in answers].count(200) == 1
    refused = next(answer for answer in answers if answer.status == 409)
    assert (refused.json()["name"], refused.headers["retry-after"]) == ("RequestInFlight", "1")
    assert await value_of(ada, counter) == 1


async def test_a_key_is_forgotten_after_a_day(together: Together, ada: Person) -> None:
    path = f"/v1/counters/{await ada.new_counter()}/increment"
    await ada.ask("POST", path, headers=with_key("daily"))
    together.clock.advance(seconds=KEPT_MS / 1000 - 1)
    assert (await ada.ask("POST", path, headers=with_key("daily"))).text == "1"
    together.clock.advance(seconds=1)
    assert (await ada.ask("POST", path, headers=with_key("daily"))).text == "2"


async def test_a_key_that_is_none_changes_nothing_and_reads_need_none(ada: Person) -> None:
    counter = await ada.new_counter()
    for key in ("", " ", '""', "a b", "x" * 256, "\x7f"):
        refused = await ada.ask("POST", f"/v1/counters/{counter}/increment", headers=with_key(key))
        assert (refused.status, refused.json()["code"]) == (400, -2000), key
    assert (await ada.ask("GET", "/v1/counters", headers=with_key("a b"))).status == 200
    assert (await ada.ask("POST", f"/v1/counters/{counter}/increment", headers=with_key("x" * 255))).text == "1"


async def test_a_batch_is_kept_whole_and_its_named_operations_one_by_one(ada: Person) -> None:
    counter = await ada.new_counter()
    path = f"/v1/counters/{counter}/batch"
    operations: list[dict[str, Any]] = [{"operation": "increment", "id": "op-1"}, {"operation": "increment"}]
    first = await ada.ask("POST", path, {"operations": operations}, headers=with_key("batch"))
    assert [result["value"] for result in first.json()["results"]] == [1, 2]
    assert (await ada.ask("POST", path, {"operations": operations}, headers=with_key("batch"))).body == first.body
    mixed = await ada.ask("POST", "/v1/batch", {"operations": [one | {"counterId": counter} for one in operations]})
    assert mixed.json()["results"] == [
        {"id": "op-1", "status": 200, "value": 1, "version": 2, "replayed": True},
        {"status": 200, "value": 3, "version": 4},
    ]


async def test_what_is_kept_names_nobody(together: Together, ada: Person) -> None:
    await ada.ask("POST", "/v1/counters", {"displayName": "Only one", "type": "UpDown"}, headers=with_key("my-key"))

    def kept(session: Session) -> list[Any]:
        return list(session.connection.execute("SELECT digest, fingerprint FROM kept_answer").fetchall())

    [(digest, fingerprint)] = await together.ledger.read(kept)
    assert (len(bytes(digest)), len(bytes(fingerprint))) == (32, 32)


@pytest.mark.parametrize("headers", [{}, with_key("one")], ids=["", "keyed"])
async def test_a_response_that_cannot_be_built_harms_no_other_request_and_is_built_again(
    ada: Person, bob: Person, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    counters = [await person.new_counter() for person in (ada, bob)]
    ordinary = counting.number_response  # what may turn out to have a fault

    def faulty(results: Sequence[Done | SharingRefused], trace: str) -> ApiResponse:
        if ordinary(results, trace).body == b"1000":
            msg = "no answer"
            raise ValueError(msg)
        return ordinary(results, trace)

    monkeypatch.setattr(counting, "number_response", faulty)
    path = "/v2/counters/{}/increment"
    asked = [(person, path.format(counter)) for person, counter in zip((ada, bob), counters, strict=True)] * 10
    bad = ada.ask("POST", f"{path.format(counters[0])}/1000", headers=headers)
    first, *others = await asyncio.gather(bad, *(person.ask("POST", target) for person, target in asked))
    assert (first.status, first.json()["code"]) == (500, -1000)
    assert [answer.status for answer in others] == [200] * len(others)
    assert [await value_of(person, counter) for person, counter in zip((ada, bob), counters, strict=True)] == [
        1010,
        10,
    ]
    monkeypatch.setattr(counting, "number_response", ordinary)
    again = await ada.ask("POST", f"{path.format(counters[0])}/1000", headers=headers)
    expected = (200, "1000", "true") if headers else (200, "2010", None)
    assert (again.status, again.text, again.headers.get("idempotent-replayed")) == expected


async def test_a_request_is_known_by_its_meaning_however_it_is_spelled(ada: Person) -> None:
    counter = await ada.new_counter()
    path = f"/v1/counters/{counter}"
    spelled: list[tuple[str, bytes | None]] = [
        (f"{path}/set?timezone=UTC&x=1", b'{"value": 5, "confirm": true}'),
        (f"{path}/set/?timezone=UTC&x=1", b'{"value": 5, "confirm": true}'),
        (f"/v1/counters/{counter.upper()}/set?timezone=UTC&x=1", b'{"confirm":true,"value":5}'),
        (f"{path}/%73et?x=1&timezone=UTC", b'{"value":5,\n"confirm":true}'),
        (f"{path}/set?x=%31&timezone=%55TC&x=2", b'{"value":5,"confirm":true}'),
    ]
    answers = [await ada.ask("POST", target, body, headers=with_key("set")) for target, body in spelled]
    assert [(answer.status, answer.text) for answer in answers] == [(200, "5")] * 5
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, *["true"] * 4]
    adding = [("/v2/counters/{}/increment/3", None), ("/v2/counters/{}/increment/03/", b"{}")]
    added = [await ada.ask("POST", path.format(counter), body, headers=with_key("add")) for path, body in adding]
    assert [answer.text for answer in added] == ["8", "8"]
    for target in (f"{path}/set?timezone=UTC&x=2", f"{path}/set?timezone=UTC"):
        refused = await ada.ask("POST", target, spelled[0][1], headers=with_key("set"))
        assert refused.status == 422


@pytest.mark.parametrize("suffix", ["", "/"])
async def test_responses_that_an_older_version_stored_are_replayed(
    together: Together, ada: Person, suffix: str
) -> None:
    """Such a version knew a request by the spelling of its path, query and body."""
    counter = await ada.new_counter()
    target, body = f"/v1/counters/{counter}/set{suffix}", b'{"value": 3}'
    older = KeyedRequest.of(f"counttogether/{ada.account.id}", "POST", target, "old", rest=b"x=1\0" + body)
    await together.ledger.write(store_old_record, older, b"3", together.ledger.passed(), '{"etag":"tag"}')
    again = await ada.ask("POST", f"{target}?x=1", body, headers=with_key("old"))
    assert (again.status, again.text, again.headers["etag"], again.headers["idempotent-replayed"]) == (
        200,
        "3",
        "tag",
        "true",
    )
    assert await value_of(ada, counter) == 0
    assert (await ada.ask("POST", f"{target}?x=1", {"value": 4}, headers=with_key("old"))).status == 422
