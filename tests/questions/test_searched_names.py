"""Names that filters search for are looked at once."""

from collections.abc import Sequence

import pytest

from tallystick.model.dimensions import PAGE
from tallystick.model.question import Match, Operator
from tallystick.services.analytics import searched_names
from tallystick.services.analytics.searched_names import Names, SearchedNames

SITE, PAGE_SIZE = 1, 2
BLOG = Match(dimension=PAGE, operator=Operator.CONTAINS, values=("blog",))
NO_BLOG = Match(dimension=PAGE, operator=Operator.CONTAINS, values=("blog",), negated=True)
SHOP = Match(dimension=PAGE, operator=Operator.CONTAINS, values=("shop",))


class Paths:
    """A site's paths, and what was looked at."""

    def __init__(self) -> None:
        self.names = [("/blog/a", 1), ("/shop", 3), ("/blog/b", 4), ("/", 7), ("/shop/blog", 9)]
        self.looked: list[tuple[str, str]] = []
        self.searched = SearchedNames(self._fitting)

    async def _fitting(self, names: Names, match: Match) -> Sequence[int]:
        text = str(match.values[0])
        self.looked += [(text, name) for name, _ in names]
        return [id_ for name, id_ in names if text in name]

    async def _page(self, after: int) -> Names:
        return [each for each in self.names if each[1] > after][:PAGE_SIZE]

    async def ids(self, *matches: Match, site: int = SITE) -> list[list[int]]:
        """The ids for each comparison; empties ``looked`` first."""
        self.looked.clear()
        found = await self.searched.ids(site, matches, self._page, of_campaigns=False)
        return [list(found[match]) for match in matches]


async def test_each_name_is_looked_at_once() -> None:
    paths = Paths()
    assert await paths.ids(BLOG) == [[1, 4, 9]]
    assert len(paths.looked) == 5
    assert await paths.ids(BLOG) == [[1, 4, 9]]
    assert paths.looked == []
    paths.names += [("/blog/c", 10), ("/about", 12), ("/blog/d", 13)]
    assert await paths.ids(BLOG) == [[1, 4, 9, 10, 13]]
    assert paths.looked == [("blog", "/blog/c"), ("blog", "/about"), ("blog", "/blog/d")]


async def test_a_new_search_begins_with_the_first_name_beside_an_old_one() -> None:
    paths = Paths()
    await paths.ids(BLOG)
    paths.names.append(("/blog/shop", 10))
    assert await paths.ids(BLOG, SHOP) == [[1, 4, 9, 10], [3, 9, 10]]
    assert [name for text, name in paths.looked if text == "blog"] == ["/blog/shop"]
    assert [name for text, name in paths.looked if text == "shop"] == [name for name, _ in paths.names]


async def test_a_negated_comparison_is_the_same_search_and_another_site_is_another() -> None:
    paths = Paths()
    assert await paths.ids(BLOG, NO_BLOG) == [[1, 4, 9], [1, 4, 9]]
    assert len(paths.looked) == 5
    await paths.ids(BLOG, site=2)
    assert len(paths.looked) == 5


async def test_changed_names_are_looked_at_again() -> None:
    paths = Paths()
    await paths.ids(BLOG)
    paths.names[0] = ("/news/a", 1)
    paths.searched.forget()
    assert await paths.ids(BLOG) == [[4, 9]]


async def test_a_change_during_a_search_is_not_missed() -> None:
    paths = Paths()

    async def fitting(names: Names, match: Match) -> Sequence[int]:
        paths.searched.forget()  # as a job of the server does meanwhile
        return [id_ for name, id_ in names if str(match.values[0]) in name]

    paths.searched = SearchedNames(fitting)
    assert await paths.ids(BLOG) == [[1, 4, 9]]
    paths.names[0] = ("/news/a", 1)
    assert await paths.ids(BLOG) == [[4, 9]]


async def test_what_was_not_asked_for_longest_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searched_names, "IDS_KEPT", 4)
    paths = Paths()
    await paths.ids(BLOG)
    await paths.ids(SHOP)
    assert await paths.ids(SHOP) == [[3, 9]]
    assert paths.looked == []
    await paths.ids(BLOG)
    assert len(paths.looked) == 5
