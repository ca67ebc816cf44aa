"""Checks of live connections, once a second: slow readers, tokens, days, public counters."""

from asyncio import Future
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from zoneinfo import ZoneInfo

from tallystick.errors import StoreUnavailable
from tallystick.hub.days import Days
from tallystick.hub.hub import Hub, Subscription
from tallystick.hub.watching import Watcher, Watches
from tallystick.ledger import Ledger, Session
from tallystick.model.change import state_event
from tallystick.model.counter import Counter, alive
from tallystick.model.key import Key
from tallystick.services.accounts.accounts import last_change
from tallystick.services.feed.change_feed import date_counters_of, valid_tokens

PEOPLE_AT_ONCE = 500
KEYS_AT_ONCE = 5_000

Item = TypeVar("Item")


class LiveChecks:
    """The checks. Each is a background task of its own (``Following.tasks``).

    Args:
        position: the number of the last change that was published.
    """

    def __init__(self, ledger: Ledger, hub: Hub, watches: Watches, position: Callable[[], int]) -> None:
        self._ledger, self._hub, self._watches, self._position = ledger, hub, watches, position
        self._days = Days()
        self._unchecked: set[int] = set()
        """Tokens of new subscriptions, which may have been revoked since they were read."""
        self._accounts_changed = -1

    def add(self, subscription: Subscription) -> None:
        """Include a new subscription in the checks."""
        if subscription.token is not None:
            self._unchecked.add(subscription.token)
        self._days.note(subscription.zone, self._ledger.clock())

    def watch(self, *keys: Key) -> Watcher:
        """Every new state of public counters, the present ones first.

        Raises:
            TooManySubscriptions, StoreUnavailable
        """
        watcher = self._watches.watch(*keys)
        try:
            for key in watcher.keys:
                self._read_soon(key)
        except StoreUnavailable:
            watcher.close()
            raise
        return watcher

    def _read_soon(self, key: Key) -> None:
        begun, future = self._watches.moment(), self._ledger.find(key)

        def pass_on(future: "Future[Counter | None]") -> None:
            # After a failure the counter is read within a second.
            if not future.cancelled() and future.exception() is None:
                self._watches.update({key: self._living(future.result())}, begun)

        future.add_done_callback(pass_on)

    async def end_refused(self) -> None:
        """End subscriptions of slow readers, and those whose tokens are gone, rotated or may not read counters."""
        self._hub.end_slow()
        subscriptions = self._hub.subscriptions()
        if not subscriptions:
            self._unchecked.clear()
            return
        changed = await self._ledger.read(last_change)
        tokens = {each.token for each in subscriptions if each.token is not None}
        if changed == self._accounts_changed:
            tokens &= self._unchecked
        if tokens:
            valid = await self._ledger.read(valid_tokens, tokens)
            self._hub.end(each for each in subscriptions if each.token in tokens and not _is_valid(each, valid))
        self._accounts_changed = changed
        self._unchecked -= tokens

    async def publish_days(self) -> None:
        """Publish counters of days to subscriptions in each zone where a day has begun."""
        now = self._ledger.clock()
        zones: dict[ZoneInfo, list[Subscription]] = defaultdict(list)
        for subscription in self._hub.subscriptions():
            zones[subscription.zone].append(subscription)
        for zone, today in self._days.begun(zones, now).items():
            await self._publish_day(zones[zone], now)
            self._days.over(zone, today)

    async def _publish_day(self, subscriptions: Sequence[Subscription], now: int) -> None:
        by_account: dict[int, list[Subscription]] = defaultdict(list)
        for subscription in subscriptions:
            by_account[subscription.account].append(subscription)
        for people in _pieces(list(by_account), PEOPLE_AT_ONCE):
            for counter, owners in await self._ledger.read(date_counters_of, people):
                # No commit changed it, so it has no number of its own.
                change = state_event(counter, self._position(), now)
                self._hub.publish_to(change, (each for account in owners for each in by_account[account]))

    async def refresh_public_counters(self) -> None:
        """Read the watched counters again: they may have expired, or other servers and commands have changed them."""
        for keys in _pieces(list(self._watches.keys), KEYS_AT_ONCE):
            begun = self._watches.moment()
            counters = await self._ledger.read(_find, keys)
            self._watches.update({key: self._living(counters.get(key)) for key in keys}, begun)

    def _living(self, counter: Counter | None) -> Counter | None:
        return alive(counter, self._ledger.clock())


def _is_valid(subscription: Subscription, valid: Mapping[int, str]) -> bool:
    prefix = None if subscription.token is None else valid.get(subscription.token)
    return prefix is not None and subscription.prefix in {"", prefix}


def _find(session: Session, keys: Sequence[Key]) -> dict[Key, Counter]:
    return session.find(keys)


def _pieces(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
