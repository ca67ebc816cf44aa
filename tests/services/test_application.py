"""Opening the whole application, and what is left open when that fails."""

import asyncio
import threading
from pathlib import Path

import pytest

from support.in_process import knowledge
from tallystick import app
from tallystick.app import Application
from tallystick.errors import StartRefused
from tallystick.ledger import Ledger
from tallystick.services.ingest.ingest import Knowledge
from tallystick.settings import Settings
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

OURS = ("ledger-", "warehouse-", "announcing-")


@pytest.fixture(autouse=True)
async def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    known = await knowledge()
    monkeypatch.setattr(Knowledge, "load", lambda *_: known)


def threads_of_stores() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(OURS)]


@pytest.mark.parametrize("error", [StartRefused("no"), ValueError("a mistake of ours"), asyncio.CancelledError()])
@pytest.mark.parametrize("place", ["the warehouse", "wiring"])
async def test_a_start_that_fails_leaves_no_store_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: BaseException
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    if place == "wiring":
        monkeypatch.setattr(app, "dispatchers", fail)
    else:
        monkeypatch.setattr(DuckDbWarehouse, "open", fail)
    before = threads_of_stores()
    with pytest.raises(type(error)):
        await Application.open(Settings(data=tmp_path))
    assert threads_of_stores() == before


async def test_one_that_succeeds_closes_them_at_the_end(tmp_path: Path) -> None:
    before = threads_of_stores()
    application = await Application.open(Settings(data=tmp_path))
    assert isinstance(application.ledger, Ledger)
    assert threads_of_stores() != before
    await application.close()
    assert threads_of_stores() == before
