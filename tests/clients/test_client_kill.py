"""A client counts on while its server is killed and started again: exactly as often as it was asked to."""

import asyncio
import threading
from contextlib import aclosing
from pathlib import Path

import pytest

from support.clients import people_of_counters
from support.server import running_server
from tallystick.client import AsyncCountApi, AsyncCountTogether, CountTogether
from tallystick.client.events import CounterUpdated

PEOPLE, TIMES = 8, 25
RETRIES = 1_000
KILLED_AFTER = 60
"""Answers, of both APIs together."""


class Counting(threading.Thread):
    """Counts one shared and one public counter, with retries.

    Attributes:
        enough: set when it is time for the server to be killed.
        shared, public: every answer.
        told: every value of the shared counter that its events told of.
    """

    def __init__(self, url: str, token: str, counter: str) -> None:
        super().__init__()
        self._url, self._token, self._counter = url, token, counter
        self.enough = threading.Event()
        self.shared: list[int] = []
        self.public: list[int] = []
        self.told: list[int] = []

    def run(self) -> None:
        asyncio.run(self._count())

    async def _count(self) -> None:
        async with (
            AsyncCountTogether(self._url, self._token, retries=RETRIES) as together,
            AsyncCountApi(self._url, retries=RETRIES) as public,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._listen(together))
            for _ in range(PEOPLE):
                group.create_task(self._person(together, public))

    async def _listen(self, together: AsyncCountTogether) -> None:
        async with aclosing(together.events()) as events:
            async for event in events:
                if isinstance(event, CounterUpdated) and event.data and event.data.value is not None:
                    self.told.append(event.data.value)
                    if event.data.value == PEOPLE * TIMES:
                        return

    async def _person(self, together: AsyncCountTogether, public: AsyncCountApi) -> None:
        for _ in range(TIMES):
            self.shared.append(await together.increment(self._counter))
            self.public.append(await public.hit("visits"))
            if len(self.shared) + len(self.public) >= KILLED_AFTER:
                self.enough.set()


def test_every_retried_change_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("retrying", "streams"):
        monkeypatch.setattr(f"tallystick.client.{module}.PAUSES_S", (0.1,))
    (token,) = people_of_counters(tmp_path / "data", "Ada")
    with running_server(tmp_path / "data", "--rate-limit", "off") as server:
        with CountTogether(server.url, token) as api:
            made = api.create("Counted through a crash")
        counting = Counting(server.url, token, made.id)
        counting.start()
        assert counting.enough.wait(timeout=30)
        server.kill()
        assert counting.is_alive()
    address = server.url.removeprefix("http://")
    with running_server(tmp_path / "data", "--rate-limit", "off", listen=address) as server:
        counting.join(timeout=60)
        with CountTogether(server.url, token) as api:
            counted = api.counter(made.id).value
    assert counted == PEOPLE * TIMES
    # What a slow listener misses is merged: values may be left out, but none comes twice or late.
    assert counting.told == sorted(set(counting.told))
    assert counting.told[-1] == counted
    for answers in (counting.shared, counting.public):
        assert sorted(answers) == list(range(1, PEOPLE * TIMES + 1))
