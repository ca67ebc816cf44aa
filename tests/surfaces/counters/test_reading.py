"""Reading public counters through our own API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.in_process import InProcess, in_process
from tallystick.web.rate_limit import Rate

UNLIMITED = (Rate("", None, 0),)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path, rate_limit=UNLIMITED) as running:
        yield running


async def test_a_counter_is_read_without_counting(site: InProcess) -> None:
    await site.ask("/create?namespace=mysite.com&key=visits.all&value=41&update_lowerbound=-2&enable_reset=1")
    for path in ("/api/counters/mysite.com/visits.all", "/api/counters/mysite.com/visits.all/"):
        answer = await site.ask(path)
        assert answer.status == 200
        told = answer.json()
        assert told.pop("created") < told.pop("expires")
        assert told == {
            "namespace": "mysite.com",
            "key": "visits.all",
            "value": 41,
            "version": 1,
            "lower": -2,
            "upper": 1,
            "resettable": True,
            "owned": False,
            "locked": False,
            "frozen": False,
            "label": "",
            "origins": [],
            "unique": None,
        }
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "no-store"
    assert (await site.ask("/get/mysite.com/visits.all")).json() == {"value": 41}
    head = await site.ask(path, method="HEAD")
    assert (head.status, head.body) == (200, b"")


REFUSED = [
    ("GET", "/api/counters/mysite.com/missing", 404, "no-such-counter", None),
    ("GET", "/api/counters/ab/visits", 400, "malformed-name", "namespace"),
    ("GET", "/api/counters/mysite.com/%C3%A4%C3%A4%C3%A4", 400, "malformed-name", "key"),
    ("GET", "/api/counters/mysite.com/visits/all", 404, "not-found", None),
    ("PUT", "/api/counters/mysite.com/visits", 405, "method-not-allowed", None),
    ("GET", f"/api/counters/mysite.com/visits?{'x' * 8_200}", 414, "query-too-long", None),
]


async def test_refusals_have_one_form(site: InProcess) -> None:
    for method, path, status, code, field in REFUSED:
        answer = await site.ask(path, method=method)
        error = answer.json()["error"]
        assert (answer.status, error["code"], error.get("field")) == (status, code, field), path
        assert answer.headers["access-control-allow-origin"] == "*"
        assert error["message"]


async def test_pages_of_any_origin_may_ask(site: InProcess) -> None:
    answer = await site.ask(
        "/api/counters/mysite.com/visits", method="OPTIONS", headers=[("origin", "https://a.example")]
    )
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Authorization" in answer.headers["access-control-allow-headers"]


async def test_an_address_may_ask_so_often(tmp_path: Path) -> None:
    async with in_process(tmp_path, rate_limit=(Rate("counters", 2, 60),)) as site:
        answers = [await site.ask("/api/counters/mysite.com/missing") for _ in range(3)]
        other = await site.ask("/api/counters/mysite.com/missing", client="192.0.2.9")
    assert [answer.status for answer in answers] == [404, 404, 429]
    assert answers[-1].json()["error"]["code"] == "rate-limited"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert other.status == 404


async def test_switched_off_counters_are_not_read(tmp_path: Path) -> None:
    async with in_process(tmp_path, public_counters="off") as site:
        answer = await site.ask("/api/counters/mysite.com/visits")
    assert (answer.status, answer.json()["error"]["code"]) == (403, "public-counters-off")
