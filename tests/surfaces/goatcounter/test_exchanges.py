"""Replays ``exchanges.txt``: requests as they are sent and answers as they arrive, byte by byte, in this order.

Lines of a request begin with ``>``, those of its answer with ``<``. What differs from run to run stands in braces.
"""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pytest

from support.analytics import AnalyticsServer, prepare
from support.asking import exchange
from support.server import running_server
from tallystick.app import SURFACES
from tallystick.ledger.ledger import milliseconds
from tallystick.web.pixel import PIXEL
from tallystick.web.rate_limit import Rate
from tallystick.web.surface import default_rates

RECORDED = Path(__file__).with_name("exchanges.txt")
COMMON = """access-control-allow-origin: *
access-control-allow-credentials: true
access-control-expose-headers: X-Rate-Limit-Limit, X-Rate-Limit-Remaining, X-Rate-Limit-Reset, \
X-Goatcounter-Filter, Idempotent-Replayed, Retry-After, Content-Disposition
cache-control: no-store
content-security-policy: default-src 'none'; frame-ancestors 'none'
x-content-type-options: nosniff"""
"""What every answer of the API carries."""

PLACEHOLDERS = (
    (re.compile(re.escape(COMMON)), "{common}"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "{time}"),
    (re.compile(r"serve-[a-z0-9]{8}"), "{code}"),
    (re.compile(r"(x-rate-limit-reset): \d+"), r"\1: {seconds}"),
    (re.compile(r"sha256-[0-9a-f]{64}"), "{hash}"),
)
OF_THE_HTTP_SERVER = ("server", "date", "connection")


class Exchange(NamedTuple):
    """One request and its answer."""

    title: str
    request: str
    answer: str


def recorded() -> Iterator[Exchange]:
    for block in RECORDED.read_text("utf-8").strip().split("\n\n"):
        title, *lines = block.splitlines()
        sent, received = ("\n".join(line[2:] for line in lines if line.startswith(sign)) for sign in (">", "<"))
        yield Exchange(title.removeprefix("# "), sent, received)


def sent(request: str, token: str) -> bytes:
    """The request's bytes; its length is filled in."""
    head, blank, body = request.replace("{token}", token).partition("\n\n")
    lines = [*head.splitlines(), "Connection: close"]
    if blank:
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join([*lines, "", body]).encode()


def shown(received: bytes) -> str:
    """The answer as it is recorded: without what the HTTP server adds."""
    head, _, body = received.partition(b"\r\n\r\n")
    lines = [line for line in head.decode().split("\r\n") if line.split(":")[0] not in OF_THE_HTTP_SERVER]
    text = "\n".join([*lines, "", "{gif}" if body == PIXEL else body.decode()]).rstrip("\n")
    for pattern, placeholder in PLACEHOLDERS:
        text = pattern.sub(placeholder, text)
    return text


@pytest.fixture(scope="module")
def fresh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    data = tmp_path_factory.mktemp("exchanges") / "data"
    data.mkdir()
    site = prepare(data, now=milliseconds())
    with running_server(data) as server:
        yield AnalyticsServer(server, site)


def test_every_answer_is_as_it_was_recorded(fresh_server: AnalyticsServer) -> None:
    exchanges = list(recorded())
    assert len(exchanges) > 30
    for title, request, answer in exchanges:
        received = shown(exchange(fresh_server.url, sent(request, fresh_server.token)))
        assert received == answer, title


def test_the_readme_tells_the_limits_in_force() -> None:
    text = files("tallystick.surfaces.goatcounter").joinpath("README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) in (\d+) s \|", text, re.MULTILINE)
    told = {Rate(name, int(amount), int(seconds)) for name, amount, seconds in rows}
    assert {rate.name for rate in told} == {"count", "count-address", "api", "api-count", "export", "login"}
    assert told < {rate._replace(counts="") for rate in default_rates(SURFACES)}
