"""Numbered steps of the schema ``tallystick_hits`` in PostgreSQL: one SQL file each, each in one transaction.

A step that was released must never be edited: its checksum is recorded and compared.
"""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import zip_longest
from typing import NamedTuple

from tallystick.errors import DatabaseSchemaRefused
from tallystick.warehouse.lake.connecting import Connect, LakeConnection, connected

LOCK = 0x7A11_571D
"""Advisory lock that keeps two starting nodes from migrating at once."""


class HitsStep(NamedTuple):
    """One step of the schema."""

    number: int
    sql: str
    checksum: str


@cache
def all_steps() -> list[HitsStep]:
    """The steps of this program, in order; read once."""
    entries = sorted(files(__package__).iterdir(), key=lambda entry: entry.name)
    texts = [entry.read_text("utf-8") for entry in entries if entry.name.endswith(".sql")]
    return [HitsStep(number, text, sha256(text.encode()).hexdigest()) for number, text in enumerate(texts, 1)]


def migrate(connect: Connect) -> None:
    """Apply all outstanding steps, in one transaction.

    Raises:
        DatabaseSchemaRefused: the schema is newer than this program, or was migrated by another text.
        StoreUnavailable: the database failed.
    """
    with connected(connect) as opened, opened.transaction():
        applied = _applied(opened)
        refuse_newer(len(applied))
        for step, taken in zip_longest(all_steps(), applied):
            if taken is None:
                opened.connection.execute(step.sql.encode())
                opened.connection.execute(
                    "INSERT INTO tallystick_hits.migration VALUES (%s, %s)", (step.number, step.checksum)
                )
            elif taken != (step.number, step.checksum):
                msg = f"step {step.number} of the schema tallystick_hits was taken with another text"
                raise DatabaseSchemaRefused(msg)


def _applied(opened: LakeConnection) -> list[tuple[int, str]]:
    """The applied steps; waits for another node that is migrating."""
    connection = opened.connection
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    connection.execute("CREATE SCHEMA IF NOT EXISTS tallystick_hits")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS tallystick_hits.migration (number integer PRIMARY KEY, checksum text NOT NULL)"
    )
    rows = connection.execute("SELECT number, checksum FROM tallystick_hits.migration ORDER BY number")
    return [(int(number), str(checksum)) for number, checksum in rows]


def refuse_newer(schema: int) -> None:
    """Refuse the schema of a newer program.

    Raises:
        DatabaseSchemaRefused
    """
    known = len(all_steps())
    if schema > known:
        msg = f"tallystick_hits has schema {schema}, this program knows schema {known}: start a newer Tallystick"
        raise DatabaseSchemaRefused(msg)
