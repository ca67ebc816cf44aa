"""Writes a MaxMind database, so that none has to be downloaded."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"
RECORD_BYTES = 4
SEPARATOR = bytes(16)
_STRING, _UINT32, _MAP, _ARRAY = 2, 6, 7, 11


def write_mmdb(file: Path, records: Mapping[str, object]) -> None:
    """A database of IPv6 in which these networks have these records."""
    tree: list[list[int | str | None]] = [[None, None]]
    data, places = b"", {}
    for network, record in records.items():
        places[network] = len(data)
        data += _encoded(record)
        _enter(tree, _bits(ip_network(network)), network)
    nodes = b"".join(_pointer(side, len(tree), places) for node in tree for side in node)
    metadata = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_700_000_000,
        "database_type": "Test-City",
        "description": {"en": "a test"},
        "ip_version": 6,
        "languages": ["en"],
        "node_count": len(tree),
        "record_size": 8 * RECORD_BYTES,
    }
    file.write_bytes(nodes + SEPARATOR + data + MARKER + _encoded(metadata))


def _bits(network: IPv4Network | IPv6Network) -> list[int]:
    """IPv4 lies at the beginning of IPv6: ``::a.b.c.d``."""
    number, length = int(network.network_address), network.prefixlen
    length += 96 if network.version == 4 else 0
    return [number >> 127 - place & 1 for place in range(length)]


def _enter(tree: list[list[int | str | None]], bits: list[int], network: str) -> None:
    node = 0
    for bit in bits[:-1]:
        following = tree[node][bit]
        if following is None:
            tree.append([None, None])
            following = tree[node][bit] = len(tree) - 1
        assert isinstance(following, int), "networks may not overlap"
        node = following
    tree[node][bits[-1]] = network


def _pointer(side: int | str | None, nodes: int, places: Mapping[str, int]) -> bytes:
    if isinstance(side, str):
        side = nodes + len(SEPARATOR) + places[side]
    return (nodes if side is None else side).to_bytes(RECORD_BYTES, "big")


def _encoded(value: Any) -> bytes:
    if isinstance(value, str):
        text = value.encode()
        return _control(_STRING, len(text)) + text
    if isinstance(value, dict):
        return _control(_MAP, len(value)) + b"".join(_encoded(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return _control(_ARRAY, len(value)) + b"".join(map(_encoded, value))
    number = value.to_bytes(4, "big")
    return _control(_UINT32, len(number)) + bytes(number)


def _control(kind: int, size: int) -> bytes:
    extended = kind > 7
    head = (0 if extended else kind << 5) | min(size, 29)
    return bytes([head, *([kind - 7] if extended else []), *([size - 29] if size >= 29 else [])])
