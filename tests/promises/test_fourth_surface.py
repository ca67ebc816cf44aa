"""A new contract costs one folder and one line: everything else follows from its ``Surface``."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from support.analytics import FIREFOX, Analytics, analytics_in_process
from support.fourth_surface import SURFACE
from support.http_server import serving_application
from tallystick.app import SURFACES, kit_of
from tallystick.errors import InvalidSetting, StartRefused
from tallystick.model.key import Key
from tallystick.settings import Settings
from tallystick.web.dispatch import claims
from tallystick.web.rate_limit import Rate

FOUR = (*SURFACES, SURFACE)  # the line


@asynccontextmanager
async def serving(data: Path, **settings: Any) -> AsyncIterator[Analytics]:
    async with analytics_in_process(data, surfaces=FOUR, **settings) as analytics:
        yield analytics


async def test_it_counts_pageviews_and_public_counters(tmp_path: Path) -> None:
    async with serving(tmp_path) as analytics:
        body = json.dumps({"url": "/a"}).encode()
        answer = await analytics.ask("/api/send", method="POST", headers={"user-agent": FIREFOX}, body=body)
        assert answer.status == 202
        assert len(await analytics.hits()) == 1
        for value in (1, 2):
            answer = await analytics.ask("/v1/things/visits", method="POST")
            assert answer.json() == {"value": value}
        counter = await analytics.services.ledger.find(Key("things", "visits"))
        assert counter is not None
        assert counter.value == 2
        assert (await analytics.ask("/get/things/visits")).json() == {"value": 2}


async def test_paths_around_it_keep_their_owners(tmp_path: Path) -> None:
    async with serving(tmp_path) as analytics:
        me = await analytics.api("GET", "/me")
        assert (me.status, me.json()["user"]["email"]) == (200, analytics.prepared.account.email)
        for path in ("/api/v0/sends", "/api/sent", "/api/sen"):
            answer = await analytics.ask(path)
            assert list(answer.json()) == ["error"], path
        for path in ("/v1/counters", "/v1/thing", "/v1/thingsy/visits", "/v1", "/v2/things/x"):
            answer = await analytics.ask(path)
            assert answer.json()["name"] == "Unauthorized", path


async def test_its_limit_is_declared_set_and_holds(tmp_path: Path) -> None:
    async with serving(tmp_path, rate_limit=(Rate("things", 2, 60),)) as analytics:
        statuses = [(await analytics.ask("/v1/things/visits", method="POST")).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        metrics = (await analytics.ask("/metrics")).text
    assert 'tallystick_refusals_total{reason="too many things",surface="things"} 1.0' in metrics
    assert 'tallystick_requests_total{status="200",surface="things"} 2.0' in metrics
    with pytest.raises(InvalidSetting, match="there is no limit called 'things'"):
        kit_of(Settings(data=tmp_path, rate_limit=(Rate("things", 2, 60),)))


async def test_its_reasons_and_its_description_are_shown(tmp_path: Path) -> None:
    async with serving(tmp_path) as analytics:
        metrics = (await analytics.ask("/metrics")).text
        described = (await analytics.ask("/openapi.json")).json()
        page = (await analytics.ask("/docs", headers={"accept": "text/html"})).text
    assert 'tallystick_refusals_total{reason="too many things",surface="things"} 0.0' in metrics
    assert {"/api/send", "/v1/things/{name}", "/v1/counters", "/hit/{namespace}/{key}"} <= set(described["paths"])
    assert "A contract that is here for one test." in page


async def test_its_websocket_answers_on_the_main_port_beside_the_others(tmp_path: Path) -> None:
    async with serving(tmp_path) as analytics, serving_application(analytics.running.application) as started:
        async with connect(f"{started.sockets_url}/v1/things/ws", proxy=None) as socket:
            assert await socket.recv() == "things"
        with pytest.raises(InvalidStatus, match="401"):
            await connect(f"{started.sockets_url}/v1/ws", proxy=None)


def test_two_surfaces_that_claim_one_prefix_stop_the_start(tmp_path: Path) -> None:
    twin = replace(SURFACE, name="twin", prefixes=("/v1/things",), rates=())
    with pytest.raises(StartRefused, match="the surfaces things and twin both claim /v1/things"):
        kit_of(Settings(data=tmp_path), (*FOUR, twin))


@pytest.mark.parametrize("prefix", ["", "things", "/v1//things", "/v1/", "//"])
def test_a_prefix_is_a_path_of_whole_segments(prefix: str) -> None:
    with pytest.raises(StartRefused, match=re.escape(f"the surface things claims {prefix!r}, which is not a path")):
        claims([replace(SURFACE, prefixes=(prefix,))])
