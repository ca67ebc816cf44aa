"""A client that has sent half a request has been promised nothing, and cannot keep a server from stopping."""

import signal
import socket
import time
from urllib.parse import urlsplit

from support.server import RunningServer


def _connection(server: RunningServer) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10)


def test_half_a_request_does_not_hold_up_stopping(server: RunningServer) -> None:
    with _connection(server) as idle, _connection(server) as half:
        idle.sendall(b"GET /hit/example.com/visits HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert b'{"value":1}' in idle.recv(1000)
        half.sendall(b"GET /hit/example.com/vis")
        server.process.send_signal(signal.SIGTERM)
        # Half of the time that the rest of the head may take.
        assert server.process.wait(timeout=15) == 0


STALLED = [
    # method and path, headers, the answer's status and a part of its body
    ("POST /login", "Content-Type: application/x-www-form-urlencoded", b"took too long"),
    ("POST /setup", "Content-Type: application/x-www-form-urlencoded", b"took too long"),
]


def test_a_body_that_never_arrives_is_answered_and_holds_no_connection(server: RunningServer) -> None:
    """The longest wait of this file: ten seconds, for all of them at once."""
    waiting = [_connection(server) for _ in STALLED * 20]
    started = time.monotonic()
    for connection, (request, headers, _) in zip(waiting, STALLED * 20, strict=True):
        connection.settimeout(30)
        connection.sendall(f"{request} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n{headers}\r\n\r\na".encode())
    with _connection(server) as other:
        other.sendall(b"GET /hit/example.com/visits HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert b'{"value":' in other.recv(1000)
    for connection, (_, _, text) in zip(waiting, STALLED * 20, strict=True):
        answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 408 ")
        while chunk := connection.recv(65_536):
            answer += chunk
        assert text in answer
        connection.close()
    assert time.monotonic() - started >= 9
