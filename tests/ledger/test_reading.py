"""Reading: what is committed, as one state."""

import asyncio
from threading import Event

import apsw
import pytest
from psycopg.errors import UndefinedTable
from structlog.testing import capture_logs

from builders import a_counter, a_key, an_expired_counter
from support.ledgers import WITHIN_S, Clock, Gate, opened
from tallystick.errors import InputRefused, StoreFailed
from tallystick.ledger import Database, Ledger, Session
from tallystick.model.counter import HIT, Counter, Put
from tallystick.model.key import Key, lane_of


async def put(ledger: Ledger, counters: dict[Key, Counter]) -> None:
    await asyncio.gather(*(ledger.count(key, Put(counter)) for key, counter in counters.items()))


async def test_everything_acknowledged_is_read(ledger: Ledger) -> None:
    assert await ledger.find(a_key()) is None
    for value in range(1, 20):
        await ledger.count(a_key(), HIT)
        found = await ledger.find(a_key())
        assert found is not None
        assert found.value == value


async def test_nothing_unacknowledged_is_read(database: Database, gate: Gate) -> None:
    async with opened(database) as ledger:
        gate.close()
        hit = ledger.count(a_key(), HIT)
        await gate.until_held()
        assert await ledger.find(a_key()) is None
        gate.open()
        await hit


async def test_many_counters_are_found_at_once(ledger: Ledger) -> None:
    counters = {a_key(f"page-{number}"): a_counter(number) for number in range(100)}
    await put(ledger, counters)
    asked = [*counters, a_key("missing"), *counters]
    found = await asyncio.gather(*(ledger.find(key) for key in asked))
    assert found == [counters.get(key) for key in asked]


async def test_a_reader_that_hangs_up_does_not_disturb_the_others(ledger: Ledger) -> None:
    await ledger.count(a_key(), HIT)
    finds = [ledger.find(a_key()) for _ in range(10)]
    finds[0].cancel()
    finds[5].cancel()
    assert all([(await find) is not None for find in finds if not find.cancelled()])


async def test_a_read_sees_one_state_of_the_database(ledger: Ledger) -> None:
    await ledger.count(a_key(), HIT)
    looked, counted = Event(), Event()

    def twice(session: Session) -> tuple[Counter, Counter]:
        before = session.find([a_key()])[a_key()]
        looked.set()
        assert counted.wait(WITHIN_S)
        return before, session.find([a_key()])[a_key()]

    reading = asyncio.create_task(ledger.read(twice))
    await asyncio.to_thread(looked.wait, WITHIN_S)
    assert (await ledger.count(a_key(), HIT)).value == 2
    counted.set()
    before, after = await reading
    assert (before.value, after.value) == (1, 1)


async def test_a_read_keeps_nothing_that_it_wrote(ledger: Ledger) -> None:
    def write(session: Session) -> None:
        session.save({a_key(): a_counter()}, {})

    # PostgreSQL refuses it, SQLite undoes it.
    await asyncio.gather(ledger.read(write), return_exceptions=True)
    assert await ledger.find(a_key()) is None


@pytest.mark.parametrize(
    "error", [InputRefused("no such thing"), KeyError("x"), UnicodeError(), RecursionError()], ids=repr
)
async def test_what_a_read_raises_is_raised_as_it_is_and_its_connection_stays(ledger: Ledger, error: Exception) -> None:
    used: list[int] = []

    def fail(session: Session) -> None:
        used.append(id(session))
        raise error

    with capture_logs() as logs:
        for _ in range(6):
            with pytest.raises(type(error)) as raised:
                await ledger.read(fail)
            assert raised.value is error
    assert len(set(used)) <= 2  # one for each thread
    assert logs == []
    assert await ledger.read(lambda session: session.size()) == 0


