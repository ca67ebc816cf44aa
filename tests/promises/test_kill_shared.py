"""Changes of shared counters with keys, sent again after a kill -9 until they are answered, are carried out once."""

import asyncio
import random
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from support.live_server import LiveServer, Person, live_server

CLIENTS = 12
KILLED_WITHIN = 150


class Request(NamedTuple):
    """One request; its key is its name.

    Attributes:
        changes: by how much it changes each counter.
        body: JSON; None for none.
    """

    key: str
    path: str
    changes: dict[str, int]
    body: Any = None


class Senders:
    """Clients that send a request until it is answered, also over a restart.

    Attributes:
        answers: what each request was answered with.
        open: the request of each client that has no answer yet.
    """

    def __init__(self, people: list[Person], counters: list[str]) -> None:
        self.people, self.counters = people, counters
        self.answers: dict[str, tuple[int, Request, str]] = {}
        self.open: dict[int, Request] = {}
        self._numbers = count(1)

    async def send(self, server: LiveServer, *, kill_after: int | None) -> None:
        """Send, and kill the server soon after so many requests; without that, send only what is open."""
        begun = count(1)
        gone = asyncio.Event()

        def kill() -> None:
            server.server.process.kill()
            gone.set()

        async def client(number: int) -> None:
            async with self._connection(server, number) as connection:
                while not gone.is_set() and (request := self._next(number, new=kill_after is not None)):
                    if next(begun) == kill_after:
                        # At any moment between this request and its answer.
                        asyncio.get_running_loop().call_later(random.uniform(0, 0.005), kill)
                    answer = await ask(connection, request)
                    self.answers[request.key] = (number, request, answer.text)
                    del self.open[number]

        ends = await asyncio.gather(*map(client, range(CLIENTS)), return_exceptions=True)
        assert all(end is None or isinstance(end, httpx.TransportError) for end in ends), ends

    async def send_again(self, server: LiveServer) -> None:
        """Send everything that was answered; nothing happens."""
        for number in range(CLIENTS):
            async with self._connection(server, number) as connection:
                for sender, request, text in self.answers.values():
                    if sender == number:
                        answer = await ask(connection, request)
                        assert (answer.text, answer.headers["idempotent-replayed"]) == (text, "true")

    def _connection(self, server: LiveServer, number: int) -> httpx.AsyncClient:
        person = self.people[number % len(self.people)]
        return httpx.AsyncClient(base_url=server.url, headers=person.headers, timeout=30)

    def _next(self, number: int, *, new: bool) -> Request | None:
        if new and number not in self.open:
            self.open[number] = self._request(f"request-{next(self._numbers)}")
        return self.open.get(number)

    def _request(self, key: str) -> Request:
        counter, amount = random.choice(self.counters), random.randint(1, 9)
        kind = random.choice(("increment", "increment", "decrement", "batch", "create"))
        if kind == "create":
            return Request(key, "/v1/counters", {}, {"displayName": key, "type": "UpDown"})
        if kind == "batch":
            operations = [{"operation": "increment", "counterId": each, "amount": amount} for each in self.counters]
            return Request(key, "/v1/batch", dict.fromkeys(self.counters, amount), {"operations": operations})
        change = amount if kind == "increment" else -amount
        return Request(key, f"/v2/counters/{counter}/{kind}/{amount}", {counter: change})


async def ask(connection: httpx.AsyncClient, request: Request) -> httpx.Response:
    answer = await connection.post(request.path, json=request.body, headers={"idempotency-key": request.key})
    assert answer.is_success, answer.text
    return answer


def check(senders: Senders, server: LiveServer) -> None:
    """Each request was carried out once: the sums are exact, and the history has every change."""
    people = [Person(server, person.account, person.token) for person in senders.people]
    owner = people[0]
    requests = [request for _, request, _ in senders.answers.values()]
    for counter in senders.counters:
        history = owner.ask("GET", f"/v1/counters/{counter}/history?limit=1000").json()
        deltas = [entry["delta"] for entry in history if entry["kind"] == "value"]
        assert sorted(deltas) == sorted(each.changes[counter] for each in requests if counter in each.changes)
        assert [entry["version"] for entry in history] == list(range(1, len(history) + 1))
        assert owner.ask("GET", f"/v2/counters/{counter}").json()["value"] == sum(deltas)
    made = [each["name"] for person in people for each in person.ask("GET", "/v2/counters").json()]
    wanted = [request.key for request in requests if request.path == "/v1/counters"]
    assert sorted(name for name in made if name.startswith("request-")) == sorted(wanted)


def test_keyed_changes_of_shared_counters_are_carried_out_exactly_once(
    tmp_path: Path, database_url: str | None
) -> None:
    with live_server(tmp_path, database=database_url) as server:
        people = [server.person(name) for name in ("Ada", "Bob", "Cyd")]
        senders = Senders(people, [people[0].new_counter(), people[0].new_counter("Coffee cups")])
        for other in people[1:]:
            for counter in senders.counters:
                people[0].share(counter, other)
        asyncio.run(senders.send(server, kill_after=random.randint(1, KILLED_WITHIN)))
        server.server.process.wait(timeout=30)
    with live_server(tmp_path, database=database_url) as server:
        asyncio.run(senders.send(server, kill_after=None))
        asyncio.run(senders.send_again(server))
        check(senders, server)
