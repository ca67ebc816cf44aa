"""Increments over real connections: each counts once, also one whose client has gone before the answer."""

import asyncio
import re
import socket
import time
from contextlib import closing
from pathlib import Path

from support.live_server import LiveServer, Person, live_server

GONE, STAYING = 150, 40


def request(person: Person, counter: str) -> bytes:
    head = f"POST /v1/counters/{counter}/increment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
    return f"{head}Authorization: Bearer {person.token}\r\n\r\n".encode()


def taken(server: LiveServer) -> int:
    """How many requests the hot lane has taken."""
    found = re.search(
        r"^tallystick_hot_requests_total ([0-9.e+]+)$", server.http.get(f"{server.url}/metrics").text, re.MULTILINE
    )
    assert found is not None
    return int(float(found[1]))


def hang_up(server: LiveServer, sent: bytes, number: int) -> None:
    """Send a request and go, politely or with a reset."""
    host, port = server.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=30)) as connection:
        connection.sendall(sent)
        if number % 2:
            connection.shutdown(socket.SHUT_WR)


async def values(server: LiveServer, sent: bytes) -> list[int]:
    """Send an increment many times on one connection, each after the answer of the one before."""
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answers = []
    for _ in range(STAYING):
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        length = re.search(rb"content-length: ([0-9]+)", head)
        assert length is not None
        answers.append(int(await reader.readexactly(int(length[1]))))
    writer.close()
    await writer.wait_closed()
    return answers


async def test_every_increment_counts_once_whether_its_client_stays_or_not(tmp_path: Path) -> None:
    with live_server(tmp_path / "data", "--rate-limit", "off") as server:
        ada = server.person()
        counter = ada.new_counter()
        before = taken(server)
        sent = request(ada, counter)

        def go() -> None:
            for number in range(GONE):
                hang_up(server, sent, number)

        first, second, _ = await asyncio.gather(values(server, sent), values(server, sent), asyncio.to_thread(go))
        expected = GONE + 2 * STAYING
        await asyncio.to_thread(rises_to, expected, ada, counter)
        assert first == sorted(set(first))
        assert second == sorted(set(second))
        assert not set(first) & set(second)
        history = ada.ask("GET", f"/v1/counters/{counter}/history?limit=1000").json()
        assert sorted(each["value"] for each in history if each["kind"] == "value") == list(range(1, expected + 1))
        assert taken(server) > before + GONE


def rises_to(expected: int, person: Person, counter: str) -> None:
    """Wait until a counter has a value; later it has no other one."""
    deadline = time.monotonic() + 10
    while (value := value_of(person, counter)) < expected and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    assert (value, value_of(person, counter)) == (expected, expected)


def value_of(person: Person, counter: str) -> int:
    return int(person.ask("GET", f"/v2/counters/{counter}").json()["value"])
