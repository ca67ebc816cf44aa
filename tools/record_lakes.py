"""Record lakes of older programs, for ``tests/lake/test_lake_upgrades.py``: run it with a commit before your migration.

``.venv-nodes/bin/python tools/record_lakes.py COMMIT`` checks a commit out into a temporary worktree. Its program
counts known things on PostgreSQL and a lake, and is killed. The database and the lake's files become one file of
``tests/upgrades/lakes``, named after the steps of the schemas of the lake and of its journal.
"""

import io
import json
import sys
import tarfile
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from record_states import ROOT, Program, checked_out, count_known_things, git, say

from support.postgres import Postgres

LAKES = ROOT / "tests" / "upgrades" / "lakes"
FOLDERS = {
    "warehouse": "src/tallystick/warehouse/duckdb/migrations",
    "hits": "src/tallystick/warehouse/lake/migrations",
}
MANY = 500
"""Hits in a request. In one move, some such requests have more hits than the catalogue takes: they become a file."""
MOVED_WITHIN_S = 15.0
"""The lease of a killed program ends after eight seconds."""


class LakeProgram(Program):
    """An older program on a lake.

    Args:
        source: its checkout.
        folder: of its data, which are thrown away, and of the lake.
        database: a PostgreSQL URL.
    """

    def __init__(self, source: Path, folder: Path, database: str) -> None:
        super().__init__(source, folder / "data", database)
        self._environment["TALLYSTICK_LAKE"] = str(folder / "lake")

    def count_many(self, token: str) -> int:
        """Count hits on one path, until there are files of them; the last ones are not moved. Returns how many."""
        body = {"no_sessions": True, "hits": [{"path": "/many"}] * MANY}
        with self.serving() as client:
            for number in range(1, 12):
                answer = client.post("/api/v0/count", json=body, headers={"Authorization": f"Bearer {token}"})
                answer.raise_for_status()
                if number % 3 == 1 and any((self._folder / "lake").rglob("*.parquet")):
                    return number * MANY
                if number % 3 == 0:
                    time.sleep(MOVED_WITHIN_S)
        sys.exit("states: the hits did not become a file")


def steps_of(commit: str) -> dict[str, int]:
    """How many steps each schema of the lake has in a commit."""
    listed = {part: git("ls-tree", "--name-only", commit, f"{folder}/").split() for part, folder in FOLDERS.items()}
    return {part: sum(name.endswith(".sql") for name in names) for part, names in listed.items()}


def record(commit: str, postgres: Postgres) -> None:
    """Write the file of a commit."""
    steps = steps_of(commit)
    file = LAKES / ("".join(f"{part}-{number:02}." for part, number in steps.items()) + "tar.xz")
    say(f"{file.name}: {commit[:10]}")
    with TemporaryDirectory(prefix="tallystick-lake-") as name, checked_out(commit, Path(name)) as source:
        folder = Path(name) / "left"
        folder.mkdir()
        with postgres.fresh_database() as url:
            program = LakeProgram(source, folder, url)
            known = {"commit": commit, "steps": steps} | count_known_things(program)
            known["hits"]["/many"] = program.count_many(known["token"])
            files = {
                "postgresql.sql": postgres.dumped(url).encode(),
                "known.json": json.dumps(known, indent=1).encode(),
            }
        for stored in (folder / "lake").rglob("*.parquet"):
            files[f"lake/{stored.relative_to(folder / 'lake')}"] = stored.read_bytes()
    LAKES.mkdir(exist_ok=True)
    with tarfile.open(file, "w:xz", preset=9) as archive:
        for name_, content in sorted(files.items()):
            entry = tarfile.TarInfo(name_)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    with Postgres.started() as postgres:
        for each in sys.argv[1:]:
            record(git("rev-parse", each).strip(), postgres)
