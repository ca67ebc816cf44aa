"""Imported aggregates in the warehouse: parts, what is there and what is not, and what removes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from support.warehouses import NOW, a_hit, opened_warehouse
from tallystick.errors import Conflicting, NotThere
from tallystick.model.aggregates import BY_NAME, VISITORS, AggregateImport, AggregateQuestion, Row
from tallystick.model.question import EVERYTHING, TimeUnit
from tallystick.warehouse import Warehouse

DAY = NOW // 86_400
IMPORT = AggregateImport(id=0, site=1, kind="plausible", name="x.zip", digest="a", created=NOW, parts=0, done=False)


def a_day(day: int, visitors: int = 1) -> Row:
    return (day, visitors, visitors, 0, visitors, 10)


async def begun(warehouse: Warehouse, digest: str = "a", *, site: int = 1, created: int = NOW) -> int:
    new = replace(IMPORT, digest=digest, site=site, created=created)
    return await warehouse.write(lambda session: session.begin_aggregates(new))


async def add(warehouse: Warehouse, number: int, part: int, *rows: Row, site: int = 1, table: str = "visitors") -> None:
    await warehouse.write(lambda session: session.add_aggregates(site, number, part, {table: rows}))


async def finish(warehouse: Warehouse, number: int, rows: int, *, site: int = 1, replaces: bool = False) -> None:
    await warehouse.write(lambda session: session.finish_aggregates(site, number, rows, replace=replaces))


async def remove(warehouse: Warehouse, number: int, site: int) -> None:
    await warehouse.write(lambda session: session.remove_aggregates(site, number))


async def whole(warehouse: Warehouse, *rows: Row, digest: str = "a", site: int = 1, replaces: bool = False) -> int:
    number = await begun(warehouse, digest, site=site)
    await add(warehouse, number, 1, *rows, site=site)
    await finish(warehouse, number, len(rows), site=site, replaces=replaces)
    return number


async def by_day(warehouse: Warehouse, site: int = 1, first: int = 0, last: int = 2**31 - 1) -> dict[Any, int]:
    asked = AggregateQuestion(
        aggregate=VISITORS,
        sites=((site, last),),
        first=first,
        last=last,
        groupings=(TimeUnit.DAY,),
        condition=EVERYTHING,
        limit=100,
    )
    found = await warehouse.read(lambda session: session.aggregated(asked))
    return {values[0]: sums.visitors for values, sums in found}


async def listed(warehouse: Warehouse, site: int = 1) -> Sequence[AggregateImport]:
    return await warehouse.read(lambda session: session.aggregate_imports(site))


async def test_an_import_is_there_when_it_is_finished(warehouse: Warehouse) -> None:
    number = await begun(warehouse)
    await add(warehouse, number, 1, a_day(DAY, 3), a_day(DAY + 1, 4))
    await add(warehouse, number, 2, a_day(DAY + 2, 5))
    assert await by_day(warehouse) == {}
    await finish(warehouse, number, 3)
    assert await by_day(warehouse) == {DAY: 3, DAY + 1: 4, DAY + 2: 5}
    (found,) = await listed(warehouse)
    assert (found.id, found.done, found.rows, found.first, found.last) == (number, True, 3, DAY, DAY + 2)


async def test_a_part_that_is_sent_twice_is_stored_once(warehouse: Warehouse) -> None:
    number = await begun(warehouse)
    for _ in range(3):
        await add(warehouse, number, 1, a_day(DAY, 3))
    await add(warehouse, number, 2, a_day(DAY + 1, 3))
    await add(warehouse, number, 1, a_day(DAY, 3))
    await finish(warehouse, number, 2)
    assert await by_day(warehouse) == {DAY: 3, DAY + 1: 3}


async def test_what_does_not_fit_is_refused_and_changes_nothing(warehouse: Warehouse) -> None:
    number = await begun(warehouse)
    with pytest.raises(Conflicting, match="part 1 has to come before part 2"):
        await add(warehouse, number, 2, a_day(DAY))
    await add(warehouse, number, 1, a_day(DAY))
    with pytest.raises(Conflicting, match="should have 2 rows, and 1 have arrived"):
        await finish(warehouse, number, 2)
    assert await by_day(warehouse) == {}
    for missing, site in ((number + 1, 1), (number, 2)):
        with pytest.raises(NotThere):
            await add(warehouse, missing, 2, a_day(DAY), site=site)
        with pytest.raises(NotThere):
            await finish(warehouse, missing, 1, site=site)
        with pytest.raises(NotThere):
            await remove(warehouse, missing, site)
    await finish(warehouse, number, 1)
    with pytest.raises(Conflicting, match="is done"):
        await add(warehouse, number, 2, a_day(DAY))
    assert await by_day(warehouse) == {DAY: 1}


async def test_the_same_days_are_refused_or_replaced(warehouse: Warehouse) -> None:
    first = await whole(warehouse, a_day(DAY, 1), a_day(DAY + 5, 1))
    await whole(warehouse, a_day(DAY + 6, 7), digest="b")
    with pytest.raises(Conflicting, match=f"with import {first}"):
        await whole(warehouse, a_day(DAY + 3, 9), digest="c")
    assert await by_day(warehouse) == {DAY: 1, DAY + 5: 1, DAY + 6: 7}
    await whole(warehouse, a_day(DAY + 3, 9), digest="c", replaces=True)
    assert await by_day(warehouse) == {DAY + 3: 9, DAY + 6: 7}
    assert [each.digest for each in await listed(warehouse)] == ["b", "c"]


async def test_other_tables_and_sites_are_not_in_the_way(warehouse: Warehouse) -> None:
    await whole(warehouse, a_day(DAY, 1))
    await whole(warehouse, a_day(DAY, 2), digest="b", site=2)
    number = await begun(warehouse, "c")
    await add(warehouse, number, 1, (DAY, "h", "/a", 1, 1, 1), table="pages")
    await finish(warehouse, number, 1)
    assert [await by_day(warehouse, site) for site in (1, 2)] == [{DAY: 1}, {DAY: 2}]


async def test_an_interrupted_one_is_forgotten(warehouse: Warehouse) -> None:
    number = await begun(warehouse)
    await add(warehouse, number, 1, a_day(DAY))
    again = await begun(warehouse)
    assert again > number
    assert [each.id for each in await listed(warehouse)] == [again]
    old = await begun(warehouse, "b", created=NOW - 90_000)
    await add(warehouse, old, 1, a_day(DAY))
    await warehouse.write(lambda session: session.forget_old(NOW, 0))
    assert [each.id for each in await listed(warehouse)] == [again]


async def test_numbers_are_never_given_twice(warehouse: Warehouse) -> None:
    number = await whole(warehouse, a_day(DAY))
    await remove(warehouse, number, 1)
    assert await by_day(warehouse) == {}
    assert await begun(warehouse) == number + 1


async def test_retention_and_deletion_remove_days(warehouse: Warehouse) -> None:
    await warehouse.append([a_hit(by=1)])
    await whole(warehouse, a_day(DAY - 10, 1), a_day(DAY - 5, 2))
    await whole(warehouse, a_day(DAY - 10, 1), site=2, digest="b")
    limits = [(1, (DAY - 7) * 86_400)]
    assert await warehouse.write(lambda session: session.count_expired(limits)) == 1
    await warehouse.write(lambda session: session.expire(limits))
    assert [await by_day(warehouse, site) for site in (1, 2)] == [{DAY - 5: 2}, {DAY - 10: 1}]
    await warehouse.write(lambda session: session.expire([(1, DAY * 86_400)]))
    assert await listed(warehouse) == []
    await warehouse.write(lambda session: session.delete_site(2))
    assert (await by_day(warehouse, 2), await listed(warehouse, 2)) == ({}, [])


async def test_they_are_there_after_a_restart(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await whole(warehouse, a_day(DAY, 3))
    async with opened_warehouse(file) as warehouse:
        assert await by_day(warehouse) == {DAY: 3}


async def test_the_first_hit_of_people(warehouse: Warehouse) -> None:
    async def first() -> int | None:
        return await warehouse.read(lambda session: session.first_counted(1))

    assert await first() is None
    await warehouse.append([a_hit(by=1, created=NOW), a_hit(created=NOW - 5, bot=7), a_hit(site=2, created=NOW - 9)])
    assert await first() == NOW
    await warehouse.append([a_hit(created=NOW - 3)])
    assert await first() == NOW - 3


async def test_every_table_takes_its_rows(warehouse: Warehouse) -> None:
    number = await begun(warehouse)
    for part, (name, aggregate) in enumerate(BY_NAME.items(), 1):
        row: Row = (DAY, *("x" for _ in aggregate.texts), *(10**12 for _ in aggregate.numbers))
        await add(warehouse, number, part, row, row, table=name)
    await finish(warehouse, number, 2 * len(BY_NAME))
    (found,) = await listed(warehouse)
    assert {name: span.rows for name, span in found.tables.items()} == dict.fromkeys(BY_NAME, 2)
    assert await by_day(warehouse) == {DAY: 2 * 10**12}
