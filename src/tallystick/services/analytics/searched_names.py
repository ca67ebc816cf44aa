"""Which names of a site fit what a filter searches for, kept up to the last name that was looked at.

Names are only added, with rising ids, until ``forget`` says that some have changed. So a filter or a goal with a
pattern looks at each name once, however often it is asked about.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple

from tallystick.model.question import Match, Operator

SEARCHES_KEPT, IDS_KEPT = 1_000, 200_000
LONGEST_KEPT = 4_000
"""Characters of what is searched for; a search with more of them is not kept."""

Names = Sequence[tuple[str, int]]
"""Names with their ids, which rise."""


class _Search(NamedTuple):
    """What is searched for: the same for every comparison that finds the same names."""

    site: int
    of_campaigns: bool
    operator: Operator
    values: tuple[str | int, ...]
    caseless: bool


class _Found(NamedTuple):
    """The ids of the names that fit, among those up to ``last``."""

    last: int
    ids: tuple[int, ...]


_NOTHING_YET = _Found(0, ())


class SearchedNames:
    """What was found. Used from one event loop.

    Args:
        fitting: finds the ids of the names that fit a comparison.
    """

    def __init__(self, fitting: Callable[[Names, Match], Awaitable[Sequence[int]]]) -> None:
        self._fitting = fitting
        self._kept: OrderedDict[_Search, _Found] = OrderedDict()
        self._ids_kept = self._forgotten = 0

    def forget(self) -> None:
        """Drop everything: names have changed. What is being searched is not kept either."""
        self._kept.clear()
        self._ids_kept = 0
        self._forgotten += 1

    async def ids(
        self,
        site: int,
        matches: Collection[Match],
        pages: Callable[[int], Awaitable[Names]],
        *,
        of_campaigns: bool,
    ) -> dict[Match, Sequence[int]]:
        """The ids of the names that fit, for each comparison.

        Args:
            pages: returns the next names with ids above this one; none at the end.
        """
        forgotten = self._forgotten
        searches = {
            match: _Search(site, of_campaigns, match.operator, match.values, match.caseless) for match in matches
        }
        found = {search: self._kept.get(search, _NOTHING_YET) for search in searches.values()}
        by_search = {search: match for match, search in searches.items()}
        after = min((each.last for each in found.values()), default=0)
        while page := await pages(after):
            after = page[-1][1]
            for search, each in found.items():
                if unseen := [named for named in page if named[1] > each.last]:
                    fitting = await self._fitting(unseen, by_search[search])
                    found[search] = _Found(after, (*each.ids, *fitting))
        if forgotten == self._forgotten:
            self._keep(found)
        return {match: found[search].ids for match, search in searches.items()}

    def _keep(self, found: dict[_Search, _Found]) -> None:
        for search, each in found.items():
            if sum(len(str(value)) for value in search.values) > LONGEST_KEPT:
                continue
            self._ids_kept += len(each.ids) - len(self._kept.pop(search, _NOTHING_YET).ids)
            self._kept[search] = each
        while len(self._kept) > SEARCHES_KEPT or self._ids_kept > IDS_KEPT:
            _, dropped = self._kept.popitem(last=False)
            self._ids_kept -= len(dropped.ids)
