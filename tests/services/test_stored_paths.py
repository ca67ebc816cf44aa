"""Stored paths with their hits, and what rules gather of them, on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.people import a_person, a_site
from support.warehouses import a_hit, opened_warehouse
from tallystick.errors import InputRefused, InvalidFields
from tallystick.ledger import Ledger
from tallystick.model.path_rules import PATH_RULES_AT_MOST
from tallystick.services.accounts.path_rules import put_path_rule, remove_path_rule
from tallystick.services.accounts.sites import SiteChanges, update_site
from tallystick.services.analytics import gathered_paths, names
from tallystick.services.analytics.gathered_paths import gather_counted, gatherings
from tallystick.services.analytics.names import Names, NewPath
from tallystick.services.analytics.path_changes import gather_by_rule, gather_paths
from tallystick.services.analytics.questions import Questions
from tallystick.services.analytics.stored_paths import PathKind, PathSearch, list_stored_paths
from tallystick.services.jobs import MergePaths, changes_of_paths, pending_jobs
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

NOW_MS = 1_800_000_000_000
STORED = ("/orders/1", "/Orders/%C3%9C_1", "/orders/100%", "/Über", "sign-up", "/bots")


@pytest.fixture
async def warehouse(tmp_path: Path) -> AsyncIterator[DuckDbWarehouse]:
    async with opened_warehouse(tmp_path / "warehouse.duckdb") as opened:
        yield opened


@pytest.fixture
async def site(ledger: Ledger, warehouse: DuckDbWarehouse) -> int:
    """A site whose n-th path has n hits; the last one is known to bots only."""
    site = await a_site(ledger, await a_person(ledger))
    cached = Names(ledger)
    made = [NewPath(name, "T", event=name[0] != "/", counted=name != "/bots") for name in STORED]
    await cached.learn(site.id, made)
    ids = [path.id for name in STORED if (path := cached.path(site.id, name))]
    await warehouse.append([a_hit(id_, site=site.id) for place, id_ in enumerate(ids) for _ in range(place + 1)])
    return site.id


async def listed(ledger: Ledger, warehouse: DuckDbWarehouse, site: int, search: PathSearch) -> list[tuple[str, int]]:
    found = await list_stored_paths(ledger, Questions(ledger, warehouse), site, search, 10, 0)
    assert found.total == len(found.rows)
    return [(row.path, row.hits) for row in found.rows]


async def test_paths_are_found_by_kind_and_text(ledger: Ledger, warehouse: DuckDbWarehouse, site: int) -> None:
    async def names_of(search: PathSearch) -> list[str]:
        return [path for path, _ in await listed(ledger, warehouse, site, search)]

    assert await names_of(PathSearch()) == ["sign-up", "/Über", "/orders/100%", "/Orders/%C3%9C_1", "/orders/1"]
    assert await names_of(PathSearch(by_name=True)) == sorted(STORED[:5], key=str.lower)
    assert await names_of(PathSearch(PathKind.EVENTS)) == ["sign-up"]
    assert await names_of(PathSearch(PathKind.BOTS)) == ["/bots"]
    assert await names_of(PathSearch(find="ORDERS/1")) == ["/orders/100%", "/orders/1"]
    assert await names_of(PathSearch(find="0%")) == ["/orders/100%"]
    assert await names_of(PathSearch(find="_")) == ["/Orders/%C3%9C_1"]
    assert await names_of(PathSearch(find="Über")) == ["/Über"]
    assert await names_of(PathSearch(find="a\0")) == []


async def test_a_rule_gathers_stored_paths_some_at_a_time(
    ledger: Ledger, warehouse: DuckDbWarehouse, site: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered_paths, "GATHERED_AT_ONCE", 2)
    rules = ("/orders/*",)
    await ledger.write(put_path_rule, site, rules[0], NOW_MS)
    (found,) = await gatherings(ledger, Questions(ledger, warehouse), site, rules)
    assert (found.paths, found.hits, found.examples[0].path) == (3, 6, "/orders/100%")
    assert await gather_counted(ledger, site, rules, rules[0], NOW_MS, "somebody") == 3
    assert await gather_counted(ledger, site, rules, rules[0], NOW_MS, "somebody") == 0
    stored = {path.path: path for path in await ledger.read(names.list_paths, site, 0, 10)}
    assert set(stored) == {"/orders/*", "/Über", "sign-up"}
    assert stored["/orders/*"].title == ""
    jobs = [job for _, job in await ledger.read(pending_jobs)]
    assert sum(len(job.paths) for job in jobs if isinstance(job, MergePaths)) == 2
    assert await ledger.read(changes_of_paths, site) == 2
    assert await ledger.read(changes_of_paths, site + 1) == 0
    await ledger.write(remove_path_rule, site, rules[0], NOW_MS)
    with pytest.raises(InputRefused, match="has no rule"):
        await ledger.write(gather_by_rule, site, [1], rules[0], NOW_MS)


async def test_rules_are_bounded_and_have_an_order(ledger: Ledger, site: int) -> None:
    for rule in ("/a/*", "/b/*", "/c/*"):
        await ledger.write(put_path_rule, site, rule, NOW_MS)
    moved = await ledger.write(put_path_rule, site, "/c/*", NOW_MS, 0)
    assert moved.settings.path_rules == ("/c/*", "/a/*", "/b/*")
    many = tuple(f"/{number}/*" for number in range(PATH_RULES_AT_MOST))
    await ledger.write(update_site, site, SiteChanges(settings={"path_rules": many}), NOW_MS)
    with pytest.raises(InvalidFields) as refused:
        await ledger.write(put_path_rule, site, "/more/*", NOW_MS)
    assert refused.value.errors == {"rule": ["cannot have more than 100 entries"]}


async def test_gathering_under_a_name_that_there_is_already_changes_nothing(ledger: Ledger, site: int) -> None:
    about = await ledger.read(names.path_called, site, "/über")
    with pytest.raises(InvalidFields, match="has already"):
        await ledger.write(gather_paths, site, [about], "/Über", NOW_MS)
    assert await ledger.read(pending_jobs) == []
