"""Who may ask how often, and what everyone is told about it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from support.asking import Answer
from support.counting_together import READ, Person, Together, counting_together
from tallystick.surfaces.counttogether import authorization
from tallystick.surfaces.counttogether.authorization import secret_in
from tallystick.surfaces.counttogether.errors import response_to
from tallystick.web.rate_limit import Rate
from tallystick.web.refusals import Unauthorized

HEADERS = ("ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


def told(headers: dict[str, str]) -> list[str]:
    return [headers[name] for name in HEADERS]


async def test_one_window_for_everything_that_a_person_asks_by_any_token(tmp_path: Path) -> None:
    async with counting_together(tmp_path, rate_limit=(Rate("counttogether", 6, 3_600),)) as together:
        ada, bob = await together.person("Ada"), await together.person("Bob")
        other = await together.token(ada, READ)
        asked: list[tuple[str, str, str]] = [
            ("GET", "/v1/counters", ""),
            ("GET", "/v2/counters", other),
            ("GET", "/v1/nothing", ""),
            ("POST", "/v1/counters", ""),
            ("POST", "/v1/counters", other),
            ("DELETE", "/v1/batch", ""),
        ]
        statuses = []
        for number, (method, target, token) in enumerate(asked, 1):
            answer = await ada.ask(method, target, token=token)
            statuses.append(answer.status)
            assert told(answer.headers) == [
                '"user";q=6;w=3600',
                f'"user";r={6 - number};t=3600',
                "6",
                f"{6 - number}",
                "3600",
            ]
        assert statuses == [200, 200, 404, 400, 403, 405]
        assert (await bob.ask("GET", "/v1/counters")).status == 200
        waiting = await _waiting(ada, 2)
        refused = await ada.ask("GET", "/v1/nothing")
        assert (refused.status, refused.json()["code"], refused.json()["name"]) == (429, -1429, "RateLimitExceeded")
        assert int(refused.headers["retry-after"]) >= int(refused.headers["x-ratelimit-reset"]) > 3_500
        assert (await together.running.ask("/v1/counters", method="OPTIONS")).status == 200
        await _give_up(waiting)


async def _waiting(person: Person, places: int) -> list[asyncio.Task[Answer]]:
    """Requests that wait in the queue."""
    waiting = [asyncio.create_task(person.ask("GET", "/v1/counters")) for _ in range(places)]
    _, pending = await asyncio.wait(waiting, timeout=0.05)
    assert len(pending) == places
    return waiting


async def _give_up(waiting: list[asyncio.Task[Answer]]) -> None:
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_two_wait_and_are_answered(tmp_path: Path) -> None:
    async with counting_together(tmp_path, rate_limit=(Rate("counttogether", 2, 1),)) as together:
        ada = await together.person("Ada")
        answers = await asyncio.gather(*(ada.ask("GET", "/v2/counters") for _ in range(5)))
        assert sorted(answer.status for answer in answers) == [200, 200, 200, 200, 429]


async def test_nobody_waits_longer_than_a_few_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert authorization.PATIENCE_S == 3.0
    monkeypatch.setattr(authorization, "PATIENCE_S", 0.1)
    async with counting_together(tmp_path, rate_limit=(Rate("counttogether", 1, 3_600),)) as together:
        ada = await together.person("Ada")
        assert (await ada.ask("GET", "/v2/counters")).status == 200
        async with asyncio.timeout(5):
            late = await asyncio.gather(*(ada.ask("GET", "/v2/counters") for _ in range(2)))
        for answer in late:
            assert (answer.status, answer.json()["name"]) == (429, "RateLimitExceeded")
            assert 3_500 < int(answer.headers["retry-after"]) <= 3_600
        # Who gave up holds no place.
        await _give_up(await _waiting(ada, 1))


async def test_who_hangs_up_while_waiting_makes_place_for_another(tmp_path: Path) -> None:
    async with counting_together(tmp_path, rate_limit=(Rate("counttogether", 1, 3_600),)) as together:
        ada = await together.person("Ada")
        await ada.ask("GET", "/v2/counters")
        hangs_up = [asyncio.Event() for _ in range(2)]
        waiting = [asyncio.create_task(_raw(together.surface.http, ada.token, event)) for event in hangs_up]
        await asyncio.sleep(0.05)
        assert (await ada.ask("GET", "/v2/counters")).status == 429
        for event in hangs_up:
            event.set()
        await asyncio.gather(*waiting)
        await _give_up(await _waiting(ada, 2))


async def _raw(application: Any, token: str, hung_up: asyncio.Event) -> None:
    """A request whose client hangs up."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/counters",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {token}".encode()), (b"content-length", b"2")],
        "client": ("127.0.0.1", 1),
    }
    body = [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if body:
            return body.pop()
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        """Nobody reads it."""

    await application(scope, receive, send)


async def test_unknown_tokens_are_limited_by_address_and_good_ones_are_not(tmp_path: Path) -> None:
    async with counting_together(tmp_path, rate_limit=(Rate("unknown-token", 2, 3_600),)) as together:
        ada = await together.person("Ada")

        async def ask(token: str | None, client: str = "192.0.2.1") -> Any:
            headers = [] if token is None else [("authorization", f"Bearer {token}")]
            return await together.running.ask("/v1/counters", headers=headers, client=client)

        assert [(await ask(None)).status for _ in range(4)] == [401] * 4
        answers = [await ask(f"guess-{number}") for number in range(4)]
        assert [answer.status for answer in answers] == [401, 401, 429, 429]
        assert int(answers[-1].headers["retry-after"]) > 3_500
        assert "ratelimit" not in answers[-1].headers
        assert (await ask("guess", "192.0.2.2")).status == 401
        assert (await ask(ada.token)).status == 200


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/v1/counters"), ("POST", "/v2/counters/x/increment"), ("GET", "/v1/events"), ("POST", "/v1/ws/tickets")],
)
async def test_beyond_the_limit_unknown_tokens_are_not_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, target: str
) -> None:
    async with counting_together(tmp_path, rate_limit=(Rate("unknown-token", 2, 3_600),)) as together:
        ada, looked_up, read = await together.person("Ada"), [], together.ledger.read

        async def counted(function: Any, *arguments: Any) -> Any:
            looked_up.append(function.__name__)
            return await read(function, *arguments)

        monkeypatch.setattr(together.ledger, "read", counted)

        async def ask(token: str) -> int:
            headers = [("authorization", f"Bearer {token}")]
            return (await together.running.ask(target, method=method, headers=headers)).status

        statuses = await asyncio.gather(*(ask(f"guess-{number}") for number in range(30)))
        assert sorted(statuses) == [401] * 2 + [429] * 28
        assert looked_up.count("stored_principal") == 2  # live connections read changes meanwhile
        assert looked_up.count("_every_digest") <= 2  # once a second
        assert (await ada.ask("GET", "/v1/counters")).status == 200


