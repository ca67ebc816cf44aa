"""Statistics, byte for byte as the contract writes them (1.7 to 1.12)."""

# ruff: noqa: RUF001  # the contract's quotes

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from support.analytics import Analytics
from support.telling import a_visit, at, tell
from tallystick.model.account import Permission
from tallystick.services.accounts.sites import SiteChanges, update_site

DAY = {"start": "2020-06-18", "end": "2020-06-18T23:59:59Z"}
SIZES = ["phone", "tablet", "desktop", "desktophd", "unknown"]


async def stats(analytics: Analytics, path: str, /, **query: Any) -> Any:
    """What an endpoint answers for one day, unless the query says another."""
    sent = DAY | query
    answer = await analytics.api("GET", f"/stats/{path}?{urlencode(sent)}")
    assert answer.status == 200, answer.text
    return answer.json()


async def link_domain(analytics: Analytics, domain: str) -> None:
    changes = SiteChanges(link_domain=domain)
    await analytics.services.ledger.write(update_site, analytics.site.id, changes, analytics.clock())


async def refusal(analytics: Analytics, path: str) -> tuple[int, Any]:
    answer = await analytics.api("GET", path)
    body = answer.json()
    return answer.status, body.get("error") or body["errors"]


async def test_totals_are_written_as_the_contract_writes_them(analytics: Analytics) -> None:
    await tell(analytics, a_visit("/a"), a_visit("/b", "2020-06-18T10:59:59"), a_visit("click", "2020-06-18T23:00"))
    answer = await analytics.api("GET", f"/stats/total?{urlencode(DAY)}")
    hours = ",\n        ".join("2" if hour == 10 else "1" if hour == 23 else "0" for hour in range(24))
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.text == (
        '{\n  "total": 3,\n  "total_events": 1,\n  "total_utc": 3,\n  "stats": [\n    {\n      "day": "2020-06-18",\n'
        f'      "hourly": [\n        {hours}\n      ],\n'
        '      "daily": 3,\n      "weekly": 3,\n      "monthly": 3\n    }\n  ]\n}\n'
    )


async def test_weeks_and_months_stand_on_their_first_rows_and_are_left_out_when_empty(analytics: Analytics) -> None:
    days = ["2020-06-20", "2020-06-24", "2020-06-29", "2020-07-01", "2020-07-02"]
    await tell(analytics, *(a_visit(when=f"{day}T12:00") for day in days))
    found = await stats(analytics, "total", start="2020-06-15", end="2020-07-12T23:59:59Z")
    rows = found["stats"]
    assert [row["day"] for row in rows][0::27] == ["2020-06-15", "2020-07-12"]
    assert {index: row["weekly"] for index, row in enumerate(rows) if "weekly" in row} == {0: 1, 7: 1, 14: 3}
    assert {row["day"]: row["monthly"] for row in rows if "monthly" in row} == {"2020-06-15": 3, "2020-07-01": 2}
    assert found["total"] == sum(row["daily"] for row in rows) == 5


async def test_a_date_as_the_end_is_its_midnight_for_hours_and_the_whole_day_for_pages(analytics: Analytics) -> None:
    await tell(
        analytics,
        a_visit(when="2020-06-18T00:59:59", browser="Firefox"),
        a_visit("/b", when="2020-06-18T01:00", browser="Chrome"),
    )
    total = await stats(analytics, "total", end="2020-06-18")
    assert (total["total"], total["total_utc"]) == (1, 2)
    browsers = await stats(analytics, "browsers", end="2020-06-18")
    assert sum(row["count"] for row in browsers["stats"]) == 2
    assert (await stats(analytics, "toprefs", end="2020-06-18"))["stats"][0]["count"] == 1


async def test_without_dates_it_is_today_and_the_seven_days_before(analytics: Analytics) -> None:
    today = await stats(analytics, "total", start="", end="")
    assert [row["day"] for row in today["stats"]][0::7] == ["2027-01-08", "2027-01-15"]


