"""Health, the API description's own rules, and errors as JSON."""

import asyncio
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from threading import Event

import httpx
import pytest
from msgspec.structs import replace

from support.disks import full_disk
from support.ledgers import until
from support.server import RunningServer, running_server
from support.services import a_kit, services_over
from support.warehouses import a_hit, opened_warehouse
from tallystick import web
from tallystick.errors import StoreUnavailable
from tallystick.ledger import Ledger, Session
from tallystick.services import readiness
from tallystick.surfaces import native
from tallystick.surfaces.native.routes import native as native_app
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.web.openapi import Description
from tallystick.web.surface import openapi_files


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("native") / "data") as server:
        yield server


def client(ledger: Ledger, description: Description | None = None) -> httpx.AsyncClient:
    """Asks the surface without a server in between."""
    kit = a_kit()
    app = native_app(services_over(ledger), kit if description is None else replace(kit, description=description))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://tallystick.test")


@pytest.mark.parametrize(("path", "status"), [("/health/live", "live"), ("/health/ready", "ready")])
def test_a_healthy_server_says_so(shared_server: RunningServer, path: str, status: str) -> None:
    answer = shared_server.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": status})
    assert answer.headers["cache-control"] == "no-store"
    head = httpx.head(shared_server.url + path)
    assert (head.status_code, head.content) == (200, b"")


async def test_after_a_failed_commit_the_question_tries_one_and_finds_the_ledger_well(ledger: Ledger) -> None:
    failed = ledger.measurements[0]
    failed.last_failed = True
    async with client(ledger) as ask:
        answer = await ask.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    assert not failed.last_failed


async def test_a_server_whose_commits_fail_is_not_ready_but_live(ledger: Ledger) -> None:
    await ledger.close()
    ledger.measurements[0].last_failed = True
    async with client(ledger) as ask:
        ready, live = await ask.get("/health/ready"), await ask.get("/health/live")
    assert (ready.status_code, live.status_code) == (503, 200)
    assert ready.json() == {"status": "unavailable", "reason": "the last commit failed"}


async def test_a_server_whose_writes_wait_for_ever_is_not_ready(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "COMMITTED_WITHIN_S", 0.05)
    gate, held = Event(), Event()

    def hang(_: Session) -> None:
        held.set()
        gate.wait()

    async with client(ledger) as ask:
        hanging = asyncio.create_task(ledger.write(hang))
        try:
            await until(held.is_set)
            behind = asyncio.create_task(ledger.write(Session.totals))
            await until(lambda: ledger.waiting)
            answers = await asyncio.gather(*(ask.get("/health/ready") for _ in range(20)))
            assert {answer.status_code for answer in answers} == {503}
            assert answers[0].json()["reason"] == "commits take too long"
            # However many ask, one trial waits on each writer.
            await until(lambda: ledger.waiting <= 2)
        finally:
            gate.set()  # the ledger is not closed before
        await asyncio.gather(hanging, behind)
        await until(lambda: _is_ready(ask))


async def _is_ready(ask: httpx.AsyncClient) -> bool:
    return (await ask.get("/health/ready")).status_code == 200


async def test_writes_that_wait_for_a_moment_are_no_reason(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "waiting", property(lambda _: 1))
    async with client(ledger) as ask:
        answer = await ask.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_a_server_whose_queue_is_full_is_not_ready(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "full", property(lambda _: True))
    async with client(ledger) as ask:
        answer = await ask.get("/health/ready")
    assert (answer.status_code, answer.json()["reason"]) == (503, "the queue is full")


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/ready/", "/metrics/x", "/openapi.json/"])
def test_unknown_paths_are_answered_in_json_without_a_redirect(shared_server: RunningServer, path: str) -> None:
    answer = shared_server.get(path, headers={"accept": "text/html"})
    assert (answer.status_code, answer.json()) == (404, {"error": "not found"})


PUBLIC = (
    *("/live/example.com/visits", "/live/x", "/openapi.json", "/health/live", "/health/ready", "/metrics"),
    *("/docs", "/docs/", "/count.js", "/count.v5.js", "/counter/%2Fpage.json", "/counter/a.svg", "/status"),
    *("/api.json", "/api.html", "/robots.txt", "/static/style.css"),
)


@pytest.mark.parametrize("path", PUBLIC)
def test_pages_of_other_origins_may_read_what_is_public(shared_server: RunningServer, path: str) -> None:
    asked = {"origin": "https://example.com", "access-control-request-method": "GET"}
    asked["access-control-request-headers"] = "cache-control, last-event-id, x-requested-with"
    answer = httpx.options(shared_server.url + path, headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == "*, Authorization"
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/login", "/user", "/sites", "/people", "/invites/code", "/counters/1"])
def test_pages_of_other_origins_may_not_send_to_pages_for_people(shared_server: RunningServer, path: str) -> None:
    answer = httpx.options(shared_server.url + path, headers={"origin": "https://example.com"})
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


def test_other_methods_are_refused_in_json(shared_server: RunningServer) -> None:
    answer = httpx.post(f"{shared_server.url}/health/ready")
    assert (answer.status_code, answer.json()) == (405, {"error": "method not allowed"})
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_a_fault_of_the_program_is_a_500_that_tells_nothing(ledger: Ledger) -> None:
    undescribed = Description([files(web) / "openapi.yaml"])  # there is none
    async with client(ledger, undescribed) as ask:
        answer = await ask.get("/openapi.json")
    assert (answer.status_code, answer.json()) == (500, {"error": "Internal Server Error"})


def test_one_url_cannot_be_described_twice() -> None:
    with pytest.raises(
        ValueError,
        match=re.escape("two surfaces describe /health/live, /health/ready, /live, /live/{namespace}/{key}, /metrics"),
    ):
        _ = Description(openapi_files([native.SURFACE] * 2)).document


async def test_a_server_that_cannot_store_hits_is_not_ready_until_it_can(ledger: Ledger, tmp_path: Path) -> None:
    async with opened_warehouse(tmp_path / WAREHOUSE_FILE) as warehouse:
        app = native_app(services_over(ledger, warehouse), a_kit())
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://tallystick.test") as ask:
            await warehouse.append([a_hit()])
            with full_disk(4_096):
                with pytest.raises(StoreUnavailable):
                    await warehouse.append([a_hit()])
                assert (await ask.get("/health/ready")).status_code == 503
            assert (await ask.get("/health/ready")).status_code == 200
            metrics = (await ask.get("/metrics")).text
    assert re.search(r"^tallystick_hit_commit_failures_total [1-9]", metrics, re.MULTILINE)
    assert "tallystick_hits_waiting 0.0" in metrics
