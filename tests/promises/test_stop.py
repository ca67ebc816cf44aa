"""SIGTERM finishes what was accepted; a second signal stops at once and loses nothing acknowledged."""

import asyncio
import signal
from itertools import cycle

import pytest

from support.load import Books, Connection, values_of
from support.server import RunningServer, running_server

KEYS = ["example.com/hot", "example.com/visits", "another.example/visits"]
ORDERS = [[KEYS[0]], KEYS, [KEYS[0]], KEYS[::-1]] * 4
STOPS = [signal.SIGTERM, signal.SIGINT]


async def load(server: RunningServer, books: Books, *signals: signal.Signals, after: int) -> None:
    """Load the server until it is gone; it gets the signals when it has acknowledged so many."""

    def in_time() -> None:
        if books.answers == after:
            for number in signals:
                server.process.send_signal(number)

    await books.load(server, map(cycle, ORDERS), each=in_time)


@pytest.mark.parametrize("number", STOPS)
def test_one_signal_finishes_what_was_accepted(any_server: RunningServer, number: signal.Signals) -> None:
    books = Books()
    asyncio.run(load(any_server, books, number, after=300))
    assert any_server.process.wait(timeout=30) == 0
    assert not set(books.refused) - {503}
    with running_server(any_server.data, database=any_server.database) as restarted:
        values = values_of(restarted, KEYS)
        books.check(values)
        # What was counted was also answered: connections broke between requests, not within one.
        assert sum(values.values()) == books.answers >= 300
        assert restarted.get("/stats").json()["keys_updated"] == books.answers


def test_a_second_signal_stops_at_once_and_loses_nothing_acknowledged(any_server: RunningServer) -> None:
    books = Books()

    async def load_and_stop() -> None:
        # Half a request holds up the first signal, so that it cannot be done before the second one comes.
        async with Connection.to(any_server) as half:
            half.writer.write(b"GET /hit/example.com/ho")
            await half.writer.drain()
            await load(any_server, books, *STOPS, after=300)
            code = await asyncio.to_thread(any_server.process.wait, 30)
        assert code in {128 + number for number in STOPS}

    asyncio.run(load_and_stop())
    with running_server(any_server.data, database=any_server.database) as restarted:
        books.check(values_of(restarted, KEYS))
