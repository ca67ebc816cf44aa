"""Who a visitor is, as a hash that nobody can turn back once its salt is gone.

A salt is in force for 8 hours, then known for 8 more so that sessions can go on; then it is destroyed. All servers of
one ledger share the salts.
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
"""When it came into force (Unix milliseconds, a multiple of the span), and its bytes."""


class Salts:
    """The salts in use. Used from one event loop; ``refresh`` comes before the first ``visitor``."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._until = 0
        self._current: Any = None
        self._previous: Any = None

    def due(self, now: int) -> bool:
        """Whether a new salt should be in force; ``now`` is Unix milliseconds.

        Also where the clock was put back, and the salt begins more than its span from now.
        """
        return not self._until - 2 * SPAN_MS <= now < self._until

    async def refresh(self, now: int) -> None:
        """Take the salts of this time, making and destroying what has to be.

        Raises:
            StoreUnavailable: the ledger is busy, full, failed or closed.
        """
        self.take(await self._ledger.write(rotate, now))

    def take(self, salts: Sequence[Salt]) -> None:
        """Hash by these from now on; the newest is first."""
        newest, *older = salts
        self._until = newest[0] + SPAN_MS
        # Begun once: of every visitor only the rest is hashed.
        self._current = blake2b(key=newest[1], digest_size=HASH_BYTES)
        self._previous = blake2b(key=older[0][1], digest_size=HASH_BYTES) if older else None

    def visitor(self, site: int, address: IPv4Address | IPv6Address | str, agent: str) -> Visitor:
        """Who sends with this User-Agent from this address, or text that stands for one, to this site."""
        sent = address.encode("utf-8", "surrogatepass") if isinstance(address, str) else address.packed
        return self._visitor(b"%d a %d %b %b" % (site, len(sent), sent, agent.encode("utf-8", "surrogatepass")))

    def visitor_of_session(self, site: int, session: str) -> Visitor:
        """Who a sender groups hits of this site by; never the same as an address and agent."""
        return self._visitor(b"%d s %b" % (site, session.encode("utf-8", "surrogatepass")))

    def _visitor(self, identity: bytes) -> Visitor:
        current = _hashed(self._current, identity)
        return Visitor(current, _hashed(self._previous, identity) if self._previous else current)


def rotate(session: Session, now: int) -> list[Salt]:
    """The salts in use, the newest first, after beginning a new span if it is time and destroying old ones."""
    # The clock was wrong: a salt that begins later than the next one would stay in force until then.
    _destroy(session, after=now + SPAN_MS)
    found = _newest(session)
    started = now - now % SPAN_MS
    if not found or found[0][0] < started:
        session.common.add_salt(session.connection, started=started, salt=token_bytes(SALT_BYTES))
        _destroy(session, before=started - SPAN_MS)
        found = _newest(session)
    return found


def _destroy(session: Session, before: int = 0, after: int = INT64_MAX) -> None:
    session.common.blank_salts(session.connection, before=before, after=after, blank=bytes(SALT_BYTES))
    session.common.delete_salts(session.connection, before=before, after=after)


def _newest(session: Session) -> list[Salt]:
    return [(int(started), bytes(salt)) for started, salt in session.common.newest_salts(session.connection)]


def _hashed(begun: Any, identity: bytes) -> int:  # noqa: ANN401  # hashlib's hash objects have no public type
    hasher = begun.copy()
    hasher.update(identity)
    return int.from_bytes(hasher.digest(), "big")
