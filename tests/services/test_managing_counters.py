"""Public counters are found by the beginnings of their names, set and deleted by superusers; on both databases."""

import random

from builders import NOW
from support.ledgers import Clock, opened
from tallystick.ledger import Database, Ledger, Session
from tallystick.model.counter import FOREVER, NEVER, Counter, Create, Outcome, RefusalReason
from tallystick.model.key import Key
from tallystick.services.accounts.audit import events
from tallystick.services.counting.finding import key_named, public_counters
from tallystick.services.counting.managing import delete_public_counter, set_public_counter

NAMES = ["0a.example", "a.example", "a.example-b", "a.exampleb", "Abc", "z_z", "zzz"]
KEYS = ["all", "all.json", "all-b", "allb", "Zoo", "123", "zzz"]


def _store(session: Session, keys: list[Key]) -> None:
    # Shared counters lie between public ones, some of which have expired.
    every = [*keys, *(Key(":shared", str(number)) for number in range(300))]
    counters = {key: Counter(1, 0, 1, False, NOW, NOW if key.key == "123" else NOW + 1, 1) for key in every}  # noqa: FBT003
    session.load(list(counters))
    session.save(counters, {})


async def found(ledger: Ledger, text: str, limit: int) -> list[Key]:
    """The names on all pages."""
    names: list[Key] = []
    after = None
    while True:
        page = await ledger.read(public_counters, text, after, limit, NOW)
        assert len(page.counters) <= limit
        names += [key for key, _ in page.counters]
        after = page.after
        if after is None:
            return names


async def test_pages_have_every_counter_once_and_in_order(database: Database) -> None:
    keys = [Key(namespace, key) for namespace in NAMES for key in KEYS]
    random.Random(1).shuffle(keys)
    async with opened(database, Clock()) as ledger:
        await ledger.write(_store, keys)
        living = sorted(key for key in keys if key.key != "123")
        for limit in (1, 7, 100):
            assert await found(ledger, "", limit) == living
            assert await found(ledger, "a", limit) == [key for key in living if key.namespace.startswith("a")]
            assert await found(ledger, "a.example/", limit) == [key for key in living if key.namespace == "a.example"]
            expected = [key for key in living if key.namespace == "a.example" and key.key.startswith("all")]
            assert await found(ledger, "a.example/all", limit) == expected
        for nothing in (":", ":shared/", "b", "a.example/alll", "a/b/c", "x" * 65, "ä", "%", "a b", "\x00"):
            assert await found(ledger, nothing, 7) == [], nothing


def test_a_name_is_a_namespace_and_a_key() -> None:
    assert key_named("a.example/x.json") == Key("a.example", "x.json")
    for nothing in ("", "visits", "a.example/", "/visits", "a.example/b/c", ":shared/abc", "a.example/vis its"):
        assert key_named(nothing) is None


async def test_what_is_set_and_deleted_is_logged(ledger: Ledger) -> None:
    key, now = Key("a.example", "visits"), ledger.clock()
    assert (await ledger.write(set_public_counter, key, 3, NEVER, now)).refused is RefusalReason.MISSING
    assert (await ledger.write(delete_public_counter, key, now)).refused is RefusalReason.MISSING
    assert await ledger.read(events) == []
    await ledger.count(key, Create(7))
    assert await ledger.write(set_public_counter, key, -3, NEVER, now) == Outcome(-3, 7)
    counter = await ledger.find(key)
    assert counter is not None
    assert (counter.value, counter.version, counter.expires) == (-3, 2, FOREVER)
    assert await ledger.write(delete_public_counter, key, now) == Outcome(None, -3)
    assert await ledger.find(key) is None
    assert [(each.kind, each.subject, each.detail) for each in await ledger.read(events)] == [
        ("public counter deleted", "a.example/visits", "the value was -3"),
        ("public counter set", "a.example/visits", "7 to -3"),
    ]
