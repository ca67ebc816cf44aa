"""Who is told of a change: one subscription a live connection. Used from one event loop; it stores nothing."""

from collections.abc import Collection
from enum import Enum
from zoneinfo import ZoneInfo

from tallystick.errors import TallystickError
from tallystick.model.change import Change


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
    """The person, or the server, has as many live connections as it takes."""


class Subscription:
    """One live connection's interest in the counters of a person.

    Attributes:
        account: whose counters.
        token: by which it was opened; its end ends the subscription.
        zone: where the connection's days begin.
    """

    def __init__(self, account: int, token: int, zone: ZoneInfo) -> None:
        self.account, self.token, self.zone = account, token, zone

    async def next(self) -> Change:
        """The next change, in the order of the commits; of a counter that changes faster than is read, the newest.

        Raises:
            SubscriptionEnded
        """
        raise NotImplementedError

    def close(self) -> None:
        """Nobody listens any more."""
        raise NotImplementedError


class Hub:
    """All subscriptions."""

    def subscribe(self, account: int, token: int, zone: ZoneInfo) -> Subscription:
        """Hear of every change that is published from now on.

        Raises:
            TooManySubscriptions
        """
        raise NotImplementedError

    def publish(self, change: Change, accounts: Collection[int]) -> None:
        """Tell the live connections of some people."""
        raise NotImplementedError
