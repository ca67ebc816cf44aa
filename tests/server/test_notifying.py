"""The server tells systemd when it is ready and when it stops."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.server import running_server
from tallystick.server.notifying import notify_service_manager


@contextmanager
def manager_at(place: str) -> Iterator[socket.socket]:
    """A socket as systemd has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(place)
        receiver.settimeout(20)
        yield receiver


def told(manager: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines())


def test_a_server_says_when_it_is_ready_and_when_it_stops(tmp_path: Path) -> None:
    with (
        manager_at(place := str(tmp_path / "notify")) as manager,
        running_server(tmp_path / "data", NOTIFY_SOCKET=place) as server,
    ):
        assert told(manager) == {"STATUS": "opening the data; a new version migrates it first"}
        ready = told(manager)
        assert ready == {"READY": "1", "STATUS": f"listening at {server.url.removeprefix('http://')}"}
        assert server.stop() == 0
        assert told(manager) == {"STOPPING": "1", "STATUS": "completing accepted requests"}


def test_the_socket_may_have_a_name_in_place_of_a_path() -> None:
    name = f"tallystick-test-{os.getpid()}"
    with manager_at(f"\0{name}") as manager:
        notify_service_manager(status="it is", environment={"NOTIFY_SOCKET": f"@{name}"})
        assert told(manager) == {"STATUS": "it is"}


@pytest.mark.parametrize("place", ["", "relative", "/nowhere/notify"])
def test_no_manager_is_no_error(place: str) -> None:
    notify_service_manager(status="x", state="READY", environment={"NOTIFY_SOCKET": place})
    notify_service_manager(status="x", state="READY", environment={})


def test_a_manager_that_does_not_read_holds_up_nothing(tmp_path: Path) -> None:
    with manager_at(place := str(tmp_path / "notify")):
        for _ in range(2_000):  # more than its queue holds
            notify_service_manager(status="x", environment={"NOTIFY_SOCKET": place})
