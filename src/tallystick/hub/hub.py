"""Who is told of a change: one subscription a live connection. Used from one event loop; it stores nothing."""

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
"""How long a reader may take nothing of what it is told."""


class Ending(Enum):
    """Why a subscription was ended."""

    REVOKED = "the token was revoked"
    SLOW = "the reader is too slow"
    RESTARTING = "the server restarts"


class SubscriptionEnded(TallystickError):
    """Nothing more comes.

    Attributes:
        ending: why.
    """

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.value)
        self.ending = ending


class TooManySubscriptions(TallystickError):
    """The person, or the server, has as many live connections as it takes.

    Attributes:
        own: whether it is the person.
    """

    def __init__(self, message: str, *, own: bool = False) -> None:
        super().__init__(message)
        self.own = own


class HubMeasurements:
    """What the hub observes of itself.

    Attributes:
        told: changes handed to subscriptions, each counted once a subscription.
        merged: of these, the ones in whose place a newer change was told.
        ended: subscriptions that were ended, by reason.
    """

    def __init__(self) -> None:
        self.told = 0
        self.merged = 0
        self.ended: Tally[Ending] = Tally(dict.fromkeys(Ending, 0))


class Subscription:
    """One live connection's interest in the counters of a person. Made by ``Hub.subscribe``.

    Attributes:
        account: whose counters.
        token: by which it was opened; its end ends the subscription.
        prefix: the first characters of the secret that was shown; another secret of the token ends the subscription.
            Empty where that does not matter.
        zone: where the connection's days begin.
        ending: why nothing more comes; None while it is open.
    """

    __slots__ = (
        *("_after", "_behind_since", "_hub", "_pending", "_waiting"),
        *("account", "ending", "prefix", "token", "zone"),
    )

    def __init__(self, hub: "Hub", account: int, token: int, zone: ZoneInfo, prefix: str = "") -> None:
        self.account, self.token, self.zone, self.prefix = account, token, zone, prefix
        self.ending: Ending | None = None
        self._hub = hub
        self._pending = Pending()
        self._waiting = Waiting()
        self._after = -1
        self._behind_since = 0.0

    async def next(self) -> Change:
        """The next change, in the order of the commits; of a counter that changes faster than is read, the newest.

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
        """Tell no change up to this one, neither of what is pending nor of what is yet to come.

        For a connection that has heard of them in another way (``Following.resume``). What no commit did, such as
        a day that began, is told all the same.
        """
        self._after = number
        self._pending.drop(number)

    def close(self) -> None:
        """Nobody listens any more."""
        self._hub.leave(self)

    def tell(self, entry: Entry, now: float) -> None:
        """Hand in a change. For the hub.

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
        """A change of no commit, under a number that is not below what the connection has heard otherwise."""
        return change if change.number >= self._after else replace(change, number=self._after)

    def is_slow(self, now: float) -> bool:
        """Whether the reader has left alone for too long, or too much of, what it is told."""
        pending = self._pending
        return pending.overflowed or (bool(pending) and now - self._behind_since > READ_WITHIN_S)

    def end(self, ending: Ending) -> None:
        """Nothing more comes. For the hub."""
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
        """Connections that watch a public counter: they take places too."""
        self.ending: Ending | None = None
        """Why everything was ended, and what comes later is ended at once; None while the server goes on."""
        self._of: dict[int, dict[Subscription, None]] = {}
        self._open = 0

    def __len__(self) -> int:
        """How many subscriptions are open."""
        return self._open

    @property
    def listening(self) -> Container[int]:
        """Whose changes somebody wants to hear of; may be asked from any thread."""
        return self._of

    def subscribe(self, account: int, token: int, zone: ZoneInfo, prefix: str = "") -> Subscription:
        """Hear of every change that is published from now on; of nothing when everything was ended.

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
            msg = f"one person has {SUBSCRIPTIONS_OF_ONE:,} live connections at most"
            raise TooManySubscriptions(msg, own=True)
        subscription = Subscription(self, account, token, zone, prefix)
        own[subscription] = None
        self._of[account] = own
        self._open += 1
        return subscription

    def make_room(self) -> None:
        """See that one more connection may come.

        Raises:
            TooManySubscriptions
        """
        if self._open + self.watchers >= SUBSCRIPTIONS_AT_MOST:
            msg = f"this server has {SUBSCRIPTIONS_AT_MOST:,} live connections at most"
            raise TooManySubscriptions(msg)

    def leave(self, subscription: Subscription) -> None:
        """Forget a subscription; more than once does no harm."""
        own = self._of.get(subscription.account, {})
        if subscription not in own:
            return
        del own[subscription]
        if not own:
            del self._of[subscription.account]
        self._open -= 1

    def publish(self, change: Change, accounts: Collection[int], number: int | None = None) -> int:
        """Tell the live connections of some people; how many were told.

        Args:
            number: of the commit, where the change itself tells an older one.
        """
        entry = change, change.number if number is None else number
        now, told = self.clock(), 0
        for account in accounts:
            for subscription in self._of.get(account, ()):
                subscription.tell(entry, now)
                told += 1
        self.measurements.told += told
        return told

    def tell(self, change: Change, subscriptions: Iterable[Subscription]) -> None:
        """Tell some connections what no commit did."""
        now = self.clock()
        for subscription in subscriptions:
            if subscription.ending is None:
                subscription.tell((subscription.numbered(change), None), now)
                self.measurements.told += 1

    def subscriptions(self) -> list[Subscription]:
        """All that are open."""
        return [subscription for own in self._of.values() for subscription in own]

    def end(self, subscriptions: Iterable[Subscription], ending: Ending = Ending.REVOKED) -> None:
        """End some subscriptions."""
        self._end(list(subscriptions), ending)

    def end_one(self, subscription: Subscription, ending: Ending) -> None:
        """End one subscription."""
        self._end([subscription], ending)

    def end_slow(self) -> None:
        """End the subscriptions whose readers do not read."""
        now = self.clock()
        self._end([each for each in self.subscriptions() if each.is_slow(now)], Ending.SLOW)

    def end_all(self, ending: Ending = Ending.RESTARTING) -> None:
        """End every subscription, and those that are yet to come."""
        self.ending = ending
        self._end(self.subscriptions(), ending)

    def _end(self, subscriptions: Collection[Subscription], ending: Ending) -> None:
        for subscription in subscriptions:
            self.leave(subscription)
            subscription.end(ending)
        self.measurements.ended[ending] += len(subscriptions)