async def test_only_first_visits_of_people_count(analytics: Analytics) -> None:
    await tell(analytics, a_visit(by=1), a_visit(when="2020-06-18T10:05", by=1), a_visit(by=2), a_visit(bot=6))
    assert (await stats(analytics, "total"))["total"] == 2


async def test_paths_come_by_visits_then_newest_first_with_their_series(analytics: Analytics) -> None:
    await tell(
        analytics,
        a_visit("/a", title="A"),
        a_visit("/a", "2020-06-18T10:01"),
        a_visit("/a", "2020-06-18T11:01"),
        a_visit("/b"),
        a_visit("click"),
    )
    found = await stats(analytics, "hits")
    a, b, click = 1, 2, 3
    assert [(hit["path_id"], hit["count"]) for hit in found["hits"]] == [(a, 3), (click, 1), (b, 1)]
    assert list(found["hits"][0]) == ["count", "path_id", "path", "event", "title", "max", "stats"]
    assert (found["hits"][0]["path"], found["hits"][0]["title"], found["hits"][1]["event"]) == ("/a", "A", True)
    assert found["hits"][0]["stats"][0]["hourly"][9:13] == [0, 2, 1, 0]
    assert (found["total"], found["more"]) == (5, False)


@pytest.mark.parametrize(
    ("asked", "highest"),
    [
        ({}, 2),
        ({"group": "hour"}, 2),
        ({"group": "day"}, 3),
        ({"daily": "true"}, 3),
        ({"group": "1"}, 3),
        ({"group": "week"}, 4),
        ({"group": "month"}, 5),
        ({"group": "3"}, 5),
    ],
    ids=lambda asked: urlencode(asked) or "nothing" if isinstance(asked, dict) else str(asked),
)
async def test_the_highest_part_is_told_by_group(analytics: Analytics, asked: dict[str, str], highest: int) -> None:
    times = ["01T10:00", "01T10:30", "01T12:00", "03T10:00", "20T10:00"]
    await tell(analytics, *(a_visit(when=f"2020-06-{time}") for time in times))
    found = await stats(analytics, "hits", **{"start": "2020-06-01", "end": "2020-06-30", **asked})
    assert found["hits"][0]["max"] == highest


async def test_a_list_goes_on_by_excluding_what_was_seen(analytics: Analytics) -> None:
    await tell(analytics, *(a_visit(f"/{number}") for number in range(5)))
    seen: list[int] = []
    more = True
    while more:
        found = await stats(analytics, "hits", limit=2, exclude_paths=",".join(map(str, seen)))
        seen += [hit["path_id"] for hit in found["hits"]]
        more = found["more"]
    assert seen == [5, 4, 3, 2, 1]


async def test_a_list_goes_on_behind_a_cursor(analytics: Analytics) -> None:
    await tell(analytics, *(a_visit(f"/{number}") for number in range(5)), a_visit("/3"))
    found = await stats(analytics, "hits", limit=2)
    seen = found["hits"]
    while "next" in found:
        found = await stats(analytics, "hits", limit=2, cursor=found["next"])
        seen += found["hits"]
    assert [hit["path"] for hit in seen] == ["/3", "/4", "/2", "/1", "/0"]


async def test_paths_are_chosen_by_id_and_by_name_in_any_case(analytics: Analytics) -> None:
    await tell(analytics, a_visit("/Some"), a_visit("/b"), a_visit("click"))
    assert (await stats(analytics, "total", include_paths="1, 3"))["total"] == 2
    assert (await stats(analytics, "total", include_paths="/some click", path_by_name="true"))["total"] == 2
    assert (await stats(analytics, "total", include_paths="/none", path_by_name="true"))["total"] == 0
    assert (await stats(analytics, "hits", include_paths="/some,/b", path_by_name="1", exclude_paths="2"))["total"] == 1


