"""``GoatCounter`` and ``AsyncGoatCounter`` against a running server: every call."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.analytics import CHROME, FIREFOX, AnalyticsServer, analytics_server
from support.clients import Driven
from tallystick.client import AsyncGoatCounter, GoatCounter
from tallystick.client.errors import BadRequest, NotFound, Unauthorized
from tallystick.client.goatcounter_answers import Counted, Hit

NOW = datetime.now(UTC).replace(microsecond=0)
THEN = NOW - timedelta(hours=1)
TOMORROW = (NOW + timedelta(days=1)).date()
MANY = 205


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    """A site with a few visitors of an hour ago, and many pages of last year."""
    # No Host is asked for: there is one site.
    with analytics_server(tmp_path_factory.mktemp("client") / "data", host=None) as server:
        hits = [
            Hit(path="/", title="Home", ip="192.0.2.1", user_agent=FIREFOX, ref="https://www.google.com/"),
            Hit(path="/docs", ip="192.0.2.1", user_agent=FIREFOX, size="1920", created_at=THEN),
            Hit(path="/", ip="192.0.2.2", user_agent=CHROME, location="NL", created_at=THEN),
            Hit(path="signup", event=True, session="a", created_at=THEN),
        ]
        last_year = [Hit(path=f"/page-{number}", created_at=NOW - timedelta(days=400)) for number in range(MANY)]
        with GoatCounter(server.url, server.token) as api:
            assert api.count(hits) == Counted({}, [])
            assert api.count(last_year, no_sessions=True) == Counted({}, [])
        yield server


@pytest.fixture(params=["blocking", "awaited"])
def api(request: pytest.FixtureRequest, site: AnalyticsServer) -> Iterator[Any]:
    if request.param == "blocking":
        with GoatCounter(site.url, site.token) as blocking:
            yield blocking
    else:
        with Driven(AsyncGoatCounter(site.url, site.token)) as awaited:
            yield awaited


def test_who_asks(api: Any, site: AnalyticsServer) -> None:
    me = api.me()
    assert (me.user.email, me.token.name, me.token.sites) == (site.prepared.account.email, "test", [-1])


def test_hits_that_are_wrong_are_told_by_their_place(api: Any) -> None:
    counted = api.count([Hit(path="/new"), Hit(path="/", session="b"), Hit(path="x" * 3_000, session="b")])
    assert set(counted.errors) == {0, 2}
    assert "no_sessions" in counted.errors[0]


def test_hits_under_a_key_are_counted_once(api: Any) -> None:
    day = datetime(2001, 2, 3, 4, tzinfo=UTC)
    for _ in range(2):
        api.count([Hit(path="/once", created_at=day)], no_sessions=True, idempotency_key="a day of 2001")
    assert api.total(start=day.date(), end=day + timedelta(hours=1)).total == 1


def test_totals(api: Any) -> None:
    total = api.total(start=THEN.date(), end=TOMORROW, country="NL", metrics=["visitors", "pageviews"])
    assert (total.total, total.visitors, total.pageviews) == (1, 1, 1)
    assert sum(day.daily for day in total.stats) == 1
    assert total.stats[0].day == THEN.date()
    assert api.total(event=True).total_events == 1
    assert api.total(start=THEN.date(), end=TOMORROW).visitors is None


def test_paths_and_their_visits_come_page_by_page(api: Any) -> None:
    paths = {path.path: path for path in api.paths()}
    assert len(paths) >= MANY + 3
    assert paths["signup"].event
    last_year = {"start": (NOW - timedelta(days=401)).date(), "end": (NOW - timedelta(days=398)).date()}
    visits = list(api.hits(group="day", **last_year))
    assert len({row.path_id for row in visits}) == len(visits) == MANY
    assert {(row.count, row.max) for row in visits} == {(1, 1)}


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("browsers", {"Firefox": 2, "Chrome": 1}),
        ("systems", {"Linux": 2, "Windows": 1}),
        ("toprefs", {"Google": 1}),
    ],
)
def test_visits_by_what_they_have_in_common(api: Any, page: str, expected: dict[str, int]) -> None:
    assert expected.items() <= {row.name: row.count for row in api.stats(page)}.items()


def test_what_rows_are_made_of(api: Any) -> None:
    (home,) = (path for path in api.paths() if path.path == "/")
    assert {row.name: row.count for row in api.referrers(home.id)}["Google"] == 1
    assert [row.name for row in api.details("browsers", "Firefox")] == ["Firefox 140"]


def test_sites(api: Any, site: AnalyticsServer) -> None:
    (mine,) = (found for found in api.sites() if found.id == site.site.id)
    assert not mine.settings.allow_bosmang
    changed = api.change_site(mine.id, settings={"allow_bosmang": True})
    assert changed.settings.allow_bosmang
    assert api.site(mine.id) == changed
    api.change_site(mine.id, settings={"allow_bosmang": False})
    with pytest.raises(NotFound):
        api.site(10**6)
    with pytest.raises(BadRequest, match="no host yet"):
        api.create_site(code="no name of a host", link_domain="https://example.com")


def test_an_export_is_waited_for_and_saved(api: Any, tmp_path: Path) -> None:
    heard: list[object] = []
    pieces: list[tuple[int, int | None]] = []
    export = api.wait_for_export(api.start_export().id, heard.append)
    assert heard[-1] == export
    file = tmp_path / "export.csv.gz"
    saved = api.download_export(export.id, file, lambda *progress: pieces.append(progress))
    assert saved == file
    assert gzip.decompress(file.read_bytes()).count(b"\n") == export.num_rows + 1
    assert pieces[-1] == (file.stat().st_size, file.stat().st_size)
    assert list(tmp_path.iterdir()) == [file]


def test_a_token_that_is_not_good(site: AnalyticsServer) -> None:
    with GoatCounter(site.url, "no-such-token") as api, pytest.raises(Unauthorized, match="unknown token"):
        api.me()


async def test_the_async_client_does_not_block_the_loop(site: AnalyticsServer, tmp_path: Path) -> None:
    async with AsyncGoatCounter(site.url, site.token) as api:
        export = await api.start_export("json")
        await api.download_export(export.id, tmp_path / "export.zip")
    assert (tmp_path / "export.zip").stat().st_size > 0
