"""What is wrong with a server, judged from its state alone."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from tallystick.services.operating.state import ServerState

QUEUE_FILLS = 0.5
"""The share of the queue above which it is filling."""
MANY_UNMOVED = 50_000
"""Hits; at 100,000 further ones are refused."""
LARGE_WAL = 256_000_000
"""Bytes; the databases fold their logs at 16 MB, after long reads a little later."""
BACKUP_OLD_MS = 7 * 86_400_000
FULL_IN_DAYS = 14
NO_SPACE, LITTLE_SPACE = 64 << 20, 1 << 30
"""Bytes, as ``tallystick doctor`` judges them."""


class Level(StrEnum):
    """How urgent it is: something is lost or refused now, or would be later."""

    NOW = "now"
    SOON = "soon"


class Problem(StrEnum):
    """The kinds of findings."""

    STORING = "counts cannot be stored"
    SPACE = "the disk is full"
    HITS = "pageviews cannot be stored"
    CLOCK = "the clock is wrong"
    TASK = "a background task does not succeed"
    QUEUE = "the queue fills"
    JOURNAL = "the journal fills"
    PAUSED = "the statistics are paused"
    LITTLE_SPACE = "the disk fills"
    FULL_SOON = "the disk will be full"
    NO_BACKUP = "there is no backup"
    OLD_BACKUP = "the last backup is old"
    WAL = "a write-ahead log is large"


class Finding(Struct, frozen=True):
    """Something that is wrong.

    Attributes:
        facts: numbers and names that belong to it.
    """

    problem: Problem
    level: Level
    facts: Mapping[str, str | int | float] = {}


def findings_of(state: ServerState) -> list[Finding]:
    """Everything that is wrong, the most urgent first; empty if all is well."""
    return sorted((*_writing(state), *_machine(state), *_others(state)), key=lambda found: found.level != Level.NOW)


def _writing(state: ServerState) -> Iterator[Finding]:
    writing, hits = state.writing, state.hits
    if writing.problem is not None:
        yield Finding(Problem.STORING, Level.NOW, {"reason": writing.problem, "shared": writing.shared})
    if hits.failing:
        yield Finding(Problem.HITS, Level.NOW)
    if writing.waiting > QUEUE_FILLS * writing.most_waiting:
        yield Finding(Problem.QUEUE, Level.SOON, {"waiting": writing.waiting, "most": writing.most_waiting})
    if hits.unmoved > MANY_UNMOVED:
        yield Finding(Problem.JOURNAL, Level.SOON, {"hits": hits.unmoved})
    if not hits.owned:
        yield Finding(Problem.PAUSED, Level.SOON)


def _machine(state: ServerState) -> Iterator[Finding]:
    machine = state.machine
    if machine.space is not None and machine.space.free < NO_SPACE:
        yield Finding(Problem.SPACE, Level.NOW, {"free": machine.space.free})
    elif machine.space is not None and machine.space.free < LITTLE_SPACE:
        yield Finding(Problem.LITTLE_SPACE, Level.SOON, {"free": machine.space.free})
    elif state.growth is not None and (state.growth.full_in_days or FULL_IN_DAYS) < FULL_IN_DAYS:
        days, growth = state.growth.full_in_days, state.growth.bytes_per_day
        yield Finding(Problem.FULL_SOON, Level.SOON, {"days": int(days or 0), "bytes_per_day": int(growth)})
    if machine.wal > LARGE_WAL:
        yield Finding(Problem.WAL, Level.SOON, {"bytes": machine.wal})


def _others(state: ServerState) -> Iterator[Finding]:
    if state.clock_ahead_s:
        yield Finding(Problem.CLOCK, Level.NOW, {"ahead_s": state.clock_ahead_s})
    for task in state.tasks:
        if task.overdue:
            yield Finding(Problem.TASK, Level.NOW, {"task": task.name, "failures": task.failures})
    if state.backup is None:
        yield Finding(Problem.NO_BACKUP, Level.SOON, {"lake": state.hits.server is not None})
    elif state.at - state.backup.at > BACKUP_OLD_MS:
        yield Finding(Problem.OLD_BACKUP, Level.SOON, {"age_s": (state.at - state.backup.at) / 1000})