async def test_referrers_of_a_path_come_by_visits_then_as_first_seen(analytics: Analytics) -> None:
    reddit = {"ref": "www.reddit.com/r/programming", "ref_scheme": "h"}
    await tell(
        analytics,
        a_visit(ref="z.example", ref_scheme="h"),
        a_visit(when="2020-06-18T11:00", ref="a.example", ref_scheme="h"),
        a_visit(when="2020-06-18T12:00"),
        a_visit(**reddit),
        a_visit(**reddit | {"ref": "www.reddit.com/r/Programming"}),
        a_visit("/b", ref="other.example", ref_scheme="h"),
    )
    found = await stats(analytics, "hits/1")
    assert found == {
        "refs": [
            {"name": "www.reddit.com/r/programming", "count": 2, "ref_scheme": "h"},
            {"name": "", "count": 1, "ref_scheme": "o"},
            {"name": "z.example", "count": 1, "ref_scheme": "h"},
            {"name": "a.example", "count": 1, "ref_scheme": "h"},
        ],
        "more": False,
    }
    assert (await stats(analytics, "hits/1", limit=1, offset=1))["refs"][0]["name"] == ""
    assert (await stats(analytics, "hits/99"))["refs"] == []


async def test_browsers_and_systems_are_their_own_ids(analytics: Analytics) -> None:
    await tell(analytics, a_visit(browser="Firefox", system="Linux"), a_visit("/b", browser="Firefox"), a_visit("/c"))
    assert await stats(analytics, "browsers") == {
        "stats": [{"id": "Firefox", "name": "Firefox", "count": 2}, {"name": "", "count": 1}],
        "more": False,
    }
    assert (await stats(analytics, "systems"))["stats"] == [
        {"name": "", "count": 2},
        {"id": "Linux", "name": "Linux", "count": 1},
    ]


async def test_locations_and_languages_have_names(analytics: Analytics) -> None:
    await tell(
        analytics,
        a_visit(country="NL", language="nld"),
        a_visit("/b", country="NL"),
        a_visit("/c", country="ZZ", language="xyz"),
        a_visit("/d"),
    )
    assert (await stats(analytics, "locations"))["stats"] == [
        {"id": "NL", "name": "Netherlands", "count": 2},
        {"id": "(unknown)", "name": "(unknown)", "count": 1},
        {"id": "ZZ", "name": "Unknown Region", "count": 1},
    ]
    assert (await stats(analytics, "languages"))["stats"] == [
        {"name": "(unknown)", "count": 2},
        {"id": "nld", "name": "Dutch", "count": 1},
        {"id": "xyz", "name": "xyz", "count": 1},
    ]


async def test_sizes_are_always_all_five(analytics: Analytics) -> None:
    widths = [0, 1, 600, 601, 1_000, 1_001, 1_920, 1_921, 4_294_967_295]
    await tell(analytics, *(a_visit(f"/{width}", width=width) for width in widths))
    found = await stats(analytics, "sizes", limit=1, offset=3)
    counts = [2, 2, 2, 2, 1]
    assert found["more"] is False
    assert found["stats"] == [{"id": id_, "name": "", "count": n} for id_, n in zip(SIZES, counts, strict=True)]
    assert [
        row["count"] for row in (await stats(analytics, "sizes", start="2019-01-01", end="2019-01-02"))["stats"]
    ] == [0] * 5


async def test_campaigns_have_numbers_as_ids(analytics: Analytics) -> None:
    await tell(
        analytics,
        a_visit(campaign="Spring", ref="Newsletter", ref_scheme="c"),
        a_visit("/b", campaign="spring"),
        a_visit("/c", campaign="Fall"),
        a_visit("/d"),
    )
    found = await stats(analytics, "campaigns")
    assert found["stats"] == [{"id": "1", "name": "Spring", "count": 2}, {"id": "2", "name": "Fall", "count": 1}]
    assert (await stats(analytics, "campaigns/1"))["stats"] == [
        {"name": "", "count": 1},
        {"name": "Newsletter", "count": 1},
    ]
    assert await refusal(analytics, "/stats/campaigns/x") == (400, {"id": ["must be a whole number"]})


