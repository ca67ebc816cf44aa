"""Several servers on one PostgreSQL hear of each other."""

import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from builders import NOW
from support.ledgers import opened, until
from support.live import caught_up, followed, listening, told
from support.sharing import a_counter, change, someone
from tallystick.hub.hub import Subscription
from tallystick.ledger import Database, Ledger, Session, open_database
from tallystick.model.account import Account
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.feed import following as followings
from tallystick.services.feed.following import Following
from tallystick.services.sharing import counters
from tallystick.services.sharing.service import Sharing


async def test_a_change_on_one_server_is_told_on_another_at_once(
    postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followings, "LOOKED_EVERY_S", 60.0)
    with postgres.fresh_database() as url:
        async with opened(open_database(url, tmp_path)) as one, opened(open_database(url, tmp_path)) as two:
            ada = await someone(one)
            visits = await a_counter(one, ada)
            async with followed(one) as here, followed(two) as there:
                subscription = await listening(there, two, ada)
                assert here.epoch in {"", there.epoch}
                await caught_up(there, two)
                # Until both of its connections are there nothing is heard.
                await _until_heard(one, here, ada, visits, subscription)
                began = time.monotonic()
                for value in range(10):
                    await Sharing(one, here.wake).write(
                        counters.edit, ada.id, visits.uid, counters.Edit(name=f"Number {value}"), NOW
                    )
                    [heard] = await told(subscription)
                    assert heard.state is not None
                    assert heard.state.name == f"Number {value}"
                assert time.monotonic() - began < 5


async def _until_heard(
    ledger: Ledger, following: Following, person: Account, counter: SharedCounter, subscription: Subscription
) -> None:
    heard = asyncio.create_task(told(subscription))
    await change(ledger, person, counter)
    while not heard.done():
        following.wake()
        await asyncio.sleep(0.02)


async def test_a_notification_that_is_lost_is_healed_by_the_look(
    postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.fresh_database() as url:
        databases = [open_database(url, tmp_path) for _ in range(2)]
        for database in databases:
            monkeypatch.setattr(database, "announcer", lambda _heard: None)
        async with opened(databases[0]) as one, opened(databases[1]) as two:
            ada = await someone(one)
            visits = await a_counter(one, ada)
            async with followed(one), followed(two) as there:
                subscription = await listening(there, two, ada)
                await change(one, ada, visits)
                async with asyncio.timeout(10):
                    assert (await subscription.next()).value == 1


async def test_announcements_go_on_after_the_database_was_away(
    postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tallystick.ledger import announcing  # noqa: PLC0415

    monkeypatch.setattr(announcing, "TRIED_AGAIN_AFTER_S", (0.02,))
    with postgres.fresh_database() as url:
        here, there = open_database(url, tmp_path), open_database(url, tmp_path)
        await asyncio.to_thread(here.migrate)
        heard: list[str] = []
        telling, hearing = here.announcer(lambda: heard.append("here")), there.announcer(lambda: heard.append("there"))
        assert telling is not None
        assert hearing is not None

        async def tell() -> bool:
            telling.notify()
            await asyncio.sleep(0.01)
            return "there" in heard

        try:
            await until(tell)
            await asyncio.to_thread(_cut_all, there)
            await asyncio.sleep(0.1)
            heard.clear()
            await until(tell)
        finally:
            await telling.close()
            await hearing.close()


def _cut_all(database: Database) -> None:
    def cut(session: Session) -> None:
        session.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    with closing(database.session()) as session:
        cut(session)
