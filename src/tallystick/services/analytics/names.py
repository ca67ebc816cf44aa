"""Names that hits refer to: paths and campaigns of a site, as ids. The ledger keeps them, a cache knows them."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec
from msgspec import Struct

from tallystick.ledger import Ledger, Session
from tallystick.model.name import name_digest
from tallystick.model.path import spellings

CACHED_NAMES = 100_000
"""Spellings remembered of each kind; about 40 MB when both are full. Past it the older half is forgotten."""
TITLES_WATCHED = 8
"""Other titles counted of one path; past it counting starts over."""
TITLE_REPLACED_AFTER = 10
"""More hits than this with one other title, and it becomes the path's."""

_encode = msgspec.json.Encoder().encode


class Path(Struct, frozen=True):
    """A page, or an event, as reports name it.

    Attributes:
        path: as it was first spelled.
        event: whether it is an event's name.
    """

    id: int
    path: str
    title: str
    event: bool


class NewPath(Struct, frozen=True):
    """A path that a hit brings; see ``Path``.

    Attributes:
        counted: whether a person's hit brings it; paths that only bots asked for are in no listing.
    """

    path: str
    title: str
    event: bool
    counted: bool


class KnownPath:
    """What the cache knows of a path, whichever way it was spelled.

    Attributes:
        others: hits by title since the title last changed.
    """

    __slots__ = ("counted", "id", "others", "title")

    def __init__(self, id_: int, title: str, *, counted: bool) -> None:
        self.id, self.title, self.counted = id_, title, counted
        self.others: dict[str, int] = {}

    def wants_title(self, title: str) -> bool:
        """Count a hit with another title; whether there were now enough to take it over."""
        if not self.title:
            return True
        hits = self.others.get(title, 0) + 1
        if len(self.others) >= TITLES_WATCHED and hits == 1:
            self.others.clear()
        self.others[title] = hits
        return hits > TITLE_REPLACED_AFTER


class Names:
    """The names of every site. Used from one event loop.

    A name is created durably before its id is handed out. Names compare without regard to case; the first
    spelling seen stays. A path and an event never meet: only paths begin with a slash.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._paths: dict[tuple[int, str], KnownPath] = {}
        self._campaigns: dict[tuple[int, str], int] = {}
        self.deleted: set[int] = set()
        """Sites that were deleted since the start; requests that came before may still mean them."""

    def path(self, site: int, path: str) -> KnownPath | None:
        """A path if the cache knows this spelling; never waits."""
        return self._paths.get((site, path))

    def campaign(self, site: int, name: str) -> int | None:
        """A campaign's id if the cache knows this spelling; never waits."""
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
        """Make the cache know these names, creating those that are new; durable when it returns.

        Raises:
            StoreUnavailable: the ledger is busy, full, failed or closed.
        """
        known, ids = await self._ledger.write(_create, site, paths, campaigns)
        self._shrink()
        for new, path in zip(paths, known, strict=True):
            self._paths[site, new.path] = KnownPath(path.id, path.title, counted=path.counted)
        for name, id_ in zip(campaigns, ids, strict=True):
            self._campaigns[site, name] = id_

    async def update(self, counted: Collection[KnownPath], titles: Collection[tuple[KnownPath, str]]) -> None:
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
        """Forget what is cached: names were renamed, merged or deleted.

        Args:
            deleted: sites of which no name may be learned any more.
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
    """Paths of a site by id; ids of others are left out."""
    rows = session.queries.paths_by_id(session.connection, site=site, ids=_json(list(ids)))
    return {row[0]: _path(row) for row in rows}


def list_paths(session: Session, site: int, after: int, limit: int) -> list[Path]:
    """The next counted paths of a site, by id."""
    rows = session.common.list_paths(session.connection, site=site, after=after, max_rows=limit)
    return [_path(row) for row in rows]


def path_ids(session: Session, site: int, names: Iterable[str]) -> list[int]:
    """Ids of a site's paths by name, in any case and whether percent-encoded or not; unknown names have none."""
    # Of two spellings with pages of their own the one as it is written, unless only bots asked for that one.
    found = (max(paths, key=lambda path: path.counted).id for paths in _named(session, site, names) if paths)
    return list(dict.fromkeys(found))


def counted_path_id(session: Session, site: int, name: str) -> int | None:
    """The id of a path that people have asked for, by its name as in ``path_ids``; None where there is none."""
    return next((path.id for found in _named(session, site, [name]) for path in found if path.counted), None)


