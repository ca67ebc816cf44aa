"""What goals, funnels, segments, annotations and shared links have in common: lock, log and the cache of a site's."""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from msgspec import UNSET, Struct

from tallystick.errors import Conflicting, InputRefused, InvalidFields, NotThere
from tallystick.ledger import Ledger, Session
from tallystick.model.site import Site
from tallystick.services.accounts import site_rows
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.annotating import KEPT, hold_kept

FRESH_S = 0.125
"""Changes by other processes are visible after this time at most."""
OBJECTS_CACHED = 5_000
"""Of all sites and kinds together, besides those of the last site."""

TAKEN = "already exists"


class Kept(Protocol):
    """A goal, a funnel, a segment or an annotation."""

    @property
    def id(self) -> int:
        """Its number; 0 for one that is not stored yet."""

    @property
    def site(self) -> int:
        """The id of its site."""


class WithName(Kept, Protocol):
    """A kept object with a name."""

    @property
    def name(self) -> str:
        """Shown to people."""


Object = TypeVar("Object", bound=Kept)
NamedOne = TypeVar("NamedOne", bound=WithName)
Load = Callable[[Session, int], tuple[Any, ...]]
"""Reads all objects of one kind of a site."""


def begin(session: Session, number: int) -> Site:
    """Begin a change of what is kept for a site, and lock it.

    Raises:
        NotThere: there is no such site, or it was deleted.
    """
    hold_kept(session)
    stored = site_rows.site(session, number)
    if stored is None:
        msg = f"there is no site {number}"
        raise NotThere(msg)
    return stored


def changed_fields(changes: Struct) -> dict[str, Any]:
    """The fields of a change that are set."""
    return {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}


def pick(objects: Iterable[Object], which: int, kind: str) -> Object:
    """The object with an id.

    Args:
        kind: for the message.

    Raises:
        NotThere: there is none.
    """
    for each in objects:
        if each.id == which:
            return each
    msg = f"the site has no {kind} {which}"
    raise NotThere(msg)


def pick_named(objects: Collection[NamedOne], which: int | str, kind: str) -> NamedOne:
    """The object with an id or a name, in upper or lower case; of several with the name the oldest.

    Raises:
        NotThere: there is none.
    """
    if isinstance(which, int):
        return pick(objects, which, kind)
    folded = which.strip().casefold()
    for each in objects:
        if each.name.casefold() == folded:
            return each
    msg = f"the site has no {kind} {which[:120]!r}"
    raise NotThere(msg)


def id_or_name(text: str) -> int | str:
    """An id where a text can be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else text  # noqa: PLR2004  # below 2^53


def check(problems: Mapping[str, list[str]]) -> None:
    """Refuse an object that has problems.

    Raises:
        InvalidFields
    """
    if problems:
        raise InvalidFields(problems)


def check_room(number: int, most: int, kind: str) -> None:
    """Refuse one object more than a site may have.

    Raises:
        InputRefused
    """
    if number >= most:
        msg = f"the site has {most:,} {kind} already, the most that there can be"
        raise InputRefused(msg)


def check_name(objects: Iterable[WithName], one: WithName, kind: str) -> None:
    """Refuse a name that another object has, in upper or lower case.

    Raises:
        Conflicting
    """
    folded = one.name.casefold()
    if any(each.id != one.id and each.name.casefold() == folded for each in objects):
        msg = f"the site has a {kind} {one.name!r} already"
        raise Conflicting(msg)


def log_change(session: Session, kind: EventKind, now: int, place: Site, one: WithName) -> None:
    """Add a change to the audit log."""
    note(session, kind, now, f"site {place.id} {place.cname or place.code}", f"{one.id} {one.name}")


class KeptCache:
    """The kept objects of sites, as read last. Used from one event loop.

    A change by this server is visible at once, changes by others after ``FRESH_S``.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._clock = ledger, clock
        self._objects: OrderedDict[tuple[Load, int], tuple[Any, ...]] = OrderedDict()
        self._size = 0
        self._change, self._read_at = -1, float("-inf")
        self._generation = 0
        ledger.subscribe(KEPT, self.invalidate)

    def invalidate(self) -> None:
        """Forget everything; reads that have begun are not kept either."""
        self._generation += 1
        self._forget(-1)

    async def of_sites(self, load: Load, sites: Collection[int]) -> dict[int, tuple[Any, ...]]:
        """The objects of sites.

        Raises:
            StoreUnavailable
        """
        known = {site: self._objects[load, site] for site in sites if (load, site) in self._objects}
        missing = [site for site in sites if site not in known]
        begun, generation = self._clock(), self._generation
        if missing or begun - self._read_at > FRESH_S:
            change, read = await self._ledger.read(_read, load, sites, missing, self._change)
            known.update(read)
            if generation == self._generation and change >= self._change:
                self._learn(change, begun, {(load, site): objects for site, objects in read.items()})
        for site in sites:
            if (load, site) in self._objects:
                self._objects.move_to_end((load, site))
        return {site: known[site] for site in sites}

    def _learn(self, change: int, begun: float, read: Mapping[tuple[Load, int], tuple[Any, ...]]) -> None:
        if change != self._change:
            self._forget(change)
        self._read_at = begun
        for key, objects in read.items():
            self._size += len(objects) + 1 - (len(self._objects[key]) + 1 if key in self._objects else 0)
            self._objects[key] = objects
        while self._size > OBJECTS_CACHED and len(self._objects) > 1:
            _, dropped = self._objects.popitem(last=False)
            self._size -= len(dropped) + 1

    def _forget(self, change: int) -> None:
        self._objects.clear()
        self._size, self._change, self._read_at = 0, change, float("-inf")


def _read(
    session: Session, load: Load, sites: Collection[int], missing: Collection[int], known: int
) -> tuple[int, dict[int, tuple[Any, ...]]]:
    """The number of the last change, and the objects of ``missing``; of all sites if there was one since ``known``."""
    change = int(session.common.last_number(session.connection, name=KEPT))
    return change, {site: load(session, site) for site in (missing if change == known else sites)}
