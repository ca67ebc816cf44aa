"""Limits: so many requests, or new counters, in a window of time."""

import time
from collections.abc import Hashable, Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from math import ceil
from threading import Lock
from typing import NamedTuple, Protocol

from msgspec import Struct

from tallystick.errors import InvalidSetting, StartRefused, StoreUnavailable
from tallystick.services.common_limits import CommonLimits, Learn, Taken
from tallystick.web.address import rate_limit_name, wider_network

MOST_KEYS = 100_000
"""Windows that one limit remembers; beyond it the oldest is forgotten, and its client starts anew."""

SHARED_FROM_S = 60
"""Windows of at least this length hold over all servers of a ledger: shorter ones are over before they are known."""

WIDER = 4
"""How much more an IPv6 network of 48 bits may ask for than one of 64 bits."""


class Rate(NamedTuple):
    """A limit: the default that a surface declares, or what the operator set in its place.

    Attributes:
        name: what the operator calls it; empty for all limits.
        amount: requests that a window admits; None for no limit.
        seconds: how long a window is.
        counts: what is counted, in words; of defaults only.
    """

    name: str
    amount: int | None
    seconds: int
    counts: str = ""

    def __str__(self) -> str:
        if not self.name:
            return "off"
        return f"{self.name}:{'none' if self.amount is None else f'{self.amount}/{self.seconds}'}"


class Admission(Struct, frozen=True, gc=False):
    """What a limit says to one request.

    Attributes:
        admitted: whether the request may pass.
        limit: what a window admits.
        left: what this window still admits.
        reset: seconds until the window is over.
    """

    admitted: bool
    limit: int
    left: int
    reset: float

    @property
    def wait(self) -> int:
        """Whole seconds after which the window is over for certain."""
        return ceil(self.reset)


UNLIMITED = Admission(admitted=True, limit=2**31 - 1, left=2**31 - 1, reset=0.0)
"""No limit, in numbers that clients can read."""


class SharedWindows(Protocol):
    """Windows that servers may have in common.

    Attributes:
        seconds: how long a window is.
        admitted: called with the key and the weight of what is admitted.
    """

    seconds: float
    admitted: Learn | None

    def learn(self, key: Hashable, weight: int) -> None:
        """Count what another server has admitted from a key's window."""


class _Window:
    __slots__ = ("ends", "left")

    def __init__(self, ends: float, left: int) -> None:
        self.ends, self.left = ends, left


class Windows:
    """Fixed windows by key. A window opens with its key's first request and is forgotten when it is over.

    Args:
        amount: requests that one window admits, at least 1.
        seconds: how long a window is.

    Attributes:
        admitted: called with the key and the weight of what is admitted, on any thread; None for no call.
    """

    def __init__(self, amount: int, seconds: float) -> None:
        self.amount, self.seconds = amount, seconds
        self.admitted: Learn | None = None
        self._windows: dict[Hashable, _Window] = {}  # in the order of their ends: all are equally long
        self._lock = Lock()

    def __len__(self) -> int:
        """Number of open windows."""
        return len(self._windows)

    def admit(self, key: Hashable, weight: int = 1) -> Admission:
        """Count a request if the key's window admits it. May be called from any thread.

        Args:
            weight: how many it counts as. It is admitted while anything is left: none is too heavy for every window.
        """
        with self._lock:
            now = time.monotonic()
            window = self._windows.get(key)
            if window is None or window.ends <= now:
                window = self._opened(key, now)
            admitted = window.left > 0
            if admitted and self.admitted is not None:
                self.admitted(key, weight)
            window.left -= min(weight, window.left)
            # Where the clock's numbers are rounded differently, the difference may be a little longer than the window.
            return Admission(admitted, self.amount, window.left, min(window.ends - now, self.seconds))

    def learn(self, key: Hashable, weight: int) -> None:
        """Count what another server has admitted from a key's window."""
        with self._lock:
            now = time.monotonic()
            window = self._windows.get(key)
            if window is None or window.ends <= now:
                window = self._opened(key, now)
            window.left -= min(weight, window.left)

    def state(self, key: Hashable) -> Admission:
        """The result that ``admit`` would have, without counting. May be called from any thread."""
        with self._lock:
            now = time.monotonic()
            window = self._windows.get(key)
            if window is None or window.ends <= now:
                return Admission(admitted=True, limit=self.amount, left=self.amount, reset=self.seconds)
            reset = min(window.ends - now, self.seconds)
            return Admission(window.left > 0, self.amount, window.left, reset)

    def _opened(self, key: Hashable, now: float) -> _Window:
        """Open a key's window, and drop the windows that are over: they are in front."""
        windows = self._windows
        while windows:
            oldest = next(iter(windows))
            if windows[oldest].ends > now and len(windows) < MOST_KEYS:
                break
            del windows[oldest]
        window = windows[key] = _Window(now + self.seconds, self.amount)
        return window


