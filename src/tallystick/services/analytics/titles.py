"""Finds paths by their titles, which only the ledger has."""

from collections.abc import Callable
from typing import NamedTuple

from tallystick.errors import InputRefused
from tallystick.ledger import Ledger, Session
from tallystick.services.analytics.names import list_paths

MOST_FOUND = 1_000
"""As many values as a filter takes."""
PATHS_AT_ONCE, MOST_LOOKED_AT = 5_000, 100_000
"""Of all sites together: later ones are not found by their titles."""


class _Looked(NamedTuple):
    """Names that fit among some paths; ``last`` is the highest id of these, None at the end."""

    names: list[str]
    last: int | None


class TitledNames(NamedTuple):
    """What was found by titles.

    Attributes:
        names: paths, and names of events; each once.
        complete: whether all titles were looked at.
    """

    names: list[str]
    complete: bool


class Titles:
    """The titles of the pages of sites."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def names(self, sites: list[int], fits: Callable[[str], bool]) -> TitledNames:
        """Paths, and names of events, of sites whose titles fit.

        Raises:
            InputRefused: there are too many.
            StoreUnavailable
        """
        found: dict[str, None] = {}
        looked = 0
        for site in sites:
            after: int | None = 0
            while after is not None:
                if looked >= MOST_LOOKED_AT:
                    return TitledNames(list(found), complete=False)
                names, after = await self._ledger.read(_look, site, after, fits)
                looked += PATHS_AT_ONCE
                found |= dict.fromkeys(names)
                if len(found) > MOST_FOUND:
                    msg = f"more than {MOST_FOUND:,} titles have this; write more of it, or search with in:path"
                    raise InputRefused(msg)
        return TitledNames(list(found), complete=True)


def _look(session: Session, site: int, after: int, fits: Callable[[str], bool]) -> _Looked:
    paths = list_paths(session, site, after, PATHS_AT_ONCE)
    names = [path.path for path in paths if path.title and fits(path.title)]
    return _Looked(names, paths[-1].id if len(paths) == PATHS_AT_ONCE else None)
