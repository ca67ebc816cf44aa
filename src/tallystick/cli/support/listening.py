"""The sockets that a server listens on, and limits for their connections."""

import socket

from tallystick.errors import AddressUnavailable
from tallystick.settings import Listen

DEAD_AFTER_S = 60
"""A connection is closed after this time without an acknowledgement of the peer, or without it reading."""
PROBED_AFTER_S = 20
PROBED_EVERY_S = 10
UNSENT_BYTES = 131_072
"""Bytes that the kernel buffers for a peer that does not read; its default is 4 MB per connection."""

OPTIONS = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", PROBED_AFTER_S),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", PROBED_EVERY_S),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", (DEAD_AFTER_S - PROBED_AFTER_S) // PROBED_EVERY_S),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", DEAD_AFTER_S * 1000),
    (socket.IPPROTO_TCP, "TCP_NOTSENT_LOWAT", UNSENT_BYTES),
)
"""Set on the listening socket; on Linux accepted connections inherit them."""


def bound_socket(listen: Listen, option: str) -> socket.socket:
    """Bind a socket exclusively to an address.

    Args:
        option: the option for another address, for the message.

    Raises:
        AddressUnavailable: the address is in use, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((listen.host, listen.port))
    except OSError as error:
        bound.close()
        msg = f"cannot listen on {listen}: {error.strerror}; choose another address with {option}"
        raise AddressUnavailable(msg) from error
    return bound


def limit_connections(listening: socket.socket) -> None:
    """Let the kernel close connections of dead peers, and buffer little for peers that do not read."""
    for level, name, value in OPTIONS:
        if hasattr(socket, name):
            listening.setsockopt(level, getattr(socket, name), value)
