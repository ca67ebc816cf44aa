"""Many public counters with one request: read, and added to."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.asking import Answer
from support.in_process import InProcess, in_process
from tallystick.web.rate_limit import Rate

LONG_KEY = "2f1d3b7e-6c3f-4b77-9a53-5a8f9b1c2d3e"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path) as running:
        yield running


async def post(site: InProcess, verb: str, counters: Any, key: str = "", secret: str = "", **more: Any) -> Answer:
    headers = [("Idempotency-Key", key)] if key else []
    headers += [("Authorization", f"Bearer {secret}")] if secret else []
    body = json.dumps({"counters": counters}).encode()
    return await site.ask(f"/api/counters/{verb}", method="POST", headers=headers, body=body, **more)


def adds(*additions: tuple[str, int]) -> list[dict[str, Any]]:
    return [dict(zip(("namespace", "key"), name.split("/"), strict=True), amount=amount) for name, amount in additions]


def told(answer: Answer) -> list[tuple[int | None, str]]:
    """Value, and the code of the refusal, of each addition."""
    assert answer.status == 200, answer.text
    return [(each["value"], each.get("error", {}).get("code", "")) for each in answer.json()["results"]]


async def created(site: InProcess, name: str, **rules: Any) -> str:
    namespace, key = name.split("/")
    body = json.dumps({"namespace": namespace, "key": key, **rules}).encode()
    secret: str = (await site.ask("/api/counters", method="POST", body=body)).json()["secret"]
    return secret


async def values(site: InProcess, *names: str) -> list[int | None]:
    asked = [dict(zip(("namespace", "key"), name.split("/"), strict=True)) for name in names]
    answer = await post(site, "read", asked)
    assert answer.status == 200, answer.text
    return [each and each["value"] for each in answer.json()["counters"]]


async def test_counters_are_read_in_order_without_counting(site: InProcess) -> None:
    secret = await created(site, "mysite.com/mine", label="Mine", value=7)
    await site.ask("/hit/mysite.com/visits")
    for _ in range(2):
        read = await values(site, "mysite.com/visits", "mysite.com/missing", "mysite.com/mine", "mysite.com/visits")
        assert read == [1, None, 7, 1]
    answer = await post(site, "read", [{"namespace": "mysite.com", "key": "mine"}], secret=secret)
    alone = (await site.ask("/api/counters/mysite.com/mine")).json()
    assert answer.json()["counters"] == [alone]
    assert (alone["label"], answer.headers["cache-control"]) == ("Mine", "no-store")


async def test_each_addition_is_counted_or_refused_by_itself(site: InProcess) -> None:
    await site.ask("/create?namespace=mysite.com&key=wide&update_lowerbound=-5&update_upperbound=9")
    await site.ask(f"/create?namespace=mysite.com&key=full&value={2**63 - 1}")
    await created(site, "mysite.com/locked", locked=True)
    await created(site, "mysite.com/once", unique="day")
    answer = await post(
        site,
        "add",
        adds(
            ("mysite.com/wide", 9),
            ("mysite.com/new", 1),
            ("mysite.com/wide", -5),
            ("mysite.com/wide", 10),
            ("mysite.com/new", 1),
            ("mysite.com/missing", 2),
            ("mysite.com/full", 1),
            ("mysite.com/locked", 1),
            ("mysite.com/once", 1),
            ("my/visits", 1),
        ),
    )
    assert told(answer) == [
        (9, ""),
        (1, ""),
        (4, ""),
        (4, "out-of-bounds"),
        (2, ""),
        (None, "no-such-counter"),
        (2**63 - 1, "out-of-range"),
        (0, "locked"),
        (0, "restricted"),
        (None, "malformed-name"),
    ]
    results = answer.json()["results"]
    assert [each.get("created") for each in results[:3]] == [False, True, False]
    assert all(("error" in each) == ("created" not in each) for each in results)
    assert await values(site, "mysite.com/wide", "mysite.com/new", "mysite.com/missing") == [4, 2, None]
    stats = (await site.ask("/stats")).json()
    assert (stats["keys_created"], stats["keys_updated"]) == (5, 4)
    metrics = (await site.ask("/metrics")).text
    assert 'tallystick_counter_additions_total{result="added"} 4.0' in metrics
    assert 'tallystick_counter_additions_total{result="locked"} 1.0' in metrics


async def test_an_owner_adds_where_others_may_not(site: InProcess) -> None:
    secret = await created(site, "mysite.com/mine", locked=True, origins=["https://a.example"], upper=100)
    await created(site, "mysite.com/theirs", locked=True)
    additions = adds(("mysite.com/mine", 100), ("mysite.com/theirs", 1), ("mysite.com/mine", 101))
    assert told(await post(site, "add", additions, secret=secret)) == [(100, ""), (0, "locked"), (100, "out-of-bounds")]
    refused = await post(site, "add", additions, secret="not-a-token")
    assert (refused.status, refused.json()["error"]["code"]) == (401, "unauthorized")


async def test_a_repeated_request_is_counted_once(site: InProcess) -> None:
    additions = adds(("mysite.com/visits", 1), ("mysite.com/missing", 5), ("x/visits", 1))
    first = await post(site, "add", additions, key=LONG_KEY)
    await site.ask("/hit/mysite.com/visits")
    again = await post(site, "add", additions, key=LONG_KEY)
    assert again.json() == first.json()
    assert [answer.headers.get("idempotent-replayed") for answer in (first, again)] == [None, "true"]
    other = await post(site, "add", adds(("mysite.com/visits", 1)), key=LONG_KEY)
    assert (other.status, other.json()["error"]["code"]) == (422, "idempotency-key-reused")
    weak = await post(site, "add", additions, key="one")
    assert (weak.status, weak.json()["error"]["code"]) == (400, "weak-idempotency-key")
    secret = await created(site, "mysite.com/mine")
    own = await post(site, "add", additions, key="one", secret=secret)
    assert told(own)[0] == (3, "")
    assert await values(site, "mysite.com/visits") == [3]


REFUSED: Sequence[tuple[Any, str]] = [
    ([], "counters"),
    (adds(*[("mysite.com/visits", 1)] * 501), "counters"),
    ([{"namespace": "mysite.com", "key": "visits"}], "counters"),
    ([{"namespace": "mysite.com", "key": "visits", "amount": 2**63}], "counters"),
    ([{"namespace": "mysite.com", "key": "visits", "amount": 1.5}], "counters"),
    ({"namespace": "mysite.com"}, "counters"),
]


async def test_what_is_no_list_of_counters_changes_nothing(site: InProcess) -> None:
    for counters, field in REFUSED:
        answer = await post(site, "add", counters)
        assert (answer.status, answer.json()["error"]["field"]) == (400, field), counters
    names = [{"namespace": "mysite.com", "key": "visits"}, {"namespace": "mysite.com", "key": "a b"}]
    answer = await post(site, "read", names)
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["field"]) == (400, "malformed-name", "counters[1].key")
    assert await values(site, "mysite.com/visits") == [None]


async def test_the_largest_list_fits(site: InProcess) -> None:
    names = [f"{'n' * 64}/{number:064}" for number in range(500)]
    assert told(await post(site, "add", adds(*((name, 1) for name in names)), client=None))[0] == (1, "")
    await post(site, "add", adds(*((name, -(2**63)) for name in names)))
    assert (await values(site, *names))[:3] == [1, 1, 1]


async def test_a_server_that_makes_no_counters_says_so(tmp_path: Path) -> None:
    async with in_process(tmp_path, public_counters="existing") as site:
        answer = await post(site, "add", adds(("mysite.com/visits", 1), ("mysite.com/visits", 2)))
    assert told(answer) == [(None, "creation-off"), (None, "no-such-counter")]


async def test_new_counters_are_limited_by_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.web.rate_limit.time.monotonic", lambda: 1_000.0)
    async with in_process(tmp_path, creation_limit=2) as site:
        answer = await post(site, "add", adds(*((f"mysite.com/visits{number}", 1) for number in range(3))))
    assert told(answer) == [(1, ""), (1, ""), (None, "creation-limited")]


async def test_additions_are_limited_by_address_and_namespace(tmp_path: Path) -> None:
    senders = [(1, "mysite.com"), (1, "mysite.com"), (1, "mysite.com"), (2, "mysite.com"), (1, "other.com")]
    async with in_process(tmp_path, rate_limit=(Rate("counter-adds", 3, 60),)) as site:
        statuses = []
        for client, namespace in senders:
            additions = adds((f"{namespace}/visits", 1), (f"{namespace}/visits", 1))
            statuses.append((await post(site, "add", additions, client=f"192.0.2.{client}")).status)
    assert statuses == [200, 200, 429, 200, 200]
