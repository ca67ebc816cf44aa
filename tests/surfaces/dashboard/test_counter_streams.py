"""The stream of a person's counters: what it sends, and that it ends with the login."""

import asyncio
from typing import Any, cast

import pytest
from starlette.requests import Request

from builders import NOW
from support.pages import Pages, token_in
from support.sharing import a_counter
from tallystick.ledger import Ledger
from tallystick.model.change import Change, state_event
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.accounts.logouts import Logouts
from tallystick.services.accounts.superuser_logins import SuperuserLogins
from tallystick.services.feed.following import Following
from tallystick.surfaces.dashboard.counters import streams
from tallystick.surfaces.dashboard.counters.streams import CounterStreams
from tallystick.surfaces.dashboard.support.event_streams import ENDED
from tallystick.surfaces.dashboard.support.language import Languages
from tallystick.surfaces.dashboard.support.page_request import PageGuard

WITHIN_S = 20.0


@pytest.fixture
def ledger_url() -> None:
    """SQLite alone: what a database could change about it is tested below the pages."""


class Changing:
    """A subscription in which one change follows the other, so that nobody ever waits long."""

    def __init__(self, counter: SharedCounter) -> None:
        self._change = state_event(counter, 1, NOW)
        self.closed = False

    async def subscribe(self, *_: object) -> "Changing":
        return self

    async def next(self) -> Change:
        await asyncio.sleep(0.001)
        return self._change

    def close(self) -> None:
        self.closed = True


async def test_it_ends_with_the_login_while_changes_follow_one_another(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CHECKED_EVERY_S", 0.05)
    pages, body, left = Pages(ledger), bytearray(), asyncio.Event()
    guard = PageGuard(ledger, pages.setup, SuperuserLogins(ledger), Logouts(ledger), Languages.load())
    async with pages.ada() as ada:
        cookies = "; ".join(f"{name}={value}" for name, value in ada.client.cookies.items())
        scope = {"type": "http", "method": "GET", "path": "/counters/live", "query_string": b""}
        request = await guard.page_request(Request({**scope, "headers": [(b"cookie", cookies.encode())]}))
        changing = Changing(await a_counter(ledger, request.account, "Cups of tea", value=3))

        async def receive() -> dict[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            body.extend(message.get("body", b""))

        response = await CounterStreams(ledger, cast("Following", changing), guard).stream(request)
        sending = asyncio.create_task(response(scope, receive, send))
        try:
            async with asyncio.timeout(WITHIN_S):
                while body.count(b'"value":"3"') < 200:  # noqa: ASYNC110  # nothing tells when it is
                    await asyncio.sleep(0.001)
                assert not sending.done(), "checks that find the login do not end it"
                await ada.send("/logout", {"token": token_in((await ada.get("/counters")).text)})
                await sending
        finally:
            left.set()
    assert body.endswith(ENDED)
    assert body.count(b"event: ended") == 1
    assert changing.closed