async def test_the_sites_own_referrers_are_left_out_of_the_list_only(analytics: Analytics) -> None:
    await tell(
        analytics,
        a_visit(ref="www.example.com/page", ref_scheme="h"),
        a_visit("/b", ref="Google", ref_scheme="g"),
        a_visit("/c"),
    )
    await link_domain(analytics, "https://www.Example.com/")
    found = await stats(analytics, "toprefs")
    assert found["stats"] == [
        {"name": "", "count": 1, "ref_scheme": "o"},
        {"id": "Google", "name": "Google", "count": 1, "ref_scheme": "g"},
    ]
    assert len((await stats(analytics, "hits/1"))["refs"]) == 1


async def test_only_the_sites_own_address_is_left_out(analytics: Analytics) -> None:
    own = ["example.co", "Example.co/x", "example.co:8080/x", "example.co?x", "example.co#x"]
    others = ["example.com/x", "example.co.uk/y", "example.cologne", "www.example.co", "notexample.co", "example.c"]
    await tell(analytics, *(a_visit(ref=ref, ref_scheme="h") for ref in own + others))
    for domain in ("https://example.co", "EXAMPLE.co", "https://example.co/", "http://example.co:80"):
        await link_domain(analytics, domain)
        found = await stats(analytics, "toprefs")
        assert {row["name"] for row in found["stats"]} == set(others), domain
    await link_domain(analytics, "https://example.co/x")
    assert len((await stats(analytics, "toprefs"))["stats"]) == len(own + others) - 1


CHATGPT: list[dict[str, Any]] = [
    {"r": "https://chatgpt.com/"},
    {"r": "https://chatgpt.com"},
    {"r": "https://ChatGPT.com./"},
    {"r": "https://chatgpt.com:443/?model=x"},
    {"r": "http://chatgpt.com:80/"},
    {"r": "//chatgpt.com/"},
    {"r": "chatgpt.com"},
    {"r": "chatgpt.com/"},
    {"r": "chatgpt.com?x=1"},
    {"q": "?utm_source=chatgpt.com"},
    {"q": "?utm_source=chatgpt.com/"},
    {"q": "?ref=https://chatgpt.com/"},
    {"q": "?utm_source=chatgpt.com&utm_campaign=spring"},
    {"r": "https://chatgpt.com/", "q": "?utm_campaign=spring"},
]


async def test_one_place_is_one_referrer_however_it_is_named(analytics: Analytics) -> None:
    for number, sent in enumerate(CHATGPT):
        await analytics.pixel(p=f"/{number}", **sent)
    today = {"start": "2027-01-15", "end": "2027-01-15T23:59:59Z"}
    [row] = (await stats(analytics, "toprefs", **today))["stats"]
    assert (row["id"], row["count"], row["ref_scheme"]) == ("chatgpt.com", len(CHATGPT), "h")
    assert len((await stats(analytics, "toprefs/chatgpt.com", **today))["stats"]) == len(CHATGPT)
    assert (await stats(analytics, "total", ref=row["id"], **today))["total"] == len(CHATGPT)
    [of_campaign] = (await stats(analytics, "campaigns/1", **today))["stats"]
    assert of_campaign == {"name": "chatgpt.com", "count": 2}


async def test_a_campaign_without_a_source_has_no_referrer_of_its_own(analytics: Analytics) -> None:
    await analytics.pixel(p="/a", q="?utm_campaign=spring")
    await analytics.pixel(p="/b")
    found = await stats(analytics, "toprefs", start="2027-01-15", end="2027-01-15T23:59:59Z")
    assert found["stats"] == [{"name": "", "count": 2, "ref_scheme": "o"}]


