"""The table of visits is what the hits say, whatever was done to them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from support.warehouses import HOUR, NOW, a_hit, opened_warehouse, rows, take_back_props, take_back_sources_and_visits
from tallystick.model.dimensions import ENTRY_PAGE
from tallystick.model.hit import Hit
from tallystick.model.metrics import Metric
from tallystick.model.period import period
from tallystick.model.question import Match, Question
from tallystick.warehouse import WarehouseSession, warehouse_storage
from tallystick.warehouse.duckdb import checkpoints, mover, regular, visits
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse
from tallystick.warehouse.types import EVERY_ID

EVENTS_FROM = 5
"""Paths from here on are events."""


def _rows(session: WarehouseSession, query: str) -> list[dict[str, Any]]:
    assert isinstance(session, DuckDbSession)
    result = session.connection.execute(query)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def expected(hits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each session, computed from all hits."""
    sessions: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for hit in sorted(hits, key=lambda hit: (hit["created"], hit["id"])):
        if hit["session"] and not hit["bot"]:
            sessions.setdefault((hit["site"], hit["session"]), []).append(hit)
    return [_visit(site, session, of_session) for (site, session), of_session in sorted(sessions.items())]


def _visit(site: int, session: int, hits: Sequence[dict[str, Any]]) -> dict[str, Any]:
    views = [hit for hit in hits if not hit["event"]]
    first = hits[0]
    return {
        "site": site,
        "session": session,
        "started": first["created"],
        "ended": hits[-1]["created"],
        "pageviews": len(views),
        "events": len(hits) - len(views),
        "firsts": sum(hit["first"] for hit in hits),
        "entry_page": views[0]["path"] if views else None,
        "exit_page": views[-1]["path"] if views else None,
        "entry_host": views[0]["host"] if views else "",
        "exit_host": views[-1]["host"] if views else "",
        **{name: first[name] for name in visits.OF_FIRST_HIT},
        "passive_events": sum(hit["event"] and not hit["interactive"] for hit in hits),
        "inner_pages": [hit["path"] for hit in views[1:-1]] if len(views) <= visits.MOST_VIEWED else None,
    }


def irregular(hits: Sequence[dict[str, Any]]) -> set[tuple[int, int]]:
    """The sessions with a path that has not one first hit, with hits on another host than the first pageview's, or with
    events on pages that they have not viewed.
    """
    paths: dict[tuple[int, int], dict[tuple[int, bool], int]] = {}
    hosts: dict[tuple[int, int], set[str]] = {}
    pages: dict[tuple[int, int], set[int]] = {}
    told: set[tuple[tuple[int, int], int]] = set()
    for hit in hits:
        if hit["session"] and not hit["bot"]:
            visit, path = (hit["site"], hit["session"]), (hit["path"], hit["event"])
            firsts = paths.setdefault(visit, {})
            firsts[path] = firsts.get(path, 0) + hit["first"]
            hosts.setdefault(visit, set()).add(hit["host"])
            if not hit["event"]:
                pages.setdefault(visit, set()).add(hit["path"])
            elif hit["page"] is not None:
                told.add((visit, hit["page"]))
    return {
        visit for visit in paths if set(paths[visit].values()) != {1} or (visit in pages and len(hosts[visit]) > 1)
    } | {visit for visit, page in told if page not in pages.get(visit, set())}


async def assert_follows(warehouse: DuckDbWarehouse, *, judged: bool = False) -> None:
    """The visits are what the hits say, and those that are not regular are known.

    Args:
        judged: whether all visits have just been judged.
    """
    hits, found, entered, [mark] = await warehouse.read(
        lambda session: (
            _rows(session, f"SELECT {visits.hit_columns()}, page, bot FROM hit"),
            _rows(session, "SELECT * FROM visit ORDER BY site, session"),
            _rows(session, "SELECT site, session FROM irregular_visit"),
            _rows(session, "SELECT judged_until FROM mark"),
        )
    )
    assert found == expected(hits)
    listed = {(visit["site"], visit["session"]) for visit in entered}
    newer = {(visit["site"], visit["session"]) for visit in found if visit["ended"] > mark["judged_until"]}
    assert irregular(hits) <= listed | newer
    if judged:
        assert (listed, newer) == (irregular(hits), set())


