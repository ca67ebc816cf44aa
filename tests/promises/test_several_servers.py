"""Two server processes on one PostgreSQL: programs may send each request to either of them."""

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from websockets.sync.client import connect

from support.live_server import LiveServer, Person
from support.postgres import Postgres
from support.server import running_server

LATER_S = 30.0
AT_ONCE = 20
LOGINS, UNKNOWN_TOKENS = 20, 30
"""Defaults of ``--rate-limit``."""


class Servers(NamedTuple):
    """Two servers, and a person who shares counters, as a client of each."""

    one: LiveServer
    two: LiveServer
    here: Person
    there: Person


@pytest.fixture(scope="module")
def servers(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder: Path = tmp_path_factory.mktemp("several")
    with ExitStack() as stack:
        url = stack.enter_context(postgres.fresh_database(migrated=True))
        one, two = (
            LiveServer(stack.enter_context(running_server(folder / name, database=url))) for name in ("one", "two")
        )
        for server in (one, two):
            stack.callback(server.http.close)
        ada = one.person()
        yield Servers(one, two, ada, Person(two, ada.account, ada.token))


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LATER_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_ticket_of_one_server_opens_a_socket_on_the_other(servers: Servers) -> None:
    counter = servers.here.new_counter()
    ticket = servers.here.ask("POST", "/v1/ws/tickets").json()["ticket"]
    with connect(f"{servers.two.sockets_url}/v1/ws?ticket={ticket}") as socket:
        assert servers.here.increment(counter) == 1
        assert json.loads(socket.recv(timeout=LATER_S))["params"]["counterId"] == counter


def test_a_stream_goes_on_at_the_other_server_where_it_was(servers: Servers) -> None:
    counter = servers.here.new_counter()
    with events(servers.one, servers.here) as stream:
        place = next(stream)["id"]
    for _ in range(2):
        servers.here.increment(counter)
    with events(servers.two, servers.there, place) as stream:
        assert json.loads(next(stream)["data"])["recovered"]
        servers.here.increment(counter)
        assert [json.loads(next(stream)["data"])["value"] for _ in range(3)] == [1, 2, 3]


@contextmanager
def events(server: LiveServer, person: Person, last: str = "") -> Iterator[Iterator[dict[str, str]]]:
    """The fields of a stream's events, which goes on behind the last one."""
    headers = {**person.headers, **({"last-event-id": last} if last else {})}
    with server.http.stream("GET", f"{server.url}/v2/events", headers=headers) as response:
        assert response.status_code == 200
        yield _events(response)


def _events(response: httpx.Response) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield fields
            fields = {}


@pytest.mark.parametrize("way", ["public", "shared", "many"])
def test_a_request_with_a_key_that_reaches_both_at_once_counts_once(servers: Servers, way: str) -> None:
    counter = servers.here.new_counter() if way == "shared" else ""
    name = f"keyed.example/{way}"

    def send(number: int) -> int:
        server = (servers.one, servers.two)[number % 2]
        headers = {**servers.here.headers, "idempotency-key": f'"{way}-{number // 2}-0123456789"'}
        match way:
            case "public":
                return httpx.get(f"{server.url}/hit/{name}", headers=headers).status_code
            case "shared":
                return httpx.post(f"{server.url}/v1/counters/{counter}/increment", headers=headers).status_code
        body = {"counters": [{"namespace": "keyed.example", "key": way, "amount": 1}]}
        return httpx.post(f"{server.url}/api/counters/add", json=body, headers=headers).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(send, range(2 * AT_ONCE)))
        assert set(statuses) <= {200, 409}
        assert all(200 in statuses[place : place + 2] for place in range(0, 2 * AT_ONCE, 2))
        assert set(threads.map(send, range(2 * AT_ONCE))) == {200}, "each is replayed"
    if way == "shared":
        assert servers.there.ask("GET", f"/v2/counters/{counter}").json()["value"] == AT_ONCE
    else:
        assert httpx.get(f"{servers.two.url}/get/{name}").json() == {"value": AT_ONCE}


def client(address: str) -> httpx.Client:
    """A client with an address of its own, which no other test uses up the limits of."""
    return httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=30)


def test_attempts_at_logins_are_limited_over_both(servers: Servers) -> None:
    statuses = []
    with client("127.0.0.81") as guesser:
        for number in range(LOGINS + 3):
            server = (servers.one, servers.two)[number % 2]
            token = re.search(r'name="token" value="(\w+)"', guesser.get(f"{server.url}/login").text)
            assert token
            answer = guesser.post(f"{server.url}/setup", data={"token": token[1], "code": f"guess {number}"})
            statuses.append(answer.status_code)
    assert statuses == [422] * LOGINS + [429] * 3


def test_requests_of_one_client_are_limited_over_both(servers: Servers) -> None:
    with client("127.0.0.82") as stranger:

        def asks(server: LiveServer) -> int:
            return stranger.get(f"{server.url}/v1/counters", headers={"authorization": "Bearer unknown"}).status_code

        assert [asks(servers.one) for _ in range(UNKNOWN_TOKENS + 1)] == [401] * UNKNOWN_TOKENS + [429]
        until(lambda: asks(servers.two) == 429)
