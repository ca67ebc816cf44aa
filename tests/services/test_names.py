"""Names become ids, once and durably."""

import pytest

from tallystick.ledger import Ledger
from tallystick.services.analytics.names import (
    TITLE_REPLACED_AFTER,
    Names,
    NewPath,
    campaign_ids,
    campaigns_of,
    list_paths,
    path_ids,
    paths_of,
    rename_path,
)

SITE, OTHER_SITE = 1, 2


def a_path(path: str = "/a", title: str = "A", *, event: bool = False, counted: bool = True) -> NewPath:
    return NewPath(path, title, event, counted)


async def the_path(names: Names, new: NewPath, site: int = SITE) -> int:
    await names.learn(site, [new])
    known = names.path(site, new.path)
    assert known
    return known.id


@pytest.fixture
def names(ledger: Ledger) -> Names:
    return Names(ledger)


async def test_a_name_has_one_id_also_after_a_restart(ledger: Ledger, names: Names) -> None:
    first = await the_path(names, a_path("/a"))
    assert await the_path(Names(ledger), a_path("/a")) == first
    assert await the_path(names, a_path("/b")) != first


async def test_names_compare_without_regard_to_case_and_the_first_spelling_stays(ledger: Ledger, names: Names) -> None:
    first = await the_path(names, a_path("/Straße"))
    assert await the_path(names, a_path("/STRAßE")) == first
    [path] = (await ledger.read(paths_of, SITE, [first])).values()
    assert path.path == "/Straße"


async def test_one_batch_may_name_a_path_twice(names: Names) -> None:
    await names.learn(SITE, [a_path("/a"), a_path("/A"), a_path("/b"), a_path("/a")], ["x", "X", "y"])
    lower, upper, other = (names.path(SITE, path) for path in ("/a", "/A", "/b"))
    assert lower
    assert upper
    assert other
    assert lower.id == upper.id != other.id
    assert names.campaign(SITE, "x") == names.campaign(SITE, "X") != names.campaign(SITE, "y")


async def test_sites_have_names_of_their_own(ledger: Ledger, names: Names) -> None:
    ours, theirs = await the_path(names, a_path()), await the_path(names, a_path(), OTHER_SITE)
    assert ours != theirs
    assert await ledger.read(paths_of, SITE, [ours, theirs]) == await ledger.read(paths_of, SITE, [ours])
    assert await ledger.read(path_ids, SITE, ["/a"]) == [ours]


async def test_a_path_is_listed_once_a_person_has_asked_for_it(ledger: Ledger, names: Names) -> None:
    await the_path(names, a_path("/a", counted=False))
    assert await ledger.read(list_paths, SITE, 0, 10) == []
    known = names.path(SITE, "/a")
    assert known
    await names.update([known], [])
    assert [path.path for path in await ledger.read(list_paths, SITE, 0, 10)] == ["/a"]
    assert known.counted


async def test_a_person_may_come_to_a_path_of_bots_that_the_cache_does_not_know(ledger: Ledger, names: Names) -> None:
    await the_path(names, a_path("/a", counted=False))
    await the_path(Names(ledger), a_path("/A", counted=True))
    assert [path.path for path in await ledger.read(list_paths, SITE, 0, 10)] == ["/a"]


async def test_a_bot_and_a_person_may_bring_a_path_at_once(ledger: Ledger, names: Names) -> None:
    await names.learn(SITE, [a_path("/a", counted=False), a_path("/A", counted=True)])
    assert [path.path for path in await ledger.read(list_paths, SITE, 0, 10)] == ["/a"]


async def test_the_oldest_names_leave_a_full_cache(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.services.analytics.names.CACHED_NAMES", 4)
    for path in ("/a", "/b", "/c", "/d", "/e"):
        await the_path(names, a_path(path))
    assert [path for path in ("/a", "/b", "/c", "/d", "/e") if names.path(SITE, path)] == ["/c", "/d", "/e"]


async def test_listing_goes_on_after_an_id(ledger: Ledger, names: Names) -> None:
    for path in ("/c", "/b", "/a"):
        await the_path(names, a_path(path))
    first, second = await ledger.read(list_paths, SITE, 0, 2)
    [third] = await ledger.read(list_paths, SITE, second.id, 2)
    assert [first.path, second.path, third.path] == ["/c", "/b", "/a"]


async def test_names_are_found_in_any_case(ledger: Ledger, names: Names) -> None:
    await names.learn(SITE, [a_path("/A")], ["Spring"])
    known = names.path(SITE, "/A")
    assert known
    assert await ledger.read(path_ids, SITE, ["/a", "/none"]) == [known.id]
    [campaign] = await ledger.read(campaign_ids, SITE, ["SPRING", "autumn"])
    assert await ledger.read(campaigns_of, SITE, [campaign, 77]) == {campaign: "Spring"}


async def test_a_path_is_renamed_but_not_over_another(ledger: Ledger, names: Names) -> None:
    a, b = await the_path(names, a_path("/a")), await the_path(names, a_path("/b"))
    assert not await ledger.write(rename_path, SITE, a, "/B")
    assert await ledger.write(rename_path, SITE, a, "/c")
    assert await ledger.write(rename_path, SITE, b, "/B")
    assert not await ledger.write(rename_path, SITE, 99, "/d")
    names.forget()
    assert await the_path(names, a_path("/C")) == a
    assert await the_path(names, a_path("/a")) not in {a, b}


async def test_a_title_is_replaced_by_more_than_ten_hits_with_one_other(names: Names) -> None:
    await the_path(names, a_path(title="old"))
    known = names.path(SITE, "/a")
    assert known
    assert [known.takes_title("new") for _ in range(TITLE_REPLACED_AFTER + 1)] == [False] * 10 + [True]
    await names.update([], [(known, "new")])
    assert (known.title, known.others) == ("new", {})


async def test_hits_with_other_titles_are_counted_apart(names: Names) -> None:
    await the_path(names, a_path(title="old"))
    known = names.path(SITE, "/a")
    assert known
    assert not any(known.takes_title(title) for title in ("x", "y") * TITLE_REPLACED_AFTER)
    assert known.takes_title("x")


async def test_a_path_without_a_title_takes_the_first(names: Names) -> None:
    await the_path(names, a_path(title=""))
    known = names.path(SITE, "/a")
    assert known
    assert known.takes_title("new")