@pytest.mark.parametrize(
    ("page", "rows"),
    [
        ("browsers/firefox", [("Firefox", 1), ("Firefox 79", 1)]),
        ("systems/Linux", [("Linux", 2)]),
        ("locations/us", [("(unknown)", 1), ("US-TX", 1)]),
        ("locations/(unknown)", []),
        ("sizes/desktop", [("↔\N{VARIATION SELECTOR-15} 1024px", 1), ("↔\N{VARIATION SELECTOR-15} 1920px", 1)]),
        ("toprefs/" + quote("www.reddit.com/r/x", safe=""), [("/a", 1), ("/b", 1)]),
        ("toprefs/www.reddit.com/R/x", [("/a", 1), ("/b", 1)]),
    ],
)
async def test_rows_of_a_page_have_details(analytics: Analytics, page: str, rows: list[tuple[str, int]]) -> None:
    common = {"browser": "Firefox", "system": "Linux", "country": "US", "ref": "www.reddit.com/r/x", "ref_scheme": "h"}
    await tell(
        analytics,
        a_visit("/b", **common, browser_version="79", region="TX", width=1_920),
        a_visit("/a", **common, width=1_024),
    )
    found = await stats(analytics, page)
    assert found == {"stats": [{"name": name, "count": count} for name, count in rows], "more": False}


FILTERS: list[tuple[str, str, list[str]]] = [
    ("path", "/B", ["/b"]),
    ("path", "/none", []),
    ("ref", "google", ["/a"]),
    ("ref", "(unknown)", ["/b", "click"]),
    ("country", "nl", ["/a", "/b"]),
    ("country", "(unknown)", ["click"]),
    ("browser", "FIREFOX", ["/a"]),
    ("system", "linux", ["/b"]),
    ("language", "nld", ["/b"]),
    ("size", "phone", ["/a"]),
    ("size", "unknown", ["/b", "click"]),
    ("campaign", "SPRING", ["/b"]),
    ("campaign", "1", ["/b"]),
    ("campaign", "none", []),
    ("campaign", "(unknown)", ["/a", "click"]),
    ("event", "true", ["click"]),
    ("event", "0", ["/a", "/b"]),
]


async def test_every_statistic_takes_every_filter(analytics: Analytics) -> None:
    await tell(
        analytics,
        a_visit("/a", ref="Google", ref_scheme="g", country="NL", browser="Firefox", width=300),
        a_visit("/b", country="NL", system="Linux", language="nld", campaign="Spring"),
        a_visit("click"),
    )
    for name, value, paths in FILTERS:
        asked = {name: value}
        total = await stats(analytics, "total", **asked)
        assert total["total"] == total["total_utc"] == len(paths), asked
        assert sorted(hit["path"] for hit in (await stats(analytics, "hits", **asked))["hits"]) == paths, asked
        for page in ("browsers", "systems", "locations", "languages", "sizes", "toprefs"):
            assert sum(row["count"] for row in (await stats(analytics, page, **asked))["stats"]) == len(paths), asked
        assert len((await stats(analytics, "campaigns", **asked))["stats"]) == ("/b" in paths), asked
        assert len((await stats(analytics, "hits/1", **asked))["refs"]) == ("/a" in paths), asked
        for page in ("locations/NL", "campaigns/1", "toprefs/Google"):
            found = await stats(analytics, page, **(asked if name not in ("country", "campaign", "ref") else {}))
            assert sum(row["count"] for row in found["stats"]) <= 2, asked


async def test_filters_combine(analytics: Analytics) -> None:
    await tell(
        analytics,
        a_visit("/a", country="NL", browser="Firefox"),
        a_visit("/b", country="NL", browser="Chrome"),
        a_visit("/c", country="DE", browser="Firefox"),
    )
    assert (await stats(analytics, "total", country="NL", browser="Firefox"))["total"] == 1
    assert (await stats(analytics, "total", country="NL", browser="Firefox", path="/b"))["total"] == 0


