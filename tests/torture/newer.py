"""The next version of the program: a copy of this one with another step in each schema and another format of hits."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import tallystick

COLUMNS = '    "device": Column("VARCHAR", _of_hit("device"), since=3, default=""),\n'
NEXT_COLUMN = '    "colour": Column("VARCHAR", _of_hit("browser"), since={since}, default="blue"),\n'
NEXT_STEPS = {
    "ledger/migrations/postgresql": """
        ALTER TABLE account ADD COLUMN colour text NOT NULL DEFAULT 'blue';
        ALTER TABLE counter ADD COLUMN colour text NOT NULL DEFAULT 'blue';
        ALTER TABLE shared_counter ADD COLUMN colour text NOT NULL DEFAULT 'blue';
        CREATE TABLE colour (name text PRIMARY KEY);
    """,
    "warehouse/duckdb/migrations": """
        ALTER TABLE hit ADD COLUMN colour VARCHAR DEFAULT 'blue';
        ALTER TABLE mark ADD COLUMN colours BIGINT DEFAULT 0;
        CREATE TABLE colour (name VARCHAR NOT NULL);
    """,
    "warehouse/lake/migrations": """
        ALTER TABLE tallystick_hits.batch ADD COLUMN colour text NOT NULL DEFAULT 'blue';
        ALTER TABLE tallystick_hits.lease ADD COLUMN colour text NOT NULL DEFAULT 'blue';
        CREATE TABLE tallystick_hits.colour (name text PRIMARY KEY);
    """,
}
"""What migrations do: columns with defaults, tables."""


def newer_program(folder: Path) -> Sequence[str]:
    """Make the next version. Returns a command that runs another one with it."""
    package = folder / "newer" / "tallystick"
    # With its compiled files: their times are those of the originals.
    shutil.copytree(Path(tallystick.__file__).parent, package)
    for place, sql in NEXT_STEPS.items():
        steps = [file.name for file in (package / place).iterdir() if file.suffix == ".sql"]
        (package / place / f"{len(steps) + 1:04}_colours.sql").write_text(sql, "utf-8")
    rows = package / "warehouse" / "duckdb" / "rows.py"
    text = rows.read_text("utf-8")
    assert text.count(COLUMNS) == 1, "the columns of hits have another end now"
    rows.write_text(text.replace(COLUMNS, COLUMNS + NEXT_COLUMN.format(since=4)), "utf-8")
    return ("env", f"PYTHONPATH={package.parent}")
