"""Stored paths with their hits, for those who rename, merge and delete them.

Names are in the ledger, hits in the warehouse. A list takes one read of each: of 100,000 paths about 0.2 s.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from tallystick.ledger import Ledger, Session
from tallystick.model.path import MAX_PATH
from tallystick.model.text import storable
from tallystick.services.analytics.names import Path, paths_of
from tallystick.services.analytics.questions import Questions
from tallystick.warehouse.types import PathHits

_LIKE = str.maketrans({"!": "!!", "%": "!%", "_": "!_"})


class PathKind(StrEnum):
    """Which paths are listed. Those that only bots requested are in no statistics, so they are listed apart."""

    ALL = "all"
    PAGES = "pages"
    EVENTS = "events"
    BOTS = "bots"


_EVENT = {PathKind.PAGES: 0, PathKind.EVENTS: 1}


class PathSearch(Struct, frozen=True):
    """What is listed.

    Attributes:
        find: a part of the name, in any case; empty for all.
        by_name: in the order of the names, not of the hits.
    """

    kind: PathKind = PathKind.ALL
    find: str = ""
    by_name: bool = False


class StoredPath(Struct, frozen=True):
    """A path.

    Attributes:
        hits: of people: pageviews, or events.
        bots: hits of bots, which no statistic contains.
    """

    id: int
    path: str
    title: str
    event: bool
    hits: int
    bots: int


class PathList(Struct, frozen=True):
    """Some paths of a list.

    Attributes:
        total: paths of the whole list.
    """

    rows: tuple[StoredPath, ...]
    total: int


async def list_stored_paths(  # noqa: PLR0913, PLR0917  # stores, and what is listed
    ledger: Ledger, questions: Questions, site: int, search: PathSearch, limit: int, offset: int
) -> PathList:
    """A part of a site's paths, those with most hits first, or by name.

    Raises:
        QuestionTooLong, StoreUnavailable: see ``Questions.read``.
    """
    ids = await ledger.read(_found_ids, site, search)
    if search.by_name:
        page = ids[offset : offset + limit]
        rows = {path.id: path for path in await stored_paths(ledger, questions, site, page)}
        return PathList(tuple(rows[id_] for id_ in page if id_ in rows), len(ids))
    return PathList(await _with_hits(ledger, questions, site, ids, limit, offset), len(ids))


async def stored_paths(ledger: Ledger, questions: Questions, site: int, ids: Sequence[int]) -> tuple[StoredPath, ...]:
    """Paths of a site by id, those with most hits first; ids that it does not have are left out.

    Raises:
        QuestionTooLong, StoreUnavailable: see ``Questions.read``.
    """
    return await _with_hits(ledger, questions, site, list(dict.fromkeys(ids)), len(ids), 0)


async def _with_hits(  # noqa: PLR0913, PLR0917  # stores, and which
    ledger: Ledger, questions: Questions, site: int, ids: Sequence[int], limit: int, offset: int
) -> tuple[StoredPath, ...]:
    counted = await questions.read(lambda session: session.hits_of_paths(site, ids, limit, offset))
    named = await ledger.read(paths_of, site, [each.path for each in counted])
    return tuple(with_hits(named[each.path], each) for each in counted if each.path in named)


def with_hits(path: Path, counted: PathHits) -> StoredPath:
    """A path with its hits."""
    return StoredPath(path.id, path.path, path.title, path.event, counted.hits, counted.bots)


def _found_ids(session: Session, site: int, search: PathSearch) -> list[int]:
    if len(search.find) > MAX_PATH:  # also more than SQLite takes as a pattern
        return []
    typed = storable(search.find).translate(_LIKE)
    find = session.common.found_path_ids_by_name if search.by_name else session.common.found_path_ids
    rows: Iterable[tuple[int]] = find(
        session.connection,
        site=site,
        counted=int(search.kind is not PathKind.BOTS),
        event=_EVENT.get(search.kind, -1),
        pattern=f"%{typed.lower()}%",
        typed=f"%{typed}%",
    )
    return [int(id_) for (id_,) in rows]
