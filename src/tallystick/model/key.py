"""The identity of a counter: a namespace and a key (CountAPI contract, 1.2)."""

import re
from typing import NamedTuple
from zlib import crc32

DEFAULT_NAMESPACE = "default"
LANES = 16

legal_name = re.compile(r"[A-Za-z0-9_\-.]{3,64}").fullmatch
"""Matches a legal key or namespace; fullmatch, so a trailing newline is refused."""


class Key(NamedTuple):
    """Where a counter lives. Case-sensitive."""

    namespace: str
    key: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.key}"


def is_public(key: Key) -> bool:
    """Whether everyone can name the counter. Namespaces of our own begin with a colon, which no name has."""
    return not key.namespace.startswith(":")


def lane_of(key: Key) -> int:
    """The lane of a counter: a batch of one lane is one transaction on one shard."""
    return crc32(f"{key.namespace}/{key.key}".encode()) % LANES
