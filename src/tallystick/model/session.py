"""Ids of visitor sessions. A session ends eight hours after its last hit, by the hits' own times.

The id is computed from the visitor and the session's beginning alone, so that a restarted server and a second import
of the same log get the same id.
"""

from collections.abc import Iterator
from hashlib import blake2b

from tallystick.model.hit import SESSION_S, Visitor

NO_SESSION = 0
ID_BYTES = 6
"""Each hit's row has one. With 3 million sessions the probability of a collision is 2 %."""

BUCKETS_LOOKED_AT = 4
"""A session is continued if it began in the current span of 8 hours or one of the three before it."""


def session_id(key: int, created: int) -> int:
    """The id of the session that begins with a hit: 48 bits, never ``NO_SESSION``.

    Args:
        key: one of the visitor's hashes.
        created: Unix seconds. A visitor can begin only one session within a span of 8 hours.
    """
    seed = (created // SESSION_S).to_bytes(8, "big", signed=True)
    return int.from_bytes(blake2b(seed, key=key.to_bytes(8, "big"), digest_size=ID_BYTES).digest(), "big") or 1


def possible_session_ids(visitor: Visitor, created: int) -> Iterator[int]:
    """Ids of the sessions that a hit may continue, the likeliest first."""
    for bucket in range(BUCKETS_LOOKED_AT):
        for key in dict.fromkeys((visitor.current, visitor.previous)):
            yield session_id(key, created - bucket * SESSION_S)
