"""Replays ``exchanges.txt``; see ``support.exchanges``."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.analytics import AnalyticsServer, analytics_server
from support.asking import exchange
from support.exchanges import as_recorded, as_sent, recorded

RECORDED = Path(__file__).with_name("exchanges.txt")
COMMON = """access-control-allow-origin: *
access-control-expose-headers: Retry-After
cache-control: no-store
content-security-policy: default-src 'none'; frame-ancestors 'none'
x-content-type-options: nosniff"""
"""What every answer carries."""
OF_EVENTS = COMMON.replace("Retry-After", "Retry-After, X-Plausible-Dropped")
PLACEHOLDERS = (
    (re.compile(re.escape(OF_EVENTS)), "{common of events}"),
    (re.compile(re.escape(COMMON)), "{common}"),
)


@pytest.fixture(scope="module")
def fresh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    with analytics_server(tmp_path_factory.mktemp("exchanges") / "data") as server:
        yield server


def test_every_answer_is_as_it_was_recorded(fresh_server: AnalyticsServer) -> None:
    exchanges = list(recorded(RECORDED))
    assert len(exchanges) > 20
    for title, request, answer in exchanges:
        received = exchange(fresh_server.url, as_sent(request, fresh_server.token))
        assert as_recorded(received, PLACEHOLDERS) == answer, title
