"""Of several servers on one PostgreSQL, one counts pageviews; the others say so until it is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from support.analytics import FIREFOX, HOST, Prepared, prepare
from support.asking import Answer
from support.in_process import Asgi, knowledge
from support.ledgers import until
from support.postgres import Postgres
from support.warehouses import rows
from tallystick.app import Application
from tallystick.ledger.ledger import milliseconds
from tallystick.model.site import SiteSettings
from tallystick.services import job_worker, ownership
from tallystick.services.accounts.sites import delete_site
from tallystick.services.analytics.names import paths_of
from tallystick.services.analytics.path_changes import merge_paths
from tallystick.services.exports import exports
from tallystick.services.ingest.ingest import Knowledge
from tallystick.services.jobs import pending_jobs
from tallystick.services.ownership import server_id
from tallystick.settings import Settings
from tallystick.web.rate_limit import Rate

LEASE_S = 1.0


@pytest.fixture(autouse=True)
async def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    known = await knowledge()
    monkeypatch.setattr(Knowledge, "load", lambda *_: known)
    monkeypatch.setattr(ownership, "LEASE_S", LEASE_S)
    monkeypatch.setattr(ownership, "EXTENDED_EVERY_S", 0.05)
    monkeypatch.setattr(exports, "TRY_AGAIN_AFTER_S", 0.05)
    monkeypatch.setattr(job_worker, "SEEN_BY_ALL_WITHIN_S", 0.0)


class Server:
    """One server, asked at its site's host."""

    def __init__(self, application: Application, prepared: Prepared) -> None:
        self.application, self._asgi, self._prepared = application, Asgi(application), prepared

    async def ask(self, target: str, *, method: str = "GET", json: object = None) -> Answer:
        headers = {"host": HOST, "user-agent": FIREFOX, "authorization": f"Bearer {self._prepared.token}"}
        body = None if json is None else msgspec.json.encode(json)
        if target.startswith("/api/"):
            headers["content-type"] = "application/json"
        return await self._asgi.ask(target, method=method, headers=headers.items(), body=body)

    async def pixel(self, path: str = "/a") -> Answer:
        return await self.ask(f"/count?{urlencode({'p': path})}")

    async def total(self) -> Any:
        return (await self.ask("/api/v0/stats/total")).json()["total"]

    @property
    def owned(self) -> bool:
        return self.application.ownership.owned


class Place:
    """A PostgreSQL with a site."""

    def __init__(self, url: str, folder: Path, prepared: Prepared) -> None:
        self._url, self._folder, self._prepared = url, folder, prepared

    @asynccontextmanager
    async def server(self, name: str) -> AsyncIterator[Server]:
        """A server with a data directory of this name."""
        data = self._folder / name
        await asyncio.to_thread(data.mkdir, exist_ok=True)
        limits = (Rate("", None, 0),)
        application = await Application.open(Settings(data=data, database=self._url, rate_limit=limits))
        try:
            yield Server(application, self._prepared)
        finally:
            await application.close()


@pytest.fixture
async def place(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Place]:
    with postgres.fresh_database() as url:
        prepared = await asyncio.to_thread(
            prepare, tmp_path, database=url, settings=SiteSettings(allow_counter=True), now=milliseconds()
        )
        yield Place(url, tmp_path, prepared)


ANALYTICS = [
    ("GET", "/count?p=/a", None),
    ("POST", "/api/v0/count", {"no_sessions": True, "hits": [{"path": "/a"}]}),
    ("GET", "/api/v0/stats/total", None),
    ("GET", "/api/v0/stats/hits", None),
    ("GET", "/api/v0/stats/browsers", None),
    ("POST", "/api/v0/export", {"format": "csv"}),
    ("GET", "/counter/TOTAL.json", None),
    ("GET", "/counter//a.json", None),
    ("GET", "/counter/never-seen.json", None),
]


async def test_the_other_server_refuses_pageviews_and_statistics_and_counts_the_rest(place: Place) -> None:
    async with place.server("one") as owner, place.server("other") as other:
        assert (owner.owned, other.owned) == (True, False)
        assert (await owner.pixel()).status == 200
        for method, target, json in ANALYTICS:
            assert (await owner.ask(target, method=method, json=json)).status in {200, 202, 404}
            answer = await other.ask(target, method=method, json=json)
            assert (answer.status, answer.headers["retry-after"]) == (503, "15"), target
            said = answer.headers["x-goatcounter"] if target.startswith("/count?") else answer.json()["error"]
            assert "another server on this database counts pageviews" in said
        assert (await other.ask("/hit/example.com/visits")).json() == {"value": 1}
        assert (await owner.ask("/hit/example.com/visits")).json() == {"value": 2}
        for target in ("/api/v0/me", "/api/v0/sites", "/api/v0/paths", "/count.js", "/health/ready"):
            assert (await other.ask(target)).status == 200, target
        assert (await other.ask("/count?p=/a", method="HEAD")).status == 200


