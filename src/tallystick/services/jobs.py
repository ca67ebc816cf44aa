"""The queue of jobs: changes of the ledger that the warehouse has still to follow.

A change and its job are one transaction of the ledger. ``job_worker`` carries the jobs out.
Functions of ``(session, ...)``; times in ms.
"""

from typing import Any

import msgspec
from msgspec import Struct

from tallystick.ledger import Session
from tallystick.warehouse.types import EVERY_ID

JOBS_AT_ONCE = 100


class DeleteSite(Struct, frozen=True, tag_field="kind", tag="delete_site"):
    """Remove the hits, names and exports of a deleted site."""

    site: int


class DeletePaths(Struct, frozen=True, tag_field="kind", tag="delete_paths"):
    """Remove the hits of paths whose names are removed."""

    site: int
    paths: tuple[int, ...]


class MergePaths(Struct, frozen=True, tag_field="kind", tag="merge_paths"):
    """Move the hits of paths whose names are removed to another path."""

    site: int
    paths: tuple[int, ...]
    into: int


class RenamedPath(Struct, frozen=True, tag_field="kind", tag="renamed_path"):
    """Invalidate cached names; nothing changes in the warehouse."""

    site: int


class Relabel(Struct, frozen=True, tag_field="kind", tag="relabel"):
    """Give hits another bot code; see ``WarehouseWriteSession.relabel``."""

    site: int
    bot: int
    into: int
    span: tuple[int, int] = EVERY_ID


class RelabelMatching(Struct, frozen=True, tag_field="kind", tag="relabel_matching"):
    """Give hits that pass a filter another bot code; see ``WarehouseWriteSession.relabel_matching``.

    Attributes:
        bots: whether hits of bots are meant, not those of people.
        since, before: Unix seconds.
        condition: in ids, as ``model.filter_lists`` writes it.
        key: random; the change is carried out once for each key.
    """

    site: int
    bots: bool
    since: int
    before: int
    condition: list[Any]
    into: int
    span: tuple[int, int]
    key: str


Job = DeleteSite | DeletePaths | MergePaths | RenamedPath | Relabel | RelabelMatching
JOBS = "job"
"""The sequence that numbers jobs. A change of the names of paths queues one."""

_encode = msgspec.json.Encoder().encode


def enqueue(session: Session, job: Job, now: int) -> int:
    """Queue a job, in the transaction of its change. Returns its id."""
    number = session.take_numbers(JOBS)
    arguments = msgspec.to_builtins(job)
    kind = arguments.pop("kind")
    session.common.enqueue(session.connection, id=number, kind=kind, arguments=_encode(arguments).decode(), created=now)
    return number


def pending_jobs(session: Session) -> list[tuple[int, Job]]:
    """The next jobs with their ids, oldest first."""
    rows = session.common.jobs(session.connection, max_rows=JOBS_AT_ONCE)
    return [
        (number, msgspec.convert({"kind": kind, **msgspec.json.decode(arguments)}, Job))
        for number, kind, arguments, _ in rows
    ]


def changes_of_paths(session: Session, site: int) -> int:
    """How many of the next jobs are merges and deletions of a site's paths that are not carried out yet."""
    return sum(isinstance(job, DeletePaths | MergePaths) and job.site == site for _, job in pending_jobs(session))


def changes_of_hits(session: Session, site: int) -> int:
    """How many of the next jobs count a site's hits or leave them out, and are not carried out yet."""
    return sum(isinstance(job, Relabel | RelabelMatching) and job.site == site for _, job in pending_jobs(session))


def remove_job(session: Session, number: int) -> None:
    """Remove a job that is done."""
    session.common.job_done(session.connection, id=number)
