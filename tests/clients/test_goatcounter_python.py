"""PyPI ``goatcounter-mcp-server`` 0.2.4 and ``goatpie`` 0.4.0, unmodified, against a running server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.analytics import CHROME, FIREFOX, AnalyticsServer, analytics_server
from support.published import INSTALLED_WITHIN_S, installed_packages, run_with

pytestmark = pytest.mark.timeout(INSTALLED_WITHIN_S + 100)

HERE = Path(__file__).parent / "goatcounter_python"
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = (NOW - timedelta(hours=1)).date()


@pytest.fixture(scope="module")
def installed(request: pytest.FixtureRequest) -> Path:
    return installed_packages(request.config, HERE / "requirements.txt")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsServer]:
    """A site that three visitors have seen, an hour ago."""
    created = (NOW - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    hits: list[dict[str, object]] = [
        {"path": "/", "title": "Home", "ip": "192.0.2.1", "user_agent": FIREFOX, "ref": "https://www.google.com/"},
        {"path": "/docs", "title": "Docs", "ip": "192.0.2.1", "user_agent": FIREFOX, "size": "1920,1080,1"},
        {"path": "/", "ip": "192.0.2.2", "user_agent": CHROME, "location": "NL"},
        {"path": "/", "ip": "192.0.2.3", "user_agent": CHROME, "location": "NL", "size": "390"},
        {"path": "signup", "event": True, "ip": "192.0.2.3", "user_agent": CHROME},
    ]
    # No Host is asked for: there is one site.
    with analytics_server(tmp_path_factory.mktemp("clients") / "data", host=None) as server:
        body = {"hits": [{**hit, "created_at": created} for hit in hits]}
        assert server.api("POST", "/count", json=body).status == 202
        yield server


def run(installed: Path, script: str, *arguments: str | Path) -> Any:
    return run_with(installed, HERE / script, *arguments)


def tools(installed: Path, site: AnalyticsServer, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    said: list[Any] = run(installed, "mcp_tools.py", site.url, site.token, json.dumps(calls))
    return said


def asking(**parameters: object) -> dict[str, Any]:
    return {"params": parameters}


WEEK = {"start": str(DAY - timedelta(days=6)), "end": str(DAY + timedelta(days=1))}
PAGES = ("refs", "browsers", "systems", "sizes", "locations")


def test_the_mcp_server_reads_everything_it_knows_of(installed: Path, site: AnalyticsServer) -> None:
    me, sites, paths, total, hits, refs, *pages = tools(
        installed,
        site,
        ("get_me", {}),
        ("list_sites", {}),
        ("list_paths", asking()),
        ("get_stats_total", asking(**WEEK)),
        ("get_stats_hits", asking(**WEEK, daily=True, limit=2)),
        *((f"get_stats_{page}", asking(**WEEK)) for page in PAGES),
    )
    assert (me["user"]["email"], me["token"]["name"]) == ("owner@example.com", "test")
    assert [found["id"] for found in sites["sites"]] == [site.site.id]
    assert [found["path"] for found in paths["paths"]] == ["/", "/docs", "signup"]
    assert (total["total"], total["total_events"]) == (5, 1)
    assert [(hit["path"], hit["count"]) for hit in hits["hits"]] == [("/", 3), ("signup", 1)]
    assert hits["more"] is True
    assert {row["name"]: row["count"] for row in refs["stats"]} == {"": 4, "Google": 1}
    counted = [{row.get("id", ""): row["count"] for row in page["stats"] if row["count"]} for page in pages]
    assert counted == [
        {"Chrome": 3, "Firefox": 2},
        {"Windows": 3, "Linux": 2},
        {"phone": 1, "desktop": 1, "unknown": 3},
        {"NL": 2, "(unknown)": 3},
    ]


def test_the_mcp_server_pages_and_selects_by_the_ids_it_was_told(installed: Path, site: AnalyticsServer) -> None:
    ids = [found["id"] for found in site.api("GET", "/paths").json()["paths"]]
    first, rest, one, two = tools(
        installed,
        site,
        ("list_paths", asking(limit=1)),
        ("list_paths", asking(limit=5, after=ids[0])),
        ("get_stats_total", asking(include_paths=ids[1:2])),
        ("get_stats_total", asking(include_paths=ids[1:])),
    )
    assert ([found["path"] for found in first["paths"]], first["more"]) == (["/"], True)
    assert ([found["path"] for found in rest["paths"]], rest["more"]) == (["/docs", "signup"], False)
    # It repeats the parameter, of which only the first value counts: the contract's rule.
    assert (one["total"], two["total"]) == (1, 1)


def test_the_mcp_server_understands_refusals(installed: Path, site: AnalyticsServer) -> None:
    said = tools(
        installed,
        site,
        ("client.get_stats_hits", {"after": 3}),
        ("client.get_stats_total", {"start": "not a date"}),
    )
    (unknown,) = run(installed, "mcp_tools.py", site.url, "no-such-token", '[["client.get_me", {}]]')
    # What it reads of an error it loses again, and tells the whole body.
    assert said[0] == r'Goatcounter API Error (400): {"error":"unknown parameter: \"after\""}'
    assert said[1].startswith('Goatcounter API Error (400): {"error":"invalid query parameters')
    assert unknown == 'Goatcounter API Error (401): {"error":"unknown token"}'


def test_goatpie_fetches_an_export_and_goes_on_from_there(
    installed: Path, site: AnalyticsServer, tmp_path: Path
) -> None:
    shown = run(installed, "pie.py", site.url, site.token, tmp_path / "pie")
    assert {row["Page"]: row["Total"] for row in shown["pages"]} == {"/": 3, "/docs": 1, "signup": 1}
    assert shown["referrers"][0]["Referrer"] == "Google"
    assert {row["Browser"].split()[0]: row["Total"] for row in shown["browsers"]} == {"Chrome": 3, "Firefox": 2}
    assert {row["System"].split()[0]: row["Total"] for row in shown["systems"]} == {"Windows": 3, "Linux": 2}
    assert shown["pageviews"] == [{"Day": str(DAY), "Pageviews": 5}]
    assert shown["visits"] == [{"Day": str(DAY), "Visits": 3}]
    assert {row["Country"]: row["Total"] for row in shown["countries"]} == {"None": 0, "Netherlands": 2}
    assert {"Computer monitors", "Phones"} <= {row["Device"] for row in shown["devices"]}
    assert shown["again"] == shown["pages"]
    assert shown["next"] == "6"
    assert shown["log"].count("Exception: ") == 2, shown["log"]
    assert "Last update was just now, skipping" in shown["log"]
    assert "No new data, skipping" in shown["log"]
