"""``POST /api/v2/query`` and ``/api/query``: what is answered (contract 2.3 to 3.2)."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from support.telling import a_visit, tell
from tallystick.services.accounts import sites

from .conftest import Stats

EXTENDED = "/api/query"


async def test_an_answer_is_written_as_the_contract_writes_it(stats: Stats) -> None:
    answer = await stats.post(
        site_id="stats.example.com",
        metrics=["visitors", "pageviews"],
        date_range=["2027-01-13", "2027-01-15"],
        dimensions=["visit:source"],
        include={"total_rows": True},
        pagination={"limit": 2},
    )
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.text == (
        '{"results":[{"metrics":[2,5],"dimensions":["Google"]},{"metrics":[1,1],"dimensions":["Direct / None"]}],'
        '"meta":{"total_rows":3},"query":{"site_id":"stats.example.com","metrics":["visitors","pageviews"],'
        '"date_range":["2027-01-13T00:00:00+00:00","2027-01-15T23:59:59+00:00"],"filters":[],'
        '"dimensions":["visit:source"],"order_by":[["visitors","desc"]],"include":{"total_rows":true},'
        '"pagination":{"offset":0,"limit":2}}}'
    )


async def test_every_metric(stats: Stats) -> None:
    names = ["visitors", "visits", "pageviews", "events", "views_per_visit", "bounce_rate", "visit_duration"]
    assert await stats.rows(metrics=[*names, "percentage"]) == [(4, 4, 7, 8, 1.75, 50, 240, 100.0)]
    assert await stats.rows(EXTENDED, metrics=["count", "exit_rate"]) == [(8, 57)]


async def test_without_hits_there_is_one_row_of_zeros_or_none(stats: Stats) -> None:
    names = ["visitors", "visits", "pageviews", "events", "views_per_visit", "bounce_rate", "visit_duration"]
    empty = ["2026-01-01", "2026-01-02"]
    assert await stats.rows(metrics=names, date_range=empty) == [(0, 0, 0, 0, 0, 0, 0)]
    assert await stats.rows(metrics=["visitors"], date_range=empty, dimensions=["visit:source"]) == []
    assert await stats.rows(metrics=["visitors"], date_range=empty, dimensions=["visit:city"]) == []


ROWS: list[tuple[str, list[tuple[Any, ...]]]] = [
    ("event:name", [("pageview", 4), ("Signup", 1)]),
    ("event:page", [("/", 3), ("/pricing", 2), ("/blog/one", 1), ("/blog/two", 1)]),
    ("event:hostname", [("(none)", 3), ("example.com", 1), ("shop.example.com", 1)]),
    ("event:goal", [("Signup", 1)]),
    ("visit:source", [("Google", 2), ("Direct / None", 1), ("Hacker News", 1)]),
    ("visit:channel", [("Organic Search", 2), ("Direct", 1), ("Social", 1)]),
    ("visit:referrer", [("Direct / None", 3), ("news.ycombinator.com", 1)]),
    ("visit:utm_source", [("(not set)", 3), ("google", 1)]),
    ("visit:utm_medium", [("(not set)", 3), ("cpc", 1)]),
    ("visit:utm_campaign", [("(not set)", 3), ("spring", 1)]),
    ("visit:utm_content", [("(not set)", 4)]),
    ("visit:utm_term", [("(not set)", 4)]),
    ("visit:entry_page", [("/", 2), ("/blog/two", 1), ("/pricing", 1)]),
    ("visit:exit_page", [("/", 2), ("/blog/one", 1), ("/blog/two", 1)]),
    ("visit:entry_page_hostname", [("", 3), ("example.com", 1)]),
    ("visit:exit_page_hostname", [("", 3), ("shop.example.com", 1)]),
    ("visit:device", [("(not set)", 3), ("Mobile", 1)]),
    ("visit:browser", [("(not set)", 2), ("Chrome", 1), ("Firefox", 1)]),
    ("visit:browser_version", [("(not set)", 4)]),
    ("visit:os", [("(not set)", 2), ("GNU/Linux", 1), ("Mac", 1)]),
    ("visit:os_version", [("(not set)", 4)]),
    ("visit:country", [("US", 2), ("", 1), ("DE", 1)]),
    ("visit:country_name", [("United States", 2), ("", 1), ("Germany", 1)]),
    ("visit:region", [("", 3), ("US-CA", 1)]),
    ("visit:region_name", [("", 3), ("US-CA", 1)]),
    ("visit:city", [(0, 4)]),
    ("visit:city_name", [("", 4)]),
    ("time:hour", [("2027-01-13 09:00:00", 1), ("2027-01-14 10:00:00", 1), ("2027-01-14 23:00:00", 1),
                   ("2027-01-15 07:00:00", 1)]),
    ("time:day", [("2027-01-13", 1), ("2027-01-14", 2), ("2027-01-15", 1)]),
    ("time:week", [("2027-01-13", 4)]),
    ("time:month", [("2027-01-01", 4)]),
    ("time", [("2027-01-13", 1), ("2027-01-14", 2), ("2027-01-15", 1)]),
]  # fmt: skip


async def test_every_dimension(stats: Stats) -> None:
    for dimension, rows in ROWS:
        assert await stats.rows(dimensions=[dimension]) == rows, dimension
        assert await stats.rows(EXTENDED, dimensions=[dimension]) == rows, dimension


OWN_ROWS: list[tuple[str, list[tuple[Any, ...]]]] = [
    ("event:next_page", [("", 4), ("/", 1), ("/blog/one", 1), ("/pricing", 1)]),
    ("event:previous_page", [("", 4), ("/", 1), ("/pricing", 2)]),
    ("visit:language", [("", 4)]),
    ("visit:size", [("unknown", 3), ("phone", 1)]),
    ("time:weekday", [(3, 1), (4, 2), (5, 1)]),
    ("time:hour_of_day", [(7, 1), (9, 1), (10, 1), (23, 1)]),
    ("time:sunday_week", [("2027-01-13", 4)]),
]


async def test_our_own_dimensions(stats: Stats) -> None:
    for dimension, rows in OWN_ROWS:
        assert sorted(await stats.rows(EXTENDED, dimensions=[dimension]), key=str) == sorted(rows, key=str)
        status, message = await stats.refusal(dimensions=[dimension])
        assert (status, message) == (400, f'#/dimensions/0: Invalid dimension "{dimension}"')


FILTERS: list[tuple[list[Any], int]] = [
    ([["is", "visit:source", ["Google"]]], 2),
    ([["is", "visit:source", ["Google", "Hacker News"]]], 3),
    ([["is_not", "visit:source", ["Google"]]], 2),
    ([["is", "visit:source", ["Direct / None"]]], 1),
    ([["is_not", "visit:source", ["Direct / None"]]], 3),
    ([["is", "visit:source", ["google"]]], 0),
    ([["is", "visit:source", ["google"], {"case_sensitive": False}]], 2),
    ([["is", "visit:source", ["google"], {"case_sensitive": True}]], 0),
    ([["contains", "visit:source", ["oog", "ack"]]], 3),
    ([["contains_not", "visit:source", ["OOG"], {"case_sensitive": False}]], 2),
    ([["matches", "visit:source", ["^H.*s$"]]], 1),
    ([["matches_not", "visit:source", ["^H", "^G"]]], 1),
    ([["is", "visit:utm_campaign", ["spring"]]], 1),
    ([["is", "visit:utm_campaign", ["(not set)"]]], 3),
    ([["is", "visit:utm_medium", ["(not set)", "cpc"]]], 4),
    ([["is", "event:hostname", ["(none)"]]], 3),
    ([["is", "visit:os", ["Mac"]]], 1),
    ([["is_not", "visit:os", ["Mac", "GNU/Linux"]]], 2),
    ([["contains", "visit:os", ["GNU"]]], 1),
    ([["contains_not", "visit:os", ["GNU"]]], 3),
    ([["matches", "visit:os", ["^Mac$"]]], 1),
    ([["matches", "visit:os", ["^macOS$"]]], 0),
    ([["is", "visit:country", ["US"]]], 2),
    ([["is", "visit:country_name", ["United States"]]], 2),
    ([["contains", "visit:country_name", ["many", "States"]]], 3),
    ([["matches_not", "visit:country_name", ["^Uni"]]], 2),
    ([["is", "visit:region", ["US-CA"]]], 1),
    ([["is", "visit:city", [0]]], 4),
    ([["is_not", "visit:city", [0]]], 0),
    ([["is", "visit:city", [2950159]]], 0),
    ([["is", "visit:city_name", ["Berlin"]]], 0),
    ([["contains_not", "visit:city_name", ["Berlin"]]], 4),
    ([["is", "visit:device", ["Mobile"]]], 1),
    ([["is", "event:page", ["/pricing"]]], 2),
    ([["is", "event:page", ["/pricing/"]]], 2),
    ([["contains", "event:page", ["/blog"]]], 2),
    ([["is", "event:name", ["Signup"]]], 1),
    ([["is", "event:name", ["pageview"]]], 4),
    ([["is", "event:goal", ["Signup"]]], 1),
    ([["contains", "event:goal", ["ign"]]], 1),
    ([["contains", "event:goal", ["nothing of it"]]], 0),
    ([["is", "event:goal", ["Visit /blog/*", "Signup"]]], 2),
    ([["is", "event:goal", ["Visit /pricing"]]], 2),
    ([["is", "visit:entry_page", ["/"]], ["is", "visit:country", ["DE"]]], 1),
    ([["and", [["is", "visit:country", ["US"]], ["is", "visit:source", ["Google"]]]]], 1),
    ([["or", [["is", "visit:country", ["DE"]], ["is", "visit:device", ["Mobile"]]]]], 2),
    ([["not", ["is", "visit:source", ["Google"]]]], 2),
    ([["not", ["or", [["is", "visit:country", ["DE"]], ["not", ["is", "visit:country", ["US"]]]]]]], 2),
    # Two filters on hits want one and the same hit; has_done takes different ones.
    ([["is", "event:page", ["/"]], ["is", "event:page", ["/pricing"]]], 0),
    ([["has_done", ["is", "event:page", ["/"]]], ["has_done", ["is", "event:page", ["/pricing"]]]], 2),
    ([["has_done", ["is", "event:goal", ["Signup"]]]], 1),
    ([["has_not_done", ["is", "event:page", ["/pricing"]]]], 2),
]


async def test_filters(stats: Stats) -> None:
    for filters, visitors in FILTERS:
        found = await stats.query(filters=filters)
        assert found["results"] == [{"metrics": [visitors], "dimensions": []}], filters
        assert found["query"]["filters"] == filters


async def test_the_source_of_a_visit_holds_for_all_of_its_pages(stats: Stats) -> None:
    google = [["is", "visit:source", ["Google"]]]
    pages = await stats.rows(dimensions=["event:page"], filters=google)
    assert pages == [("/", 2), ("/pricing", 2), ("/blog/one", 1)]
    sources = await stats.rows(dimensions=["visit:source"], filters=[["is", "event:page", ["/blog/one"]]])
    assert sources == [("Google", 1)]


async def test_bounces_of_pages_are_those_who_entered_there(stats: Stats) -> None:
    rows = await stats.rows(metrics=["visitors", "bounce_rate", "visit_duration"], dimensions=["event:page"])
    assert rows == [("/", 3, 50, 180), ("/pricing", 2, 0, 600), ("/blog/one", 1, 0, 0), ("/blog/two", 1, 100, 0)]
    on_home = [["is", "event:page", ["/"]]]
    # Ada and Bob entered there, Cem came later; durations are of all three.
    assert await stats.rows(metrics=["bounce_rate", "visit_duration"], filters=on_home) == [(50, 320)]


async def test_conversions(stats: Stats) -> None:
    signed_up = [["is", "event:goal", ["Signup"]]]
    assert await stats.rows(metrics=["visitors", "events", "conversion_rate"], filters=signed_up) == [(1, 1, 25.0)]
    from_google = [*signed_up, ["is", "visit:source", ["Google"]]]
    assert await stats.rows(metrics=["conversion_rate"], filters=from_google) == [(50.0,)]
    goals = [["is", "event:goal", ["Signup", "Visit /blog/*"]]]
    by_source: dict[str, Any] = {"dimensions": ["visit:source"], "filters": goals}
    assert await stats.rows(metrics=["group_conversion_rate", "visitors"], **by_source) == [
        ("Hacker News", 100.0, 1),
        ("Google", 50.0, 1),
    ]
    assert await stats.rows(metrics=["conversion_rate"], **by_source) == [("Google", 25.0), ("Hacker News", 25.0)]
    assert await stats.rows(
        metrics=["group_conversion_rate"], order_by=[["visit:source", "asc"]], pagination={"limit": 1}, **by_source
    ) == [("Google", 50.0)]
    both = await stats.rows(metrics=["visitors", "group_conversion_rate"], dimensions=["event:goal", "visit:source"])
    assert both == [("Signup", "Google", 1, 50.0)]
    rates = await stats.rows(metrics=["visitors", "conversion_rate"], dimensions=["event:goal"])
    assert rates == [("Signup", 1, 25.0)]


async def test_two_dimensions_and_order(stats: Stats) -> None:
    body: dict[str, Any] = {"metrics": ["visitors", "pageviews"], "dimensions": ["visit:country", "visit:source"]}
    assert await stats.rows(**body) == [
        ("", "Hacker News", 1, 1),
        ("DE", "Google", 1, 3),
        ("US", "Direct / None", 1, 1),
        ("US", "Google", 1, 2),
    ]
    ordered = await stats.rows(**body, order_by=[["visit:country", "desc"], ["pageviews", "desc"]])
    assert [row[:2] for row in ordered] == [
        ("US", "Google"),
        ("US", "Direct / None"),
        ("DE", "Google"),
        ("", "Hacker News"),
    ]
    by_day = await stats.query(metrics=["visitors"], dimensions=["visit:source", "time:day"])
    assert by_day["query"]["order_by"] == [["time:day", "asc"], ["visitors", "desc"]]
    assert [row["dimensions"] for row in by_day["results"]] == [
        ["Google", "2027-01-13"],
        ["Direct / None", "2027-01-14"],
        ["Google", "2027-01-14"],
        ["Hacker News", "2027-01-15"],
    ]


async def test_names_that_are_shown_are_sorted_as_they_are_shown(stats: Stats) -> None:
    """Blanks stand where their text belongs, and Linux under its other name."""
    await tell(
        stats.analytics,
        a_visit("/", "2027-01-13T12:00", by=11, source="Aardvark", system="HarmonyOS", country="AF"),
        a_visit("/", "2027-01-13T12:00", by=12, source="Zebra", system="Android", country="AX"),
    )
    only_one: dict[str, Any] = {"date_range": ["2027-01-13T11:00:00Z", "2027-01-13T13:00:00Z"]}
    assert [row[0] for row in await stats.rows(dimensions=["visit:country_name"], **only_one)] == [
        "Afghanistan",
        "Åland Islands",
    ]
    sources = [row[0] for row in await stats.rows(dimensions=["visit:source"], metrics=["bounce_rate"])]
    assert sources == ["Aardvark", "Direct / None", "Hacker News", "Zebra", "Google"]
    systems = await stats.rows(dimensions=["visit:os"], order_by=[["visit:os", "asc"]])
    assert [row[0] for row in systems] == ["(not set)", "Android", "GNU/Linux", "HarmonyOS", "Mac"]


async def test_pages_of_rows(stats: Stats) -> None:
    pages = [
        await stats.query(
            dimensions=["event:page"], include={"total_rows": True}, pagination={"limit": 3, "offset": offset}
        )
        for offset in (0, 3, 6)
    ]
    assert [[row["dimensions"][0] for row in page["results"]] for page in pages] == [
        ["/", "/pricing", "/blog/one"],
        ["/blog/two"],
        [],
    ]
    assert [page["meta"]["total_rows"] for page in pages] == [4, 4, 4]


async def test_labels_of_time(stats: Stats) -> None:
    found = await stats.query(date_range="month", dimensions=["time:day"], include={"time_labels": True})
    labels = found["meta"]["time_labels"]
    assert (len(labels), labels[0], labels[-1]) == (31, "2027-01-01", "2027-01-31")
    assert [row["dimensions"] for row in found["results"]] == [["2027-01-13"], ["2027-01-14"], ["2027-01-15"]]
    trimmed = {"time_labels": True, "trim_relative_date_range": True}
    found = await stats.query(date_range="month", dimensions=["time:day"], include=trimmed)
    assert found["meta"]["time_labels"] == labels[:15]
    found = await stats.query(date_range="day", dimensions=["time"], include=trimmed)
    assert found["meta"]["time_labels"] == [f"2027-01-15 {hour:02}:00:00" for hour in range(9)]
    assert found["query"]["dimensions"] == ["time:hour"]


async def test_nothing_was_imported(stats: Stats) -> None:
    found = await stats.query(include={"imports": True, "total_rows": False})
    assert found["meta"] == {"imports_included": False, "imports_skip_reason": "no_imported_data"}
    assert found["query"]["include"] == {"imports": True}


async def test_hits_without_session_are_told(stats: Stats) -> None:
    await tell(stats.analytics, a_visit("/", "2027-01-14T12:00", first=True))
    found = await stats.query(metrics=["visits", "pageviews"])
    assert found["results"] == [{"metrics": [5, 8], "dimensions": []}]
    assert list(found["meta"]["metric_warnings"]) == ["visits"]
    assert found["meta"]["metric_warnings"]["visits"]["code"] == "hits_without_session"
    assert "metric_warnings" not in (await stats.query(metrics=["pageviews"]))["meta"]


RANGES = [
    ("day", "2027-01-15T00:00:00+00:00", "2027-01-15T23:59:59+00:00"),
    ("24h", "2027-01-14T08:00:00+00:00", "2027-01-15T08:00:00+00:00"),
    ("7d", "2027-01-08T00:00:00+00:00", "2027-01-14T23:59:59+00:00"),
    ("month", "2027-01-01T00:00:00+00:00", "2027-01-31T23:59:59+00:00"),
    ("year", "2027-01-01T00:00:00+00:00", "2027-12-31T23:59:59+00:00"),
    ("6mo", "2026-07-01T00:00:00+00:00", "2026-12-31T23:59:59+00:00"),
    (
        ["2027-01-01T00:00:00Z", "2027-01-01T05:00:00+01:00"],
        "2027-01-01T00:00:00+00:00",
        "2027-01-01T04:00:00+00:00",
    ),
]


async def test_date_ranges(stats: Stats) -> None:
    for name, first, last in RANGES:
        found = await stats.query(date_range=name)
        assert found["query"]["date_range"] == [first, last]


async def test_all_begins_with_the_first_hit(stats: Stats) -> None:
    hit = {"path": "/old", "created_at": "2026-11-03T12:00:00Z"}
    await stats.analytics.api("POST", "/count", json={"no_sessions": True, "hits": [hit]})
    found = await stats.query(date_range="all")
    assert found["query"]["date_range"] == ["2026-11-03T00:00:00+00:00", "2027-01-15T23:59:59+00:00"]


async def test_days_are_those_of_the_sites_zone(stats: Stats) -> None:
    defaults = {"timezone": "DE.Europe/Berlin"}
    changed = await stats.analytics.api("PATCH", f"/sites/{stats.analytics.site.id}", json={"user_defaults": defaults})
    assert changed.status == 200, changed.text
    rows = await stats.query(dimensions=["time:day"])
    assert [(*row["dimensions"], *row["metrics"]) for row in rows["results"]] == [
        ("2027-01-13", 1),
        ("2027-01-14", 1),
        ("2027-01-15", 2),
    ]
    assert rows["query"]["date_range"] == ["2027-01-13T00:00:00+01:00", "2027-01-15T23:59:59+01:00"]
    elsewhere = await stats.query(EXTENDED, dimensions=["time:day"], timezone="America/New_York")
    assert [row["metrics"] for row in elsewhere["results"]] == [[1], [2], [1]]


@pytest.mark.parametrize("zone", [".Nowhere", "Factory", ""])
async def test_days_of_a_site_whose_zone_is_gone_are_those_of_utc(
    stats: Stats, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sites, "is_zone", lambda _name: True)  # as an older version stored it
    site = f"/sites/{stats.analytics.site.id}"
    changed = await stats.analytics.api("PATCH", site, json={"user_defaults": {"timezone": zone}})
    assert changed.json()["user_defaults"]["timezone"] == zone
    monkeypatch.undo()
    for path in ("/api/v2/query", EXTENDED):
        found = await stats.query(path)
        assert found["query"]["date_range"] == ["2027-01-13T00:00:00+00:00", "2027-01-15T23:59:59+00:00"]
        assert found["results"] == [{"metrics": [4], "dimensions": []}]
    again = await stats.analytics.api("PATCH", site, json={"link_domain": "example.com"})
    assert (again.status, again.json()["user_defaults"]["timezone"]) == (200, zone)
    named = await stats.get("/api/v1/sites/stats.example.com")
    assert named.json() == {"domain": "stats.example.com", "timezone": "UTC"}
    await stats.analytics.change_site(public="public")
    for page in ("/sites/1.json", "/sites/1", "/api/v0/stats/total"):
        headers = {"authorization": f"Bearer {stats.analytics.token}", "accept": "text/html"}
        answer = await stats.analytics.ask(page, headers=headers)
        assert (answer.status, "Something went wrong" in answer.text) == (200, False), page


async def test_comparisons(stats: Stats) -> None:
    found = await stats.query(
        EXTENDED,
        metrics=["visitors", "bounce_rate"],
        date_range=["2027-01-14", "2027-01-14"],
        include={"compare": "previous_period"},
    )
    assert found["results"] == [
        {"metrics": [2, 50], "dimensions": [], "comparison": {"metrics": [1, 0], "change": [100, None]}}
    ]
    assert found["query"]["comparison_date_range"] == ["2027-01-13T00:00:00+00:00", "2027-01-13T23:59:59+00:00"]
    found = await stats.query(
        EXTENDED, date_range="day", dimensions=["time:hour"], include={"compare": ["2027-01-14", "2027-01-14"]}
    )
    assert found["query"]["comparison_date_range"] == ["2027-01-14T00:00:00+00:00", "2027-01-14T08:00:00+00:00"]
    assert found["results"] == [
        {
            "metrics": [1],
            "dimensions": ["2027-01-15 07:00:00"],
            "comparison": {"metrics": [0], "change": [100], "dimensions": ["2027-01-14 07:00:00"]},
        }
    ]
    status, message = await stats.refusal(include={"compare": "previous_period"})
    assert (status, message.split(":")[0]) == (400, "#/include")


@pytest.mark.parametrize("chosen", [["0001-01-01", "0001-01-02"], ["9999-12-30", "9999-12-31"]])
async def test_a_comparison_outside_of_the_calendar_is_refused(stats: Stats, chosen: list[str]) -> None:
    status, message = await stats.refusal(
        EXTENDED,
        date_range=["2027-01-17", "2027-01-17"],  # a Sunday
        include={"compare": chosen, "compare_match_day_of_week": True},
    )
    assert (status, message.split(":")[0]) == (400, "#/include/compare")


@pytest.mark.parametrize(
    ("zone", "day", "begin"),
    [
        ("Europe/Berlin", "1880-01-01", "1879-12-31T23:59:32+00:53"),
        ("America/New_York", "1880-01-01", "1880-01-01T00:00:02-04:56"),
        ("Africa/Monrovia", "1970-01-01", "1970-01-01T00:00:30-00:44"),
    ],
)
async def test_moments_are_those_of_rfc_3339_also_where_offsets_had_seconds(
    stats: Stats, zone: str, day: str, begin: str
) -> None:
    found = await stats.query(EXTENDED, date_range=[day, day], timezone=zone)
    sent = found["query"]["date_range"]
    assert sent[0] == begin
    first, last = msgspec.convert(sent, list[datetime])
    assert first == datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    assert (last - first).total_seconds() == 86_399


async def test_several_sites(stats: Stats) -> None:
    created = await stats.analytics.api("PUT", "/sites", json={"cname": "other.example.com"})
    assert created.status == 200, created.text
    names = ["stats.example.com", "other.example.com"]
    assert await stats.rows(EXTENDED, site_id=names, metrics=["visitors", "pageviews"]) == [(4, 7)]
    assert (await stats.refusal(site_id=names))[0] == 400
    assert (await stats.refusal(EXTENDED, site_id=[*names, "third.example.com"]))[0] == 401


async def test_bots_are_asked_about_apart(stats: Stats) -> None:
    await tell(
        stats.analytics, a_visit("/wp-login", "2027-01-14T12:00", bot=5), a_visit("/", "2027-01-14T12:00", bot=4)
    )
    assert await stats.rows(metrics=["events"]) == [(8,)]
    rows = await stats.rows(EXTENDED, bots=True, metrics=["events"], dimensions=["event:page"])
    assert rows == [("/", 1), ("/wp-login", 1)]
    assert (await stats.refusal(bots=True))[0] == 400
