"""Replays ``trackers.txt``: what published scripts and programs send, as it was recorded, and what is stored of it.

The format is that of ``support.exchanges``; lines that begin with ``=`` are the hits of an exchange.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.analytics import AnalyticsServer, analytics_server
from support.asking import exchange
from support.exchanges import as_recorded, as_sent, recorded
from support.stored_hits import stored_hits

RECORDED = Path(__file__).with_name("trackers.txt")
OF_EVENTS = """access-control-allow-origin: *
access-control-expose-headers: Retry-After, X-Plausible-Dropped
cache-control: no-store
content-security-policy: default-src 'none'; frame-ancestors 'none'
x-content-type-options: nosniff"""
PLACEHOLDERS = ((re.compile(re.escape(OF_EVENTS)), "{common of events}"),)
CLIENTS = (
    "@plausible-analytics/tracker 0.4.6",
    "plausible-tracker 0.3.9",
    "plausible-client 2.0.0",
    "plausible-telemetry 0.1.0",
    "plausible-events 0.1.0",
    "django-plausible-proxy 0.5.1",
    "asgi-plausible 0.1.1",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path / "data", "--trusted-proxy", "127.0.0.1", host="example.test") as running:
        yield running


def test_every_client_is_recorded() -> None:
    assert {title.partition(": ")[0] for title, *_ in recorded(RECORDED)} == set(CLIENTS)


def test_answers_and_hits_are_as_they_were_recorded(server: AnalyticsServer) -> None:
    for title, request, answer in recorded(RECORDED):
        received = exchange(server.url, as_sent(request, server.token))
        assert as_recorded(received, PLACEHOLDERS) == answer, title
    assert server.server.stop() == 0
    lines = RECORDED.read_text("utf-8").splitlines()
    assert stored_hits(server.server.data) == [json.loads(line[2:]) for line in lines if line.startswith("=")]
