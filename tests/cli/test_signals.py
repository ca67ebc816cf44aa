"""How a server stops."""

import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import apsw
import httpx
import pytest

from support.server import RunningServer, running_server

WITHIN_S = 30.0


def wait_for(text: str, server: RunningServer) -> None:
    """Wait until the server has printed something."""
    deadline = time.monotonic() + WITHIN_S
    while text not in server.output:
        assert time.monotonic() < deadline, server.output
        time.sleep(0.01)


@contextmanager
def commits_held_up(server: RunningServer) -> Iterator[None]:
    """While the block runs, the server can accept hits and commit none."""
    connection = apsw.Connection(str(server.data / "ledger.sqlite3"))
    connection.set_busy_timeout(int(WITHIN_S * 1000))  # what the server does at its start may still be committed
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


def accepted_hits(server: RunningServer, clients: ThreadPoolExecutor) -> list[Future[httpx.Response]]:
    """Hits that wait for a commit: one in the queue, the ones before it with the writer."""
    hits: list[Future[httpx.Response]] = []
    deadline = time.monotonic() + WITHIN_S
    with httpx.Client(base_url=server.url, timeout=WITHIN_S) as asking:
        while not queued(asking):
            assert time.monotonic() < deadline, "the server accepts nothing"
            hits.append(clients.submit(server.get, "/hit/example.com/visits"))
            # Requests of our own give the server the time to read the hit.
            any(queued(asking) for _ in range(100))
    return hits


def queued(asking: httpx.Client) -> int:
    """How many writes wait for their batch."""
    found = re.search(r"^tallystick_queue_length (\S+)$", asking.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_and_folds_the_wal_in(server: RunningServer, number: signal.Signals) -> None:
    assert server.get("/hit/example.com/visits").json() == {"value": 1}
    assert (server.data / "ledger.sqlite3-wal").stat().st_size > 0
    server.process.send_signal(number)
    assert server.process.wait(timeout=WITHIN_S) == 0
    assert {path.name for path in server.data.iterdir()} == {
        "ledger.sqlite3",
        "secret.key",
        "server.lock",
        "warehouse.duckdb",
        "warehouse.duckdb.lock",
        "warehouse-journal.sqlite3",
    }
    wait_for("stopped", server)
    assert "Traceback" not in server.output


def test_what_was_accepted_is_finished(server: RunningServer) -> None:
    with ThreadPoolExecutor() as clients:
        with commits_held_up(server):
            hits = accepted_hits(server, clients)
            server.process.send_signal(signal.SIGTERM)
            wait_for("stopping; accepted requests are finished", server)
        assert sorted(hit.result().json()["value"] for hit in hits) == list(range(1, len(hits) + 1))
    assert server.process.wait(timeout=WITHIN_S) == 0
    assert value_in(server) == len(hits)


def value_in(server: RunningServer) -> object:
    """What the ledger of a stopped server holds."""
    connection = apsw.Connection(str(server.data / "ledger.sqlite3"))
    try:
        return connection.execute("SELECT value FROM counter").get
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_at_once_and_loses_nothing_acknowledged(
    server: RunningServer, number: signal.Signals
) -> None:
    assert server.get("/hit/example.com/visits").json() == {"value": 1}
    with ThreadPoolExecutor() as clients, commits_held_up(server):
        hits = accepted_hits(server, clients)
        server.process.send_signal(signal.SIGTERM)
        wait_for("stopping; accepted requests are finished", server)
        server.process.send_signal(number)
        assert server.process.wait(timeout=WITHIN_S) == 128 + number
        assert all(hit.exception() is not None for hit in hits)
    assert value_in(server) == 1


def test_with_a_delay_a_server_answers_until_balancers_have_noticed(tmp_path: Path) -> None:
    # Longer than the test: the second signal ends it.
    with running_server(tmp_path / "data", "--stop-delay", "60") as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/hit/example.com/visits").json() == {"value": 1}
        assert client.get("/health/ready").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        wait_for("stopping; accepted requests are finished", server)
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()["reason"]) == (503, "the server stops")
        assert ready.headers["connection"] == "close"
        counted = client.get("/hit/example.com/visits")  # on a new connection
        assert (counted.json(), counted.headers["connection"]) == ({"value": 2}, "close")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=WITHIN_S) == 128 + signal.SIGTERM
    assert value_in(server) == 2


def test_a_delay_ends_by_itself(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--stop-delay", "1") as server:
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began >= 1
