"""A client that has sent half a request has been promised nothing, and cannot keep a server from stopping."""

import signal
import socket
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
        # Half of what granian alone would wait for the rest of the headers.
        assert server.process.wait(timeout=15) == 0
