"""Places where a ledger may lie, and ledgers to be backed up and restored there."""

import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from support.prepared import copy_migrated_ledger
from tallystick.ledger import Database, Totals, open_database
from tallystick.ledger.folding import CounterWrite, operate
from tallystick.model.counter import INT64_MAX, INT64_MIN, Counter, Create, Set
from tallystick.model.key import Key

FULL = 1_000
VALUES = (INT64_MIN, INT64_MAX, 0, -1, 2**53 + 1)

State = tuple[dict[Key, Counter], Totals]


class Place(NamedTuple):
    """Where a ledger may lie: a directory, and for PostgreSQL a URL."""

    directory: str
    url: str | None

    @property
    def database(self) -> Database:
        """The database that the place means."""
        return open_database(self.url, Path(self.directory))

    @property
    def options(self) -> tuple[str, ...]:
        """The command line's options for it."""
        return ("--data", self.directory, *(("--database", self.url) if self.url else ()))

    @property
    def file(self) -> Path:
        """The ledger file."""
        return Path(self.directory) / "ledger.sqlite3"


def fill(place: Place, counters: int = FULL) -> State:
    """Make a ledger with counters of every size."""
    Path(place.directory).mkdir(exist_ok=True)
    place.database.migrate()
    wanted = [CounterWrite(key(n), Create(VALUES[n % 5], -n, n, n % 2 == 0)) for n in range(counters)]
    with closing(place.database.session(writes=True)) as session:
        operate(place.database, session, wanted, 10_000_000_000_000)
    return state(place.database)


def with_ledger(place: Place) -> Place:
    """Put an empty ledger into a place; one of PostgreSQL has its tables."""
    Path(place.directory).mkdir()
    if place.url is None:
        copy_migrated_ledger(Path(place.directory))
    return place


def key(number: int) -> Key:
    return Key("full", f"key{number:04}")


def state(database: Database) -> State:
    """Everything in a ledger."""
    with closing(database.session()) as session, session.snapshot():
        return dict(session.page(None, 2 * FULL)), session.totals()


def damage(file: Path) -> None:
    """Overwrite the last page."""
    with file.open("r+b") as stream:
        stream.seek(-4096, os.SEEK_END)
        stream.write(b"\x55" * 4096)


def leave_a_wal(place: Place) -> State:
    """Make a ledger as a killed server leaves it: its last changes are in the WAL only."""
    fill(place)
    with closing(place.database.session(writes=True)) as session:
        wanted = [CounterWrite(key(number), Set(42, forced=True)) for number in range(FULL)]
        operate(place.database, session, wanted, 10_000_000_000_002)
        for suffix in ("", "-wal"):
            shutil.copy(f"{place.file}{suffix}", f"{place.file}{suffix}.left")
    for suffix in ("", "-wal"):
        Path(f"{place.file}{suffix}.left").rename(f"{place.file}{suffix}")
    old = {key(n): 42 for n in range(FULL)}
    shutil.copytree(place.directory, "looked-at")
    found = state(Place("looked-at", None).database)
    assert {name: counter.value for name, counter in found[0].items()} == old
    assert Path(f"{place.file}-wal").stat().st_size > 0
    return found
