"""What is judged of a server's state, and what is measured for it."""

import asyncio
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tallystick.errors import QuestionTooLong
from tallystick.ledger.measurements import SIZES, Histogram
from tallystick.model.dimensions import CAMPAIGN, PAGE
from tallystick.model.metrics import Metric
from tallystick.model.period import period
from tallystick.model.question import AllOf, Match, Not, Question, TimeUnit
from tallystick.services.operating.backups import NOTE_FILE, BackupNote, last_backup, note_backup
from tallystick.services.operating.disk_history import (
    DAY_MS,
    HISTORY_FILE,
    KEPT_FOR_MS,
    LEAST_MEASUREMENTS,
    MEASURED_EVERY_MS,
    DiskHistory,
    Growth,
    Measurement,
    growth_of,
)
from tallystick.services.operating.findings import (
    BACKUP_OLD_MS,
    FULL_IN_DAYS,
    LARGE_WAL,
    LITTLE_SPACE,
    MANY_UNMOVED,
    NO_SPACE,
    Level,
    Problem,
    findings_of,
)
from tallystick.services.operating.machine import Machine, Space, look_at_machine, running_versions
from tallystick.services.operating.slow_questions import REMEMBERED, SHOWN_FOR_MS, SLOW_S, SlowQuestions
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
    growth=Growth(1_000.0, 30.0, FULL_IN_DAYS),
    backup=BackupNote(1_000_000, 5_000_000, hits=True),
    slow=[],
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


def test_a_backup_is_missed_when_it_is_old_or_was_never_taken() -> None:
    old = replace(WELL, at=WELL.at + BACKUP_OLD_MS - 1_000_000)
    assert findings_of(old) == []
    (found,) = findings_of(replace(old, at=old.at + 1))
    assert (found.problem, found.level) == (Problem.OLD_BACKUP, Level.SOON)
    (found,) = findings_of(replace(WELL, backup=None))
    assert (found.problem, found.level, found.facts) == (Problem.NO_BACKUP, Level.SOON, {"lake": False})
    (found,) = findings_of(replace(WELL, backup=None, hits=replace(WELL.hits, server="node-1")))
    assert found.facts == {"lake": True}


def test_the_last_backup_is_noted_for_its_owner(tmp_path: Path) -> None:
    assert last_backup(tmp_path) is None
    for note in (BackupNote(1, 2, hits=False), BackupNote(3, 4, hits=True)):
        note_backup(tmp_path, note)
        assert last_backup(tmp_path) == note
    assert (tmp_path / NOTE_FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / NOTE_FILE).write_bytes(b"{")
    assert last_backup(tmp_path) is None


def test_a_disk_that_fills_within_days_is_told_before_it_is_full() -> None:
    (found,) = findings_of(replace(WELL, growth=Growth(50_000_000.0, 20.0, 13.9)))
    assert (found.problem, found.level) == (Problem.FULL_SOON, Level.SOON)
    assert found.facts == {"days": 13, "bytes_per_day": 50_000_000}
    assert findings_of(replace(WELL, growth=None)) == []
    assert findings_of(replace(WELL, growth=Growth(-1.0, 20.0, None))) == []


def measurements(*sizes: int, every_ms: int = DAY_MS // 2) -> list[Measurement]:
    return [Measurement(position * every_ms, size) for position, size in enumerate(sizes)]


def test_the_growth_is_not_known_before_there_are_enough_measurements() -> None:
    growing = [megabytes * 1_000_000 for megabytes in range(LEAST_MEASUREMENTS)]
    assert growth_of([], 1) is None
    assert growth_of(measurements(*growing[1:]), 1) is None
    assert growth_of(measurements(*growing, every_ms=DAY_MS // 4), 1) is None  # less than three days
    assert growth_of(measurements(*growing), 100_000_000) == Growth(2_000_000.0, 3.5, 50.0)
    assert growth_of(measurements(*growing), None) == Growth(2_000_000.0, 3.5, None)


def test_a_single_import_or_deletion_does_not_decide_the_growth() -> None:
    sizes = [megabytes * 1_000_000 + (500_000_000 if megabytes > 10 else 0) for megabytes in range(40)]
    growth = growth_of(measurements(*sizes), 1_000_000_000)
    assert growth is not None
    assert 2_000_000 <= growth.bytes_per_day < 40_000_000
    shrinking = growth_of(measurements(*reversed(sizes)), 1_000_000_000)
    assert shrinking is not None
    assert shrinking.bytes_per_day < 0
    assert shrinking.full_in_days is None


def test_the_data_directory_is_measured_a_few_times_a_day(tmp_path: Path) -> None:
    now, file = [10 * DAY_MS], tmp_path / "ledger.sqlite3"
    history = DiskHistory(tmp_path, lambda: now[0])
    assert history.read() == []
    file.write_bytes(b"x" * 100)
    asyncio.run(history.measure())
    now[0] += MEASURED_EVERY_MS - 1
    asyncio.run(history.measure())
    assert history.read() == [Measurement(10 * DAY_MS, 100)]
    now[0] += 1
    file.write_bytes(b"x" * 50)
    own = (tmp_path / HISTORY_FILE).stat().st_size
    asyncio.run(history.measure())
    first, second = history.read()
    assert second.at - first.at == MEASURED_EVERY_MS
    assert second.data == 50 + own
    now[0] = first.at - 1  # the clock went back
    assert history.read() == []
    now[0] = first.at + KEPT_FOR_MS
    assert history.read() == [second]
    (tmp_path / HISTORY_FILE).write_bytes(b"[[")
    assert history.read() == []


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


ASKED = Question(
    sites=(1, 2),
    period=period(0, 28 * 86_400 - 1, UTC),
    metrics=(Metric.VISITORS,),
    dimensions=(TimeUnit.DAY, PAGE),
    condition=AllOf((Match(dimension=PAGE, values=("/secret",)), Not(Match(dimension=CAMPAIGN, values=("mine",))))),
)


def test_slow_questions_are_kept_for_a_day_without_what_was_filtered_for() -> None:
    steady, now = [0.0], [1_000]
    slow = SlowQuestions(lambda: steady[0], lambda: now[0])

    def ask(question: Question | None, seconds: float) -> None:
        with slow.measured(question):
            steady[0] += seconds

    ask(ASKED, SLOW_S - 0.01)
    assert slow.of_last_day == []
    ask(ASKED, 2.5)
    with pytest.raises(QuestionTooLong), slow.measured(None):
        raise QuestionTooLong(0.1)
    search, question = slow.of_last_day
    assert (search.given_up, search.about, question.given_up, question.seconds) == (True, (), False, 2.5)
    assert (question.sites, question.days) == ((1, 2), 28)
    assert (question.about, question.filters) == (("visitors", "day", PAGE.name), (PAGE.name, CAMPAIGN.name))
    assert "secret" not in str(question)
    for _ in range(REMEMBERED):
        ask(ASKED, SLOW_S)
    assert [question.given_up for question in slow.of_last_day] == [False] * REMEMBERED
    now[0] += SHOWN_FOR_MS
    assert slow.of_last_day == []
