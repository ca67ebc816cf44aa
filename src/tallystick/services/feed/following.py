"""Publishes committed changes to live connections, whichever server or command made them. See hub/DESIGN.md."""

import asyncio
from asyncio import Task
from contextlib import suppress
from zoneinfo import ZoneInfo

from tallystick.hub.hub import Ending, Hub, Subscription
from tallystick.hub.watching import Watcher, Watches
from tallystick.ledger import Ledger
from tallystick.ledger.database import Announcer
from tallystick.model.key import Key
from tallystick.services.feed.change_feed import ChangeBatch, Members, named_epoch, next_changes
from tallystick.services.feed.housekeeping import LiveChecks
from tallystick.services.feed.resuming import Resumed, missed_changes
from tallystick.services.sharing.changes import last_change
from tallystick.tasks import BackgroundTask

LOOKED_EVERY_S = 1.0
"""The longest delay until a change without a notification is published, and until a revoked token is noticed."""
LONGEST_DELAY_S = 5.0
"""The longest delay after failures: connections are behind for no longer once the ledger can be read again."""
PUBLISHED_AT_ONCE = 2_000
"""Deliveries before other work gets a turn on the event loop."""
RESUMED_AT_ONCE = 16


class Following:
    """Publishes the changes of shared counters to the hub, in commit order. Used from one event loop.

    Attributes:
        hub: all live connections.
        epoch: the name of this ledger's numbering of changes; empty until it was read.
        position: the number of the last change that was published.
    """

    def __init__(self, ledger: Ledger, hub: Hub | None = None) -> None:
        self._ledger = ledger
        self.hub = hub or Hub()
        self.epoch = ""
        self.position = 0
        self._members = Members()
        self._watches = Watches(self.hub)
        self._checks = LiveChecks(ledger, self.hub, self._watches, lambda: self.position)
        self._woken = asyncio.Event()
        self._beginning = asyncio.Lock()
        self._reading_newest = asyncio.Lock()
        self._newest: Task[int] | None = None
        self._resuming = asyncio.Semaphore(RESUMED_AT_ONCE)
        self._announcer: Announcer | None = None

    def start(self) -> None:
        """Receive notifications of other servers until ``close``."""
        loop = asyncio.get_running_loop()
        self._ledger.watched.keys = self._watches.keys
        self._ledger.watched.on_change = self._watches.changed

        def on_notification() -> None:
            # The loop is closed: the server has stopped.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._woken.set)

        self._announcer = self._ledger.database.announcer(on_notification)

    def tasks(self) -> list[BackgroundTask]:
        """Publish changes, and check live connections; run between ``start`` and ``close``."""
        checks = (
            ("live-tokens", self._checks.end_refused),
            ("live-days", self._checks.publish_days),
            ("live-counters", self._checks.refresh_public_counters),
        )
        return [
            BackgroundTask(
                "live-changes", self._publish_next, LOOKED_EVERY_S, trigger=self._woken, longest_delay=LONGEST_DELAY_S
            ),
            *(
                BackgroundTask(name, run, LOOKED_EVERY_S, begins_after=LOOKED_EVERY_S, longest_delay=LONGEST_DELAY_S)
                for name, run in checks
            ),
        ]

    async def close(self) -> None:
        """End every live connection as at a restart, and stop receiving notifications."""
        self.end_all()
        if self._announcer is not None:
            await self._announcer.close()

    def end_all(self, ending: Ending = Ending.RESTARTING) -> None:
        """End every live connection, watchers of public counters included."""
        self.hub.end_all(ending)
        self._watches.end_all(ending)

    def wake(self) -> None:
        """Publish soon, and notify other servers: a commit of this server has changed shared counters."""
        if self.hub:
            self._woken.set()
        if self._announcer is not None:
            self._announcer.notify()

    async def subscribe(self, account: int, token: int | None, zone: ZoneInfo, prefix: str = "") -> Subscription:
        """Open a subscription to the changes that are committed from now on.

        Args:
            token, prefix: see ``Subscription``.

        Raises:
            TooManySubscriptions
            StoreUnavailable
        """
        subscription = self.hub.subscribe(account, token, zone, prefix)
        self._checks.add(subscription)
        try:
            await self._begin()
            subscription.skip(await self._newest_change())
        except BaseException:
            subscription.close()
            raise
        return subscription

    async def resume(self, account: int, epoch: str, offset: int) -> Resumed:
        """The changes that a person missed after an offset.

        Subscribe before, and call ``subscription.skip(resumed.position)`` after. Send the missed changes, then those of
        the subscription: no change is lost or sent twice. Do not skip by number outside of the subscription: the start
        of a day has a number that was sent before, and must be sent.

        Raises:
            StoreUnavailable
        """
        await self._begin()
        if epoch != self.epoch:
            return Resumed(recovered=False, position=await self._newest_change())
        async with self._resuming:
            return await self._ledger.read(missed_changes, account, offset, self._ledger.clock())

    def watch(self, *keys: Key) -> Watcher:
        """Every new state of public counters, the present ones first; close the watcher after use.

        Raises:
            TooManySubscriptions, StoreUnavailable
        """
        return self._checks.watch(*keys)

    async def _begin(self) -> None:
        """Read the name of the numbering, once."""
        if self.epoch:
            return
        async with self._beginning:
            if not self.epoch:
                epoch = await self._ledger.write(named_epoch)
                self.position = await self._ledger.read(last_change)
                self.epoch = epoch

    async def _newest_change(self) -> int:
        """The number of the last change; calls made before a read begins share it."""
        if self._newest is None:
            self._newest = asyncio.create_task(self._read_newest())
        return await asyncio.shield(self._newest)

    async def _read_newest(self) -> int:
        async with self._reading_newest:
            self._newest = None
            return await self._ledger.read(last_change)

    async def _publish_next(self) -> bool:
        """Publish the next changes. Returns whether there may be more."""
        await self._begin()
        if not self.hub:
            newest = await self._ledger.read(last_change)
            if not self.hub:
                # Changes of membership may be among those that are skipped.
                self._members.clear()
                self.position = newest
            return bool(self.hub)
        batch = await self._ledger.read(next_changes, self.position, self._members, self.hub.listening)
        await self._publish(batch)
        return batch.full

    async def _publish(self, batch: ChangeBatch) -> None:
        published = 0
        for delivery in batch.deliveries:
            published += self.hub.publish(delivery.change, delivery.accounts, delivery.number)
            if published >= PUBLISHED_AT_ONCE:
                published = 0
                self.position = delivery.number - 1
                await asyncio.sleep(0)
        if batch.last is not None:
            self.position = batch.last
