"""The sockets that a server listens on: TCP and Unix sockets of its own, and sockets handed over by systemd."""

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from tallystick.errors import AddressUnavailable

BACKLOG = 4_096
LONGEST_PATH = 107
"""Bytes of the path of a Unix socket."""

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

FIRST_HANDED_OVER = 3
"""The descriptor of systemd's first socket; see sd_listen_fds(3)."""

HANDED_OVER_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class Listen(NamedTuple):
    """An address and a port to listen on."""

    host: str
    port: int

    @property
    def everywhere(self) -> bool:
        """Whether it stands for all addresses of the machine."""
        return self.host in {"0.0.0.0", "::"}  # noqa: S104

    @property
    def reachable(self) -> "Listen":
        """An address that a browser on this machine can open."""
        if not self.everywhere:
            return self
        return Listen("::1" if self.host == "::" else "127.0.0.1", self.port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class UnixListen(NamedTuple):
    """The path of a Unix socket to listen on."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


ListenAddress = Listen | UnixListen


@dataclass(frozen=True)
class OpenSocket:
    """A listening socket.

    Attributes:
        address: where it listens, with the port that it got.
        inode: device and inode of a Unix socket's file, if it is to be removed at the end.
    """

    socket: socket.socket
    address: ListenAddress
    inode: tuple[int, int] | None = None

    def remove_file(self) -> None:
        """Remove the file of a Unix socket, unless another one has replaced it."""
        if self.inode is None or self.socket.fileno() < 0:  # a number of a closed socket may be given again
            return
        assert isinstance(self.address, UnixListen)
        with suppress(OSError):
            if _inode(self.address.path) == self.inode:
                self.address.path.unlink()


class Listeners:
    """Listening sockets, closed at the end of a ``with`` block.

    Connections wait in the kernel until a server accepts them.
    """

    def __init__(self, opened: Sequence[OpenSocket]) -> None:
        self._opened = tuple(opened)

    @property
    def sockets(self) -> list[socket.socket]:
        """The sockets, in the order of their addresses."""
        return [each.socket for each in self._opened]

    @property
    def addresses(self) -> list[ListenAddress]:
        """Where they listen."""
        return [each.address for each in self._opened]

    def remove_files(self) -> None:
        """Remove the files of Unix sockets. Has no effect on sockets that are closed already."""
        for each in self._opened:
            each.remove_file()

    def close(self) -> None:
        """Remove the files of Unix sockets and close all sockets."""
        self.remove_files()
        for each in self._opened:
            each.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_listeners(
    addresses: Sequence[ListenAddress], handed_over: Sequence[OpenSocket] = (), *, socket_mode: int = 0o660
) -> Listeners:
    """Listen on addresses, each exclusively.

    Args:
        handed_over: sockets of systemd; an address that one of them has is not bound again.
        socket_mode: permissions of the files of Unix sockets.

    Raises:
        AddressUnavailable: an address is in use, or not one of this machine. No socket is left open.
    """
    opened = list(handed_over)
    taken = {each.address for each in handed_over}
    try:
        for address in addresses:
            if address in taken:
                continue
            if isinstance(address, UnixListen):
                opened.append(_open_unix(address, socket_mode))
            else:
                # Both all addresses of IPv4 and all of IPv6 are there: each socket takes its own.
                apart = Listen("0.0.0.0", address.port) in {*addresses, *taken}  # noqa: S104
                opened.append(_open_tcp(address, dual_stack=address.host == "::" and not apart))
    except BaseException:
        Listeners(opened).close()
        raise
    return Listeners(opened)


def sockets_of_systemd(environment: MutableMapping[str, str] = os.environ) -> tuple[OpenSocket, ...]:
    """Take over the sockets that systemd has opened for this process; usually there are none.

    Args:
        environment: the variables about them are removed from it.

    Raises:
        AddressUnavailable: one of them is not a listening stream socket.
    """
    process, count, names = (environment.pop(name, "") for name in HANDED_OVER_VARIABLES)
    if process != str(os.getpid()) or not (count.isascii() and count.isdigit()):
        return ()
    named = [*names.split(":"), *[""] * int(count)]
    return tuple(_take_over(FIRST_HANDED_OVER + number, named[number]) for number in range(int(count)))


def _take_over(descriptor: int, name: str) -> OpenSocket:
    taken = None
    try:
        os.set_inheritable(descriptor, False)  # noqa: FBT003  # its only form
        taken = socket.socket(fileno=descriptor)
        of_a_server = taken.type == socket.SOCK_STREAM and taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        of_a_server = False
    if taken is None or not of_a_server or taken.family not in {socket.AF_INET, socket.AF_INET6, socket.AF_UNIX}:
        if taken is not None:
            taken.close()
        called = f" ({name})" if name else ""
        msg = f"descriptor {descriptor}{called} of LISTEN_FDS cannot be used: systemd must hand over listening stream"
        msg += " sockets; use ListenStream= and Accept=no in the socket unit"
        raise AddressUnavailable(msg)
    taken.settimeout(0)
    place = taken.getsockname()
    if taken.family == socket.AF_UNIX:
        path = place if isinstance(place, str) else f"@{os.fsdecode(place[1:])}"
        return OpenSocket(taken, UnixListen(Path(path)))
    _limit_connections(taken)
    return OpenSocket(taken, Listen(place[0], place[1]))


def _open_tcp(address: Listen, *, dual_stack: bool) -> OpenSocket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with _refusing(address), _closed_on_error(family) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual_stack)
        opened.bind(tuple(address))
        # At once: two sockets that only bind may get the same address.
        opened.listen(BACKLOG)
        _limit_connections(opened)
        return OpenSocket(opened, Listen(address.host, opened.getsockname()[1]))


def _open_unix(address: UnixListen, mode: int) -> OpenSocket:
    path = address.path
    if (length := len(os.fsencode(path))) > LONGEST_PATH:
        raise _unavailable(address, f"the path of a Unix socket has at most {LONGEST_PATH} bytes, this one {length}")
    with _refusing(address), _alone_in(path.parent), _closed_on_error(socket.AF_UNIX) as opened:
        _remove_stale(address)
        before = os.umask(0o777 & ~mode)
        try:
            opened.bind(str(path))
        finally:
            os.umask(before)
        inode = _inode(path)
        # At once: another server would take a socket on which nobody listens for a stale one.
        opened.listen(BACKLOG)
        return OpenSocket(opened, address, inode)


def _remove_stale(address: UnixListen) -> None:
    """Remove the file of a Unix socket on which nobody listens."""
    try:
        mode = address.path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise _unavailable(address, "there is a file that is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)  # a connection waits where the queue of a server is full
        error = probe.connect_ex(str(address.path))
    if error == errno.EACCES:
        raise PermissionError(error, os.strerror(error))
    if error != errno.ECONNREFUSED:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    address.path.unlink()


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Hold a lock on a directory, so that two servers do not replace each other's socket."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _closed_on_error(family: socket.AddressFamily) -> Iterator[socket.socket]:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.settimeout(0)
        yield opened
    except BaseException:
        opened.close()
        raise


@contextmanager
def _refusing(address: ListenAddress) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unavailable(address, error.strerror) from error


def _unavailable(address: ListenAddress, reason: str | None) -> AddressUnavailable:
    return AddressUnavailable(f"cannot listen on {address}: {reason}; choose another address with --listen")


def _inode(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _limit_connections(listening: socket.socket) -> None:
    """Let the kernel close connections of dead peers, and buffer little for peers that do not read."""
    for level, name, value in OPTIONS:
        if hasattr(socket, name):
            listening.setsockopt(level, getattr(socket, name), value)