class CommonWindows:
    """Windows over all servers of a ledger; while that cannot be reached, this server counts for itself.

    Args:
        limit: the name under which the servers count together.
        own: those of this server.
        common: where the servers count; None for a server of its own.
    """

    def __init__(self, limit: str, own: Windows, common: CommonLimits | None) -> None:
        self._limit, self._own, self._common = limit, own, common

    async def admit(self, key: Hashable, weight: int = 1) -> Admission:
        """Count a request if the key's window admits it.

        Args:
            key: texts, numbers and tuples of them.
            weight: how many it counts as.
        """
        if self._common is not None:
            with suppress(StoreUnavailable):
                return self._admission(await self._common.take(self._limit, key, self._own.seconds, weight), weight)
            key = self._common.digest(self._limit, key)
        return self._own.admit(key, weight)

    async def state(self, key: Hashable) -> Admission:
        """The result that ``admit`` would have, without counting."""
        if self._common is not None:
            with suppress(StoreUnavailable):
                return self._admission(await self._common.state(self._limit, key, self._own.seconds), 0)
            key = self._common.digest(self._limit, key)
        return self._own.state(key)

    def _admission(self, before: Taken, weight: int) -> Admission:
        amount, seconds = self._own.amount, self._own.seconds
        left = max(0, amount - before.used - weight)
        return Admission(before.used < amount, amount, left, min(max(before.reset, 0.0), seconds))