async def test_days_and_hours_are_those_of_the_zone_asked_for(analytics: Analytics) -> None:
    # In Berlin clocks went from 02:00 to 03:00 on 2020-03-29.
    await tell(analytics, a_visit(when="2020-03-28T23:30"), a_visit(when="2020-03-29T01:30"))
    await tell(analytics, a_visit(when="2020-03-29T21:59:59"), a_visit(when="2020-03-29T22:00"))
    found = await stats(analytics, "total", start="2020-03-29", end="2020-03-29T21:59:59Z", timezone="Europe/Berlin")
    assert [(row["day"], row["daily"]) for row in found["stats"]] == [("2020-03-29", 3)]
    assert {hour for hour, visits in enumerate(found["stats"][0]["hourly"]) if visits} == {0, 3, 23}
    assert found["total"] == found["total_utc"] == 3


async def test_sessions_are_told_when_asked_for(analytics: Analytics) -> None:
    await tell(
        analytics,
        a_visit("/a", "2020-06-18T10:00", by=1, country="NL"),
        a_visit("/b", "2020-06-18T10:02", by=1, country="NL"),
        a_visit("/a", "2020-06-18T10:03", by=1, country="NL"),
        a_visit("/a", "2020-06-18T10:00", by=2),
        a_visit("click", "2020-06-18T10:00", by=3),
        a_visit("/a", "2020-06-18T10:00"),
    )
    every = "visitors,pageviews,bounce_rate,visit_duration"
    found = await stats(analytics, "total", metrics=every)
    assert list(found)[4:] == every.split(",")
    assert [found[name] for name in every.split(",")] == [3, 5, 66.7, 60]
    on_b = await stats(analytics, "total", metrics=every, path="/b")
    assert [on_b[name] for name in every.split(",")] == [1, 1, 0.0, 180]
    nobody = await stats(analytics, "total", metrics=every, country="DE")
    assert [nobody[name] for name in every.split(",")] == [0, 0, None, None]
    rows = (await stats(analytics, "hits", metrics="visitors pageviews"))["hits"]
    assert {row["path"]: (row["count"], row["visitors"], row["pageviews"]) for row in rows} == {
        "/a": (3, 2, 4),
        "/b": (1, 1, 1),
        "click": (1, 1, 0),
    }
    rows = (await stats(analytics, "locations", metrics="visitors"))["stats"]
    assert {row["id"]: (row["count"], row["visitors"]) for row in rows} == {"(unknown)": (3, 2), "NL": (2, 1)}
    rows = (await stats(analytics, "toprefs", metrics="pageviews"))["stats"]
    assert [row["pageviews"] for row in rows] == [5]


async def test_paths_are_listed_by_id(analytics: Analytics) -> None:
    await tell(analytics, a_visit("/z", title="Z"), a_visit("click"), a_visit("/a"))
    answer = await analytics.api("GET", "/paths?limit=2")
    assert answer.json() == {
        "paths": [
            {"id": 1, "path": "/z", "title": "Z", "event": False},
            {"id": 2, "path": "click", "title": "", "event": True},
        ],
        "more": True,
    }
    assert list(answer.json()["paths"][0]) == ["id", "path", "title", "event"]
    assert [path["id"] for path in (await analytics.api("GET", "/paths/?Limit=2&After=2")).json()["paths"]] == [3]
    first_counts = (await analytics.api("GET", "/paths?Limit=1&limit=x&Limit=2")).json()["paths"]
    assert [path["id"] for path in first_counts] == [1]


@pytest.mark.parametrize("name", ["/de/%C3%BCber", "/de/über", "/DE/%c3%bcber"])
@pytest.mark.parametrize("counted", ["/de/%C3%BCber", "/de/über"])
async def test_a_path_is_named_by_each_of_its_spellings(analytics: Analytics, counted: str, name: str) -> None:
    await tell(analytics, a_visit(counted), a_visit("/b"))
    assert (await stats(analytics, "total", include_paths=name, path_by_name="true"))["total"] == 1
    assert (await stats(analytics, "total", path=name))["total"] == 1
    [other] = (await stats(analytics, "hits", exclude_paths=name, path_by_name="true"))["hits"]
    assert other["path"] == "/b"


