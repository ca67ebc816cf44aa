"""Replays ``exchanges.txt``; see ``support.exchanges``."""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from support.analytics import AnalyticsServer, prepare
from support.asking import exchange
from support.exchanges import as_recorded, as_sent, recorded
from support.server import running_server
from tallystick.app import SURFACES
from tallystick.ledger.ledger import milliseconds
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


@pytest.fixture(scope="module")
def fresh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    data = tmp_path_factory.mktemp("exchanges") / "data"
    data.mkdir()
    site = prepare(data, now=milliseconds())
    with running_server(data) as server:
        yield AnalyticsServer(server, site)


def test_every_answer_is_as_it_was_recorded(fresh_server: AnalyticsServer) -> None:
    exchanges = list(recorded(RECORDED))
    assert len(exchanges) > 30
    for title, request, answer in exchanges:
        received = as_recorded(exchange(fresh_server.url, as_sent(request, fresh_server.token)), PLACEHOLDERS)
        assert received == answer, title


def test_the_readme_tells_the_limits_in_force() -> None:
    text = files("tallystick.surfaces.goatcounter").joinpath("README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) in (\d+) s \|", text, re.MULTILINE)
    told = {Rate(name, int(amount), int(seconds)) for name, amount, seconds in rows}
    assert {rate.name for rate in told} == {"count", "count-address", "api", "api-count", "export", "login"}
    assert told < {rate._replace(counts="") for rate in default_rates(SURFACES)}
