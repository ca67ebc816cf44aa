"""Sockets are bound exclusively, files of Unix sockets come and go, and systemd's sockets are checked."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.server import clean_environment, handing_over
from tallystick.errors import AddressUnavailable
from tallystick.server.listening import (
    LONGEST_PATH,
    Listen,
    ListenAddress,
    Listeners,
    OpenSocket,
    UnixListen,
    open_listeners,
    sockets_of_systemd,
)

LOCAL = Listen("127.0.0.1", 0)
ELSEWHERE = "; choose another address with --listen"


def refusal(*addresses: ListenAddress) -> str:
    with pytest.raises(AddressUnavailable) as refused:
        open_listeners(addresses)
    return str(refused.value)


def connected(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client:
        return client.connect_ex((host, port)) == 0


def port_of(listeners: Listeners) -> int:
    (address,) = listeners.addresses
    assert isinstance(address, Listen)
    return address.port


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def stale(path: Path) -> None:
    """A file that a killed server leaves."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()


def test_a_free_port_is_chosen() -> None:
    with open_listeners([LOCAL, Listen("127.0.0.1", 0)]) as listeners:
        ports = [address.port for address in listeners.addresses if isinstance(address, Listen)]
        assert len(set(ports)) == 2
        assert all(connected("127.0.0.1", port) for port in ports)
        assert [each.getsockname()[1] for each in listeners.sockets] == ports
    assert not any(connected("127.0.0.1", port) for port in ports)


def test_an_address_is_taken_before_anything_is_accepted() -> None:
    with open_listeners([LOCAL]) as first:
        (address,) = first.addresses
        assert refusal(address) == f"cannot listen on {address}: Address already in use{ELSEWHERE}"
    open_listeners([address]).close()


def test_an_address_of_another_machine() -> None:
    reason = f"cannot listen on 192.0.2.1:8080: Cannot assign requested address{ELSEWHERE}"
    assert refusal(Listen("192.0.2.1", 8080)) == reason


def test_the_others_are_closed_when_one_fails(tmp_path: Path) -> None:
    with open_listeners([LOCAL]) as listeners:
        free = port_of(listeners)
    path = tmp_path / "socket"
    refusal(Listen("127.0.0.1", free), UnixListen(path), Listen("192.0.2.1", 1))
    assert not connected("127.0.0.1", free)
    assert not path.exists()


def test_all_addresses_of_both_kinds() -> None:
    with open_listeners([Listen("::", 0)]) as listeners:
        port = port_of(listeners)
        assert connected("127.0.0.1", port)
        assert connected("::1", port)
        assert refusal(Listen("0.0.0.0", port)).startswith(f"cannot listen on 0.0.0.0:{port}: Address already in use")


def test_one_address_of_ipv6_is_that_only() -> None:
    with open_listeners([Listen("::1", 0)]) as listeners:
        port = port_of(listeners)
        assert connected("::1", port)
        assert not connected("127.0.0.1", port)


@pytest.mark.parametrize("hosts", [("0.0.0.0", "::"), ("::", "0.0.0.0")])
def test_all_addresses_of_each_kind_by_themselves(hosts: Sequence[str]) -> None:
    with open_listeners([Listen("::", 0)]) as listeners:
        port = port_of(listeners)
    with open_listeners([Listen(host, port) for host in hosts]):
        assert connected("127.0.0.1", port)
        assert connected("::1", port)


def test_connections_inherit_their_limits() -> None:
    with open_listeners([LOCAL]) as listeners, socket.create_connection(("127.0.0.1", port_of(listeners))):
        (listening,) = listeners.sockets
        listening.settimeout(5)
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 131_072


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_unix_socket_has_its_mode_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, umask: int
) -> None:
    path = tmp_path / "socket"
    os.umask(umask)
    monkeypatch.setattr(Path, "chmod", None)
    monkeypatch.setattr(os, "chmod", None)
    with open_listeners([UnixListen(path)], socket_mode=mode):
        assert mode_of(path) == mode
        assert os.umask(umask) == umask
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert not path.exists()


def test_a_socket_of_a_server_that_is_gone_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    stale(path)
    with open_listeners([UnixListen(path)]), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with open_listeners([UnixListen(path)]):
        assert refusal(UnixListen(path)) == f"cannot listen on unix:{path}: Address already in use{ELSEWHERE}"
        assert path.is_socket()


def test_a_socket_with_a_full_queue_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(path))
        busy.listen(0)
        first.connect(str(path))
        assert "Address already in use" in refusal(UnixListen(path))


