"""Imported figures in answers: which questions have them, what they add up to, and what is said where they are missing.

The made-up export (``support/exported.py``) has days until 2027-01-10; the site's own hits begin on the 13th.
"""

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from support.exported import TABLES, an_export
from support.telling import a_visit, tell
from tallystick.model.aggregates import PLAUSIBLE, Row
from tallystick.services.imports.plausible_zip import ExportReport, rows_of

from .conftest import Stats

LAST = 20_900
EVERY = ["visitors", "visits", "pageviews", "events", "bounce_rate", "visit_duration", "views_per_visit", "percentage"]
SPAN = ["2026-12-30", "2027-01-14"]


def read(file: Path) -> tuple[ExportReport, dict[str, list[Row]]]:
    report, found = ExportReport(), defaultdict[str, list[Row]](list)
    for aggregate, row in rows_of(file, LAST, report, lambda bad: pytest.fail(str(bad))):
        found[aggregate.name].append(row)
    return report, found


async def imported(stats: Stats, file: Path, site: int | None = None, *, replace: bool = False) -> int:
    """Import an export into the site, without its API. Returns its id."""
    report, found = await asyncio.to_thread(read, file)
    aggregates = stats.analytics.services.aggregates
    number = stats.analytics.site.id if site is None else site
    spans = {name: each.span for name, each in report.tables.items()}
    begun = await aggregates.begin(number, PLAUSIBLE, file.name, file.name, spans, replace=replace)
    await aggregates.add(number, begun.id, 1, found)
    await aggregates.finish("a test", number, begun.id, report.rows, replace=replace)
    return begun.id


@pytest.fixture
async def joined(stats: Stats, tmp_path: Path) -> Stats:
    await imported(stats, an_export(tmp_path))
    return stats


async def ask(stats: Stats, path: str = "/api/v2/query", **body: Any) -> dict[str, Any]:
    include = {"imports": True, **body.pop("include", {})}
    sent = {"site_id": "stats.example.com", "date_range": SPAN, "metrics": ["visitors"], **body, "include": include}
    answer = await stats.post(path, **sent)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def rows(stats: Stats, **body: Any) -> list[tuple[Any, ...]]:
    found = await ask(stats, **body)
    assert found["meta"].get("imports_included") is True, found["meta"]
    return [(*row["dimensions"], *row["metrics"]) for row in found["results"]]


async def test_without_being_asked_for_they_are_in_no_answer(joined: Stats) -> None:
    answer = await joined.post(site_id="stats.example.com", metrics=["visitors"], date_range=SPAN)
    assert (answer.json()["results"][0]["metrics"], answer.json()["meta"]) == ([3], {})


async def test_the_figures_of_both_are_added(joined: Stats) -> None:
    # Own hits of the 13th and 14th: 3 visits, 6 pageviews, 1 event, 1 bounce, 360 + 0 + 600 s.
    own = await joined.post(site_id="stats.example.com", metrics=EVERY, date_range=SPAN)
    assert own.json()["results"][0]["metrics"] == [3, 3, 6, 7, 33, 320, 2.0, 100.0]
    # Imported: 17 visitors, 19 visits, 41 pageviews, 10 events, 8 bounces, 1,500 s.
    assert await rows(joined, metrics=EVERY) == [
        (20, 22, 47, 58, round(900 / 22), round(2460 / 22), round(47 / 22, 2), 100.0)
    ]


BY_TIME = {
    "time:day": [
        ("2026-12-31", 10), ("2027-01-01", 5), ("2027-01-10", 2), ("2027-01-13", 1), ("2027-01-14", 2)
    ],
    "time:week": [("2026-12-30", 15), ("2027-01-04", 2), ("2027-01-11", 3)],
    "time:month": [("2026-12-01", 10), ("2027-01-01", 10)],
}  # fmt: skip


@pytest.mark.parametrize("unit", BY_TIME)
async def test_by_time(joined: Stats, unit: str) -> None:
    assert await rows(joined, dimensions=[unit]) == BY_TIME[unit]


async def test_all_begins_with_the_first_imported_day(joined: Stats) -> None:
    found = await ask(joined, date_range="all", include={"time_labels": True}, dimensions=["time:day"])
    assert found["meta"]["time_labels"][0] == "2026-12-31"
    assert found["query"]["date_range"][0] == "2026-12-31T00:00:00+00:00"


