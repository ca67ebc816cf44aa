"""A file of public counters that one server has, as the others see it."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from builders import a_key
from support.ledgers import opened
from support.people import a_person
from tallystick.errors import InputRefused
from tallystick.ledger import open_database
from tallystick.model.account import Account
from tallystick.services.counting import counter_uploads
from tallystick.services.counting.counter_uploads import GONE, INTERRUPTED, CounterUpload, CounterUploads, State
from tallystick.services.file_places import FolderPlace

LINES = b"example.com/visits,136\n"


class Server:
    """A server that reads files when the test says so."""

    def __init__(self, uploads: CounterUploads, ada: Account) -> None:
        self.uploads, self._ada = uploads, ada

    async def send(self, lines: bytes = LINES) -> None:
        upload = CounterUpload(name="a.csv", form="csv", replaces=False, actor=self._ada, size=len(lines))
        await self.uploads.check(upload, io.BytesIO(lines))

    async def state(self) -> State | None:
        newest = await self.uploads.newest()
        return None if newest is None else newest.state

    async def work(self) -> None:
        """What its background tasks do."""
        await self.uploads.post()
        await self.uploads.read_file()
        await self.uploads.post()


@pytest.fixture
async def servers(postgres: Any, tmp_path: Path) -> AsyncIterator[tuple[Server, Server]]:
    async with AsyncExitStack() as stack:
        url = stack.enter_context(postgres.fresh_database(migrated=True))
        one, two = [await stack.enter_async_context(opened(open_database(url, tmp_path))) for _ in range(2)]
        ada = await a_person(one)
        yield Server(CounterUploads(one, 1_000, tmp_path), ada), Server(CounterUploads(two, 1_000, tmp_path), ada)


async def test_a_file_is_imported_by_its_server_when_another_one_is_asked(servers: tuple[Server, Server]) -> None:
    one, two = servers
    assert await two.state() is None
    await one.send()
    assert await two.state() == "checking"
    with pytest.raises(InputRefused, match="another file of counters is being read"):
        await two.send()
    with pytest.raises(InputRefused, match="no file that can be imported"):
        await two.uploads.begin()
    await two.uploads.discard()
    assert await two.state() == "checking", "it is being read"
    await one.work()
    assert await two.state() == await one.state() == "checked"
    await two.uploads.begin()
    assert await two.state() == "importing", "at once, before its server knows"
    await one.work()
    assert await two.state() == await one.state() == "done"
    newest = await two.uploads.newest()
    assert newest is not None
    assert newest.imported.created == 1
    await two.uploads.discard()
    assert await one.state() is None


async def test_a_newer_file_on_another_server_takes_its_place(servers: tuple[Server, Server]) -> None:
    one, two = servers
    await one.send()
    await one.work()
    await two.send(b"example.com/other,1\n")
    await one.work()
    assert one.uploads.current is None
    await two.work()
    await one.uploads.begin()
    await two.work()
    ledger = two.uploads._ledger  # noqa: SLF001  # its counters
    assert await ledger.find(a_key("visits")) is None
    assert (await ledger.find(a_key("other"))) is not None


async def stop(server: Server) -> None:
    """Let the server that has the file be one that has stopped.

    Args:
        server: another one.
    """
    await server.uploads._ledger.write(  # noqa: SLF001  # its connection
        lambda session: session.connection.execute("UPDATE counter_upload SET seen = seen - '1m'::interval")
    )


async def test_where_all_servers_find_files_another_one_takes_over(
    servers: tuple[Server, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = servers
    files = FolderPlace(tmp_path / "counters")
    for server in servers:
        monkeypatch.setattr(server.uploads, "_place", files)
    await one.send()
    await two.work()
    assert two.uploads.current is None, "its server answers"
    await stop(two)
    assert await two.state() == "checking"
    # It has taken the file without knowing: the answer was lost.
    board = two.uploads._board  # noqa: SLF001
    assert board is not None
    assert (posted := await board.newest()) is not None
    assert await board.take(posted.server)
    await two.work()
    assert await one.state() == await two.state() == "checked"
    # The first one was frozen, and goes on.
    await one.work()
    assert (one.uploads.current, await one.state()) == (None, "checked")

    await one.uploads.begin()
    await stop(one)
    for _ in range(2):
        await one.work()
    assert await one.state() == "done", "it was asked to import the file that it has taken over"
    assert await one.uploads._ledger.find(a_key("visits")) is not None  # noqa: SLF001  # its counters
    await two.work()
    assert await asyncio.to_thread(files.names) == {}

    await one.send(b"example.com/other,1\n")
    await one.work()
    await one.uploads.begin()
    await one.uploads.post()
    await stop(two)
    await two.work()
    newest = await one.uploads.newest()
    assert newest is not None
    assert (newest.state, newest.error, newest.ready) == ("failed", INTERRUPTED, True)
    await one.work()
    await two.uploads.begin()
    await two.work()
    assert await one.state() == "done"

    await one.send()
    await one.work()
    for name in await asyncio.to_thread(files.names):
        await asyncio.to_thread(files.remove, name)
    await stop(two)
    await two.work()
    newest = await one.uploads.newest()
    assert newest is not None
    assert (newest.error, newest.ready) == (GONE, False)
    await asyncio.to_thread((files.work / "left.counters").touch)
    monkeypatch.setattr(counter_uploads, "KEPT_S", 0.0)
    await one.uploads.sweep()
    assert await asyncio.to_thread(files.names) == {}


async def test_a_server_that_is_gone_takes_its_file_along(servers: tuple[Server, Server]) -> None:
    one, two = servers
    await one.send()
    await stop(two)
    newest = await two.uploads.newest()
    assert newest is not None
    assert (newest.state, newest.error, newest.ready) == ("failed", GONE, False)
    await two.send()
    assert await two.state() == "checking"