def _a_marking(site: int, entered_on: tuple[int, ...], into: int, key: UUID) -> tuple[Any, ...]:
    """People's hits of visits that entered on some paths, or bots' hits there, get another code."""
    question = Question(
        sites=(site,),
        period=period(NOW - 9 * HOUR, NOW + HOUR, UTC),
        metrics=(Metric.EVENTS,),
        condition=Match(dimension=ENTRY_PAGE, values=entered_on),
        bots=not into,
    )
    return question, into, EVERY_ID, str(key), 0


times = st.integers(0, 12 * HOUR).map(lambda seconds: NOW - seconds)


@st.composite
def hits(draw: st.DrawFn) -> Hit:
    """A hit of one of few visitors."""
    path, site = draw(st.integers(1, 7)), draw(st.sampled_from([1, 1, 1, 1, 2]))
    visitor = draw(st.sampled_from([1, 1, 2, 3, None]))
    return a_hit(
        path,
        site=site,
        by=visitor and 10 * site + visitor,  # a visitor's key follows from the site, too
        created=draw(times),
        event=path >= EVENTS_FROM,
        bot=draw(st.sampled_from([0] * 7 + [6])),
        single=draw(st.sampled_from([True] * 7 + [False])),
        host=draw(st.sampled_from(["", "a.example", "b.example"])),
        country=draw(st.sampled_from(["", "NL"])),
        interactive=draw(st.booleans()),
        page=draw(st.sampled_from([None, None, 1, 2])) if path >= EVENTS_FROM else None,
        device=draw(st.sampled_from(["", "Mobile"])),
        source=draw(st.sampled_from(["", "Google"])),
        channel=draw(st.sampled_from(["", "Direct"])),
        ref=draw(st.sampled_from(["", "www.c.example:8080/d", "News"])),
        ref_scheme=draw(st.sampled_from("hgco")),
        campaign=draw(st.sampled_from([None, 1])),
    )


in_order = st.lists(hits(), min_size=5, max_size=20).map(lambda listed: sorted(listed, key=lambda hit: hit.created))
appends = st.tuples(
    st.sampled_from(["append", "go on"]), st.one_of(in_order, st.lists(hits(), min_size=5, max_size=20))
)
changes = st.one_of(
    st.tuples(st.just("delete_site"), st.tuples(st.just(2))),
    st.tuples(st.just("delete_paths"), st.tuples(st.just(1), st.sampled_from([(1,), (2, 6), (9,)]))),
    st.tuples(st.just("merge_paths"), st.tuples(st.just(1), st.sampled_from([(1,), (2, 3)]), st.just(4))),
    st.tuples(
        st.just("relabel"),
        st.tuples(st.just(1), st.sampled_from([0, 6]), st.sampled_from([0, 5, 6]), st.sampled_from([EVERY_ID, (2, 9)])),
    ),
    st.tuples(
        st.just("relabel_matching"),
        st.builds(
            _a_marking,
            st.sampled_from([1, 2]),
            st.sampled_from([(1,), (2, 6), (4, 7)]),
            st.sampled_from([0, 5, 6]),
            st.uuids(),
        ),
    ),
    st.tuples(st.just("expire"), st.tuples(times.map(lambda time: [(1, time), (2, time - HOUR)]))),
    st.tuples(st.just("expire_part"), st.tuples(st.sampled_from([1, 2]), times, times, st.sampled_from([1, 3]))),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("judge"), st.none()),
    st.tuples(st.just("judge"), st.none()),
)
histories = st.builds(
    lambda first, others: [first, *others],
    appends,
    st.lists(st.one_of(appends, appends, changes), min_size=3, max_size=8),
)


