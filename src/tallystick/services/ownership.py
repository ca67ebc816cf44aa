"""The lease of the analytics: of several servers on one PostgreSQL, the holder counts pageviews.

Hits are in one server's data directory, which other servers cannot read. So the owner holds a lease, a row of the
ledger, and extends it every few seconds; the others refuse pageviews and statistics with 503 until the lease ends.
Times are the database's own, so that the servers' clocks need not agree.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
from msgspec import Struct

from tallystick.ledger import Ledger, Session
from tallystick.services.files import whole_file
from tallystick.tasks import BackgroundTask
from tallystick.warehouse import Warehouse

LEASE_S = 15.0
"""How long a lease is valid without an extension: long enough for a restart."""
EXTENDED_EVERY_S = 3.0
LEASE = "analytics"
ID_FILE = "server-id"
ID_BYTES = 16

log = structlog.get_logger()


class Claim(Struct, frozen=True):
    """One attempt to hold the lease.

    Attributes:
        holder: id of the data directory; a server that restarts on it continues at once.
        instance: id of this process; of two processes with copies of one data directory, the later one gets the lease.
        starts: whether this is the first attempt of the process.
    """

    holder: str
    instance: str
    starts: bool


class Ownership:
    """Holds the lease if possible, and makes the warehouse refuse requests without it.

    On a database with one server, or with hits that all servers share, it does nothing and the warehouse never refuses.

    Args:
        data: the data directory.
        forget: invalidates cached names; called before this server owns the analytics again, because another owner
            may have merged or deleted them meanwhile.
        clock: seconds, monotonic; continues while the process is frozen.
    """

    def __init__(
        self,
        ledger: Ledger,
        warehouse: Warehouse,
        data: Path,
        forget: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._warehouse, self._data, self._clock = ledger, warehouse, data, clock
        self._forget = forget
        self._shared = ledger.database.lanes_alone and not warehouse.shared
        self._instance = secrets.token_hex(ID_BYTES)
        self._holder = ""
        self._starts = True
        self._owned: bool | None = None
        if self._shared:
            warehouse.owned_until = float("-inf")

    @property
    def owned(self) -> bool:
        """Whether this server owns the analytics at this moment."""
        return self._clock() < self._warehouse.owned_until

    async def begin(self) -> None:
        """Try once to take the lease; ``tasks`` extend it, or retry.

        Raises:
            StoreUnavailable: the ledger cannot be written.
            OSError: the data directory cannot be written.
        """
        if not self._shared:
            return
        self._holder = await asyncio.to_thread(server_id, self._data)
        await self.extend()

    def tasks(self) -> list[BackgroundTask]:
        """Extend the lease. It is not released on shutdown: this data directory keeps it for a restart."""
        if not self._shared:
            return []
        # No back-off: a lease that is not extended ends.
        every = EXTENDED_EVERY_S
        return [BackgroundTask("lease", self.extend, every, begins_after=every, longest_delay=every)]

    async def extend(self) -> None:
        """Take the lease or extend it, if it is free or ours.

        Raises:
            StoreUnavailable: the holder is unknown; our own lease stays valid until it ends.
        """
        begun = self._clock()
        claim = Claim(self._holder, self._instance, self._starts)
        if await self._ledger.write(take_lease, claim, round(LEASE_S * 1000)):
            # Only the first claim of a process continues the lease of its data directory.
            self._starts = False
            if not self.owned:
                # Also after a pause that this process has not noticed: there may have been another owner meanwhile.
                self._forget()
            self._warehouse.owned_until = begun + LEASE_S
            self._note(owned=True)
        else:
            self._warehouse.owned_until = float("-inf")
            self._starts = False
            self._note(owned=False)

    def _note(self, *, owned: bool) -> None:
        if owned and self._owned is False:
            log.warning("this server counts pageviews from now on; hits of the former owner lie in its data directory")
        elif not owned and self._owned is not False:
            log.warning("another server on this database counts pageviews; this one refuses them and statistics (503)")
        self._owned = owned


def server_id(data: Path) -> str:
    """The id of a data directory, created by the first call.

    Raises:
        OSError: the directory cannot be written.
    """
    file = data / ID_FILE
    with suppress(FileNotFoundError):
        if stored := file.read_text("ascii").strip():
            return stored
    new = secrets.token_hex(ID_BYTES)
    with whole_file(file, replaces=True, mode=0o600) as partial:
        partial.write_text(f"{new}\n", "ascii")
    return new


def take_lease(session: Session, claim: Claim, length: int) -> bool:
    """Take or extend the lease for ``length`` ms. Returns whether the claim holds it."""
    held = session.queries.lease(session.connection, name=LEASE)
    if held is not None:
        holder, instance, valid = held
        same = instance == claim.instance or (claim.starts and holder == claim.holder)
        if valid and not same:
            return False
    return bool(
        session.queries.take_lease(
            session.connection,
            name=LEASE,
            holder=claim.holder,
            instance=claim.instance,
            starts=claim.starts,
            length=length,
        )
    )