@pytest.mark.parametrize("name", ["/caf%E9", "/caf%25E9"])
async def test_a_path_is_named_by_bytes_that_are_no_utf8(analytics: Analytics, name: str) -> None:
    await tell(analytics, a_visit("/caf%E9"), a_visit("/caf%E8"))
    found = await analytics.api("GET", f"/stats/total?{urlencode(DAY)}&include_paths={name}&path_by_name=true")
    assert found.json()["total"] == 1


async def test_where_both_spellings_are_pages_each_is_its_own(analytics: Analytics) -> None:
    await tell(analytics, a_visit("/%C3%BC"), a_visit("/ü"), a_visit("/ü"))
    for name, visits in (("/%C3%BC", 1), ("/ü", 2)):
        assert (await stats(analytics, "total", path=name))["total"] == visits


async def test_a_long_query_is_read_on_a_thread_and_a_longer_one_refused(analytics: Analytics) -> None:
    await tell(analytics, a_visit("/a"))
    ids = ",".join(map(str, range(1, 4_000)))
    assert (await stats(analytics, "total", include_paths=ids))["total"] == 1
    assert await refusal(analytics, "/stats/total?" + "%" * 60_000) == (400, f'unknown parameter: "{"%" * 60_000}"')
    assert await refusal(analytics, "/stats/total?" + "%" * 70_000) == (414, "the query is longer than 65536 bytes")


@pytest.mark.parametrize("limit", ["0", "-5", "1000"])
async def test_limits_are_clamped(analytics: Analytics, limit: str) -> None:
    await tell(analytics, *(a_visit(f"/{number}", browser=f"Browser {number}") for number in range(101)))
    wanted = 100 if limit == "1000" else 1
    assert len((await stats(analytics, "hits", limit=limit))["hits"]) == wanted
    assert len((await stats(analytics, "browsers", limit=limit))["stats"]) == wanted
    listed = (await analytics.api("GET", f"/paths?limit={limit}")).json()["paths"]
    assert len(listed) == (101 if limit == "1000" else 1)


WITHOUT_SENSE: list[tuple[str, Any]] = [
    ("/stats/total?x=1", 'unknown parameter: "x"'),
    ("/stats/total?limit=1", 'unknown parameter: "limit"'),
    ("/stats/hits?after=1", 'unknown parameter: "after"'),
    ("/stats/hits/1?filter=a", 'unknown parameter: "filter"'),
    ("/paths?start=2020-01-01", 'unknown parameter: "start"'),
    ("/stats/hits?include_paths=1,x", "invalid number in include_paths: x"),
    ("/stats/hits?exclude_paths=x", "invalid number in exclude_paths: x"),
    ("/stats/browsers?limit=x", "invalid query parameters"),
    ("/stats/browsers?offset=1.5", "invalid query parameters"),
    ("/stats/total?start=2020-01-01+10:00:00", "invalid query parameters"),
    ("/stats/total?start=0001-01-01&end=9999-12-31", "invalid query parameters"),
    ("/stats/total?timezone=Europe/Nowhere", "invalid query parameters"),
    ("/stats/total?timezone=../../etc/passwd", "invalid query parameters"),
    ("/stats/total?timezone=Europe", "invalid query parameters"),
    ("/stats/total?timezone=right/UTC", "invalid query parameters"),
    ("/stats/total?timezone=localtime", "invalid query parameters"),
    ("/stats/total?metrics=visitors,x", "invalid query parameters"),
    ("/stats/hits?metrics=bounce_rate", "invalid query parameters"),
    ("/stats/hits?group=year", "invalid query parameters"),
    ("/stats/hits?cursor=x", "invalid query parameters"),
    ("/stats/total?size=huge", "invalid query parameters"),
    ("/stats/sizes/huge", {"id": ["must be one of ‘phone, tablet, desktop, desktophd, unknown’"]}),
    ("/stats/hits/x", {"path_id": ["must be a whole number"]}),
    (
        "/stats/x",
        {"page": ["must be one of ‘browsers, systems, locations, languages, sizes, campaigns, toprefs’"]},
    ),
    (
        "/stats/languages/nld",
        {"page": ["must be one of ‘browsers, systems, locations, sizes, campaigns, toprefs’"]},
    ),
]