@given(history=histories)
@settings(max_examples=min(30, settings().max_examples))
def test_visits_are_what_hits_say(history: list[tuple[str, Any]]) -> None:
    async def live() -> None:
        with TemporaryDirectory() as folder:
            file = Path(folder, WAREHOUSE_FILE)
            warehouse, later = await DuckDbWarehouse.open(file, clock=lambda: NOW), count(NOW, 600)
            try:
                for verb, arguments in history:
                    if verb == "append":
                        await warehouse.append(arguments)
                    elif verb == "go on":
                        await warehouse.append([replace(hit, created=next(later)) for hit in arguments])
                    elif verb == "restart":
                        await warehouse.close()
                        warehouse = await DuckDbWarehouse.open(file, clock=lambda: NOW)
                    elif verb == "judge":
                        await warehouse.write(_judge)
                    else:
                        await warehouse.write(_call, verb, arguments)
                    await assert_follows(warehouse, judged=verb == "judge")
            finally:
                await warehouse.close()

    asyncio.run(live())


def _judge(session: WarehouseSession) -> None:
    assert isinstance(session, DuckDbSession)
    regular.judge(session.connection)


def _call(session: DuckDbSession, verb: str, arguments: tuple[Any, ...]) -> None:
    getattr(session, verb)(*arguments)


async def test_a_judged_visit_that_is_gone_is_not_entered_any_more(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit(by=1, first=False), a_hit(by=2, first=False)])
        await warehouse.write(_judge)
        await assert_follows(warehouse, judged=True)
        await warehouse.write(_call, "relabel", (1, 0, 6, (2, 2)))
        await warehouse.write(_judge)
        await assert_follows(warehouse, judged=True)


@pytest.mark.parametrize(("verb", "arguments"), [("delete_paths", ((2,),)), ("merge_paths", ((2,), 1))])
async def test_a_visit_is_regular_once_the_page_of_its_event_is_no_other(
    file: Path, verb: str, arguments: tuple[Any, ...]
) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit(1, by=1), a_hit(5, by=1, event=True, page=2)])
        await warehouse.write(_judge)
        assert await warehouse.read(lambda session: _rows(session, "SELECT judged FROM irregular_visit")) == [
            {"judged": True}
        ]
        await warehouse.write(_call, verb, (1, *arguments))
        await warehouse.write(_judge)
        await assert_follows(warehouse, judged=True)


