"""Numbered schema migrations: one SQL file each, applied in order, each in one transaction with its record.

Both databases have transactional DDL, so a kill between two migrations leaves only whole steps, and the
next start continues. An applied migration must never be edited: its checksum is recorded and compared.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from tallystick.errors import DatabaseSchemaRefused


class Migration(NamedTuple):
    """One step of the schema."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Identifies the text of the step."""
        return sha256(self.sql.encode()).hexdigest()


class Applied(NamedTuple):
    """One step that was applied to a database."""

    number: int
    checksum: str


@cache
def all_migrations(dialect: str) -> list[Migration]:
    """The steps of this program, in order; read once."""
    scripts = sorted(
        (entry for entry in files(__package__).joinpath(dialect).iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    steps = [Migration(int(f.name[:4]), f.name.removesuffix(".sql"), f.read_text("utf-8")) for f in scripts]
    numbers = [step.number for step in steps]
    if numbers != list(range(1, len(steps) + 1)):
        msg = f"the {dialect} migrations are not numbered 1, 2, 3, ...: {numbers}"
        raise DatabaseSchemaRefused(msg)
    return steps


def outstanding(steps: list[Migration], applied: list[Applied]) -> list[Migration]:
    """The steps that are not applied yet.

    Raises:
        DatabaseSchemaRefused: the database is newer than this program, or was migrated by another text.
    """
    if len(applied) > len(steps):
        msg = (
            f"the database has schema {len(applied)}, this program knows schema {len(steps)}: "
            f"{DatabaseSchemaRefused.OF_NEWER}"
        )
        raise DatabaseSchemaRefused(msg)
    for step, record in zip(steps, applied, strict=False):
        if (step.number, step.checksum) != tuple(record):
            msg = (
                f"migration {step.name} was applied to this database with another text: "
                f"{DatabaseSchemaRefused.OF_OTHER_TEXT}"
            )
            raise DatabaseSchemaRefused(msg)
    return steps[len(applied) :]


def migrate(
    steps: list[Migration],
    transaction: Callable[[], AbstractContextManager[None]],
    read_applied: Callable[[], list[Applied]],
    take: Callable[[Migration], None],
) -> None:
    """Apply every outstanding step, each in a transaction of its own that also checks which step is next.

    Two servers may start at once: the one that waits in ``transaction`` then sees that the step is applied.
    """
    while True:
        with transaction():
            left = outstanding(steps, read_applied())
            if not left:
                return
            take(left[0])