def test_what_is_no_socket_stays(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("mine")
    link.symlink_to(path)
    for each in (path, link, tmp_path):
        reason = f"cannot listen on unix:{each}: there is a file that is not a socket{ELSEWHERE}"
        assert refusal(UnixListen(each)) == reason
    assert path.read_text() == link.read_text() == "mine"


def test_a_path_that_cannot_be(tmp_path: Path) -> None:
    assert "No such file or directory" in refusal(UnixListen(tmp_path / "missing" / "socket"))
    fits = tmp_path / ("s" * (LONGEST_PATH - len(str(tmp_path)) - 1))
    open_listeners([UnixListen(fits)]).close()
    reason = f"cannot listen on unix:{fits}s: the path of a Unix socket has at most 107 bytes, this one 108{ELSEWHERE}"
    assert refusal(UnixListen(Path(f"{fits}s"))) == reason


def test_a_file_that_is_another_servers_by_now_stays(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    ours = open_listeners([UnixListen(path)])
    path.rename(tmp_path / "moved")  # its inode stays in use
    with open_listeners([UnixListen(path)]):
        ours.close()
        assert path.is_socket()


def test_files_are_not_removed_after_the_sockets_are_closed(tmp_path: Path) -> None:
    """Another server may have replaced the file then, with the same inode number."""
    path = tmp_path / "socket"
    ours = open_listeners([UnixListen(path)])
    ours.sockets[0].close()
    ours.close()
    assert path.exists()


def test_of_many_servers_one_gets_a_stale_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    def attempt(_: int) -> Listeners | None:
        try:
            return open_listeners([UnixListen(path)])
        except AddressUnavailable:
            return None

    for _ in range(20):
        stale(path)
        with ThreadPoolExecutor(8) as threads:
            (winner,) = [each for each in threads.map(attempt, range(8)) if each is not None]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        winner.close()


TAKEN_OVER = """
import os
from tallystick.server.listening import sockets_of_systemd
for each in sockets_of_systemd():
    number = each.socket.fileno()
    print(number, each.address, each.inode, each.socket.getblocking(), os.get_inheritable(number))
print([name for name in os.environ if name.startswith("LISTEN_")])
"""


def taken_over(*sockets: socket.socket) -> "subprocess.CompletedProcess[str]":
    """What a process makes of sockets that it gets as from systemd."""
    return subprocess.run(
        [*handing_over(sockets), sys.executable, "-c", TAKEN_OVER],
        pass_fds=[each.fileno() for each in sockets],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_sockets_of_systemd(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    addresses: list[ListenAddress] = [Listen("127.0.0.1", 0), Listen("::1", 0), UnixListen(path)]
    with open_listeners(addresses) as listeners:
        told = taken_over(*listeners.sockets).stdout.splitlines()
        expected = [f"{3 + n} {address} None False False" for n, address in enumerate(listeners.addresses)]
    assert told == [*expected, "[]"]


def test_an_abstract_socket_of_systemd() -> None:
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0tallystick-{os.getpid()}")
        abstract.listen()
        assert f" unix:@tallystick-{os.getpid()} " in taken_over(abstract).stdout


def test_a_socket_of_systemd_must_listen_for_streams() -> None:
    with (
        open_listeners([LOCAL]) as listeners,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.create_connection(("127.0.0.1", port_of(listeners))) as connection,
        socket.socket() as not_listening,
    ):
        for wrong in (datagrams, connection, not_listening):
            refused = taken_over(listeners.sockets[0], wrong).stderr
            reason = "AddressUnavailable: descriptor 4 (number-1) of LISTEN_FDS cannot be used: systemd must hand over"
            assert reason in refused


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "many"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"},
    ],
)
def test_variables_that_are_not_for_this_process(variables: dict[str, str]) -> None:
    environment = variables | {"HOME": "/"}
    assert sockets_of_systemd(environment) == ()
    assert environment == {"HOME": "/"}


def test_an_address_that_systemd_has_opened_is_not_bound_again(tmp_path: Path) -> None:
    with open_listeners([LOCAL, UnixListen(tmp_path / "socket")]) as of_systemd:
        handed_over = [
            OpenSocket(each.dup(), address)
            for each, address in zip(of_systemd.sockets, of_systemd.addresses, strict=True)
        ]
        with open_listeners(of_systemd.addresses, handed_over) as listeners:
            assert listeners.addresses == of_systemd.addresses
        assert (tmp_path / "socket").is_socket()