async def test_a_read_that_raises_what_no_future_takes_is_answered(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(ledger.read(lambda _: next(iter(()))), WITHIN_S)


async def test_a_statement_that_makes_no_sense_costs_no_connection(ledger: Ledger) -> None:
    used: list[int] = []

    def nonsense(session: Session) -> None:
        used.append(id(session))
        session.connection.execute("SELECT nothing FROM nowhere")

    for _ in range(6):
        with pytest.raises((apsw.SQLError, UndefinedTable)):
            await ledger.read(nonsense)
    assert len(set(used)) <= 2
    assert await ledger.read(lambda session: session.size()) == 0


async def test_a_read_that_loses_the_storage_opens_another_connection(ledger: Ledger) -> None:
    used: list[Session] = []

    def fail(session: Session) -> None:
        used.append(session)
        msg = "the disk is gone"
        raise StoreFailed(msg)

    for _ in range(6):
        with pytest.raises(StoreFailed, match="the disk is gone"):
            await ledger.read(fail)
    assert len({id(session) for session in used}) == len(used)
    assert await ledger.read(lambda session: session.size()) == 0


async def test_pages_walk_through_all_counters_in_storage_order(ledger: Ledger) -> None:
    counters = {a_key(f"page-{number}"): a_counter(number) for number in range(50)}
    counters[a_key("expired")] = an_expired_counter()
    counters[a_key("page", "another.example")] = a_counter()
    await put(ledger, counters)
    walked: list[tuple[Key, Counter]] = []
    while page := await ledger.read(_page, walked[-1][0] if walked else None, 7):
        assert len(page) <= 7
        walked += page
    assert dict(walked) == counters
    assert [key for key, _ in walked] == sorted(counters, key=lambda key: (lane_of(key), key))


async def test_a_page_goes_on_where_its_counter_was_deleted(ledger: Ledger) -> None:
    await put(ledger, {a_key(f"page-{number}"): a_counter() for number in range(20)})
    everything = await ledger.read(_page, None, 100)
    assert await ledger.read(_page, a_key("page-x"), 100) == [
        row for row in everything if (lane_of(row[0]), row[0]) > (lane_of(a_key("page-x")), a_key("page-x"))
    ]


LISTED = [
    Key(*name.split("/")) for name in ("A.b/abc", "a-b/abc", "a.b/Abc", "a.b/a-c", "a.b/a.c", "a.b/abc", "a_b/abc")
]


async def test_the_listing_is_sorted_by_name(ledger: Ledger) -> None:
    await put(ledger, {key: a_counter(number) for number, key in reversed([*enumerate(LISTED)])})
    await put(ledger, {Key("a.b", "aaa"): an_expired_counter()})
    everything = await ledger.read(_listing, None, ledger.clock(), 100)
    assert everything == [(key, a_counter(number)) for number, key in enumerate(LISTED)]
    assert await ledger.read(_listing, None, ledger.clock(), 3) == everything[:3]


async def test_the_listing_of_one_namespace(ledger: Ledger) -> None:
    await put(ledger, {key: a_counter() for key in LISTED})
    listed = await ledger.read(_listing, "a.b", ledger.clock(), 100)
    assert [key for key, _ in listed] == [key for key in LISTED if key.namespace == "a.b"]
    assert await ledger.read(_listing, "a.b", ledger.clock(), 2) == listed[:2]
    assert await ledger.read(_listing, "nobody", ledger.clock(), 100) == []


async def test_the_listing_leaves_out_what_has_expired(ledger: Ledger, clock: Clock) -> None:
    await ledger.count(a_key(), HIT)
    clock.pass_a_lifetime()
    assert await ledger.read(_listing, None, clock(), 100) == []
    assert await ledger.read(_listing, a_key().namespace, clock(), 100) == []
    assert await ledger.read(lambda session: session.size()) == 1


def _page(session: Session, after: Key | None, max_rows: int) -> list[tuple[Key, Counter]]:
    return session.page(after, max_rows)


def _listing(session: Session, namespace: str | None, now: int, max_rows: int) -> list[tuple[Key, Counter]]:
    return session.listing(namespace, now, max_rows)
