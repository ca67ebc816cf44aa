"""Servers of two versions side by side on one PostgreSQL, while they are upgraded one after the other."""

from pathlib import Path
from typing import Any

import pytest

from builders import a_key
from support.ledgers import opened
from support.live import followed
from support.people import a_person
from support.sharing import a_counter, change
from tallystick.errors import DatabaseSchemaRefused
from tallystick.ledger import Ledger, open_database, postgresql
from tallystick.ledger.migrations import Migration, all_migrations
from tallystick.model.counter import Add, Create
from tallystick.services.accounts.accounts import account_by_email

OFTEN = 8
"""More often than a statement runs before psycopg prepares it: prepared ones must bear the change, too."""

NEXT = """
    ALTER TABLE counter ADD COLUMN colour text NOT NULL DEFAULT 'blue';
    ALTER TABLE account ADD COLUMN colour text NOT NULL DEFAULT 'blue';
    ALTER TABLE shared_counter ADD COLUMN colour text NOT NULL DEFAULT 'blue';
    ALTER TABLE counter_change ADD COLUMN colour text NOT NULL DEFAULT 'blue';
    ALTER TABLE kept_answer ADD COLUMN colour text NOT NULL DEFAULT 'blue';
    CREATE TABLE colour (name text PRIMARY KEY);
    CREATE INDEX counter_by_colour ON counter (colour);
"""
"""What migrations do: columns with defaults, tables, indexes."""


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Turns the program into the next version, and back into this one."""

    def turn(*, back: bool = False) -> None:
        steps = all_migrations("postgresql")
        known = steps if back else [*steps, Migration(len(steps) + 1, "colours", NEXT)]
        monkeypatch.setattr(postgresql, "all_migrations", lambda _dialect: known)

    return turn


async def test_a_running_server_goes_on_beside_a_newer_one(postgres: Any, tmp_path: Path, newer: Any) -> None:
    with postgres.fresh_database(migrated=True) as url:
        async with opened(open_database(url, tmp_path)) as older, followed(older) as following:
            ada = await a_person(older)
            shared = await a_counter(older, ada)
            for _ in range(OFTEN):
                await counted(older)
                await change(older, ada, shared)
            newer()
            async with opened(open_database(url, tmp_path)) as newest, followed(newest):
                for _ in range(OFTEN):
                    for ledger in (older, newest):
                        await counted(ledger)
                        await change(ledger, ada, shared)
                    assert (await older.read(account_by_email, ada.email)) == ada
                found = await older.find(a_key("visits"))
                assert found is not None
                assert found.value == 3 * OFTEN
                await older.count(a_key("made by the older one"), Create(value=7))
                assert (await newest.count(a_key("made by the older one"), Add(1))).value == 8
                resumed = await following.resume(ada.id, following.epoch, 0)
                assert resumed.recovered


async def test_an_older_server_does_not_start_beside_a_newer_one(postgres: Any, tmp_path: Path, newer: Any) -> None:
    with postgres.fresh_database(migrated=True) as url:
        newer()
        async with opened(open_database(url, tmp_path)) as newest:
            newer(back=True)
            with pytest.raises(DatabaseSchemaRefused, match="written by a newer Tallystick; start that one"):
                async with opened(open_database(url, tmp_path)):
                    pass
            await counted(newest)


async def counted(ledger: Ledger) -> None:
    assert (await ledger.count(a_key("visits"), Add(1, creates=True))).refused is None
