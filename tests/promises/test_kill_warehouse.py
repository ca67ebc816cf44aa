"""kill -9 at any moment loses no hit that was acknowledged, stores none twice and keeps every session."""

import random
import subprocess
import sys
from pathlib import Path

from support.warehouses import NOW, opened_warehouse, rows
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE

TESTS = Path(__file__).parents[1]


def killed_after(file: Path, answers: int) -> list[list[int]]:
    """Start appending, kill at some moment after so many answers: client, path and ids of each answer."""
    with subprocess.Popen(
        [sys.executable, "-m", "support.appending", str(file)], stdout=subprocess.PIPE, text=True, cwd=TESTS
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(answers)]
        process.kill()
        lines += process.stdout.readlines()
    return [list(map(int, line.split())) for line in lines if line.endswith("\n")]


async def check(file: Path, acknowledged: list[list[int]]) -> int:
    """The last id; everything acknowledged is there, and nothing is there that was not sent."""
    async with opened_warehouse(file, NOW) as warehouse:
        stored = await rows(warehouse, "id, site - 1, path, session, first")
    assert [row[0] for row in stored] == list(range(1, len(stored) + 1))
    by_id = {row[0]: row for row in stored}
    for client, path, *ids in acknowledged:
        assert [by_id[id_][1:3] for id_ in ids] == [(client, path)] * len(ids)
    # A visitor of one process and the next has one session, and saw each path first once.
    assert len({row[3] for row in stored}) == len({row[1] for row in stored})
    firsts = [row[1:3] for row in stored if row[4]]
    assert len(firsts) == len(set(firsts)) == len({row[1:3] for row in stored})
    return len(stored)


async def test_in_any_moment_of_an_append_or_a_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / WAREHOUSE_FILE
    acknowledged: list[list[int]] = []
    for _ in range(20):
        acknowledged += killed_after(file, random.randint(1, 300))
        assert await check(file, acknowledged) >= sum(len(answer) - 2 for answer in acknowledged)
