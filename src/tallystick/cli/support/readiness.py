"""Asks a running server on this machine whether it can store counts."""

import json
import socket
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple

from tallystick.server.listening import ListenAddress, UnixListen

PATH = "/health/ready"
WITHIN_S = 5.0


class ReadyAnswer(NamedTuple):
    """What a server says about itself.

    Attributes:
        reason: why it cannot store counts; None if it can.
        problems: background tasks that fail.
    """

    reason: str | None
    problems: Sequence[str]


def place_of(listen: ListenAddress, base_path: str) -> str:
    """The address that is asked, for people."""
    return str(listen) if isinstance(listen, UnixListen) else f"http://{listen.reachable}{base_path}{PATH}"


def readiness_of(listen: ListenAddress, base_path: str) -> ReadyAnswer | None:
    """Ask the server that listens at an address. None if there is no answer of Tallystick's within 5 seconds."""
    try:
        with closing(_connection(listen)) as connection:
            connection.request("GET", base_path + PATH)
            body = json.loads(connection.getresponse().read())
        reason = None if body["status"] == "ready" else str(body.get("reason"))
        return ReadyAnswer(reason, [*body.get("tasks", ())])
    except (OSError, HTTPException, ValueError, TypeError, LookupError, AttributeError):
        return None


def _connection(listen: ListenAddress) -> HTTPConnection:
    if isinstance(listen, UnixListen):
        return _UnixConnection(str(listen.path))
    reachable = listen.reachable
    return HTTPConnection(reachable.host, reachable.port, timeout=WITHIN_S)


class _UnixConnection(HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=WITHIN_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the path in place of the host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(WITHIN_S)
        self.sock.connect(self._path)
