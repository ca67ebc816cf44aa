"""Requests exactly as written and answers exactly as they arrive: no cleaning of paths, no redirects."""

import socket
from collections.abc import Mapping
from http.client import HTTPConnection
from itertools import count
from typing import Any, NamedTuple

import msgspec

_numbers = count(1)


def new_name() -> str:
    """A legal name that no other test uses."""
    return f"name-{next(_numbers)}"


class Answer(NamedTuple):
    """What a server answered; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def path(self) -> str | None:
        """The key that the answer is about."""
        return self.headers.get("x-path")

    def json(self) -> Any:
        """The body's value."""
        return msgspec.json.decode(self.body)


def ask(
    url: str, target: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """Send one request to a server process, on a connection of its own."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        connection.request(method, target, body, dict(headers or {}))
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, received, response.read())
    finally:
        connection.close()


def exchange(url: str, sent: bytes) -> bytes:
    """Send raw bytes that end with ``Connection: close``; everything that came back."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(65_536):
            received += part
        return received
