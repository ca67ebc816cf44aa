"""Visitors of counters that count each of them once: recognized as those of sites are, and not beyond."""

from ipaddress import IPv4Address, IPv6Address

from tallystick.ledger import Ledger
from tallystick.model.hit import is_bot
from tallystick.model.key import Key
from tallystick.services.ingest.agents import parse_agent
from tallystick.services.ingest.salts import Salts

NO_SITE = 0
HASH_BYTES = 8


class CounterVisitors:
    """Recognizes visitors by address and User-Agent, under the salts of this ledger.

    What is kept of a visitor differs from counter to counter, so that rows of two counters say nothing of each other.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._salts = ledger, Salts(ledger)

    async def of(self, key: Key, address: IPv4Address | IPv6Address | None, agent: str) -> tuple[bytes, ...]:
        """The digests of a visitor, that under the newest salt first; none for bots and without an address.

        Raises:
            StoreUnavailable: the salts are due, and cannot be read.
        """
        if address is None or is_bot(parse_agent(agent).bot):
            return ()
        now = self._ledger.clock()
        if self._salts.due(now):
            await self._salts.refresh(now)
        visitor = self._salts.visitor(NO_SITE, address, f"{agent}\0{key}")
        return tuple(each.to_bytes(HASH_BYTES, "big") for each in dict.fromkeys((visitor.current, visitor.previous)))
