"""Publishes changes to live connections, each of which has one subscription. Use it from one event loop."""

import time
from collections import Counter as Tally
from collections.abc import Callable, Collection, Container, Iterable
from enum import Enum
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from tallystick.errors import TallystickError
from tallystick.hub.pending import Entry, Pending
from tallystick.hub.waiting import Waiting
from tallystick.model.change import Change

SUBSCRIPTIONS_AT_MOST = 20_000
"""Live connections of a server, watched public counters among them."""
SUBSCRIPTIONS_OF_ONE = 10_000
READ_WITHIN_S = 20.0
"""How long a reader may leave its pending changes alone."""


class Ending(Enum):
    """Reasons for ending a subscription."""

    REVOKED = "the token was revoked"
    SLOW = "the reader is too slow"
    RESTARTING = "the server restarts"


class SubscriptionEnded(TallystickError):
    """The subscription was ended by the server.

    Attributes:
        ending: the reason.
    """

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.value)
        self.ending = ending


class TooManySubscriptions(TallystickError):
    """The account, or the server, has reached its limit of live connections.

    Attributes:
        own: whether it is the account's limit.
    """

    def __init__(self, message: str, *, own: bool = False) -> None:
        super().__init__(message)
        self.own = own


class HubMeasurements:
    """Counts for the metrics.

    Attributes:
        told: changes handed to subscriptions, counted once for each subscription.
        merged: those of them that a newer change replaced before they were read.
        ended: subscriptions ended by the server, by reason.
    """

    def __init__(self) -> None:
        self.published = 0
        self.merged = 0
        self.ended: Tally[Ending] = Tally(dict.fromkeys(Ending, 0))


class Subscription:
    """One live connection's subscription to the counters of an account. Made by ``Hub.subscribe``.

    Attributes:
        account: id of the account.
        token: id of the token it was opened with; revoking it ends the subscription. None for one that a page opened,
            which checks its login session itself.
        prefix: first characters of the token's secret; rotating the secret ends the subscription. Empty if a rotation
            must not.
        zone: time zone whose days the connection shows.
        ending: why it was ended; None while it is open.
    """

    __slots__ = (
        *("_after", "_behind_since", "_hub", "_pending", "_waiting"),
        *("account", "ending", "prefix", "token", "zone"),
    )

    def __init__(self, hub: "Hub", account: int, token: int | None, zone: ZoneInfo, prefix: str = "") -> None:
        self.account, self.token, self.zone, self.prefix = account, token, zone, prefix
        self.ending: Ending | None = None
        self._hub = hub
        self._pending = Pending()
        self._waiting = Waiting()
        self._after = -1
        self._behind_since = 0.0

    async def next(self) -> Change:
        """Wait for the next change, in the order of the commits. A slow reader gets a counter's newest state only.

        Raises:
            SubscriptionEnded
        """
        while True:
            if self.ending is not None:
                raise SubscriptionEnded(self.ending)
            if self._pending.overflowed:
                self._hub.end_one(self, Ending.SLOW)
            elif self._pending:
                self._behind_since = self._hub.clock()
                return self._pending.take()
            else:
                await self._waiting.wait()

    def skip(self, number: int) -> None:
        """Skip all changes up to this number, pending and future ones.

        For a connection that has read them already (``Following.resume``). Changes without a commit, such as the
        start of a day, are not skipped.
        """
        self._after = number
        self._pending.drop(number)

    def close(self) -> None:
        """Unsubscribe."""
        self._hub.leave(self)

    def append(self, entry: Entry, now: float) -> None:
        """Append a change. Called by the hub.

        Args:
            now: seconds, monotonic.
        """
        number = entry[1]
        if number is not None and number <= self._after:
            return
        if not self._pending:
            self._behind_since = now
        self._hub.measurements.merged += self._pending.add(entry)
        self._waiting.wake()

    def numbered(self, change: Change) -> Change:
        """Number a change without a commit so that the connection's numbers never fall."""
        return change if change.number >= self._after else replace(change, number=self._after)

    def is_slow(self, now: float) -> bool:
        """Whether the reader has left changes pending for too long, or too many of them."""
        pending = self._pending
        return pending.overflowed or (bool(pending) and now - self._behind_since > READ_WITHIN_S)

    def end(self, ending: Ending) -> None:
        """End the subscription and drop its pending changes. Called by the hub."""
        self.ending = ending
        self._pending = Pending()
        self._waiting.wake()