async def test_without_a_limit_nothing_is_told_of_it(ada: Person) -> None:
    answer = await ada.ask("GET", "/v1/counters")
    assert not [name for name in answer.headers if "ratelimit" in name]


def scope_with(*values: bytes) -> dict[str, Any]:
    return {"headers": [(b"host", b"x"), *((b"authorization", value) for value in values)]}


@pytest.mark.parametrize("header", [b"Bearer abc", b"bearer abc", b"BEARER\tabc", b"  Bearer   abc  "])
def test_a_token_is_shown_as_bearer_in_any_case(header: bytes) -> None:
    assert secret_in(scope_with(header)) == "abc"


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (b"",),
        (b"Bearer",),
        (b"Bearer ",),
        (b"Bearer a b",),
        (b"Basic YTpi",),
        (b"Digest abc",),
        (b"abc",),
        (b"Bearer abc", b"Bearer abc"),
        (b"Bearer abc", b""),
        (b"Bearer abc, Basic YTpi",),
    ],
)
def test_a_header_that_shows_no_token_is_no_error_of_a_token(headers: tuple[bytes, ...]) -> None:
    with pytest.raises(Unauthorized) as refused:
        secret_in(scope_with(*headers))
    assert response_to(refused.value).headers == ((b"www-authenticate", b'Bearer realm="counttogether"'),)


async def test_a_token_in_the_url_is_refused_even_a_good_one(together: Together, ada: Person) -> None:
    for query in ("token=x", "a=1&access_token=x", "token={}", "timezone=UTC&token={}"):
        target = "/v1/counters?" + query.format(ada.token)
        for answer in (await ada.ask("GET", target), await together.running.ask(target)):
            assert answer.status == 401
            assert "URL" in answer.json()["message"]
            assert ada.token not in answer.text
    assert (await ada.ask("GET", "/v1/counters?my_token=x")).status == 200