async def test_what_makes_no_sense_is_refused(analytics: Analytics) -> None:
    for path, error in WITHOUT_SENSE:
        status, said = await refusal(analytics, path)
        assert status == 400, (path, error)
        assert said == error or (isinstance(error, str) and said.startswith(f"{error}: ")), (path, error)


async def test_a_page_that_there_is_not_is_said_before_the_token_is_looked_at(analytics: Analytics) -> None:
    assert (await analytics.api("GET", "/stats/x", token=None)).status == 400
    assert (await analytics.api("GET", "/stats/browsers", token=None)).status == 401


async def test_statistics_need_their_own_permission(analytics: Analytics) -> None:
    token = await analytics.new_token(Permission.COUNT)
    for path in ("/paths", "/stats/total", "/stats/hits", "/stats/hits/1", "/stats/browsers", "/stats/browsers/x"):
        answer = await analytics.api("GET", path, token=token)
        assert (answer.status, answer.json()) == (403, {"error": "requires 'stats' permissions"})


async def test_a_century_is_answered_with_fewer_paths(analytics: Analytics) -> None:
    await tell(analytics, a_visit("/a"), a_visit("/b"))
    found = await stats(analytics, "hits", start="1900-01-01", end="2020-12-31")
    assert (len(found["hits"]), found["more"]) == (1, True)
    assert at(found["hits"][0]["stats"][-1]["day"]) == at("2020-12-31")


ANY_TEXTS: list[str] = ["\x00", "a\x00b", "%ff", "\ufffd", "'; DROP TABLE hit; --", "$site", ":site", "%", "a" * 5_000]


async def test_any_text_may_be_asked_for(analytics: Analytics) -> None:
    await tell(analytics, a_visit())
    for text in ANY_TEXTS:
        for name in ("path", "ref", "country", "browser", "system", "language", "campaign"):
            assert (await stats(analytics, "total", **{name: text}))["total"] == 0, text
        for page in ("browsers", "locations", "toprefs"):
            found = await stats(analytics, f"{page}/{quote(text, safe='')}")
            assert found == {"stats": [], "more": False}, text
        assert (await stats(analytics, "hits", include_paths=text, path_by_name="true"))["hits"] == [], text


ANY_NUMBERS: list[str] = [
    "hits?cursor=9999999999999999999-9999999999999999999",
    "hits?include_paths=999999999999999999",
    "hits?exclude_paths=-1,999999999999999999",
    "hits/999999999999999999",
    "toprefs?offset=999999999999999999",
    "campaigns/999999999999999999",
    "total?campaign=999999999999999999",
]


async def test_any_number_may_be_asked_for(analytics: Analytics) -> None:
    await tell(analytics, a_visit("/a"))
    for query in ANY_NUMBERS:
        assert (await analytics.api("GET", f"/stats/{query}")).status == 200, query


@pytest.mark.parametrize("zone", ["Pacific/Apia", "Asia/Kathmandu", "ID.Asia/Makassar", ".UTC"])
async def test_a_period_may_end_long_before_it_begins(analytics: Analytics, zone: str) -> None:
    found = await stats(analytics, "total", start="9999-12-31", end="0001-01-01", timezone=zone)
    assert found == {"total": 0, "total_events": 0, "total_utc": 0, "stats": []}
