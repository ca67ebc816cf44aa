"""One PostgreSQL database for all tests of this folder, emptied for each: making one takes longer than most of them."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from support.postgres import Postgres
from tallystick.ledger import open_database


@pytest.fixture(scope="session")
def used_database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL database with a ledger's tables."""
    with postgres.fresh_database() as url:
        open_database(url, tmp_path_factory.mktemp("unused")).migrate()
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> str | None:
    """Judges both databases: None for SQLite, the URL of an empty PostgreSQL ledger."""
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("used_database")
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in found:
            if table != "migration":
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    return url
