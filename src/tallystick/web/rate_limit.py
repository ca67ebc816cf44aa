"""Limits per client."""

from collections.abc import Mapping
from typing import Any

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from tallystick.web.address import ClientAddresses, rate_limit_name


class CreationLimit:
    """So many new counters a second and client address (CountAPI contract, 1.4).

    A window opens with a client's first creation and is forgotten a second later, so that memory is
    bounded by what can be created in a second. (The moving window of ``limits`` 5.8 never forgets a
    client in memory.)
    """

    def __init__(self, per_second: int, addresses: ClientAddresses) -> None:
        self._item = RateLimitItemPerSecond(per_second)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._addresses = addresses

    def admit(self, scope: Mapping[str, Any]) -> bool:
        """Whether the request's client may create one more counter now. Any thread may ask."""
        return self._limiter.hit(self._item, rate_limit_name(self._addresses.of(scope)))
