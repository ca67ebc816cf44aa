"""What is judged of a server's state, and what is measured for it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tallystick.ledger.measurements import SIZES, Histogram
from tallystick.services.operating.findings import (
    LARGE_WAL,
    LITTLE_SPACE,
    MANY_UNMOVED,
    NO_SPACE,
    Level,
    Problem,
    findings_of,
)
from tallystick.services.operating.machine import Machine, Space, look_at_machine, running_versions
from tallystick.services.operating.state import Hits, ServerState, Spread, TaskState, Writing, spread

NONE = Spread(0, 0.0, None)
WELL = ServerState(
    at=2_000_000,
    started=1_000_000,
    writing=Writing(
        database="ledger.sqlite3",
        shared=False,
        problem=None,
        last_commit=1_999_000,
        commit_s=NONE,
        batch=NONE,
        failures=0,
        waiting=0,
        most_waiting=20_000,
    ),
    hits=Hits(owned=True, waiting=0, unmoved=0, failures=0, failing=False, sessions=0),
    clock_ahead_s=0.0,
    tasks=[TaskState(name="jobs", every_s=5.0, last_success=1_999_000, failures=0, overdue=False)],
    machine=Machine({"ledger.sqlite3-wal": LARGE_WAL}, Space(10 * LITTLE_SPACE, LITTLE_SPACE), None),
    versions={},
)


def test_nothing_is_wrong_with_a_server_that_is_well() -> None:
    assert findings_of(WELL) == []
    without_numbers = replace(WELL, machine=Machine({}, None, None))
    assert findings_of(without_numbers) == []


@pytest.mark.parametrize(
    ("part", "changes", "problem", "level"),
    [
        ("writing", {"problem": "the last commit failed"}, Problem.STORING, Level.NOW),
        ("writing", {"waiting": 10_001}, Problem.QUEUE, Level.SOON),
        ("hits", {"failing": True}, Problem.HITS, Level.NOW),
        ("hits", {"unmoved": MANY_UNMOVED + 1}, Problem.JOURNAL, Level.SOON),
        ("hits", {"owned": False}, Problem.PAUSED, Level.SOON),
        ("machine", {"space": Space(LITTLE_SPACE, LITTLE_SPACE - 1)}, Problem.LITTLE_SPACE, Level.SOON),
        ("machine", {"space": Space(LITTLE_SPACE, NO_SPACE - 1)}, Problem.SPACE, Level.NOW),
        ("machine", {"files": {"a-wal": LARGE_WAL, "b.wal": 1}}, Problem.WAL, Level.SOON),
    ],
)
def test_each_problem_is_found(part: str, changes: dict[str, Any], problem: Problem, level: Level) -> None:
    (found,) = findings_of(replace(WELL, **{part: replace(getattr(WELL, part), **changes)}))
    assert (found.problem, found.level) == (problem, level)


def test_what_is_urgent_comes_first() -> None:
    state = replace(
        WELL,
        hits=replace(WELL.hits, owned=False),
        tasks=[replace(WELL.tasks[0], overdue=True), WELL.tasks[0]],
        clock_ahead_s=-7_200.0,
    )
    assert [found.problem for found in findings_of(state)] == [Problem.CLOCK, Problem.TASK, Problem.PAUSED]


def test_histograms_of_several_writers_are_one() -> None:
    first, second = Histogram(SIZES), Histogram(SIZES)
    assert spread([first, second]) == NONE
    for _ in range(98):
        first.observe(1)
    second.observe(4)
    second.observe(5)
    assert spread([first, second]) == Spread(100, 1.07, 5)
    for _ in range(2):
        second.observe(5_000)
    assert spread([first, second]).almost_all is None  # above the greatest bound


def test_the_machine_is_looked_at(tmp_path: Path) -> None:
    for name, size in (("ledger.sqlite3", 3), ("ledger.sqlite3-wal", 5), ("exports/1.csv.gz", 7), ("another", 11)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    machine = look_at_machine(tmp_path)
    assert machine.files == {"exports": 7, "ledger.sqlite3": 3, "ledger.sqlite3-wal": 5}
    assert (machine.data, machine.wal) == (15, 5)
    assert machine.space is not None
    assert machine.space.total > machine.space.free > 0
    assert machine.memory is not None
    assert machine.memory.peak >= machine.memory.used > 1_000_000
    assert look_at_machine(tmp_path / "nowhere").space is None
    assert {"Tallystick", "Python", "apsw", "duckdb"} <= set(running_versions())