BY_VALUE: dict[str, list[tuple[Any, ...]]] = {
    "event:page": [("/", 16), ("/pricing", 7), ("/old", 2), ("/blog/one", 1)],
    "event:hostname": [("example.com", 19), ("(none)", 2), ("shop.example.com", 3)],
    "visit:entry_page": [("/", 14), ("/pricing", 4)],
    "visit:exit_page": [("/pricing", 9), ("/", 8), ("/blog/one", 1)],
    "visit:source": [("Google", 13), ("Direct / None", 5)],
    "visit:utm_medium": [("(not set)", 12), ("cpc", 6)],
    "visit:utm_campaign": [("(not set)", 12), ("spring", 6)],
    "visit:country": [("DE", 8), ("FR", 5), ("US", 5)],
    "visit:country_name": [("Germany", 8), ("France", 5), ("United States", 5)],
    "visit:region": [("", 7), ("DE-BE", 7), ("US-CA", 4)],
    "visit:device": [("(not set)", 8), ("Desktop", 7), ("Mobile", 3)],
    "visit:browser": [("Chrome", 7), ("Mobile App", 5), ("Edge", 4), ("(not set)", 1), ("Firefox", 1)],
    "visit:os": [("Mac", 7), ("GNU/Linux", 5), ("Windows", 5), ("(not set)", 1)],
    "event:name": [("pageview", 20), ("Signup", 5), ("Outbound Link: Click", 2), ("404", 1)],
    "event:goal": [("Signup", 5), ("Outbound Link: Click", 2), ("404", 1)],
}


@pytest.mark.parametrize("dimension", BY_VALUE)
async def test_by_the_dimensions_of_each_table(joined: Stats, dimension: str) -> None:
    found = await rows(joined, dimensions=[dimension])
    assert sorted(found) == sorted(BY_VALUE[dimension])
    assert [row[1] for row in found] == sorted((row[1] for row in found), reverse=True)


FILTERS: list[tuple[list[Any], int]] = [
    (["is", "visit:source", ["Google"]], 13),
    (["is_not", "visit:source", ["Google"]], 5),
    (["is", "visit:source", ["Direct / None"]], 5),
    (["contains", "visit:source", ["goo"], {"case_sensitive": False}], 13),
    (["contains_not", "visit:source", ["oo"]], 5),
    (["matches", "visit:source", ["^Goo"]], 13),
    (["and", [["is", "visit:source", ["Google"]], ["is", "visit:utm_medium", ["cpc"]]]], 6),
    (["or", [["is", "visit:utm_medium", ["cpc"]], ["is", "visit:source", ["Direct / None"]]]], 11),
    (["not", ["is", "visit:utm_medium", ["cpc"]]], 12),
    (["is", "visit:country", ["DE", "FR"]], 13),
    (["is", "visit:country_name", ["Germany"]], 8),
    (["is", "visit:os", ["Mac"]], 7),
    (["is", "event:page", ["/pricing/"]], 7),
    (["is", "event:goal", ["Signup"]], 5),
    (["is", "event:goal", ["404"]], 1),
    (["is", "event:goal", ["Visit /pric*"]], 7),
    (["is", "event:name", ["pageview"]], 20),
]


async def test_filters_choose_from_both(joined: Stats) -> None:
    for filter_, visitors in FILTERS:
        assert await rows(joined, filters=[filter_]) == [(visitors,)], (filter_, visitors)


async def test_conversion_rates_are_of_the_visitors_of_both(joined: Stats) -> None:
    # 5 of 20 signed up.
    found = await rows(
        joined, metrics=["visitors", "events", "conversion_rate"], filters=[["is", "event:goal", ["Signup"]]]
    )
    assert found == [(5, 6, 25.0)]
    assert (await rows(joined, metrics=["conversion_rate"], dimensions=["event:goal"]))[0] == ("Signup", 25.0)


async def test_averages_are_of_all_visits(joined: Stats) -> None:
    metrics = ["visits", "bounce_rate", "visit_duration"]
    # Google: own 360 s and 600 s without a bounce; imported 12 visits, 1,000 s, 4 bounces. Direct: one own bounce.
    assert await rows(joined, metrics=metrics, dimensions=["visit:source"]) == [
        ("Google", 14, round(400 / 14), 140),
        ("Direct / None", 6, 50, round(500 / 6)),
    ]


async def test_pages_of_rows_are_cut_from_the_whole(joined: Stats) -> None:
    asked: dict[str, Any] = {"dimensions": ["event:page"], "include": {"total_rows": True}}
    first = await ask(joined, **asked, pagination={"limit": 2})
    second = await ask(joined, **asked, pagination={"limit": 2, "offset": 2})
    assert [row["dimensions"] for row in first["results"] + second["results"]] == [
        ["/"],
        ["/pricing"],
        ["/old"],
        ["/blog/one"],
    ]
    assert first["meta"]["total_rows"] == second["meta"]["total_rows"] == 4
    ascending = await rows(joined, dimensions=["event:page"], order_by=[["event:page", "asc"]])
    assert [row[0] for row in ascending] == ["/", "/blog/one", "/old", "/pricing"]


