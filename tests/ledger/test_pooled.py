"""PgBouncer between us and PostgreSQL: in session mode everything works, in transaction mode the start is refused."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from builders import a_key
from support.ledgers import opened
from support.postgres import Postgres, free_port
from support.server import tallystick
from tallystick.errors import DatabaseUnsuitable
from tallystick.ledger.postgresql import PostgresqlDatabase
from tallystick.model.counter import HIT

Pool = Callable[[str], AbstractContextManager[str]]


@pytest.fixture
def pool(postgres: Postgres, tmp_path: Path) -> Pool:
    """PgBouncer in a mode: the URL of a fresh database through it."""

    @contextmanager
    def pooled(mode: str) -> Iterator[str]:
        with postgres.fresh_database() as url, _pgbouncer(url, mode, tmp_path) as through:
            yield through

    return pooled


@contextmanager
def _pgbouncer(url: str, mode: str, folder: Path) -> Iterator[str]:
    parts, port = conninfo_to_dict(url), free_port()
    program = shutil.which("pgbouncer")
    assert program, "PgBouncer is missing (Debian: apt-get install pgbouncer)"
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\n* = user=tallystick host={parts['host']}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {mode}\ndefault_pool_size = 20\nlogfile = {folder / 'log'}\n"
    )
    configuration.chmod(0o644)  # PgBouncer reads it as another user
    process = subprocess.Popen(
        [program, configuration], **_account(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        through = f"postgresql://tallystick@127.0.0.1:{port}/{parts['dbname']}"
        _wait_until_it_answers(through)
        yield through
    finally:
        process.terminate()
        process.wait(timeout=20)


def _account(folder: Path) -> dict[str, Any]:
    """PgBouncer, too, refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    for place in (folder, *folder.parents):
        if place == Path("/tmp"):
            break
        place.chmod(place.stat().st_mode | 0o011)
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": "nobody", "group": nobody.pw_gid, "extra_groups": []}


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "PgBouncer did not start"
            time.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pool_that_changes_connections_is_refused_with_the_reason(pool: Pool, mode: str) -> None:
    with pool(mode) as url, pytest.raises(DatabaseUnsuitable, match="pool_mode = session and at least 10"):
        PostgresqlDatabase(url).migrate()


def test_it_is_also_refused_when_others_use_the_pool(pool: Pool) -> None:
    with pool("transaction") as url:
        for _ in range(5):
            with closing(psycopg.connect(url)) as one, closing(psycopg.connect(url)) as other:
                one.execute("SELECT 1")
                other.execute("SELECT 1")
                with pytest.raises(DatabaseUnsuitable):
                    PostgresqlDatabase(url).session()


@pytest.mark.parametrize("command", [("serve", "--listen", "127.0.0.1:0"), ("counter", "list")])
def test_every_command_says_so_in_one_line(pool: Pool, tmp_path: Path, command: tuple[str, ...]) -> None:
    with pool("transaction") as url:
        done = tallystick(*command, "--data", tmp_path / "data", TALLYSTICK_DATABASE=url)
    assert done.returncode == 1
    assert "pooler in transaction mode" in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_a_pool_of_sessions_counts(pool: Pool) -> None:
    with pool("session") as url:
        async with opened(PostgresqlDatabase(url)) as ledger:
            for value in range(1, 20):
                assert (await ledger.count(a_key(), HIT)).value == value
            assert await ledger.read(lambda session: session.size()) == 1
            assert await ledger.lanes_free()


def test_without_a_pool_nothing_more_is_opened(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    connect = psycopg.connect

    def remembered(*arguments: Any, **options: Any) -> psycopg.Connection[Any]:
        made.append(arguments)
        return connect(*arguments, **options)

    monkeypatch.setattr(psycopg, "connect", remembered)
    with postgres.fresh_database() as url:
        made.clear()
        with closing(PostgresqlDatabase(url).session()):
            assert len(made) == 1