class RateLimits:
    """The limits by name.

    Args:
        defaults: the limits that surfaces declare.
        rates: the operator's settings; other names keep their default.

    Attributes:
        in_force: the limits that apply, by name.

    Raises:
        StartRefused: two surfaces declare one limit.
        InvalidSetting: the operator set a limit that no surface declares.
    """

    def __init__(self, defaults: Iterable[Rate], rates: Iterable[Rate] = ()) -> None:
        self.in_force = in_force = _by_name(defaults)
        for rate in rates:
            if rate.name and rate.name not in in_force:
                msg = f"--rate-limit: there is no limit called {rate.name!r}; names are {', '.join(in_force)}"
                raise InvalidSetting(msg)
            in_force |= dict.fromkeys([rate.name] if rate.name else in_force, rate)
        limited = {name: (rate.amount, rate.seconds) for name, rate in in_force.items() if rate.amount is not None}
        self._windows = {name: Windows(amount, seconds) for name, (amount, seconds) in limited.items()}
        self._wider = {name: Windows(WIDER * amount, seconds) for name, (amount, seconds) in limited.items()}
        self.common: CommonLimits | None = None
        """Where the servers of a ledger count together; None for a server of its own."""

    def is_off(self, name: str) -> bool:
        """Whether a limit admits everything."""
        return name not in self._windows

    def admit(self, name: str, key: Hashable, weight: int = 1) -> Admission:
        """Count a request if its limit admits it.

        Args:
            name: of a limit that a surface declares.
            key: of the client, for example a token's id.
            weight: how many requests it counts as.
        """
        windows = self._windows.get(name)
        return UNLIMITED if windows is None else windows.admit(key, weight)

    def admit_browser(self, name: str, client: str, agent: bytes | None) -> Admission:
        """Count a request of one browser if its limit admits it.

        Args:
            client: the ``rate_limit_name`` of its address.
            agent: its User-Agent.
        """
        windows = self._windows.get(name)
        if windows is None:
            return UNLIMITED
        if self.common is not None and windows.admitted is not None:
            return windows.admit(self.common.digest(name, (client, agent)))
        # The hash identifies the agent as well as its text does, and takes less memory. Each process has its own.
        return windows.admit(hash((client, agent)))

    def admit_address(
        self, name: str, address: IPv4Address | IPv6Address | None, subject: Hashable = None, weight: int = 1
    ) -> Admission:
        """Count a request from an address if its limit admits it.

        One customer may hold an IPv6 network of 48 bits, with 65,536 networks of 64 bits: together they get ``WIDER``
        times the limit of one.

        Args:
            subject: for limits that count each site or namespace apart; None for one count.
            weight: how many requests it counts as.
        """
        admission, network = (
            self.admit(name, self._key(name, subject, rate_limit_name(address)), weight),
            wider_network(address),
        )
        if not admission.admitted or network is None or name not in self._wider:
            return admission
        wider = self._wider[name].admit(self._key(name, subject, network), weight)
        return admission if wider.admitted else wider

    def hold_over_all(self, common: CommonLimits | None) -> None:
        """Count together with the other servers of a ledger; None: there are none.

        Exactly where ``..._over_all`` is called, else by reports (see ``CommonLimits``).
        """
        self.common = common
        for windows in (self._windows, self._wider):
            for name, own in windows.items():
                self.share(name if windows is self._windows else f"{name} of networks", own)

    def share(self, limit: str, windows: SharedWindows) -> None:
        """Report what windows admit to the other servers, if these are long enough.

        Args:
            limit: the name under which other servers have the same windows.
        """
        if self.common is not None and windows.seconds >= SHARED_FROM_S:
            windows.admitted = self.common.share(limit, windows.learn)

    def _key(self, name: str, subject: Hashable, client: Hashable) -> Hashable:
        """The key of the window of an address: a digest where other servers learn it."""
        windows, key = self._windows.get(name), (subject, client)
        if self.common is None or windows is None or windows.admitted is None:
            return key
        return self.common.digest(name, key)

    def windows_over_all(self, name: str, own: Windows) -> CommonWindows:
        """Windows for a limit of its own over all servers.

        Args:
            own: counts for a server of its own.
        """
        return CommonWindows(name, own, self.common)

    async def admit_over_all(self, name: str, key: Hashable) -> Admission:
        """Like ``admit``, over all servers. For what is rare: it is a statement of the database."""
        own = self._windows.get(name)
        return UNLIMITED if own is None else await self.windows_over_all(name, own).admit(key)

    async def admit_address_over_all(self, name: str, address: IPv4Address | IPv6Address | None) -> Admission:
        """Like ``admit_address``, over all servers."""
        admission, network = await self.admit_over_all(name, (None, rate_limit_name(address))), wider_network(address)
        if not admission.admitted or network is None or name not in self._wider:
            return admission
        wider = await self._wider_over_all(name).admit((None, network))
        return admission if wider.admitted else wider

    async def address_state_over_all(self, name: str, address: IPv4Address | IPv6Address | None) -> Admission:
        """The result that ``admit_address_over_all`` would have, without counting."""
        own, network = self._windows.get(name), wider_network(address)
        if own is None:
            return UNLIMITED
        state = await self.windows_over_all(name, own).state((None, rate_limit_name(address)))
        if not state.admitted or network is None:
            return state
        wider = await self._wider_over_all(name).state((None, network))
        return state if wider.admitted else wider

    def _wider_over_all(self, name: str) -> CommonWindows:
        return self.windows_over_all(f"{name} of networks", self._wider[name])

    def address_state(
        self, name: str, address: IPv4Address | IPv6Address | None, subject: Hashable = None
    ) -> Admission:
        """The result that ``admit_address`` would have, without counting."""
        windows = self._windows.get(name)
        if windows is None:
            return UNLIMITED
        state, network = windows.state(self._key(name, subject, rate_limit_name(address))), wider_network(address)
        if not state.admitted or network is None:
            return state
        wider = self._wider[name].state(self._key(name, subject, network))
        return state if wider.admitted else wider


def _by_name(rates: Iterable[Rate]) -> dict[str, Rate]:
    by_name: dict[str, Rate] = {}
    for rate in rates:
        if rate.name in by_name:
            msg = f"two surfaces declare the rate limit {rate.name}"
            raise StartRefused(msg)
        by_name[rate.name] = rate
    return by_name
