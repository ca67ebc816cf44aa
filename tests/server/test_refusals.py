"""What the HTTP server refuses is said in the words of the surface that owns the path."""

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.in_process import in_process
from support.server import RunningServer
from tallystick.server import connection, exchange, websocket
from tallystick.server.refusals import Refusal


def answer(server: RunningServer, path: str) -> tuple[str, dict[str, str], bytes]:
    """The answer to a request with a header that is not one; the connection must be closed behind it."""
    url = urlsplit(server.url)
    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=10) as connection:
        connection.sendall(b"GET %b HTTP/1.1\r\nHost: example.com\r\nno header\r\n\r\n" % path.encode())
        received = b""
        while part := connection.recv(65_536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert len(body) == int(headers["content-length"])
    assert headers["connection"] == "close"
    return status, headers, body


MESSAGE = "this is not a valid HTTP/1.1 request"


@pytest.mark.parametrize("path", ["/hit/example.com/visits", "/nowhere", "//login", "/get/x?callback=f"])
def test_public_counters(shared_server: RunningServer, path: str) -> None:
    status, headers, body = answer(shared_server, path)
    assert (status, json.loads(body)) == ("HTTP/1.1 400 Bad Request", {"error": f"{MESSAGE}."})
    assert headers["access-control-allow-origin"] == "*"
    assert headers["content-type"] == "application/json; charset=utf-8"


def test_pixel(shared_server: RunningServer) -> None:
    status, headers, body = answer(shared_server, "/count?p=/page")
    assert (status, headers["x-goatcounter"]) == ("HTTP/1.1 400 Bad Request", MESSAGE)
    assert headers["access-control-allow-origin"] == "*"
    assert headers["content-type"] == "image/gif"
    assert body.startswith(b"GIF89a")


@pytest.mark.parametrize("path", ["/api/v0/me", "/%61pi/v0/me"])
def test_api_of_web_analytics(shared_server: RunningServer, path: str) -> None:
    status, headers, body = answer(shared_server, path)
    assert (status, json.loads(body)) == ("HTTP/1.1 400 Bad Request", {"error": MESSAGE})
    assert headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["/v1/counters", "/v2/counters/x/increment"])
def test_shared_counters(shared_server: RunningServer, path: str) -> None:
    status, headers, body = answer(shared_server, path)
    error = json.loads(body)
    assert (status, error["message"], error["code"], error["name"]) == (
        "HTTP/1.1 400 Bad Request",
        MESSAGE,
        -2000,
        "InvalidData",
    )
    assert headers["access-control-allow-origin"] == "*"


def test_health_and_pages(shared_server: RunningServer) -> None:
    status, _, body = answer(shared_server, "/health/ready")
    assert (status, json.loads(body)) == ("HTTP/1.1 400 Bad Request", {"error": MESSAGE})
    status, headers, body = answer(shared_server, "/login")
    assert (status, body) == ("HTTP/1.1 400 Bad Request", f"{MESSAGE}\n".encode())
    assert headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "path", ["/hit/x", "/count", "/api/v0/me", "/v1/ws", "/health/ready", "/login", "/nowhere", ""]
)
async def test_every_surface_knows_every_refusal(tmp_path: Path, path: str) -> None:
    modules = (connection, exchange, websocket)
    refusals = [each for module in modules for each in vars(module).values() if isinstance(each, Refusal)]
    assert len(refusals) > 10
    async with in_process(tmp_path) as running:
        for refusal in (*refusals, Refusal(426, "another version", "handshake")):
            assert running.application.refusal_answer(path, refusal)[0] == refusal.status
            assert refusal.reason in running.application.connection_counts.refused
