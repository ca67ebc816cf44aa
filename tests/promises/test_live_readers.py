"""Live connections that do not read cost the server nothing, and a restart does not wait for anybody."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import pytest

from support.live_server import LiveServer, Person, frame, live_server

UPGRADE = (
    "GET /v2/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
)
EVENTS = "GET /v2/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
PUBLIC = "GET /live/example.com/followed HTTP/1.1\r\nHost: x\r\n\r\n"
MANY = 200
WATCHING = 1_100
READERS = 20
CHANGES = 20_000
AT_ONCE = 500
GROWTH = 30_000_000
"""Bytes. What is told to each of the readers that do not read would be 7 MB."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("readers") / "data") as running:
        yield running


def memory(server: LiveServer) -> int:
    """Resident bytes of the server."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.server.process.pid}/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) * 1024


@contextmanager
def silent(url: str, request: str, person: Person) -> Iterator[socket.socket]:
    """A client that asks, reads the first bytes of the answer and nothing more."""
    host, port = re.sub(r"^\w+://", "", url).split(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.settimeout(30)
        client.connect((host, int(port)))
        client.sendall(request.format(token=person.token).encode())
        assert client.recv(12).startswith(b"HTTP/1.1 ")
        yield client


def test_who_stops_reading_does_not_grow_the_server(server: LiveServer) -> None:
    ada = server.person()
    counter = ada.new_counter()
    kinds = [UPGRADE, EVENTS]

    async def change_while_one_reads() -> None:
        async with server.socket(ada, "/v2/ws") as reading:
            before = memory(server)
            changing = asyncio.create_task(asyncio.to_thread(change))
            value = 0
            while value < CHANGES:
                value = (await frame(reading))["params"]["value"]
            await changing
            assert memory(server) - before < GROWTH

    def change() -> None:
        operations = {"operations": [{"operation": "increment"}] * AT_ONCE}
        for _ in range(CHANGES // AT_ONCE):
            assert ada.ask("POST", f"/v1/counters/{counter}/batch", operations).status_code == 200

    with ExitStack() as clients:
        for request in kinds * READERS:
            clients.enter_context(silent(server.url, request, ada))
        asyncio.run(change_while_one_reads())


def test_more_watch_a_public_counter_from_one_address_than_a_server_by_itself_answers_at_once(
    server: LiveServer,
) -> None:
    server.server.get("/hit/example.com/followed")
    anyone = server.person()
    with ExitStack() as clients:
        watching = [clients.enter_context(silent(server.url, PUBLIC, anyone)) for _ in range(WATCHING)]
        assert server.server.get("/hit/example.com/followed").json() == {"value": 2}
        for client in watching:
            told = b""
            while b'"value":2' not in told:
                told += (piece := client.recv(4_096))
                assert piece, "it goes on"


def test_a_restart_closes_all_with_1012_and_is_quick(tmp_path: Path) -> None:
    with live_server(tmp_path / "data") as server:
        ada = server.person()
        with ExitStack() as clients:
            opened = [clients.enter_context(silent(server.url, UPGRADE, ada)) for _ in range(MANY)]
            streams = [clients.enter_context(silent(server.url, EVENTS, ada)) for _ in range(MANY)]
            begun = time.monotonic()
            assert server.server.stop() == 0
            assert time.monotonic() - begun < 10
            for client in opened:
                assert b"\x88" in (told := everything(client))
                assert told.rpartition(b"\x88")[2][1:3] == (1012).to_bytes(2, "big")
            for client in streams:
                assert everything(client).endswith(b"0\r\n\r\n"), "a stream ends as streams do"


def test_streams_that_come_again_at_once_do_not_delay_a_restart(tmp_path: Path) -> None:
    with live_server(tmp_path / "data") as server, ExitStack() as clients:
        ada = server.person()
        server.server.get("/hit/example.com/followed")
        # Its goodbye goes unread, and the server waits for that a while.
        clients.enter_context(silent(server.url, UPGRADE, ada))
        answers: list[bytes] = []
        following = [Thread(target=follow, args=(server.url, request, ada, answers)) for request in (EVENTS, PUBLIC)]
        for thread in following:
            thread.start()
        while len(answers) < len(following):
            time.sleep(0.01)
        begun = time.monotonic()
        assert server.server.stop() == 0
        assert time.monotonic() - begun < 4
        for thread in following:
            thread.join()
        assert set(answers) == {b"HTTP/1.1 200"}, "after anything else an EventSource gives up"


def follow(url: str, request: str, person: Person, answers: list[bytes]) -> None:
    """Read a stream, and come again as soon as it ends, until nobody listens."""
    host, port = url.removeprefix("http://").split(":")
    while True:
        try:
            with socket.create_connection((host, int(port)), timeout=30) as client:
                client.sendall(request.format(token=person.token).encode())
                if status := client.recv(12):
                    answers.append(status)
                while (piece := client.recv(65_536)) and not piece.endswith(b"0\r\n\r\n"):
                    pass
        except OSError:
            return


def everything(client: socket.socket) -> bytes:
    """What a client was sent, to the end."""
    told = b""
    while piece := client.recv(65_536):
        told += piece
    return told


def test_the_kernel_looks_after_connections(server: LiveServer) -> None:
    with silent(server.url, UPGRADE, server.person()) as peer:
        assert timer_of(peer), "keepalive"


def timer_of(client: socket.socket) -> bool:
    """Whether the other end of a connection has a keepalive timer (2 in the column ``tr``)."""
    port, own = (f"{each[1]:04X}" for each in (client.getpeername(), client.getsockname()))
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        _, local, remote, _, _, timer, *_ = line.split()
        if local.endswith(f":{port}") and remote.endswith(f":{own}"):
            return timer.startswith("02:")
    return False
