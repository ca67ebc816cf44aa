"""However people share, count, leave, drop and come back: what a client was told ends in what the ledger holds."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.ledgers import Clock, opened
from support.live import a_counter_token, caught_up, followed, listening, rest_of
from support.sharing import change, someone
from tallystick.errors import SharingRefused
from tallystick.hub import pending
from tallystick.hub.hub import Subscription
from tallystick.ledger import Database, Ledger
from tallystick.model.account import Account
from tallystick.model.change import Change
from tallystick.services.feed import change_feed, resuming
from tallystick.services.feed import following as followings
from tallystick.services.feed.following import Following
from tallystick.services.sharing import access, counters, history, invites, people
from tallystick.services.sharing.changing import Verb
from tallystick.services.sharing.service import Sharing

PEOPLE, CLIENTS, STEPS = ("Ada", "Ben", "Eve"), 6, 100
UNLIMITED = 1_000


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    async with opened(database, Clock()) as ledger:
        yield ledger


class Client:
    """Someone's device: it holds what it was told, and goes on from there after it was away."""

    def __init__(self, following: Following, ledger: Ledger, person: Account, token: int) -> None:
        self._following, self._ledger, self._person, self._token = following, ledger, person, token
        self._subscription: Subscription | None = None
        self._offset: int | None = None
        self.began = 0
        self.known: dict[str, tuple[str, int | None, int | None]] = {}
        self.heard: list[Change] = []

    async def connect(self, most: int) -> None:
        """Come back; the line may break again before all that was missed has come."""
        if self._subscription is not None:
            return
        subscription = await listening(self._following, self._ledger, self._person, token=self._token)
        if self._offset is None:
            await self._read_all()
            self._subscription = subscription
            return
        resumed = await self._following.resume(self._person.id, self._following.epoch, self._offset)
        assert resumed.recovered
        subscription.skip(resumed.position)
        for missed in resumed.changes[:most]:
            self._take(missed)
        if len(resumed.changes) <= most:
            self._subscription = subscription
        else:
            subscription.close()

    async def _read_all(self) -> None:
        """What a client does at its beginning: live first, so that nothing falls in between."""
        before = await self._following.resume(self._person.id, "no epoch", 0)
        self._offset = self.began = before.position
        for each in await self._ledger.read(access.counters_of, self._person.id):
            self.known[each.uid] = (each.name, each.value, each.version)

    async def listen(self, most: int = UNLIMITED) -> None:
        """Take some of what there is."""
        if self._subscription is not None:
            for told in await rest_of(self._subscription, most):
                self._take(told)

    def drop(self) -> None:
        """Lose the line, with everything that was on it."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def _take(self, told: Change) -> None:
        assert self._offset is not None
        assert told.number >= self._offset, "out of order"
        self._offset = told.number
        self.heard.append(told)
        if told.kind == "deleted":
            self.known.pop(told.counter, None)
        elif told.kind != "members":
            assert told.state is not None
            # A client's first look may be newer than what it is told next.
            before = self.known.get(told.counter)
            if before is None or before[2] is None or told.version is None or told.version >= before[2]:
                self.known[told.counter] = (told.state.name, told.value, told.version)


class World:
    """People who do things at random."""

    def __init__(self, ledger: Ledger, following: Following, chance: random.Random, everyone: list[Account]) -> None:
        self._ledger, self._chance, self._everyone = ledger, chance, everyone
        self._sharing = Sharing(ledger, following.wake)
        self._woken = following.wake
        self.uids: list[str] = []

    async def step(self) -> None:
        """One thing that somebody does, or is refused."""
        person, uid = self._chance.choice(self._everyone), self._chance.choice(self.uids)
        does = self._chance.choice([self.count] * 6 + [self.make, self.invite, self.invite, self.remove, self.edit])
        try:
            await does(person, uid)
        except SharingRefused:
            return

    async def make(self, person: Account, _: str) -> None:
        made = await self._write(counters.create, person.id, counters.NewCounter(name="Visitors"), self._now())
        self.uids.append(made.uid)

    async def count(self, person: Account, uid: str) -> None:
        found = await self._ledger.read(access.role_of, person.id, uid)
        if found is not None:
            await change(self._ledger, person, found[0], self._chance.choice([Verb.INCREMENT, Verb.DECREMENT]))
            if self._chance.random() < 0.5:
                self._woken()

    async def invite(self, person: Account, uid: str) -> None:
        await self.let_in(person, self._chance.choice(self._everyone), uid)

    async def let_in(self, person: Account, guest: Account, uid: str) -> None:
        _, code = await self._write(invites.create, person.id, uid, invites.NewInvite(), self._now())
        await self._write(invites.accept, guest.id, code, self._now())

    async def remove(self, person: Account, uid: str) -> None:
        if self._chance.random() < 0.2:
            await self._write(counters.delete, person.id, uid, self._now())
        else:
            someone_else = self._chance.choice(self._everyone)
            await self._write(people.remove, person.id, uid, someone_else.uid, self._now())

    async def edit(self, person: Account, uid: str) -> None:
        name = f"Renamed {self._chance.randrange(100)}"
        await self._write(counters.edit, person.id, uid, counters.Edit(name=name), self._now())

    async def _write(self, function: Any, *arguments: Any) -> Any:
        return await self._sharing.write(function, *arguments)

    def _now(self) -> int:
        return self._ledger.clock()


async def play(ledger: Ledger, following: Following, seed: int) -> tuple[list[Client], list[Account], World, str]:
    """People and their devices for a while; at the end every device is connected and has heard everything."""
    chance = random.Random(seed)
    everyone = [await someone(ledger, name) for name in PEOPLE]
    devices = [
        Client(following, ledger, person, await a_counter_token(ledger, person))
        for person in everyone * (CLIENTS // len(PEOPLE))
    ]
    world = World(ledger, following, chance, everyone)
    await world.make(everyone[0], "")
    for person in everyone[1:]:
        await world.let_in(everyone[0], person, world.uids[0])
    lasting = world.uids.pop()
    await world.make(everyone[1], "")
    for device in devices[: CLIENTS // 2]:
        await device.connect(UNLIMITED)
    for _ in range(STEPS):
        if chance.random() < 0.3:
            await world.count(chance.choice(everyone), lasting)
        else:
            await world.step()
        device = chance.choice(devices)
        does = chance.random()
        if does < 0.3:
            await device.connect(chance.choice([0, 1, 2, 3, UNLIMITED]))
        elif does < 0.7:
            await device.listen(chance.choice([1, 2, UNLIMITED]))
        elif does < 0.85:
            device.drop()
    await caught_up(following, ledger)
    for device in devices:
        await device.connect(UNLIMITED)
        await device.listen()
    return devices, everyone, world, lasting


async def in_the_ledger(ledger: Ledger, person: Account) -> dict[str, tuple[str, int, int]]:
    found = await ledger.read(access.counters_of, person.id)
    return {each.uid: (each.name, each.value, each.version) for each in found}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tight", [False, True], ids=["one by one", "merged"])
async def test_what_was_told_ends_in_what_the_ledger_holds(
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    tight: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(followings, "LOOKED_EVERY_S", 0.005)
    monkeypatch.setattr(change_feed, "CHANGES_AT_ONCE", 5)
    monkeypatch.setattr(followings, "PUBLISHED_AT_ONCE", 2)
    if tight:
        monkeypatch.setattr(resuming, "REPLAYED_AT_MOST", 3)
        monkeypatch.setattr(pending, "PLAIN_AT_MOST", 2)
    async with followed(ledger) as following:
        devices, everyone, world, lasting = await play(ledger, following, seed)
        assert following.hub.measurements.published > 0
        assert (following.hub.measurements.merged > 0) is tight
        recorded = await ledger.read(history.history, everyone[0].id, lasting, 0, 1_000, False)  # noqa: FBT003
        numbers = [entry.number for entry in recorded if entry.kind in {"value", "details"}]
        for number, device in enumerate(devices):
            assert device.known == await in_the_ledger(ledger, everyone[number % len(everyone)])
            told = [each.number for each in device.heard if each.counter == lasting and each.kind == "value"]
            if not tight:
                assert told == [each for each in numbers if each > device.began], "none twice, none missing"
        assert len(world.uids) > 1