async def test_percentages_are_of_both(joined: Stats) -> None:
    found = await rows(joined, metrics=["visitors", "percentage"], dimensions=["visit:device"])
    # The tables have 15 imported visitors by device and 17 altogether.
    assert found == [("(not set)", 8, 40.0), ("Desktop", 7, 35.0), ("Mobile", 3, 15.0)]


async def test_a_comparison_has_both_periods(joined: Stats) -> None:
    found = await ask(
        joined,
        "/api/query",
        date_range=["2027-01-08", "2027-01-14"],
        include={"compare": ["2026-12-31", "2027-01-06"]},
    )
    assert found["meta"]["imports_included"] is True
    assert [found["results"][0][key] for key in ("metrics", "comparison")] == [
        [5], {"metrics": [15], "change": [-67]}
    ]  # fmt: skip


async def test_a_comparison_has_rows_of_imports_that_are_gone(joined: Stats) -> None:
    asked: dict[str, Any] = {
        "date_range": ["2027-01-08", "2027-01-14"],
        "dimensions": ["event:page"],
        "include": {"compare": ["2026-12-31", "2027-01-06"], "total_rows": True},
    }
    found = await ask(joined, "/api/query", **asked)
    assert found["meta"]["imports_included"] is True
    rows = [(row["dimensions"][0], row["metrics"][0], row["comparison"]["metrics"][0]) for row in found["results"]]
    assert rows == [("/", 3, 13), ("/old", 2, 0), ("/pricing", 2, 5), ("/blog/one", 1, 0)]
    asked["date_range"] = ["2027-01-10", "2027-01-10"]
    found = await ask(joined, "/api/query", **asked)
    rows = [(row["dimensions"][0], row["metrics"][0], row["comparison"]["metrics"][0]) for row in found["results"]]
    assert (rows, found["meta"]["total_rows"]) == ([("/old", 2, 0), ("/", 0, 13), ("/pricing", 0, 5)], 3)


async def test_a_name_is_the_same_in_another_case_of_the_other_period(stats: Stats, tmp_path: Path) -> None:
    await tell(stats.analytics, a_visit("/Pricing", "2027-01-11T09:00", by=9))  # the spelling of the site's hits
    pages = {"pages": TABLES["pages"].replace("/pricing/", "/PRICING"), "visitors": TABLES["visitors"]}
    await imported(stats, an_export(tmp_path, pages))
    found = await ask(
        stats,
        "/api/query",
        date_range=["2027-01-11", "2027-01-14"],
        dimensions=["event:page"],
        include={"compare": ["2026-12-31", "2027-01-06"]},
    )
    rows = [(row["dimensions"][0], row["metrics"][0], row["comparison"]["metrics"][0]) for row in found["results"]]
    assert [row for row in rows if row[0].lower() == "/pricing"] == [(rows[1][0], rows[1][1], 5)]


LEFT_OUT: list[tuple[str, dict[str, Any]]] = [
    ("out_of_range", {"date_range": ["2027-01-11", "2027-01-14"]}),
    ("out_of_range", {"date_range": ["2026-01-01", "2026-12-30"]}),
    ("unsupported_interval", {"dimensions": ["time:hour"]}),
    ("unsupported_interval", {"date_range": ["2026-12-31T00:00:00Z", "2027-01-01T11:59:59Z"]}),
    ("unsupported_query", {"dimensions": ["visit:source", "visit:country"]}),
    ("unsupported_query", {"dimensions": ["visit:source"], "filters": [["is", "event:page", ["/"]]]}),
    ("unsupported_query", {"dimensions": ["visit:channel"]}),
    ("unsupported_query", {"dimensions": ["visit:city"]}),
    ("unsupported_query", {"dimensions": ["event:page"], "metrics": ["bounce_rate"]}),
    ("unsupported_query", {"dimensions": ["visit:source"], "metrics": ["events"]}),
    ("unsupported_query", {"filters": [["has_done", ["is", "event:page", ["/"]]]]}),
    # Only the table of events has events, and that one has no visits.
    ("unsupported_query", {"metrics": ["visitors", "visits"], "filters": [["is", "event:goal", ["Signup"]]]}),
    ("unsupported_query", {"metrics": ["visits"], "dimensions": ["event:name"]}),
]


