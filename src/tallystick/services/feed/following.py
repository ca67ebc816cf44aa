"""Live connections hear of what was committed, here or by other servers and commands. See hub/DESIGN.md."""

import asyncio
from asyncio import Task
from contextlib import suppress
from zoneinfo import ZoneInfo

import structlog

from tallystick.errors import StoreUnavailable
from tallystick.hub.hub import Ending, Hub, Subscription
from tallystick.hub.watching import Watcher, Watches
from tallystick.ledger import Ledger
from tallystick.ledger.database import Announcer
from tallystick.model.key import Key
from tallystick.services.feed.change_feed import ChangeBatch, Members, name_of_numbering, next_changes
from tallystick.services.feed.housekeeping import LiveChores
from tallystick.services.feed.resuming import Resumed, missed_changes
from tallystick.services.sharing.changes import last_change
from tallystick.tasks import end_tasks

LOOKED_EVERY_S = 1.0
"""How late a change may be told that nobody announced, and the end of a token be noticed."""
TOLD_AT_ONCE = 2_000
"""Connections that are told before anything else gets its turn on the event loop."""
RESUMED_AT_ONCE = 16

log = structlog.get_logger()


class Following:
    """Tails the changes of shared counters and tells the hub, in the order of the commits. Used from one event loop.

    Attributes:
        hub: all live connections.
        epoch: the name of this ledger's numbering of changes; known once somebody has subscribed.
        position: the number up to which everything was told.
    """

    def __init__(self, ledger: Ledger, hub: Hub | None = None) -> None:
        self._ledger = ledger
        self.hub = hub or Hub()
        self.epoch = ""
        self.position = 0
        self._members = Members()
        self._watches = Watches(self.hub)
        self._chores = LiveChores(ledger, self.hub, self._watches, lambda: self.position)
        self._woken = asyncio.Event()
        self._beginning = asyncio.Lock()
        self._reading_newest = asyncio.Lock()
        self._newest: Task[int] | None = None
        self._resuming = asyncio.Semaphore(RESUMED_AT_ONCE)
        self._announcer: Announcer | None = None
        self._tasks: list[Task[None]] = []
        self._failing = False

    def start(self) -> None:
        """Tell of changes from now on, until ``close``."""
        loop = asyncio.get_running_loop()
        self._ledger.watched.keys = self._watches.keys
        self._ledger.watched.told = self._watches.changed

        def heard() -> None:
            # A closed loop: nobody listens any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._woken.set)

        self._announcer = self._ledger.database.announcer(heard)
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._keep_house())]

    async def close(self) -> None:
        """Stop; what is still open is ended as at a restart."""
        self.end_all()
        await end_tasks(*self._tasks)
        if self._announcer is not None:
            await self._announcer.close()

    def end_all(self, ending: Ending = Ending.RESTARTING) -> None:
        """End every live connection, watchers of public counters included."""
        self.hub.end_all(ending)
        self._watches.end_all(ending)

    def wake(self) -> None:
        """A commit of this server has changed shared counters."""
        if self.hub:
            self._woken.set()
        if self._announcer is not None:
            self._announcer.tell()

    async def subscribe(self, account: int, token: int, zone: ZoneInfo, prefix: str = "") -> Subscription:
        """Hear of every change that is committed from now on, and of none before.

        Args:
            prefix: of the secret that was shown; see ``Subscription``.

        Raises:
            TooManySubscriptions
            StoreUnavailable
        """
        subscription = self.hub.subscribe(account, token, zone, prefix)
        self._chores.welcome(subscription)
        try:
            await self._begin()
            subscription.skip(await self._newest_change())
        except BaseException:
            subscription.close()
            raise
        return subscription

    async def resume(self, account: int, epoch: str, offset: int) -> Resumed:
        """What a person missed after a change. Subscribe first; then ``subscription.skip(resumed.position)``.

        Tell what was missed, then what the subscription brings: nothing is told twice, nothing is missing. Leave the
        skipping to the subscription: a day that began carries a number that was told before, and must be told.

        Raises:
            StoreUnavailable
        """
        await self._begin()
        if epoch != self.epoch:
            return Resumed(recovered=False, position=await self._newest_change())
        async with self._resuming:
            return await self._ledger.read(missed_changes, account, offset, self._ledger.clock())

    def watch(self, key: Key) -> Watcher:
        """Every new state of a public counter, the present one first; close it when nobody watches any more.

        Raises:
            TooManySubscriptions, StoreUnavailable
        """
        return self._chores.watch(key)

    async def _begin(self) -> None:
        """Learn which numbering this is, once."""
        if self.epoch:
            return
        async with self._beginning:
            if not self.epoch:
                epoch = await self._ledger.write(name_of_numbering)
                self.position = await self._ledger.read(last_change)
                self.epoch = epoch

    async def _newest_change(self) -> int:
        """The number of the last change; whoever asks before a read has begun shares it."""
        if self._newest is None:
            self._newest = asyncio.create_task(self._read_newest())
        return await asyncio.shield(self._newest)

    async def _read_newest(self) -> int:
        async with self._reading_newest:
            self._newest = None
            return await self._ledger.read(last_change)

    async def _follow(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._begin()
                while await self._tell_next():
                    pass
            except Exception as error:  # noqa: BLE001  # it goes on whatever happens
                self._failed(error)
            else:
                self._failing = False
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOKED_EVERY_S):
                    await self._woken.wait()

    def _failed(self, error: Exception) -> None:
        if not self._failing:
            log.error(
                "live connections are told nothing new until the ledger can be read",
                reason=str(error),
                exc_info=not isinstance(error, StoreUnavailable),
            )
        self._failing = True

    async def _tell_next(self) -> bool:
        """Tell the next changes; whether there may be more."""
        if not self.hub:
            newest = await self._ledger.read(last_change)
            if not self.hub:
                # Who came and went with what is passed over is not looked at.
                self._members.clear()
                self.position = newest
            return bool(self.hub)
        batch = await self._ledger.read(next_changes, self.position, self._members, self.hub.listening)
        await self._tell(batch)
        return batch.full

    async def _tell(self, batch: ChangeBatch) -> None:
        told = 0
        for telling in batch.tellings:
            told += self.hub.publish(telling.change, telling.accounts, telling.number)
            if told >= TOLD_AT_ONCE:
                told = 0
                self.position = telling.number - 1
                await asyncio.sleep(0)
        if batch.last is not None:
            self.position = batch.last

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(LOOKED_EVERY_S)
            await self._chores.do()
