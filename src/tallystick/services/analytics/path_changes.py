"""Renaming, merging and deleting paths: changes the ledger and queues a job for the warehouse.

Each change is one transaction of the ledger with its job, so it is made as a whole or not at all.
Functions of ``(session, ...)``; times in ms.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from tallystick.errors import InputRefused, InvalidFields
from tallystick.ledger import Session
from tallystick.model.path import MAX_PATH, clean_event, clean_path
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.accounts.site_rows import site as read_site
from tallystick.services.analytics import names
from tallystick.services.analytics.names import Path
from tallystick.services.jobs import DeletePaths, MergePaths, RenamedPath, enqueue

PATHS_AT_ONCE = 1_000
NAMES_LOGGED, LONGEST_LOGGED = 3, 200
"""Names of paths in one event of the log, and the characters of each."""


def rename_path(session: Session, site: int, path: int, name: str, now: int) -> None:
    """Rename a path, which keeps its hits. Later hits of the old name create a new path.

    Raises:
        InvalidFields: the name is not valid; the field is ``name``.
        InputRefused: the site has no such path, or another one of that name.
    """
    found = _require_paths(session, site, [path])
    name = valid_name(name, event=found[path].event)
    _rename(session, site, found[path], name)
    enqueue(session, RenamedPath(site), now)
    _log(session, EventKind.PATH_RENAMED, now, site, f"{_logged([found[path]])} to {name[:LONGEST_LOGGED]}")


def merge_paths(session: Session, site: int, paths: Sequence[int], into: int, now: int) -> int:
    """Move the hits of some paths to another one, and remove their names. Returns the id of the job.

    Raises:
        InputRefused: the site lacks one of these paths, one is to be merged into itself, or a page into an event.
    """
    if into in paths:
        msg = "a path cannot be merged into itself"
        raise InputRefused(msg)
    found = _require_paths(session, site, [*paths, into])
    require_one_kind(path.event for path in found.values())
    return _merge(session, site, [found[path] for path in dict.fromkeys(paths)], found[into], now)


def gather_paths(session: Session, site: int, paths: Sequence[int], name: str, now: int) -> None:
    """Make one path of some: the one with this name gets their hits. Where there is none, the first is renamed.

    Raises:
        InvalidFields: the name is not valid; the field is ``name``.
        InputRefused: the site lacks one of these paths, they are pages and events, or there is nothing to merge.
    """
    found = _require_paths(session, site, paths)
    require_one_kind(path.event for path in found.values())
    name = valid_name(name, event=found[paths[0]].event)
    into = names.path_called(session, site, name)
    if into is None:
        first, *rest = dict.fromkeys(paths)
        rename_path(session, site, first, name, now)
        into = first
    else:
        rest = [path for path in dict.fromkeys(paths) if path != into]
        if not rest:
            raise InvalidFields({"name": ["is the name that this path has already"]})
    if rest:
        merge_paths(session, site, rest, into, now)


def gather_by_rule(session: Session, site: int, paths: Sequence[int], rule: str, now: int) -> None:
    """Merge the paths that a rule of the site gathers; those that are not there any more are left out.

    Raises:
        InputRefused: the site has no such rule any more.
    """
    stored = read_site(session, site)
    if stored is None or rule not in stored.settings.path_rules:
        msg = f"site {site} has no rule {rule} any more"
        raise InputRefused(msg)
    found = [path for path in names.paths_of(session, site, paths).values() if not path.event]
    into = names.path_called(session, site, rule)
    if into is None and found:
        first = found.pop(0)
        names.rename_path(session, site, first.id, rule)
        enqueue(session, RenamedPath(site), now)
        _log(session, EventKind.PATH_RENAMED, now, site, f"{_logged([first])} to {rule[:LONGEST_LOGGED]}")
        into = first.id
    if into is None:
        return
    # Without a title, which would be that of one of many pages; hits of the rule have none either.
    session.common.title_path(session.connection, id=into, title="")
    if rest := [path for path in found if path.id != into]:
        _merge(session, site, rest, names.paths_of(session, site, [into])[into], now)


def delete_paths(session: Session, site: int, paths: Sequence[int], now: int) -> int:
    """Remove some paths, and their hits by a job. Returns the id of the job.

    Raises:
        InputRefused: the site lacks one of these paths.
    """
    found = _require_paths(session, site, paths)
    _remove(session, site, found)
    _log(session, EventKind.PATHS_DELETED, now, site, _logged(found.values()))
    return enqueue(session, DeletePaths(site, tuple(paths)), now)


def valid_name(name: str, *, event: bool) -> str:
    """A new name for a page or an event, cleaned as names of hits are.

    Raises:
        InvalidFields: it is empty, too long, or of the other kind; the field is ``name``.
    """
    name = name.strip()
    if event:
        problem = "cannot begin with /: that is a page" if name.startswith("/") else ""
        clean = clean_event(name)
    else:
        problem = "" if name.startswith("/") else "must begin with /, because it is a page"
        clean = clean_path(name)
    if not name:
        problem = "must be set"
    elif len(clean) > MAX_PATH:
        problem = f"must be shorter than {MAX_PATH} characters"
    if problem:
        raise InvalidFields({"name": [problem]})
    return clean


def require_one_kind(events: Iterable[bool]) -> None:
    """Refuse to make one path of pages and events.

    Args:
        events: whether each path is an event.

    Raises:
        InputRefused
    """
    if len(set(events)) > 1:
        msg = "pages and events cannot be merged with each other"
        raise InputRefused(msg)


def _rename(session: Session, site: int, path: Path, name: str) -> None:
    if not names.rename_path(session, site, path.id, name):
        msg = f"site {site} has a path {name!r} already; merge them instead"
        raise InputRefused(msg)


def _merge(session: Session, site: int, paths: Sequence[Path], into: Path, now: int) -> int:
    ids = tuple(path.id for path in paths)
    _remove(session, site, ids)
    session.common.count_path(session.connection, id=into.id)
    _log(session, EventKind.PATHS_MERGED, now, site, f"{_logged(paths)} into {_logged([into])}")
    return enqueue(session, MergePaths(site, ids, into.id), now)


def _require_paths(session: Session, site: int, paths: Sequence[int]) -> Mapping[int, Path]:
    if not 0 < len(paths) <= PATHS_AT_ONCE:
        msg = f"between 1 and {PATHS_AT_ONCE:,} paths are changed at once, not {len(paths):,}"
        raise InputRefused(msg)
    found = names.paths_of(session, site, paths)
    if missing := sorted(set(paths) - found.keys()):
        msg = f"site {site} has no path {', '.join(map(str, missing))}"
        raise InputRefused(msg)
    return found


def _remove(session: Session, site: int, paths: Collection[int]) -> None:
    session.queries.remove_paths(session.connection, site=site, ids=msgspec.json.encode(list(paths)).decode())


def _log(session: Session, kind: EventKind, now: int, number: int, detail: str) -> None:
    site = read_site(session, number)
    subject = f"site {number}" if site is None else f"site {number} {site.cname or site.code}"
    note(session, kind, now, subject, detail)


def _logged(paths: Collection[Path]) -> str:
    """Names of paths for the log: the first ones, and how many more there are."""
    listed = ", ".join(path.path[:LONGEST_LOGGED] for path in list(paths)[:NAMES_LOGGED])
    return listed if len(paths) <= NAMES_LOGGED else f"{listed} and {len(paths) - NAMES_LOGGED:,} more"