async def test_an_export_is_the_owners_whoever_is_asked_for_it(place: Place) -> None:
    async with place.server("one") as owner, place.server("other") as other:
        await owner.pixel()
        made = (await owner.ask("/api/v0/export", method="POST", json={"format": "csv"})).json()["id"]

        async def written() -> bool:
            return bool((await other.ask(f"/api/v0/export/{made}")).json()["finished_at"])

        await until(written)
        assert (await owner.ask(f"/api/v0/export/{made}/download")).status == 200
        assert (await other.ask(f"/api/v0/export/{made}/download")).status == 503


async def test_what_was_decided_anywhere_is_done_where_the_hits_are(place: Place) -> None:
    async with place.server("one") as owner, place.server("other") as other:
        await owner.pixel()
        ledger = other.application.ledger
        await ledger.write(delete_site, 1, ledger.clock())

        async def done() -> bool:
            return not await ledger.read(pending_jobs)

        await until(done)
        assert await rows(owner.application.warehouse) == []


async def test_the_other_one_takes_over_when_the_owner_is_gone(place: Place) -> None:
    async with place.server("other") as first, place.server("one") as second:
        assert (first.owned, second.owned) == (True, False)
        await first.application.tasks.close()  # it is cut off, or frozen
        await until(lambda: second.owned)
        # One that goes on after that knows by its own clock that it is the owner no longer.
        assert not first.owned
        assert (await first.pixel()).status == 503
        assert [(await second.pixel()).status for _ in range(3)] == [200] * 3
        await first.application.ownership.extend()
        assert not first.owned
        assert await second.total() == 1


@pytest.mark.parametrize("noticed", [True, False])
async def test_an_owner_that_comes_back_knows_what_was_merged_meanwhile(place: Place, *, noticed: bool) -> None:
    async with place.server("one") as first:
        assert [(await first.pixel(path)).status for path in ("/a", "/b")] == [200, 200]
        names, site = first.application.services.names, 1
        known = names.path(site, "/a")
        assert known is not None
        await first.application.tasks.close()  # it is cut off, or frozen
        async with place.server("other") as second:
            await until(lambda: second.owned)
            if noticed:
                await first.application.ownership.extend()
            ledger = second.application.ledger
            await ledger.write(merge_paths, site, [known.id], known.id + 1, ledger.clock())
        # Names that this server remembers are older than the merge, which it has not seen.
        names._paths[site, "/a"] = known  # noqa: SLF001  # as if it had not run meanwhile

        async def owned() -> bool:
            await first.application.ownership.extend()
            return first.owned

        await until(owned)
        assert names.path(site, "/a") is None
        assert (await first.pixel("/a")).status == 200
        left = await first.application.ledger.read(paths_of, site, [known.id])
        assert names.path(site, "/a") != known
        assert known.id not in left


async def test_a_server_that_comes_back_at_once_goes_on(place: Place) -> None:
    async with place.server("other") as waiting:
        await until(lambda: waiting.owned)
    async with place.server("other") as again, place.server("one") as one:
        assert (again.owned, one.owned) == (True, False)


async def test_of_two_servers_with_one_data_directory_only_the_later_one_is_the_owner(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "server_id", lambda _: "copied")
    async with place.server("one") as earlier, place.server("copy of one") as later:
        assert later.owned
        await until(lambda: not earlier.owned)
        await asyncio.sleep(3 * ownership.EXTENDED_EVERY_S)
        assert (earlier.owned, later.owned) == (False, True)


async def test_on_sqlite_a_server_is_the_owner_and_has_no_id(tmp_path: Path) -> None:
    application = await Application.open(Settings(data=tmp_path))
    assert application.ownership.owned
    await application.close()
    assert not (tmp_path / "server-id").exists()


def test_a_data_directory_keeps_its_id(tmp_path: Path) -> None:
    made = server_id(tmp_path)
    assert made == server_id(tmp_path)
    assert (tmp_path / "server-id").stat().st_mode & 0o777 == 0o600
    (tmp_path / "server-id").write_text("")
    assert len(server_id(tmp_path)) == len(made)