async def test_a_long_visit_has_no_list_of_pages_and_a_limit(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        at = count(NOW)
        for views, known in ((1, True), (visits.MOST_VIEWED - 2, True), (1, True), (1, False), (2, False)):
            await warehouse.append([a_hit(1 + number % 3, by=1, created=next(at)) for number in range(views)])
            await assert_follows(warehouse)
            [visit] = await warehouse.read(lambda session: _rows(session, "SELECT inner_pages FROM visit"))
            assert (visit["inner_pages"] is not None) is known
        await warehouse.write(_call, "delete_paths", (1, [2]))
        await assert_follows(warehouse)


@pytest.mark.parametrize("at_once", [3, 1_000])
async def test_visits_of_hits_from_before_are_computed_once(
    file: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    for module in (visits, regular):
        monkeypatch.setattr(module, "HITS_AT_ONCE", at_once)
    async with opened_warehouse(file) as warehouse:
        await warehouse.append(
            [
                a_hit(path, by=by, created=NOW - 60 * path, ref="www.a.example/b", ref_scheme="h", bot=6 * (by == 9))
                for path, by in ((1, 1), (2, 2), (3, 1), (4, 9), (5, 3))
            ]
        )
        await warehouse.arrived()
    with duckdb.connect(str(file)) as connection:
        take_back_sources_and_visits(connection)
        connection.execute("DELETE FROM migration WHERE number > 3")
    for _ in range(2):
        async with opened_warehouse(file) as warehouse:
            await assert_follows(warehouse, judged=True)
            sources = await warehouse.read(lambda session: _rows(session, "SELECT source, channel FROM visit"))
            assert sources == [{"source": "a.example", "channel": ""}] * 3


async def test_events_from_before_end_a_bounce(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit(by=1), a_hit(5, by=1, event=True), a_hit(2, by=2), a_hit(3)])
        await warehouse.arrived()
    with duckdb.connect(str(file)) as connection:
        take_back_props(connection)
        connection.execute("DELETE FROM migration WHERE number > 6")
    async with opened_warehouse(file) as warehouse:
        await assert_follows(warehouse)
        new = "page, props, interactive, device"
        assert await rows(warehouse, new) == [(None, "", True, "")] * 4
        await warehouse.append(
            [
                a_hit(5, by=1, created=NOW + 1, event=True, interactive=False, page=1),
                a_hit(
                    5, by=3, created=NOW + 1, event=True, interactive=False, page=2, props='{"a":"b"}', device="Tablet"
                ),
            ]
        )
        await assert_follows(warehouse)
        found = await warehouse.read(
            lambda session: _rows(session, "SELECT events, passive_events, device FROM visit ORDER BY session")
        )
        assert [tuple(visit.values()) for visit in found] == [(2, 1, ""), (0, 0, ""), (1, 1, "Tablet")]
        assert (await rows(warehouse, new))[-1] == (2, '{"a":"b"}', False, "Tablet")


async def test_visits_are_judged_before_a_checkpoint_but_not_all_the_time(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mover, "JUDGES_ONE_IN", 1_000_000)

    async def append(path: int) -> None:
        await warehouse.append([a_hit(path, by=path, created=NOW + path, first=False)])
        for _ in range(2):  # the mover has done with the first when it begins the second
            await warehouse.write(lambda _: None)

    async def judged_until() -> int:
        [mark] = await warehouse.read(lambda session: _rows(session, "SELECT judged_until FROM mark"))
        return int(mark["judged_until"])

    async with opened_warehouse(file) as warehouse:
        await append(1)
        assert await judged_until() < NOW
        # By the mover itself, which may still ask whether a checkpoint is due after it has done what was asked of it.
        await warehouse.write(lambda _: monkeypatch.setattr(checkpoints, "WAL_BYTES", 0))
        await warehouse.write(lambda _: None)
        await assert_follows(warehouse, judged=True)
        await append(2)
        await assert_follows(warehouse)
        assert await judged_until() == NOW + 1


async def test_a_move_that_fails_changes_no_visit(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit(by=1)])
        await assert_follows(warehouse)
        with monkeypatch.context() as patched:
            follow = visits.follow

            def fails(*arguments: Any) -> None:
                follow(*arguments)
                msg = "made up"
                raise duckdb.IOException(msg)

            patched.setattr(visits, "follow", fails)
            await warehouse.append([a_hit(2, by=1, created=NOW + 1)])
            with pytest.raises(Exception, match="made up"):
                await warehouse.read(lambda _: None)
        await asyncio.sleep(1.1)
        await assert_follows(warehouse)


DAMAGES = {
    "a visit is missing": ("DELETE FROM visit WHERE session = $1", 1),
    "a visit is there twice": ("INSERT INTO visit SELECT * FROM visit WHERE session = $1", 1),
    "a visit has no hits": ("INSERT INTO visit SELECT * REPLACE (session + 1 AS session) FROM visit", 3),
    "a visit is of another site": ("UPDATE visit SET site = 2 WHERE session = $1", 2),
    "the source is another": ("UPDATE visit SET source = 'X' WHERE session = $1", 1),
    "the exit page is unknown": ("UPDATE visit SET exit_page = NULL WHERE session = $1", 1),
    "the end is later": ("UPDATE visit SET ended = ended + 1", 3),
    "a hit is missing": ("DELETE FROM hit WHERE id = 1", 1),
    "events are passive": ("UPDATE visit SET passive_events = passive_events + 1", 3),
    "numbers are exchanged": ("UPDATE visit SET pageviews = events, events = pageviews", 3),
    "nothing": ("SELECT 1", 0),
}


