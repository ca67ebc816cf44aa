"""What the stores know of each other: which combinations fit, and what is said of those that do not."""

from pathlib import Path

import pytest

from tallystick.warehouse.duckdb.marks import ColumnsMarks, JournalMarks, losses, way_out
from tallystick.warehouse.types import LedgerMarks, NewestIds

IDS = NewestIds(site=2, path=50, campaign=3)
JOURNAL = JournalMarks(warehouse="w", last_id=120, moved=100, changes=4, commits=30, newest=IDS)
COLUMNS = ColumnsMarks(
    warehouse="w", complete=False, last_id=110, changes=5, commits=29, newest=NewestIds(site=2, path=49, campaign=3)
)
LEDGER = LedgerMarks(commits=33, newest=NewestIds(2, 51, 3), warehouses={"w": (115, 4)})
OLD = ColumnsMarks(last_id=110, newest=IDS)
"""As a migration leaves the columns of a program without marks."""


def told(journal: JournalMarks, columns: ColumnsMarks, ledger: LedgerMarks | None) -> str:
    return "; ".join(loss.what for loss in losses(journal, columns, ledger))


def journal(**changed: object) -> JournalMarks:
    return JournalMarks(**{**{name: getattr(JOURNAL, name) for name in JOURNAL.__struct_fields__}, **changed})


def columns(**changed: object) -> ColumnsMarks:
    return ColumnsMarks(**{**{name: getattr(COLUMNS, name) for name in COLUMNS.__struct_fields__}, **changed})


def ledger(**changed: object) -> LedgerMarks:
    return LedgerMarks(**{**{name: getattr(LEDGER, name) for name in LEDGER.__struct_fields__}, **changed})


FITTING = {
    "everything is new": (JournalMarks(), ColumnsMarks(), LedgerMarks()),
    "a crash in the middle of everything": (JOURNAL, COLUMNS, LEDGER),
    "no ledger to compare with": (JOURNAL, COLUMNS, None),
    "a clean end": (journal(moved=120), columns(last_id=120), ledger(warehouses={"w": (120, 5)})),
    "DuckDB's file was never written": (journal(moved=0, changes=0), ColumnsMarks(), ledger(warehouses={})),
    "a program without marks, its journal cleared": (JournalMarks(), OLD, LedgerMarks(newest=IDS)),
    "a program without marks, its journal full": (JournalMarks(last_id=130), OLD, LedgerMarks(newest=IDS)),
    "a restored backup": (JournalMarks(), columns(warehouse="", complete=True), ledger(warehouses={})),
    "a new server of a shared ledger": (JournalMarks(), ColumnsMarks(), ledger(shared=True)),
    "the hits of another server": (JOURNAL, COLUMNS, ledger(shared=True, warehouses={"other": (900, 900)})),
}


@pytest.mark.parametrize("stores", FITTING.values(), ids=FITTING)
def test_what_a_crash_can_leave_fits(stores: tuple[JournalMarks, ColumnsMarks, LedgerMarks | None]) -> None:
    assert told(*stores) == ""


LOST = {
    "DuckDB's file": (JOURNAL, ColumnsMarks(), LEDGER, "lacks the hits 1 to 100"),
    "DuckDB's WAL": (JOURNAL, columns(last_id=90), LEDGER, "lacks the hits 91 to 100"),
    "DuckDB's WAL, with a merge": (JOURNAL, columns(changes=3), LEDGER, "lacks 1 deletions or merges"),
    "DuckDB's WAL, with a merge that only the ledger knows": (
        *(journal(changes=0), columns(changes=3), LEDGER),
        "lack 1 deletions or merges",
    ),
    "the journal": (JournalMarks(), COLUMNS, LEDGER, "warehouse-journal.sqlite3 is missing or empty"),
    "the journal's WAL": (journal(last_id=105), COLUMNS, LEDGER, "warehouse-journal.sqlite3 or its -wal file is older"),
    "both files of the hits": (JournalMarks(), ColumnsMarks(), LEDGER, "knows of hits up to 115"),
    "both WALs of the hits": (
        *(journal(last_id=105, moved=90), columns(last_id=105), LEDGER),
        "knows of hits up to 115",
    ),
    "the ledger": (JOURNAL, COLUMNS, LedgerMarks(), "the ledger is older than the hits, and lacks at least 30 commits"),
    "the ledger's WAL": (JOURNAL, COLUMNS, ledger(commits=28), "lacks at least 2 commits"),
    "the ledger's WAL and the journal": (JournalMarks(), COLUMNS, ledger(commits=28), "at least 1 commits"),
    "the ledger's WAL, with a path": (
        *(JOURNAL, COLUMNS, ledger(newest=NewestIds(2, 48, 3))),
        "path ids up to 50 while it has given 48",
    ),
    "the ledger's WAL, with a site": (JOURNAL, COLUMNS, ledger(newest=NewestIds(1, 51, 3)), "site ids up to 2"),
    "the ledger's WAL, with a campaign": (JOURNAL, COLUMNS, ledger(newest=NewestIds(2, 51, 0)), "campaign ids up to 3"),
    "another directory's journal in its place": (
        *(journal(warehouse="other"), COLUMNS, LEDGER),
        "belongs to another warehouse.duckdb",
    ),
}


@pytest.mark.parametrize(("stores", "said"), [(row[:3], row[3]) for row in LOST.values()], ids=LOST)
def test_what_is_lost_is_said(stores: tuple[JournalMarks, ColumnsMarks, LedgerMarks | None], said: str) -> None:
    assert said in told(*stores)


def test_the_refusal_is_one_line_that_names_the_way_out() -> None:
    line = way_out(losses(JOURNAL, ColumnsMarks(), LEDGER), Path("/data"))
    assert "\n" not in line
    assert all(word in line for word in ("/data", "tallystick restore FILE --force", "--accept-loss"))


def test_ids_of_a_directory_without_marks_are_no_reason_to_refuse() -> None:
    [loss] = losses(JournalMarks(), OLD, LedgerMarks())
    assert loss.of_old