class Hub:
    """All subscriptions.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.measurements = HubMeasurements()
        self.watchers = 0
        """Public counters that connections watch, counted for each; the server's limit includes them."""
        self.ending: Ending | None = None
        """Why all subscriptions were ended, and new ones end at once; None while the server runs."""
        self._of: dict[int, dict[Subscription, None]] = {}
        self._open = 0

    def __len__(self) -> int:
        """Number of open subscriptions."""
        return self._open

    @property
    def listening(self) -> Container[int]:
        """Ids of the accounts with subscriptions; may be read from any thread."""
        return self._of

    def subscribe(self, account: int, token: int | None, zone: ZoneInfo, prefix: str = "") -> Subscription:
        """Subscribe to all changes published from now on. After ``end_all`` the subscription is ended already.

        Raises:
            TooManySubscriptions
        """
        if self.ending is not None:
            late = Subscription(self, account, token, zone, prefix)
            late.end(self.ending)
            return late
        self.make_room()
        own = self._of.get(account, {})
        if len(own) >= SUBSCRIPTIONS_OF_ONE:
            msg = f"one account may have at most {SUBSCRIPTIONS_OF_ONE:,} live connections"
            raise TooManySubscriptions(msg, own=True)
        subscription = Subscription(self, account, token, zone, prefix)
        own[subscription] = None
        self._of[account] = own
        self._open += 1
        return subscription

    def make_room(self, places: int = 1) -> None:
        """Check that the server may accept one more connection.

        Args:
            places: how many it takes: one for each counter that it watches.

        Raises:
            TooManySubscriptions
        """
        if self._open + self.watchers + places > SUBSCRIPTIONS_AT_MOST:
            msg = f"this server accepts at most {SUBSCRIPTIONS_AT_MOST:,} live connections"
            raise TooManySubscriptions(msg)

    def leave(self, subscription: Subscription) -> None:
        """Remove a subscription; removing it again has no effect."""
        own = self._of.get(subscription.account, {})
        if subscription not in own:
            return
        del own[subscription]
        if not own:
            del self._of[subscription.account]
        self._open -= 1

    def publish(self, change: Change, accounts: Collection[int], number: int | None = None) -> int:
        """Publish a change to the live connections of some accounts. Returns the number of connections.

        Args:
            number: of the commit, if the change itself carries an older one.
        """
        entry = change, change.number if number is None else number
        now, connections = self.clock(), 0
        for account in accounts:
            for subscription in self._of.get(account, ()):
                subscription.append(entry, now)
                connections += 1
        self.measurements.published += connections
        return connections

    def publish_to(self, change: Change, subscriptions: Iterable[Subscription]) -> None:
        """Publish a change that no commit made, such as a new day, to some connections."""
        now = self.clock()
        for subscription in subscriptions:
            if subscription.ending is None:
                subscription.append((subscription.numbered(change), None), now)
                self.measurements.published += 1

    def subscriptions(self) -> list[Subscription]:
        """All open subscriptions."""
        return [subscription for own in self._of.values() for subscription in own]

    def end(self, subscriptions: Iterable[Subscription], ending: Ending = Ending.REVOKED) -> None:
        """End some subscriptions."""
        self._end(list(subscriptions), ending)

    def end_one(self, subscription: Subscription, ending: Ending) -> None:
        """End one subscription."""
        self._end([subscription], ending)

    def end_slow(self) -> None:
        """End the subscriptions whose readers are too slow."""
        now = self.clock()
        self._end([each for each in self.subscriptions() if each.is_slow(now)], Ending.SLOW)

    def end_all(self, ending: Ending = Ending.RESTARTING) -> None:
        """End all subscriptions, also those opened later."""
        self.ending = ending
        self._end(self.subscriptions(), ending)

    def _end(self, subscriptions: Collection[Subscription], ending: Ending) -> None:
        for subscription in subscriptions:
            self.leave(subscription)
            subscription.end(ending)
        self.measurements.ended[ending] += len(subscriptions)
