"""Names that hits refer to by id: paths and campaigns of a site. Stored in the ledger, with a cache in front of it."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec
from msgspec import Struct

from tallystick.ledger import Ledger, Session
from tallystick.model.name import name_digest
from tallystick.model.path import spellings

CACHED_NAMES = 100_000
"""Cached spellings of each kind, about 40 MB when both are full. A full cache drops its older half."""
TITLES_WATCHED = 8
"""Other titles of one path that are counted; with more of them, counting starts over."""
TITLE_REPLACED_AFTER = 10
"""After more hits than this with one other title, the path takes it over."""

_encode = msgspec.json.Encoder().encode


class Path(Struct, frozen=True):
    """A page or an event.

    Attributes:
        path: the first spelling.
        event: whether it is the name of an event.
    """

    id: int
    path: str
    title: str
    event: bool


class NewPath(Struct, frozen=True):
    """The path of a hit; see ``Path``.

    Attributes:
        counted: whether the hit is a person's; paths that only bots requested are not listed.
    """

    path: str
    title: str
    event: bool
    counted: bool


class CachedPath:
    """A cached path; one object for each of its spellings.

    Attributes:
        others: hits by title since the title last changed.
    """

    __slots__ = ("counted", "id", "others", "title")

    def __init__(self, id_: int, title: str, *, counted: bool) -> None:
        self.id, self.title, self.counted = id_, title, counted
        self.others: dict[str, int] = {}

    def takes_title(self, title: str) -> bool:
        """Count a hit with another title. Returns whether the path takes that title over: after enough such hits."""
        if not self.title:
            return True
        hits = self.others.get(title, 0) + 1
        if len(self.others) >= TITLES_WATCHED and hits == 1:
            self.others.clear()
        self.others[title] = hits
        return hits > TITLE_REPLACED_AFTER


class Names:
    """The names of every site. Used from one event loop.

    A name is created durably before its id is returned. Names are compared case-insensitively; the first spelling
    stays. A path and an event never have the same name: only paths begin with a slash.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._paths: dict[tuple[int, str], CachedPath] = {}
        self._campaigns: dict[tuple[int, str], int] = {}
        self.deleted: set[int] = set()
        """Sites that were deleted since the start; requests that began before may still refer to them."""

    def path(self, site: int, path: str) -> CachedPath | None:
        """The path of this spelling if it is cached; never waits."""
        return self._paths.get((site, path))

    def campaign(self, site: int, name: str) -> int | None:
        """The id of the campaign of this spelling if it is cached; never waits."""
        return self._campaigns.get((site, name))

    async def missing(self, site: int, path: str, campaign: str) -> tuple[bool, bool]:
        """Whether a path and a campaign are new to a site; an empty campaign is not.

        Raises:
            StoreUnavailable: the ledger is busy, failed or closed.
        """
        paths = [path] if self.path(site, path) is None else []
        campaigns = [campaign] if campaign and self.campaign(site, campaign) is None else []
        if not paths and not campaigns:
            return False, False
        return await self._ledger.read(_missing, site, paths, campaigns)

    async def learn(self, site: int, paths: Collection[NewPath], campaigns: Collection[str] = ()) -> None:
        """Cache these names and create those that are new; durable when it returns.

        Raises:
            StoreUnavailable: the ledger is busy, full, failed or closed.
        """
        resolved, ids = await self._ledger.write(_create, site, paths, campaigns)
        self._shrink()
        for new, path in zip(paths, resolved, strict=True):
            self._paths[site, new.path] = CachedPath(path.id, path.title, counted=path.counted)
        for name, id_ in zip(campaigns, ids, strict=True):
            self._campaigns[site, name] = id_

    async def update(self, counted: Collection[CachedPath], titles: Collection[tuple[CachedPath, str]]) -> None:
        """Mark paths as counted and give others new titles; durable when it returns.

        Raises:
            StoreUnavailable: the ledger is busy, full, failed or closed.
        """
        await self._ledger.write(_update, [path.id for path in counted], [(path.id, title) for path, title in titles])
        for path in counted:
            path.counted = True
        for path, title in titles:
            path.title = title
            path.others.clear()

    def forget(self, deleted: Iterable[int] = ()) -> None:
        """Empty the cache, after names were renamed, merged or deleted.

        Args:
            deleted: sites whose names may not be created any more.
        """
        self.deleted.update(deleted)
        self._paths.clear()
        self._campaigns.clear()

    def _shrink(self) -> None:
        for cached in (self._paths, self._campaigns):
            if len(cached) >= CACHED_NAMES:
                for key in list(cached)[: CACHED_NAMES // 2]:
                    del cached[key]


def paths_of(session: Session, site: int, ids: Iterable[int]) -> dict[int, Path]:
    """Paths of a site by id; ids of other sites are left out."""
    rows = session.queries.paths_by_id(session.connection, site=site, ids=_json(list(ids)))
    return {row[0]: _path(row) for row in rows}


def list_paths(session: Session, site: int, after: int, limit: int) -> list[Path]:
    """The next counted paths of a site, in the order of their ids."""
    rows = session.common.list_paths(session.connection, site=site, after=after, max_rows=limit)
    return [_path(row) for row in rows]


def every_path(session: Session, site: int, after: int, limit: int) -> list[tuple[str, int]]:
    """The next paths of a site with their ids, in the order of these; also those that only bots or events have."""
    return [
        (path.path, path.id)
        for path in map(_path, session.common.every_path(session.connection, site=site, after=after, max_rows=limit))
    ]


def path_ids(session: Session, site: int, names: Iterable[str]) -> list[int]:
    """Ids of a site's paths by name, in any case and percent-encoded or not; a name that no path has is left out."""
    # If two spellings have their own paths, the one as given, unless only bots requested that one.
    ids = (max(paths, key=lambda path: path.counted).id for paths in _by_names(session, site, names) if paths)
    return list(dict.fromkeys(ids))


def counted_path_id(session: Session, site: int, name: str) -> int | None:
    """The id of a path with visits by people, by its name as in ``path_ids``; None if there is no such path."""
    return next((path.id for paths in _by_names(session, site, [name]) for path in paths if path.counted), None)


def path_called(session: Session, site: int, name: str) -> int | None:
    """The id of the path that has exactly this name, in any case; None if there is no such path."""
    digest = name_digest(name)
    found = _find_paths(session, site, [digest]).get(digest)
    return None if found is None else found.id


def rename_path(session: Session, site: int, id_: int, path: str) -> bool:
    """Rename a path. Returns False if the site has no such path, or another one of that name."""
    digest = name_digest(path)
    if any(taken.id != id_ for taken in _find_paths(session, site, [digest]).values()):
        return False
    return bool(session.common.rename_path(session.connection, site=site, id=id_, path=path, digest=digest))


def campaigns_of(session: Session, site: int, ids: Iterable[int]) -> dict[int, str]:
    """Names of a site's campaigns by id."""
    rows = session.queries.campaigns_by_id(session.connection, site=site, ids=_json(list(ids)))
    return {int(id_): str(name) for id_, name in rows}


def list_campaigns(session: Session, site: int, after: int, limit: int) -> list[tuple[str, int]]:
    """The next campaigns of a site with their ids, in the order of these."""
    rows = session.common.list_campaigns(session.connection, site=site, after=after, max_rows=limit)
    return [(str(name), int(id_)) for id_, name in rows]


def campaign_ids(session: Session, site: int, names: Iterable[str]) -> list[int]:
    """Ids of a site's campaigns by name, in any case; a name that no campaign has is left out."""
    digests = [name_digest(name).hex() for name in names]
    return [int(row[0]) for row in session.queries.campaign_ids(session.connection, site=site, digests=_json(digests))]


class ResolvedPath(NamedTuple):
    """A path as stored in the ledger."""

    id: int
    title: str
    counted: bool


def _missing(session: Session, site: int, paths: Collection[str], campaigns: Collection[str]) -> tuple[bool, bool]:
    new_paths = paths and not _find_paths(session, site, map(name_digest, paths))
    new_campaigns = campaigns and not _find_campaigns(session, site, map(name_digest, campaigns))
    return bool(new_paths), bool(new_campaigns)


def _create(
    session: Session, site: int, paths: Collection[NewPath], campaigns: Collection[str]
) -> tuple[list[ResolvedPath], list[int]]:
    return _create_paths(session, site, paths), _create_campaigns(session, site, campaigns)


def _create_paths(session: Session, site: int, paths: Collection[NewPath]) -> list[ResolvedPath]:
    digests = [(name_digest(new.path), new) for new in paths]
    stored = _find_paths(session, site, [digest for digest, _ in digests])
    missing = {digest: new for digest, new in reversed(digests) if digest not in stored}
    if missing:
        first = session.take_numbers("path", len(missing))
        rows = [
            (id_, site, new.path, digest.hex(), new.title, int(new.event), int(new.counted))
            for id_, (digest, new) in enumerate(reversed(missing.items()), first)
        ]
        session.queries.create_paths(session.connection, rows=_json(rows))
        # Another server may have created some of them first.
        stored |= _find_paths(session, site, missing)
    _count(session, {stored[digest] for digest, new in digests if new.counted})
    return [ResolvedPath(*stored[digest][:2], stored[digest].counted or new.counted) for digest, new in digests]


def _count(session: Session, paths: Iterable[ResolvedPath]) -> None:
    for path in paths:
        if not path.counted:
            session.common.count_path(session.connection, id=path.id)


def _find_paths(session: Session, site: int, digests: Iterable[bytes]) -> dict[bytes, ResolvedPath]:
    listed = _json([digest.hex() for digest in digests])
    rows = session.queries.paths_by_digest(session.connection, site=site, digests=listed)
    return {bytes(digest): ResolvedPath(int(id_), str(title), bool(counted)) for digest, id_, title, counted in rows}


def _create_campaigns(session: Session, site: int, names: Collection[str]) -> list[int]:
    if not names:
        return []
    digests = [(name_digest(name), name) for name in names]
    ids = _find_campaigns(session, site, [digest for digest, _ in digests])
    missing = {digest: name for digest, name in reversed(digests) if digest not in ids}
    if missing:
        first = session.take_numbers("campaign", len(missing))
        rows = [(id_, site, name, digest.hex()) for id_, (digest, name) in enumerate(reversed(missing.items()), first)]
        session.queries.create_campaigns(session.connection, rows=_json(rows))
        ids |= _find_campaigns(session, site, missing)
    return [ids[digest] for digest, _ in digests]


def _find_campaigns(session: Session, site: int, digests: Iterable[bytes]) -> dict[bytes, int]:
    listed = _json([digest.hex() for digest in digests])
    rows = session.queries.campaigns_by_digest(session.connection, site=site, digests=listed)
    return {bytes(digest): int(id_) for digest, id_ in rows}


def _update(session: Session, counted: Iterable[int], titles: Iterable[tuple[int, str]]) -> None:
    for id_ in counted:
        session.common.count_path(session.connection, id=id_)
    for id_, title in titles:
        session.common.title_path(session.connection, id=id_, title=title)


def _by_names(session: Session, site: int, names: Iterable[str]) -> list[list[ResolvedPath]]:
    """For each name, the paths of its spellings; the one as given comes first."""
    digests_of_names = [[name_digest(spelling) for spelling in spellings(name)] for name in names]
    stored = _find_paths(session, site, [digest for digests in digests_of_names for digest in digests])
    return [[stored[digest] for digest in digests if digest in stored] for digests in digests_of_names]


def _path(row: tuple[int, str, str, int]) -> Path:
    id_, path, title, event = row
    return Path(int(id_), path, title, bool(event))


def _json(value: object) -> str:
    return _encode(value).decode()
