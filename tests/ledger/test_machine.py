"""Any mix of concurrent operations does what the pure rules say, on both databases."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from builders import a_key
from strategies import operations
from support.ledgers import Clock, gate_of, totals
from tallystick.errors import StoreFull
from tallystick.ledger import Database, Ledger, Session, Totals
from tallystick.ledger.folding import CounterWrite, operate
from tallystick.model.counter import (
    HOUR_MS,
    LIFETIME_MS,
    Add,
    Counter,
    Operation,
    Outcome,
    Renew,
    Set,
    apply,
)
from tallystick.model.counter_history import sums_of
from tallystick.model.key import Key, lane_of
from tallystick.services.counting.counting import Counting

KEYS = [a_key(name) for name in ("one", "two", "three", "four", "five")]
assert len({lane_of(key) for key in KEYS}) > 1
batches = st.lists(st.tuples(st.sampled_from(KEYS), operations()), min_size=1, max_size=12)
Batch = Sequence[tuple[Key, Operation]]


class LedgerMachine(RuleBasedStateMachine):
    """A ledger beside a dictionary of counters, changed by ``model.counter.apply`` alone."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = Clock()
        self.database = database
        self.gate = gate_of(database)
        self.counters: dict[Key, Counter] = {}
        self.made_with: dict[Key, int] = {}
        self.sums: dict[Key, dict[int, int]] = {}
        self.totals = Totals()
        self.open()

    def open(self) -> None:
        self.ledger: Ledger = self.run(Ledger.open(self.database, self.clock))
        self.counting = Counting(self.ledger)

    def run(self, coroutine: Any) -> Any:
        return self.loop.run(coroutine)

    def expected(self, batch: Batch, *, requests: int) -> list[Outcome]:
        outcomes = []
        created = updated = 0
        for key, operation in batch:
            before = self.counters.get(key)
            after, outcome = apply(before, operation, self.clock())
            outcomes.append(outcome)
            created += outcome.created
            updated += outcome.refused is None and isinstance(operation, (Add, Set))
            self.expect_sums(key, operation, outcome)
            if after is None:
                self.counters.pop(key, None)
            else:
                self.counters[key] = after
        self.totals = Totals(
            self.totals.keys_created + created, self.totals.keys_updated + updated, self.totals.requests + requests
        )
        return outcomes

    def expect_sums(self, key: Key, operation: Operation, outcome: Outcome) -> None:
        """By how much counters change in each hour, from the outcomes alone."""
        if outcome.refused or isinstance(operation, Renew):
            return
        if outcome.value is None:
            self.sums.pop(key, None)
            return
        before = outcome.old_value
        if outcome.created:
            before = self.made_with[key] = 0 if isinstance(operation, Add) else outcome.value
            self.sums[key] = {}
        assert before is not None
        sums = self.sums[key]
        hour = max(self.clock() // HOUR_MS, *sums, 0)
        sums[hour] = sums.get(hour, 0) + outcome.value - before

    async def count(self, batch: Batch) -> list[Outcome | BaseException]:
        return await asyncio.gather(
            *(self.ledger.count(key, operation) for key, operation in batch), return_exceptions=True
        )

    @rule(batch=batches)
    def count_at_once(self, batch: Batch) -> None:
        assert self.run(self.count(batch)) == self.expected(batch, requests=len(batch))

    @rule(batch=batches)
    def count_one_by_one(self, batch: Batch) -> None:
        async def each() -> list[Outcome]:
            return [await self.ledger.count(key, operation) for key, operation in batch]

        assert self.run(each()) == self.expected(batch, requests=len(batch))

    @rule(batch=batches)
    def count_elsewhere(self, batch: Batch) -> None:
        session = self.database.session()
        outcomes = operate(self.database, session, [CounterWrite(*wanted) for wanted in batch], self.clock())
        session.close()
        assert outcomes == self.expected(batch, requests=0)

    @rule(batch=batches)
    def fail_to_commit(self, batch: Batch) -> None:
        self.gate.failing = StoreFull("the disk is full")
        assert {type(result) for result in self.run(self.count(batch))} == {StoreFull}
        self.gate.failing = None
        self.expected([], requests=len(batch))

    @rule(milliseconds=st.sampled_from([1, 2, HOUR_MS, 30 * HOUR_MS, -HOUR_MS, LIFETIME_MS - 1, LIFETIME_MS]))
    def let_time_pass(self, milliseconds: int) -> None:
        self.clock.now += milliseconds

    @rule()
    def sweep(self) -> None:
        expired = [key for key, counter in self.counters.items() if counter.expires <= self.clock()]
        assert self.run(self.counting.sweep()) == len(expired)
        for key in expired:
            del self.counters[key]
            del self.sums[key]

    @rule()
    def reopen(self) -> None:
        self.run(self.ledger.close())
        self.open()

    @invariant()
    def every_counter_is_as_expected(self) -> None:
        async def find() -> list[Counter | None]:
            return await asyncio.gather(*(self.ledger.find(key) for key in KEYS))

        assert self.run(find()) == [self.counters.get(key) for key in KEYS]

    @invariant()
    def every_hour_is_as_expected(self) -> None:
        past = self.run(self.ledger.read(_past_hours))
        assert set(past) <= set(self.sums)
        for key, counter in self.counters.items():
            sums = dict(sums_of(past.get(key, ()), counter))
            assert sums == {hour: added for hour, added in self.sums[key].items() if added}
            assert self.made_with[key] + sum(sums.values()) == counter.value

    @rule()
    def look_at_the_totals(self) -> None:
        assert self.run(totals(self.ledger)) == self.totals

    def teardown(self) -> None:
        try:
            self.look_at_the_totals()
            assert self.run(self.ledger.read(_size)) == len(self.counters)
        finally:
            self.run(self.ledger.close())
            self.loop.close()


def _size(session: Session) -> int:
    return session.size()


def _past_hours(session: Session) -> dict[Key, list[tuple[int, int]]]:
    rows = session.connection.execute("SELECT namespace, key, hour, base FROM counter_hour ORDER BY hour").fetchall()
    past: dict[Key, list[tuple[int, int]]] = {}
    for namespace, key, hour, base in rows:
        past.setdefault(Key(namespace, key), []).append((hour, base))
    return past


def _empty(database: Database) -> None:
    session: Any = database.session()
    with session.transaction():
        session.connection.execute("DELETE FROM counter")
        session.connection.execute("DELETE FROM counter_hour")
        session.connection.execute("DELETE FROM counting_total")
    session.close()


def test_the_ledger_follows_the_rules(database: Database) -> None:
    database.migrate()
    open_session = database.session

    class Machine(LedgerMachine):
        def __init__(self) -> None:
            database.session = open_session  # type: ignore[method-assign]  # without the gate of the machine before
            _empty(database)
            super().__init__(database)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=50, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
