"""The addresses that a server listens on, and what their connections may cost."""

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
"""After so long a connection is closed whose peer confirms nothing, or reads nothing of what waits for it."""
PROBED_AFTER_S = 20
PROBED_EVERY_S = 10
UNSENT_BYTES = 131_072
"""What the kernel takes for a peer that does not read. By itself it would take 4 MB, for each."""

OPTIONS = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", PROBED_AFTER_S),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", PROBED_EVERY_S),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", (DEAD_AFTER_S - PROBED_AFTER_S) // PROBED_EVERY_S),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", DEAD_AFTER_S * 1000),
    (socket.IPPROTO_TCP, "TCP_NOTSENT_LOWAT", UNSENT_BYTES),
)
"""Set on what listens; on Linux every connection inherits them."""

TURNS = 1_000

log = structlog.get_logger()


def free_address(listen: Listen, option: str = "--listen") -> Listen:
    """The address to listen on, with the port filled in.

    granian binds with SO_REUSEPORT, under which a second server would take a share of the first one's
    connections without an error: so the address is tried here first, exclusively.

    Raises:
        AddressUnavailable: it is taken, or not this machine's.
    """
    with bound_socket(listen, option) as probe:
        return Listen(listen.host, probe.getsockname()[1])


def bound_socket(listen: Listen, option: str) -> socket.socket:
    """A socket with the address of its own.

    Args:
        option: where another address can be chosen.

    Raises:
        AddressUnavailable: it is taken, or not this machine's.
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
    """Let the kernel close connections of dead peers, and keep little for those that do not read."""
    for level, name, value in OPTIONS:
        if hasattr(socket, name):
            listening.setsockopt(level, getattr(socket, name), value)


async def limit_connections_of(listen: Listen) -> None:
    """The same for the socket that granian makes for itself, as soon as it has."""
    for _ in range(TURNS):
        if (listening := _listening_on(listen)) is not None:
            with listening:
                limit_connections(listening)
            return
        await asyncio.sleep(0.001)
    log.warning("connections of dead peers are not noticed: the listening socket was not found")


def _listening_on(listen: Listen) -> socket.socket | None:
    """Another handle of this process's socket that listens on an address."""
    for entry in Path("/proc/self/fd").glob("*"):
        found = _socket_at(int(entry.name))
        if found is not None:
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and found.getsockname()[1] == listen.port:
                return found
            found.close()
    return None


def _socket_at(number: int) -> socket.socket | None:
    """Another handle of an internet socket; None for what is none, or is being closed by its thread."""
    with suppress(OSError):
        if S_ISSOCK(os.fstat(number).st_mode):
            found = socket.socket(fileno=os.dup(number))
            if found.family in {socket.AF_INET, socket.AF_INET6} and found.type == socket.SOCK_STREAM:
                return found
            found.close()
    return None
