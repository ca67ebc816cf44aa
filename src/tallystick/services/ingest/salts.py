"""Salted hashes of visitors, which cannot be reversed once the salt is destroyed.

A salt is current for 8 hours and is kept for 8 more, so that sessions can continue; then it is destroyed. All servers
of one ledger share the salts.
"""

from collections.abc import Sequence
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address
from secrets import token_bytes
from typing import Any

from tallystick.ledger import Ledger, Session
from tallystick.model.counter import INT64_MAX
from tallystick.model.hit import Visitor

SPAN_MS = 8 * 3_600_000
SALT_BYTES = 32
HASH_BYTES = 8

Salt = tuple[int, bytes]
"""The salt's start (Unix milliseconds, a multiple of the span) and its bytes."""


class Salts:
    """The salts in use. Used from one event loop. Call ``refresh`` before the first ``visitor``."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._until = 0
        self._current: Any = None
        self._previous: Any = None

    def due(self, now: int) -> bool:
        """Whether the salts have to be refreshed; ``now`` is Unix milliseconds.

        Also true if the clock was set back so far that the current salt begins more than a span from now.
        """
        return not self._until - 2 * SPAN_MS <= now < self._until

    async def refresh(self, now: int) -> None:
        """Load the current salts, creating and destroying salts where due.

        Raises:
            StoreUnavailable: the ledger is busy, full, failed or closed.
        """
        self.take(await self._ledger.write(rotate, now))

    def take(self, salts: Sequence[Salt]) -> None:
        """Use these salts from now on; the newest is first."""
        newest, *older = salts
        self._until = newest[0] + SPAN_MS
        # Keyed once and copied for each visitor: that is faster than keying each hash.
        self._current = blake2b(key=newest[1], digest_size=HASH_BYTES)
        self._previous = blake2b(key=older[0][1], digest_size=HASH_BYTES) if older else None

    def visitor(self, site: int, address: IPv4Address | IPv6Address | str, agent: str) -> Visitor:
        """The visitor with this User-Agent and address (or a text in its place) on this site."""
        return self.visitor_at(site, origin_bytes(address), agent_bytes(agent))

    def visitor_at(self, site: int, origin: bytes, agent: bytes) -> Visitor:
        """Like ``visitor``, of what ``origin_bytes`` and ``agent_bytes`` made. Hot path."""
        return self._visitor(b"%d a %d %b %b" % (site, len(origin), origin, agent))

    def visitor_of_session(self, site: int, session: str) -> Visitor:
        """The visitor for a sender's own session key; never equal to one of an address and User-Agent."""
        return self._visitor(b"%d s %b" % (site, session.encode("utf-8", "surrogatepass")))

    def _visitor(self, identity: bytes) -> Visitor:
        current = _hashed(self._current, identity)
        return Visitor(current, _hashed(self._previous, identity) if self._previous else current)


def origin_bytes(address: IPv4Address | IPv6Address | str) -> bytes:
    """An address as it is hashed."""
    return address.encode("utf-8", "surrogatepass") if isinstance(address, str) else address.packed


def agent_bytes(agent: str) -> bytes:
    """A User-Agent as it is hashed."""
    return agent.encode("utf-8", "surrogatepass")


def rotate(session: Session, now: int) -> list[Salt]:
    """Create a salt for a new span and destroy old ones, where due. Returns the salts in use, the newest first."""
    # After a wrong clock was corrected: a salt that begins after the next span would stay current until then.
    _destroy(session, after=now + SPAN_MS)
    salts = _newest(session)
    started = now - now % SPAN_MS
    if not salts or salts[0][0] < started:
        session.common.add_salt(session.connection, started=started, salt=token_bytes(SALT_BYTES))
        _destroy(session, before=started - SPAN_MS)
        salts = _newest(session)
    return salts


def _destroy(session: Session, before: int = 0, after: int = INT64_MAX) -> None:
    session.common.blank_salts(session.connection, before=before, after=after, blank=bytes(SALT_BYTES))
    session.common.delete_salts(session.connection, before=before, after=after)


def _newest(session: Session) -> list[Salt]:
    return [(int(started), bytes(salt)) for started, salt in session.common.newest_salts(session.connection)]


def _hashed(keyed: Any, identity: bytes) -> int:  # noqa: ANN401  # hashlib's hash objects have no public type
    hasher = keyed.copy()
    hasher.update(identity)
    return int.from_bytes(hasher.digest(), "big")
