"""Requests with an ``Idempotency-Key``: what the README's rows do not show."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.asking import Answer
from support.in_process import InProcess, in_process
from support.old_records import store_old_record
from support.services import limits
from tallystick.errors import StoreBusy
from tallystick.gathering import GatheringThread
from tallystick.services.idempotency import KeyedRequest
from tallystick.web.address import ClientAddresses
from tallystick.web.public_limits import KeyedLimit
from tallystick.web.rate_limit import Rate


async def keyed(site: InProcess, target: str, key: str = "one", *, method: str = "GET", ahead: bool = False) -> Answer:
    headers = [("Idempotency-Key", key), *([("Sec-Purpose", "prefetch")] if ahead else [])]
    return await site.ask(target, method=method, headers=headers)


async def value(site: InProcess, key: str = "visits") -> int | None:
    found: int | None = (await site.ask(f"/get/{key}")).json()["value"]
    return found


async def test_an_answer_is_dressed_as_the_request_wants_it(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        targets = ("/hit/visits", "/hit/visits?callback=show", "/hit/visits?img", "/hit/default/visits/")
        plain, script, image, full = [await keyed(site, target, method="POST") for target in targets]
        assert (plain.text, plain.headers.get("idempotent-replayed")) == ('{"value":1}', None)
        assert script.text == '/**/show({"value":1,"status":200,"code":200});'
        assert image.headers["content-type"] == "image/gif"
        assert full.text == plain.text
        for replayed in (script, image, full):
            assert (replayed.headers["idempotent-replayed"], replayed.path) == ("true", "default/visits")
            assert "Idempotent-Replayed" in replayed.headers["access-control-expose-headers"]


async def test_a_request_is_known_by_its_meaning_however_it_is_spelled(tmp_path: Path) -> None:
    spelled = (
        "/update/mysite/visits?amount=1&x=1",
        "/update/mysite/visits/?x=1&amount=1",
        "/update/my%73ite/visits?amount=%2B1",
        "/update/mysite/visits?amount=01&amount=9",
    )
    async with in_process(tmp_path) as site:
        await site.ask("/hit/mysite/visits")
        answers = [await keyed(site, target) for target in spelled]
        assert [answer.text for answer in answers] == ['{"value":2}'] * 4
        assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, *["true"] * 3]
        assert (await keyed(site, "/update/mysite/visits?amount=0")).status == 422
        assert (await site.ask("/get/mysite/visits")).json() == {"value": 2}


async def test_a_response_that_an_older_version_stored_is_replayed(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        request = KeyedRequest.of("countapi", "hit", "default/visits", "old", rest=b"1")
        ledger = site.application.ledger
        await ledger.write(store_old_record, request, b'{"value":41}', ledger.passed())
        again = await keyed(site, "/hit/visits", "old")
        assert (again.status, again.text, again.headers["idempotent-replayed"]) == (200, '{"value":41}', "true")
        assert await value(site) is None


@pytest.mark.parametrize(
    ("target", "status", "inside"),
    [("/update/visits?amount=0", 422, "sent with another request"), ("/hit/visits", 400, "visible ASCII")],
)
async def test_a_refusal_is_dressed_like_any_other(tmp_path: Path, target: str, status: int, inside: str) -> None:
    async with in_process(tmp_path) as site:
        key = "" if status == 400 else "one"
        await site.ask("/hit/visits")
        await keyed(site, "/update/visits?amount=1")
        plain = await keyed(site, target, key)
        assert (plain.status, plain.path) == (status, "default/visits")
        assert inside in plain.json()["error"]
        mark = "&" if "?" in target else "?"
        assert (await keyed(site, f"{target}{mark}img", key)).status == status
        script = await keyed(site, f"{target}{mark}callback=show", key)
        assert script.status == 200
        assert f'"status":{status}' in script.text


@pytest.mark.parametrize(("method", "ahead"), [("HEAD", False), ("GET", True)])
async def test_what_may_not_count_keeps_nothing(tmp_path: Path, method: str, *, ahead: bool) -> None:
    async with in_process(tmp_path) as site:
        assert (await keyed(site, "/hit/visits", method=method, ahead=ahead)).status == 404
        counted = await keyed(site, "/hit/visits")
        assert (counted.text, counted.headers.get("idempotent-replayed")) == ('{"value":1}', None)
        seen = await keyed(site, "/hit/visits", method=method, ahead=ahead)
        assert (seen.status, seen.headers.get("idempotent-replayed")) == (200, None)


async def test_many_at_once_count_once(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        answers = await asyncio.gather(*(keyed(site, "/hit/visits") for _ in range(20)))
        assert sorted(answer.status for answer in answers) == [200, *[409] * 19]
        refused = next(answer for answer in answers if answer.status == 409)
        assert refused.headers["retry-after"] == "1"
        assert "being carried out" in refused.json()["error"]
        assert await value(site) == 1
        assert (await keyed(site, "/hit/visits")).headers["idempotent-replayed"] == "true"


async def test_two_keys_in_one_request_are_none(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        answer = await site.ask("/hit/visits", headers=[("Idempotency-Key", "one"), ("Idempotency-Key", "two")])
        assert answer.status == 400
        assert await value(site) is None


async def test_endpoints_that_take_no_key_pass_it_over(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        targets = ("/create?key=visits&enable_reset=1", "/set/visits?value=5", "/get/visits", "/info/visits", "/stats")
        for target in targets:
            assert (await keyed(site, target, "")).status == 200


async def test_the_creation_limit_holds_and_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("tallystick.web.rate_limit.time.monotonic", lambda: now)
    async with in_process(tmp_path, creation_limit=1) as site:
        await site.ask("/hit/others")
        refused = await keyed(site, "/hit/visits")
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        now += 1
        again = await keyed(site, "/hit/visits")
        assert (again.text, again.headers.get("idempotent-replayed")) == ('{"value":1}', None)


WORTH: list[tuple[Sequence[str], tuple[int, int]]] = [
    # requests with one key; keys_created, keys_updated
    (["/hit/new"], (1, 1)),
    (["/hit/new", "/hit/new", "/hit/new?img"], (1, 1)),
    (["/update/present?amount=1", "/update/present?amount=1"], (0, 1)),
    (["/update/present?amount=9", "/update/present?amount=0"], (0, 0)),
    (["/update/new?amount=1"], (0, 0)),
]


@pytest.mark.parametrize(("targets", "worth"), WORTH, ids=str)
async def test_stats_count_what_was_done(tmp_path: Path, targets: Sequence[str], worth: tuple[int, int]) -> None:
    async with in_process(tmp_path) as site:
        await site.ask("/create?key=present")
        for target in targets:
            await keyed(site, target)
        told = (await site.ask("/stats")).json()
        assert (told["keys_created"] - 1, told["keys_updated"]) == worth
        assert told["requests"] == 2 + len(targets)


async def test_after_a_full_queue_the_key_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with in_process(tmp_path) as site:
        with monkeypatch.context() as patched:
            patched.setattr(GatheringThread, "submit", _busy)
            assert (await keyed(site, "/hit/visits")).status == 503
        assert (await keyed(site, "/hit/visits")).text == '{"value":1}'
        assert (await site.ask("/stats")).json()["requests"] == 3


def _busy(_thread: object, _item: object) -> None:
    raise StoreBusy


def everything_in(data: Path) -> bytes:
    return b"".join(file.read_bytes() for file in data.iterdir() if file.is_file())


async def test_the_key_itself_is_not_kept(tmp_path: Path) -> None:
    async with in_process(tmp_path) as site:
        await keyed(site, "/hit/a-counter", "a-secret-of-the-sender")
    kept = await asyncio.to_thread(everything_in, tmp_path)
    assert b"a-counter" in kept
    assert b"a-secret-of-the-sender" not in kept


FRESH = [f"fresh-{number}" for number in range(8)]


async def statuses(site: InProcess, targets: Sequence[str], keys: Sequence[str], client: str) -> list[int]:
    answers = [
        await site.ask(target, headers=[("Idempotency-Key", key)], client=client)
        for target, key in zip(targets, keys, strict=True)
    ]
    return [answer.status for answer in answers]


async def test_an_address_sends_so_many_requests_with_a_key(tmp_path: Path) -> None:
    async with in_process(tmp_path, rate_limit=(Rate("keyed", 3, 60),)) as site:
        targets = ("/hit/visits", "/update/visits?amount=1", "/update/missing?amount=1", "/hit/visits", "/hit/orders")
        assert await statuses(site, targets, FRESH[:5], "192.0.2.1") == [200, 200, 404, 429, 429]
        refused = await keyed(site, "/hit/visits", FRESH[3])
        assert refused.status == 200  # of another address; and nothing was kept of the refusal
        answer = await site.ask("/hit/visits", headers=[("Idempotency-Key", "more")], client="192.0.2.1")
        assert answer.json() == {"error": "Too many requests with an Idempotency-Key. Try again in 60 seconds."}
        assert (answer.headers["retry-after"], answer.path) == ("60", "default/visits")
        image = await site.ask("/hit/visits?img", headers=[("Idempotency-Key", "more")], client="192.0.2.1")
        assert (image.status, image.headers["content-type"]) == (429, "image/gif")
        # What has no key, or passes it over, is not limited.
        assert await value(site) == 3
        assert (await site.ask("/hit/visits", client="192.0.2.1")).status == 200
        assert await statuses(site, ["/get/visits"], ["more"], "192.0.2.1") == [200]


async def test_networks_of_ipv6_do_not_multiply_keyed_requests(tmp_path: Path) -> None:
    async with in_process(tmp_path, rate_limit=(Rate("keyed", 1, 60),)) as site:
        clients = [f"2001:db8:1:{number:x}::1" for number in range(6)]
        answers = [await statuses(site, ["/hit/visits"], [client], client) for client in clients]
        assert answers == [[200]] * 4 + [[429]] * 2
        assert await statuses(site, ["/hit/visits"], ["new"], "2001:db8:1:0:ffff::1") == [429]


@pytest.mark.parametrize(
    ("rates", "status"), [((), 429), ((Rate("keyed", None, 0),), 200), ((Rate("", None, 0),), 200)]
)
def test_all_addresses_together_are_limited_unless_the_limit_is_lifted(rates: tuple[Rate, ...], status: int) -> None:
    limit = KeyedLimit(limits(*rates), ClientAddresses(), an_hour=3)
    admissions = [limit.admit({"client": (f"192.0.2.{number}", 1), "headers": []}) for number in range(4)]
    assert [429 - 229 * admission.admitted for admission in admissions] == [200, 200, 200, status]
