"""Numbers of visitor sessions. A session ends eight hours after its last hit, by the hits' own times."""

from collections.abc import Iterator
from hashlib import blake2b

from tallystick.model.hit import SESSION_S, Visitor

NO_SESSION = 0
FIRST_SESSION = 1 << 48
"""Older versions gave sessions 48 bits of a hash: numbers above those are of no other visitor."""

BUCKETS_LOOKED_AT = 4
"""A session of an older version is continued if it began in the current span of 8 hours or one of the three before."""


def session_of(first_hit: int) -> int:
    """The number of the session that begins with a hit.

    It is never given twice, as ids of hits are not, and tells no more than these do: the order. Numbers of sessions
    that begin at about the same time are close together; on the disk they take a fifth of what hashes take.

    Args:
        first_hit: the hit's id.
    """
    return FIRST_SESSION + first_hit


def possible_older_sessions(visitor: Visitor, created: int) -> Iterator[int]:
    """Sessions begun by older versions that a hit may continue, the likeliest first."""
    for bucket in range(BUCKETS_LOOKED_AT):
        for key in dict.fromkeys((visitor.current, visitor.previous)):
            yield older_session(key, created - bucket * SESSION_S)


def older_session(key: int, created: int) -> int:
    """The number that older versions gave the session that begins with a hit.

    Args:
        key: one of the visitor's hashes.
        created: Unix seconds. A visitor can begin only one session within a span of 8 hours.
    """
    seed = (created // SESSION_S).to_bytes(8, "big", signed=True)
    return int.from_bytes(blake2b(seed, key=key.to_bytes(8, "big"), digest_size=6).digest(), "big") or 1
