"""Counters that people share lie among the public ones, and no command about public ones shows or touches them."""

import asyncio
from pathlib import Path

import pytest

from support.commands import CommandLine
from support.ledgers import opened
from support.places import Place
from support.sharing import a_counter, change, history_of, joined, now_as, someone
from tallystick.model.counter import HIT
from tallystick.model.key import Key
from tallystick.model.shared_counter import NAMESPACE, Member, SharedCounter
from tallystick.services.accounts.accounts import account_by_email
from tallystick.services.sharing.access import counters_of, members_of
from tallystick.services.sharing.history import HistoryEntry

Seen = tuple[SharedCounter, list[Member], list[HistoryEntry]]


def shared(place: Place) -> SharedCounter:
    """A counter that Ada and Ben share, at 7, beside a public one."""

    async def made() -> SharedCounter:
        async with opened(place.database) as ledger:
            ada, ben = await someone(ledger), await someone(ledger, "Ben")
            counter = await a_counter(ledger, ada, "Cups of tea")
            await joined(ledger, counter, ben)
            for person, amount in ((ada, 4), (ben, 3)):
                assert await change(ledger, person, counter, amount=amount) in {4, 7}
            await ledger.count(Key("example.com", "visits"), HIT)
            return await now_as(ledger, counter)

    Path(place.directory).mkdir(exist_ok=True)
    return asyncio.run(made())


def everything_of(place: Place, uid: str) -> Seen:
    """The counter, its members and its history as Ada sees them."""

    async def seen() -> Seen:
        async with opened(place.database) as ledger:
            ada = await ledger.read(account_by_email, "ada@example.com")
            assert ada is not None
            (counter,) = await ledger.read(counters_of, ada.id)
            assert counter.uid == uid
            members = await ledger.read(members_of, [counter.id])
            return counter, members[counter.id], await history_of(ledger, ada, counter)

    return asyncio.run(seen())


def test_they_are_not_listed_or_exported(run: CommandLine, place: Place) -> None:
    counter = shared(place)
    listed = run("counter", "list", *place.options).succeeded()
    assert [line.split("\t")[0] for line in listed.splitlines()] == ["example.com/visits"]
    run("counter", "export", "all.jsonl", *place.options).succeeded()
    exported = Path("all.jsonl").read_text("utf-8")
    assert "visits" in exported
    assert counter.uid not in exported


@pytest.mark.parametrize("verb", [("get",), ("create",), ("set", "5"), ("delete", "--yes")])
def test_they_cannot_be_named(run: CommandLine, file_place: Place, verb: tuple[str, ...]) -> None:
    counter = shared(file_place)
    name, *rest = verb
    refusal = run("counter", name, f"{NAMESPACE}/{counter.uid}", *rest, *file_place.options).refused()
    assert "is not a counter's name" in refusal
    assert everything_of(file_place, counter.uid)[0] == counter


def test_no_namespace_lists_them(run: CommandLine, file_place: Place) -> None:
    refusal = run("counter", "list", "--namespace", NAMESPACE, *file_place.options).refused()
    assert "it accepts 3 to 64" in refusal


def test_no_file_replaces_them(run: CommandLine, place: Place) -> None:
    counter = shared(place)
    line = f'{{"namespace":"{NAMESPACE}","key":"{counter.uid}","value":99}}'
    Path("some.jsonl").write_text(f"{line}\n", "utf-8")
    refusal = run("counter", "import", "some.jsonl", "--existing", "replace", *place.options).refused()
    assert refusal.startswith("line 1: namespace must be 3 to 64 of the characters")
    assert everything_of(place, counter.uid)[0] == counter


def test_counts_of_counters_tell_of_both_kinds(run: CommandLine, file_place: Place) -> None:
    shared(file_place)
    assert "2 counters" in run("doctor", *file_place.options).succeeded()


@pytest.mark.parametrize("other", ["sqlite", "postgresql"], indirect=True)
def test_a_backup_restores_them_with_members_and_history(run: CommandLine, place: Place, other: Place) -> None:
    before = everything_of(place, shared(place).uid)
    assert [entry.value for entry in before[2]] == [0, 4, 7]
    run("backup", "backup.db", *place.options).succeeded()
    assert run("restore", "backup.db", *other.options).err.startswith("2 counters restored into ")
    assert everything_of(other, before[0].uid) == before
