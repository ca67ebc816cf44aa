"""The sockets that a server listens on, and limits for their connections."""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path
from stat import S_ISSOCK

import structlog

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

TURNS = 1_000

log = structlog.get_logger()


def free_address(listen: Listen, option: str = "--listen") -> Listen:
    """The address to listen on, with the port filled in.

    granian binds with SO_REUSEPORT, with which a second server would silently receive a share of the first one's
    connections. So the address is bound here first, exclusively.

    Raises:
        AddressUnavailable: it is in use, or not an address of this machine.
    """
    with bound_socket(listen, option) as probe:
        return Listen(listen.host, probe.getsockname()[1])


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


async def limit_connections_of(listen: Listen) -> None:
    """Set the limits on granian's own listening socket as soon as it exists."""
    for _ in range(TURNS):
        if (listening := _listening_on(listen)) is not None:
            with listening:
                limit_connections(listening)
            return
        await asyncio.sleep(0.001)
    log.warning("connections of dead peers will not be closed: the listening socket was not found")


def _listening_on(listen: Listen) -> socket.socket | None:
    """A duplicate of this process's socket that listens on an address."""
    for entry in Path("/proc/self/fd").glob("*"):
        duplicate = _socket_at(int(entry.name))
        if duplicate is not None:
            listens = duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if listens and duplicate.getsockname()[1] == listen.port:
                return duplicate
            duplicate.close()
    return None


def _socket_at(number: int) -> socket.socket | None:
    """A duplicate of an internet socket; None for other descriptors, and for one that its thread is closing."""
    with suppress(OSError):
        if S_ISSOCK(os.fstat(number).st_mode):
            duplicate = socket.socket(fileno=os.dup(number))
            if duplicate.family in {socket.AF_INET, socket.AF_INET6} and duplicate.type == socket.SOCK_STREAM:
                return duplicate
            duplicate.close()
    return None