async def _three_visits(file: Path) -> int:
    """Store six hits of three visits and two without one. Returns the session of the first."""
    async with opened_warehouse(file) as warehouse:
        await warehouse.append([a_hit(path, by=path % 3, created=NOW + path) for path in range(1, 7)])
        await warehouse.append([a_hit(1, bot=6), a_hit(2)])
        [row] = await warehouse.read(lambda session: _rows(session, "SELECT session FROM hit WHERE id = 1"))
        return int(row["session"])


async def _opened_again(file: Path) -> None:
    async with opened_warehouse(file) as warehouse:
        await assert_follows(warehouse)


@pytest.mark.parametrize(("damage", "differing"), DAMAGES.values(), ids=DAMAGES)
def test_visits_that_differ_are_counted_and_computed_anew(
    file: Path, monkeypatch: pytest.MonkeyPatch, damage: str, differing: int
) -> None:
    storage, session = warehouse_storage(file.parent), asyncio.run(_three_visits(file))
    with duckdb.connect(str(file)) as connection:
        connection.execute(damage, [session] if "$1" in damage else None)
    for at_once in (2, 1_000):
        monkeypatch.setattr(visits, "HITS_COMPARED_AT_ONCE", at_once)
        assert storage.compare_visits(in_use=False).differing == differing, at_once
    sums_differ = damage.startswith(("DELETE", "INSERT")) or "pageviews" in damage or "passive" in damage
    assert storage.visits_add_up() == (not sums_differ)
    storage.forget_visits()
    assert storage.visits_add_up(), "the next start computes them"
    asyncio.run(_opened_again(file))
    for at_once in (2, 1_000):
        monkeypatch.setattr(visits, "HITS_COMPARED_AT_ONCE", at_once)
        assert storage.compare_visits(in_use=False) == (3, 0), at_once


def test_two_visitors_with_one_session_id_do_not_differ(file: Path) -> None:
    storage = warehouse_storage(file.parent)

    async def two_visits() -> None:
        async with opened_warehouse(file) as warehouse:
            await warehouse.append([a_hit(path, by=1, created=NOW + path) for path in (1, 2)])
            await warehouse.append([a_hit(path, by=2, created=NOW + 9 * HOUR + path) for path in (1, 2)])

    asyncio.run(two_visits())
    with duckdb.connect(str(file)) as connection:
        for table in ("hit", "visit"):
            connection.execute(f"UPDATE {table} SET session = 7")
    assert storage.visits_add_up()
    assert storage.compare_visits(in_use=False) == (1, 0)
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE visit SET events = 1 WHERE started > ?", [NOW + HOUR])
    assert storage.compare_visits(in_use=False) == (1, 1)


@pytest.mark.parametrize(
    "change", [("expire", [(1, NOW + 2)]), ("expire_part", 1, 0, NOW + 2, 100)], ids=["all", "part"]
)
async def test_a_change_of_a_visit_leaves_another_one_with_its_number_alone(
    file: Path, change: tuple[str, Any]
) -> None:
    def give_one_number(session: DuckDbSession) -> None:
        for table in ("hit", "visit", "irregular_visit"):
            session.connection.execute(f"UPDATE {table} SET session = 7")

    def times(session: WarehouseSession, table: str) -> list[tuple[int, int]]:
        return [(row["started"], row["ended"]) for row in _rows(session, f"FROM {table} ORDER BY started")]

    later = NOW + 9 * HOUR
    async with opened_warehouse(file) as warehouse:
        for begin in (NOW, later):
            await warehouse.append([a_hit(n, by=begin, created=begin + n, first=False) for n in (1, 2)])
        await warehouse.write(_judge)
        await warehouse.write(give_one_number)
        verb, *arguments = change
        await warehouse.write(_call, verb, tuple(arguments))
        assert await warehouse.read(times, "visit") == [(NOW + 2, NOW + 2), (later + 1, later + 2)]
        await warehouse.write(_judge)
        assert await warehouse.read(times, "irregular_visit") == [(NOW + 2, NOW + 2), (later + 1, later + 2)]
