"""The identity of a counter: a namespace and a key (CountAPI contract, 1.2)."""

import re
from typing import NamedTuple
from zlib import crc32

DEFAULT_NAMESPACE = "default"
LANES = 16

legal_name = re.compile(r"[A-Za-z0-9_\-.]{3,64}").fullmatch
"""Matches a legal key or namespace; fullmatch, so a trailing newline is refused."""


class Key(NamedTuple):
    """A counter's namespace and key. Case-sensitive."""

    namespace: str
    key: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.key}"


def is_public(key: Key) -> bool:
    """Whether the counter is public. Internal namespaces begin with a colon, which is illegal in public names."""
    return not key.namespace.startswith(":")


def lane_of(key: Key) -> int:
    """The lane of a counter. Each batch of a lane is one transaction."""
    return crc32(f"{key.namespace}/{key.key}".encode()) % LANES
