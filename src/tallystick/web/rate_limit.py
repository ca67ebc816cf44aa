"""Limits per client."""

import time
from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple

from tallystick.web.address import ClientAddresses, rate_limit_name

WINDOW_S = 1.0
RATE_NAMES = ("count", "api", "api-count", "export", "login")


class Rate(NamedTuple):
    """A limit that the operator set.

    Attributes:
        name: one of ``RATE_NAMES``; empty for all of them.
        amount: requests that a window admits; None for no limit.
        seconds: how long a window is.
    """

    name: str
    amount: int | None
    seconds: int

    def __str__(self) -> str:
        if not self.name:
            return "off"
        return f"{self.name}:{'none' if self.amount is None else f'{self.amount}/{self.seconds}'}"


class CreationLimit:
    """So many new counters a second and client address (CountAPI contract, 1.4).

    A window opens with a client's first creation and is forgotten when it is over, so that memory is bounded
    by what can be created in two seconds.

    Args:
        per_second: creations that one window admits, at least 1.
    """

    def __init__(self, per_second: int, addresses: ClientAddresses) -> None:
        self._per_second, self._addresses = per_second, addresses
        self._windows: dict[str, tuple[float, int]] = {}  # when it ends, what it still admits
        self._forgets_at = 0.0
        self._lock = Lock()  # every writer thread asks

    def admit(self, scope: Mapping[str, Any]) -> bool:
        """Whether the request's client may create one more counter now. Any thread may ask."""
        client = rate_limit_name(self._addresses.of(scope))
        with self._lock:
            now = time.monotonic()
            self._forget(now)
            ends, left = self._windows.get(client, (0.0, 0))
            if ends <= now:
                ends, left = now + WINDOW_S, self._per_second
            if left == 0:
                return False
            self._windows[client] = (ends, left - 1)
            return True

    def _forget(self, now: float) -> None:
        if now >= self._forgets_at:
            self._windows = {client: window for client, window in self._windows.items() if window[0] > now}
            self._forgets_at = now + WINDOW_S
