"""Visitors of counters that count each of them once: recognized as those of sites are, and not beyond."""

from collections.abc import Callable

from tallystick.ledger import Ledger
from tallystick.model.hit import is_bot
from tallystick.model.key import Key
from tallystick.services.accounts.sites import Sites
from tallystick.services.ingest.agents import parse_agent
from tallystick.services.ingest.collection_rules import Address, ignored_addresses
from tallystick.services.ingest.salts import Salts
from tallystick.services.ingest.steps import MAX_AGENT

NO_SITE = 0
HASH_BYTES = 8

AdmitsVisitor = Callable[[Address | None], bool]


class CounterVisitors:
    """Recognizes visitors by address and User-Agent, under the salts of this ledger.

    Args:
        admits: the limit of visitors that an address may be, called before another one is counted; None for no limit.

    What is kept of a visitor differs from counter to counter, so that rows of two counters say nothing of each other.
    """

    def __init__(self, ledger: Ledger, sites: Sites, admits: AdmitsVisitor | None = None) -> None:
        self._ledger, self._sites, self._salts = ledger, sites, Salts(ledger)
        self._admits = admits

    async def of(self, key: Key, address: Address | None, agent: str) -> tuple[bytes, ...]:
        """The digests of a visitor, that under the newest salt first.

        None for bots, without an address, and for addresses that the site with the namespace's name leaves out.

        Raises:
            StoreUnavailable: the salts are due, and cannot be read.
        """
        agent = agent[:MAX_AGENT]
        if address is None or is_bot(parse_agent(agent).bot) or await self._leaves_out(key.namespace, address):
            return ()
        now = self._ledger.clock()
        if self._salts.due(now):
            await self._salts.refresh(now)
        visitor = self._salts.visitor(NO_SITE, address, f"{agent}\0{key}")
        return tuple(each.to_bytes(HASH_BYTES, "big") for each in dict.fromkeys((visitor.current, visitor.previous)))

    def admits(self, address: Address | None) -> bool:
        """Whether an address may be one more visitor. Called on any thread, when one is about to be counted."""
        return self._admits is None or self._admits(address)

    async def _leaves_out(self, namespace: str, address: Address) -> bool:
        site = await self._sites.with_name(namespace)
        ignored = None if site is None else ignored_addresses(site.settings.ignore_ips)
        return ignored is not None and ignored.has(address)