async def test_where_they_cannot_answer_they_are_left_out_and_it_is_said(joined: Stats) -> None:
    for reason, body in LEFT_OUT:
        found = await ask(joined, **body)
        meta = found["meta"]
        assert (meta["imports_included"], meta["imports_skip_reason"]) == (False, reason), (reason, body)
        assert ("imports_warning" in meta) is reason.startswith("unsupported"), (reason, body)
        without = await joined.post(**{**found["query"], "include": {}})
        assert found["results"] == without.json()["results"], (reason, body)


async def test_in_another_zone_they_are_left_out(joined: Stats) -> None:
    found = await ask(joined, "/api/query", timezone="Asia/Tokyo")
    assert found["meta"]["imports_skip_reason"] == "unsupported_interval"


async def test_without_imports_there_is_no_data(stats: Stats) -> None:
    found = await ask(stats)
    assert found["meta"] == {"imports_included": False, "imports_skip_reason": "no_imported_data"}


async def test_days_from_the_first_own_hit_on_do_not_count(joined: Stats) -> None:
    await tell(joined.analytics, a_visit("/", "2027-01-01T12:00", by=9))
    assert await rows(joined, dimensions=["time:day"]) == [
        ("2026-12-31", 10), ("2027-01-01", 1), ("2027-01-13", 1), ("2027-01-14", 2)
    ]  # fmt: skip


async def test_a_bots_hit_hides_no_day(joined: Stats) -> None:
    await tell(joined.analytics, a_visit("/", "2026-12-31T12:00", bot=7))
    assert (await rows(joined))[0] == (20,)


async def test_hostile_values_are_values(stats: Stats, tmp_path: Path) -> None:
    pages = ["<script>alert(1)</script>", "=1+1", "'; DROP TABLE hit; --", "/\u202eevil", "/nul\0"]
    lines = "".join(f'2027-01-01,,"{page}",1,{number},1\n' for number, page in enumerate(reversed(pages), 1))
    file = an_export(tmp_path, {"pages": f"date,hostname,page,visits,visitors,pageviews\n{lines}"})
    await imported(stats, file)
    found = await rows(stats, dimensions=["event:page"], date_range=["2027-01-01", "2027-01-01"])
    assert [row[0] for row in found] == [*pages[:4], "/nul\ufffd"]
    for page in pages[:4]:
        span = ["2027-01-01", "2027-01-01"]
        assert (
            len(await rows(stats, filters=[["is", "event:page", [page]]], dimensions=["event:page"], date_range=span))
            == 1
        )


async def test_goatcounters_reports_have_no_imports(joined: Stats) -> None:
    answer = await joined.analytics.api("GET", "/stats/total?start=2026-12-01&end=2027-01-12")
    assert answer.json()["total"] == 0


# The older addresses.


async def older(stats: Stats, address: str, **query: Any) -> dict[str, Any]:
    sent = {
        "site_id": "stats.example.com",
        "period": "custom",
        "date": ",".join(SPAN),
        "with_imported": "true",
        **query,
    }
    answer = await stats.get(f"/api/v1/stats/{address}", **sent)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_older_addresses_add_them_too(joined: Stats) -> None:
    assert await older(joined, "aggregate", metrics="visitors,pageviews,bounce_rate") == {
        "results": {"visitors": {"value": 20}, "pageviews": {"value": 47}, "bounce_rate": {"value": 41}}
    }
    series = await older(joined, "timeseries")
    assert [(row["date"], row["visitors"]) for row in series["results"] if row["visitors"]] == BY_TIME["time:day"]
    assert await older(joined, "breakdown", property="visit:source") == {
        "results": [{"source": "Google", "visitors": 13}, {"source": "Direct / None", "visitors": 5}]
    }
    versions = await older(joined, "breakdown", property="visit:browser_version", limit=2)
    assert versions["results"][0] == {"browser_version": "120", "browser": "Chrome", "visitors": 6}
    compared = await older(joined, "aggregate", date="2027-01-08,2027-01-14", compare="previous_period")
    assert compared["results"]["visitors"] == {"value": 5, "comparison_value": 5, "change": 0}


async def test_the_older_addresses_warn_where_they_cannot(joined: Stats) -> None:
    found = await older(joined, "breakdown", property="visit:source", filters="event:page==/pricing")
    assert found["results"] == [{"source": "Google", "visitors": 2}]
    assert found["warning"].startswith("Imported data is not included")
    plain = await older(joined, "aggregate", with_imported="false")
    assert plain == {"results": {"visitors": {"value": 3}}}