def rename_path(session: Session, site: int, id_: int, path: str) -> bool:
    """Give a path another name; False where the site has no such path, or another one of that name."""
    digest = name_digest(path)
    if any(taken.id != id_ for taken in _find_paths(session, site, [digest]).values()):
        return False
    return bool(session.common.rename_path(session.connection, site=site, id=id_, path=path, digest=digest))


def campaigns_of(session: Session, site: int, ids: Iterable[int]) -> dict[int, str]:
    """Names of a site's campaigns by id."""
    rows = session.queries.campaigns_by_id(session.connection, site=site, ids=_json(list(ids)))
    return {int(id_): str(name) for id_, name in rows}


def campaign_ids(session: Session, site: int, names: Iterable[str]) -> list[int]:
    """Ids of a site's campaigns by name, in any case; unknown names have none."""
    digests = [name_digest(name).hex() for name in names]
    return [int(row[0]) for row in session.queries.campaign_ids(session.connection, site=site, digests=_json(digests))]


class ResolvedPath(NamedTuple):
    """What a hit needs to know of a path."""

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
    wanted = [(name_digest(new.path), new) for new in paths]
    found = _find_paths(session, site, [digest for digest, _ in wanted])
    missing = {digest: new for digest, new in reversed(wanted) if digest not in found}
    if missing:
        first = session.take_numbers("path", len(missing))
        rows = [
            (id_, site, new.path, digest.hex(), new.title, int(new.event), int(new.counted))
            for id_, (digest, new) in enumerate(reversed(missing.items()), first)
        ]
        session.queries.create_paths(session.connection, rows=_json(rows))
        # Another server may have been first.
        found |= _find_paths(session, site, missing)
    _count(session, {found[digest] for digest, new in wanted if new.counted})
    return [ResolvedPath(*found[digest][:2], found[digest].counted or new.counted) for digest, new in wanted]


def _count(session: Session, asked_for: Iterable[ResolvedPath]) -> None:
    for path in asked_for:
        if not path.counted:
            session.common.count_path(session.connection, id=path.id)


def _find_paths(session: Session, site: int, digests: Iterable[bytes]) -> dict[bytes, ResolvedPath]:
    listed = _json([digest.hex() for digest in digests])
    rows = session.queries.paths_by_digest(session.connection, site=site, digests=listed)
    return {bytes(digest): ResolvedPath(int(id_), str(title), bool(counted)) for digest, id_, title, counted in rows}


def _create_campaigns(session: Session, site: int, names: Collection[str]) -> list[int]:
    if not names:
        return []
    wanted = [(name_digest(name), name) for name in names]
    found = _find_campaigns(session, site, [digest for digest, _ in wanted])
    missing = {digest: name for digest, name in reversed(wanted) if digest not in found}
    if missing:
        first = session.take_numbers("campaign", len(missing))
        rows = [(id_, site, name, digest.hex()) for id_, (digest, name) in enumerate(reversed(missing.items()), first)]
        session.queries.create_campaigns(session.connection, rows=_json(rows))
        found |= _find_campaigns(session, site, missing)
    return [found[digest] for digest, _ in wanted]


def _find_campaigns(session: Session, site: int, digests: Iterable[bytes]) -> dict[bytes, int]:
    listed = _json([digest.hex() for digest in digests])
    rows = session.queries.campaigns_by_digest(session.connection, site=site, digests=listed)
    return {bytes(digest): int(id_) for digest, id_ in rows}


def _update(session: Session, counted: Iterable[int], titles: Iterable[tuple[int, str]]) -> None:
    for id_ in counted:
        session.common.count_path(session.connection, id=id_)
    for id_, title in titles:
        session.common.title_path(session.connection, id=id_, title=title)


def _named(session: Session, site: int, names: Iterable[str]) -> list[list[ResolvedPath]]:
    """For each name the paths of its spellings, the one as it is written first."""
    wanted = [[name_digest(spelling) for spelling in spellings(name)] for name in names]
    found = _find_paths(session, site, [digest for digests in wanted for digest in digests])
    return [[found[digest] for digest in digests if digest in found] for digests in wanted]


def _path(row: tuple[int, str, str, int]) -> Path:
    id_, path, title, event = row
    return Path(int(id_), path, title, bool(event))


def _json(value: object) -> str:
    return _encode(value).decode()
