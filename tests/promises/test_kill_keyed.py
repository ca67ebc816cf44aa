"""Hits and lists with a key, sent again after a kill -9 until they are answered, are counted exactly once."""

import asyncio
import random
from itertools import count
from pathlib import Path

from support.load import GONE, Connection, Reply
from support.server import RunningServer, running_server

LISTED = "example.com/listed"
"""What is counted with ``POST /api/counters/add``, together with another counter."""
COUNTERS = ("example.com/hot", "example.com/visits", LISTED)
ADDITIONS = {"counters": [{"namespace": "example.com", "key": key, "amount": 1} for key in ("listed", "beside")]}
CLIENTS = 16
KILLS = 2

Request = tuple[str, str]
"""A counter and a key."""


async def ask(connection: Connection, request: Request) -> Reply:
    counter, key = request
    if counter == LISTED:
        reply = await connection.post("/api/counters/add", ADDITIONS, f"Idempotency-Key: {key}")
        first, second = reply.body["results"]
        assert first["value"] == second["value"], "one of two additions of a request was lost"
    else:
        reply = await connection.get(f"/hit/{counter}", f"Idempotency-Key: {key}")
        first = reply.body
    assert reply.status == 200
    return reply._replace(body={"value": first["value"]})


class Senders:
    """Clients that send a request until it is answered, also over a restart.

    Attributes:
        answers: the value that each request was answered with.
        open: the request of each client that has no answer yet.
    """

    def __init__(self) -> None:
        self.answers: dict[Request, int] = {}
        self.open: dict[int, Request] = {}
        self._numbers = count(1)

    async def send(self, server: RunningServer, *, kill_after: int | None) -> None:
        """Send, and kill the server soon after so many requests; without that, send only what is open."""
        begun = count(1)
        gone = asyncio.Event()

        def kill() -> None:
            server.process.kill()
            gone.set()

        async def client(number: int) -> None:
            async with Connection.to(server) as connection:
                while not gone.is_set() and (request := self._next(number, new=kill_after is not None)):
                    if next(begun) == kill_after:
                        # At any moment between this request and its answer.
                        asyncio.get_running_loop().call_later(random.uniform(0, 0.005), kill)
                    self.answers[request] = (await ask(connection, request)).body["value"]
                    del self.open[number]

        ends = await asyncio.gather(*map(client, range(CLIENTS)), return_exceptions=True)
        assert all(end is None or isinstance(end, GONE) for end in ends), ends

    def _next(self, number: int, *, new: bool) -> Request | None:
        if new and number not in self.open:
            self.open[number] = (COUNTERS[number % len(COUNTERS)], f"request-number-{next(self._numbers):06}")
        return self.open.get(number)


async def send_again(server: RunningServer, answers: dict[Request, int]) -> None:
    async with Connection.to(server) as connection:
        for request, value in answers.items():
            reply = await ask(connection, request)
            assert (reply.body, b"idempotent-replayed: true" in reply.head.lower()) == ({"value": value}, True)


def test_keyed_hits_are_counted_exactly_once(tmp_path: Path, database_url: str | None) -> None:
    senders = Senders()
    for _ in range(KILLS):
        with running_server(tmp_path, database=database_url) as server:
            asyncio.run(senders.send(server, kill_after=random.randint(1, 150)))
            server.process.wait(timeout=30)
    with running_server(tmp_path, database=database_url) as server:
        asyncio.run(senders.send(server, kill_after=None))
        asyncio.run(send_again(server, senders.answers))
        for counter in COUNTERS:
            values = [value for (counted, _), value in senders.answers.items() if counted == counter]
            assert sorted(values) == list(range(1, len(values) + 1))
            assert server.get(f"/get/{counter}").json()["value"] == (len(values) or None)
        beside = sum(counted == LISTED for counted, _ in senders.answers)
        assert server.get("/stats").json()["keys_updated"] == len(senders.answers) + beside
