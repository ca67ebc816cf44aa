"""What is looked after each second while there are live connections: slow readers, tokens, days, public counters."""

from asyncio import Future
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar
from zoneinfo import ZoneInfo

import structlog

from tallystick.errors import StoreUnavailable
from tallystick.hub.days import Days
from tallystick.hub.hub import Hub, Subscription
from tallystick.hub.watching import Watcher, Watches
from tallystick.ledger import Ledger, Session
from tallystick.model.change import as_it_is
from tallystick.model.counter import Counter, alive
from tallystick.model.key import Key
from tallystick.services.accounts.accounts import last_change
from tallystick.services.feed.change_feed import date_counters_of, valid_tokens

PEOPLE_AT_ONCE = 500
KEYS_AT_ONCE = 5_000

Item = TypeVar("Item")

log = structlog.get_logger()


class LiveChores:
    """The chores, each of which is done again a second later when the ledger cannot be read.

    Args:
        position: the number of the last change that was told.
    """

    def __init__(self, ledger: Ledger, hub: Hub, watches: Watches, position: Callable[[], int]) -> None:
        self._ledger, self._hub, self._watches, self._position = ledger, hub, watches, position
        self._days = Days()
        self._unchecked: set[int] = set()
        """Tokens of new subscriptions: what they were opened with may have been revoked a moment before."""
        self._accounts_changed = -1
        self._failing: set[str] = set()

    def welcome(self, subscription: Subscription) -> None:
        """Look after a new subscription as well."""
        self._unchecked.add(subscription.token)
        self._days.note(subscription.zone, self._ledger.clock())

    def watch(self, key: Key) -> Watcher:
        """Every new state of a public counter, the present one first.

        Raises:
            TooManySubscriptions, StoreUnavailable
        """
        watcher = self._watches.watch(key)
        try:
            asked, future = self._watches.moment(), self._ledger.find(key)
        except StoreUnavailable:
            watcher.close()
            raise

        def found(future: "Future[Counter | None]") -> None:
            # One that failed is found by the look each second.
            if not future.cancelled() and future.exception() is None:
                self._watches.found({key: self._living(future.result())}, asked)

        future.add_done_callback(found)
        return watcher

    async def do(self) -> None:
        """Do all of them once."""
        self._hub.end_slow()
        await self._attempt(self._end_revoked)
        await self._attempt(self._tell_of_days)
        await self._attempt(self._look_at_public_counters)

    async def _attempt(self, chore: Callable[[], Awaitable[None]]) -> None:
        name = chore.__name__.strip("_")
        try:
            await chore()
        except Exception as error:  # the others are done all the same
            if name not in self._failing:
                unexpected = not isinstance(error, StoreUnavailable)
                log.exception("live: put off", chore=name, reason=str(error), exc_info=unexpected)
            self._failing.add(name)
        else:
            self._failing.discard(name)

    async def _end_revoked(self) -> None:
        """End the subscriptions whose tokens are gone, have another secret now, or may no longer read counters."""
        subscriptions = self._hub.subscriptions()
        if not subscriptions:
            self._unchecked.clear()
            return
        changed = await self._ledger.read(last_change)
        tokens = {each.token for each in subscriptions}
        if changed == self._accounts_changed:
            tokens &= self._unchecked
        if tokens:
            valid = await self._ledger.read(valid_tokens, tokens)
            self._hub.end(each for each in subscriptions if each.token in tokens and not _is_valid(each, valid))
        self._accounts_changed = changed
        self._unchecked -= tokens

    async def _tell_of_days(self) -> None:
        """In each zone where a day has begun, tell what the counters of days show now."""
        now = self._ledger.clock()
        zones: dict[ZoneInfo, list[Subscription]] = defaultdict(list)
        for subscription in self._hub.subscriptions():
            zones[subscription.zone].append(subscription)
        for zone, today in self._days.begun(zones, now).items():
            await self._tell_of_day(zones[zone], now)
            self._days.over(zone, today)

    async def _tell_of_day(self, subscriptions: Sequence[Subscription], now: int) -> None:
        of: dict[int, list[Subscription]] = defaultdict(list)
        for subscription in subscriptions:
            of[subscription.account].append(subscription)
        for people in _pieces(list(of), PEOPLE_AT_ONCE):
            for counter, having in await self._ledger.read(date_counters_of, people):
                # No commit did it, so it has no number of its own.
                change = as_it_is(counter, self._position(), now)
                self._hub.tell(change, (each for account in having for each in of[account]))

    async def _look_at_public_counters(self) -> None:
        """Find what other servers and commands have made of watched counters, and which ones have expired."""
        for keys in _pieces(list(self._watches.keys), KEYS_AT_ONCE):
            asked = self._watches.moment()
            found = await self._ledger.read(_find, keys)
            self._watches.found({key: self._living(found.get(key)) for key in keys}, asked)

    def _living(self, counter: Counter | None) -> Counter | None:
        return alive(counter, self._ledger.clock())


def _is_valid(subscription: Subscription, valid: Mapping[int, str]) -> bool:
    prefix = valid.get(subscription.token)
    return prefix is not None and subscription.prefix in {"", prefix}


def _find(session: Session, keys: Sequence[Key]) -> dict[Key, Counter]:
    return session.find(keys)


def _pieces(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
