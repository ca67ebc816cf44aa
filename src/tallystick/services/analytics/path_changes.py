"""Renaming, merging and deleting paths: changes the ledger and queues a job for the warehouse.

Functions of ``(session, ...)``; times in ms.
"""

from collections.abc import Sequence

from tallystick.errors import InputRefused
from tallystick.ledger import Session
from tallystick.services.analytics import names
from tallystick.services.jobs import DeletePaths, MergePaths, RenamedPath, enqueue

PATHS_AT_ONCE = 1_000


def rename_path(session: Session, site: int, path: int, name: str, now: int) -> None:
    """Rename a path, which keeps its hits. Later hits of the old name create a new path.

    Raises:
        InputRefused: the site has no such path, or another one of that name.
    """
    _require_paths(session, site, [path])
    if not names.rename_path(session, site, path, name):
        msg = f"site {site} has a path {name!r} already; merge them instead"
        raise InputRefused(msg)
    enqueue(session, RenamedPath(site), now)


def merge_paths(session: Session, site: int, paths: Sequence[int], into: int, now: int) -> int:
    """Move the hits of some paths to another one, and remove their names. Returns the id of the job.

    Raises:
        InputRefused: the site lacks one of these paths, or one is to be merged into itself.
    """
    if into in paths:
        msg = "a path cannot be merged into itself"
        raise InputRefused(msg)
    _require_paths(session, site, [*paths, into])
    _remove(session, site, paths)
    session.common.count_path(session.connection, id=into)
    return enqueue(session, MergePaths(site, tuple(paths), into), now)


def delete_paths(session: Session, site: int, paths: Sequence[int], now: int) -> int:
    """Remove some paths, and their hits by a job. Returns the id of the job.

    Raises:
        InputRefused: the site lacks one of these paths.
    """
    _require_paths(session, site, paths)
    _remove(session, site, paths)
    return enqueue(session, DeletePaths(site, tuple(paths)), now)


def _require_paths(session: Session, site: int, paths: Sequence[int]) -> None:
    if not 0 < len(paths) <= PATHS_AT_ONCE:
        msg = f"between 1 and {PATHS_AT_ONCE:,} paths are changed at once, not {len(paths):,}"
        raise InputRefused(msg)
    if missing := sorted(set(paths) - names.paths_of(session, site, paths).keys()):
        msg = f"site {site} has no path {', '.join(map(str, missing))}"
        raise InputRefused(msg)


def _remove(session: Session, site: int, paths: Sequence[int]) -> None:
    for path in paths:
        session.common.remove_path(session.connection, site=site, id=path)
