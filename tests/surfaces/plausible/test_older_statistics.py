"""The older statistics, ``/api/v1/stats`` (contract 5)."""

from typing import Any

from support.telling import a_visit, tell
from tallystick.model.account import Permission
from tallystick.model.goal import Goal
from tallystick.model.props import encoded
from tallystick.services.analytics.kept.goals import create_goal

from .conftest import Stats

CUSTOM = {"period": "custom", "date": "2027-01-13,2027-01-15"}


async def ask(stats: Stats, what: str, **query: Any) -> Any:
    """The results for the three days, unless the query says otherwise."""
    sent = {"site_id": "stats.example.com", **({} if "period" in query else CUSTOM), **query}
    answer = await stats.get(f"/api/v1/stats/{what}", **sent)
    assert answer.status == 200, answer.text
    found = answer.json()
    return found["results"] if isinstance(found, dict) else found


async def refusal(stats: Stats, what: str, **query: Any) -> tuple[int, str]:
    answer = await stats.get(f"/api/v1/stats/{what}", **({"site_id": "stats.example.com"} | query))
    found = answer.json()
    assert list(found) == ["error"]
    return answer.status, found["error"]


async def test_aggregate(stats: Stats) -> None:
    assert await ask(stats, "aggregate") == {"visitors": {"value": 4}}
    names = "visitors,visits,pageviews,views_per_visit,bounce_rate,visit_duration,events"
    assert await ask(stats, "aggregate", metrics=names) == {
        "visitors": {"value": 4},
        "visits": {"value": 4},
        "pageviews": {"value": 7},
        "views_per_visit": {"value": 1.75},
        "bounce_rate": {"value": 50},
        "visit_duration": {"value": 240},
        "events": {"value": 8},
    }


async def test_aggregate_compared(stats: Stats) -> None:
    found = await ask(
        stats, "aggregate", period="day", date="2027-01-14", metrics="visitors,bounce_rate,visit_duration,pageviews",
        compare="previous_period",
    )  # fmt: skip
    assert found == {
        "visitors": {"value": 2, "comparison_value": 1, "change": 100},
        "bounce_rate": {"value": 50, "comparison_value": 0, "change": None},
        "visit_duration": {"value": 300, "comparison_value": 360, "change": -17},
        "pageviews": {"value": 3, "comparison_value": 3, "change": 0},
    }
    found = await ask(
        stats, "aggregate", period="day", date="2027-01-15", metrics="visitors,bounce_rate", compare="previous_period"
    )
    assert found["bounce_rate"] == {"value": 100, "comparison_value": 50, "change": 50}
    found = await ask(stats, "aggregate", period="day", date="2027-01-10", compare="previous_period")
    assert found == {"visitors": {"value": 0, "comparison_value": 0, "change": 0}}


async def test_a_whole_month_is_compared_with_as_many_days_just_before(stats: Stats) -> None:
    await tell(stats.analytics, a_visit("/", "2026-12-01T00:00", by=21), a_visit("/", "2026-12-31T23:59", by=22))
    found = await ask(stats, "aggregate", period="month", compare="previous_period")
    assert found == {"visitors": {"value": 4, "comparison_value": 2, "change": 100}}


SERIES = [
    ({"period": "7d"}, "2027-01-08", "2027-01-14", 7),
    ({"period": "7d", "date": "2027-01-14"}, "2027-01-07", "2027-01-13", 7),
    ({"period": "30d"}, "2026-12-16", "2027-01-14", 30),
    ({"period": ""}, "2026-12-16", "2027-01-14", 30),
    ({"period": "month"}, "2027-01-01", "2027-01-31", 31),
    ({"period": "month", "date": "2026-02-10"}, "2026-02-01", "2026-02-28", 28),
    ({"period": "6mo"}, "2026-08-01", "2027-01-01", 6),
    ({"period": "12mo", "date": "2027-01-31"}, "2026-02-01", "2027-01-01", 12),
    ({"period": "day"}, "2027-01-15 00:00:00", "2027-01-15 23:00:00", 24),
    ({"period": "day", "interval": "date"}, "2027-01-15", "2027-01-15", 1),
    ({"period": "custom", "date": "2027-01-01, 2027-01-15"}, "2027-01-01", "2027-01-15", 15),
    ({"period": "custom", "date": "2019-01-01,2027-01-15"}, "2019-01-01", "2027-01-15", 2_937),
    ({"period": "custom", "date": "2026-12-10,2027-01-15", "interval": "month"}, "2026-12-01", "2027-01-01", 2),
    ({"period": "6mo", "interval": "day"}, "2026-08-01", "2027-01-31", 184),
]


async def test_series_have_every_unit_of_time(stats: Stats) -> None:
    for query, first, last, count in SERIES:
        rows = await ask(stats, "timeseries", **query)
        assert (rows[0]["date"], rows[-1]["date"], len(rows)) == (first, last, count), query
        assert len({row["date"] for row in rows}) == count


async def test_series_have_zeros_where_there_is_nothing(stats: Stats) -> None:
    rows = await ask(stats, "timeseries", period="7d", metrics="visitors,visit_duration,bounce_rate")
    assert rows[4:] == [
        {"date": "2027-01-12", "visitors": 0, "visit_duration": None, "bounce_rate": 0},
        {"date": "2027-01-13", "visitors": 1, "visit_duration": 360, "bounce_rate": 0},
        {"date": "2027-01-14", "visitors": 2, "visit_duration": 300, "bounce_rate": 50},
    ]


BREAKDOWNS = [
    ({"property": "visit:source"}, [{"source": "Google", "visitors": 2}, {"source": "Direct / None", "visitors": 1},
                                    {"source": "Hacker News", "visitors": 1}]),
    ({"property": "event:page", "metrics": "visitors,pageviews", "limit": "2"},
     [{"page": "/", "visitors": 3, "pageviews": 3}, {"page": "/pricing", "visitors": 2, "pageviews": 2}]),
    ({"property": "event:page", "limit": "3", "page": "2"}, [{"page": "/blog/two", "visitors": 1}]),
    ({"property": "event:page", "limit": "3", "page": "3"}, []),
    ({"property": "visit:country"}, [{"country": "US", "visitors": 2}, {"country": "DE", "visitors": 1}]),
    ({"property": "visit:region"}, [{"region": "US-CA", "visitors": 1}]),
    ({"property": "visit:city"}, []),
    ({"property": "visit:utm_source"}, [{"utm_source": "google", "visitors": 1}]),
    ({"property": "visit:utm_campaign"}, [{"utm_campaign": "spring", "visitors": 1}]),
    ({"property": "visit:browser"}, [{"browser": "(not set)", "visitors": 2}, {"browser": "Chrome", "visitors": 1},
                                     {"browser": "Firefox", "visitors": 1}]),
    ({"property": "visit:entry_page", "metrics": "visitors,visit_duration"},
     [{"entry_page": "/", "visitors": 2, "visit_duration": 180},
      {"entry_page": "/blog/two", "visitors": 1, "visit_duration": 0},
      {"entry_page": "/pricing", "visitors": 1, "visit_duration": 600}]),
    ({"property": "visit:os_version"}, [{"os_version": "(not set)", "os": "(not set)", "visitors": 2},
                                        {"os_version": "(not set)", "os": "GNU/Linux", "visitors": 1},
                                        {"os_version": "(not set)", "os": "Mac", "visitors": 1}]),
    ({"property": "event:goal"}, [{"goal": "Signup", "visitors": 1}]),
    ({"property": "event:name"}, [{"name": "pageview", "visitors": 4}, {"name": "Signup", "visitors": 1}]),
    ({"property": "event:goal", "metrics": "visitors,conversion_rate"},
     [{"goal": "Signup", "visitors": 1, "conversion_rate": 25.0}]),
]  # fmt: skip


async def test_breakdown(stats: Stats) -> None:
    for query, rows in BREAKDOWNS:
        assert await ask(stats, "breakdown", **query) == rows, query


async def test_the_keys_of_a_breakdown_begin_with_the_property(stats: Stats) -> None:
    sent = {"site_id": "stats.example.com", **CUSTOM, "property": "visit:source", "limit": "1"}
    answer = await stats.get("/api/v1/stats/breakdown", **sent)
    assert answer.text == '{"results":[{"source":"Google","visitors":2}]}'


FILTERS = [
    ("visit:source==Google", 2),
    ("visit:source==Google|Hacker News", 3),
    ("visit:source!=Google", 2),
    ("visit:source==Direct / None", 1),
    ("visit:source==Google;visit:country==US", 1),
    ("visit:country==US|DE", 3),
    ("event:page==/blog*", 2),
    ("event:page==/blog/*|/pricing", 3),
    ("event:page==/bl", 0),
    ("event:page!=/blog*", 3),
    ("event:page==*", 4),
    ("event:page==/pri.ing", 0),
    ("event:goal==Signup", 1),
    ("event:goal==Visit /blog/*", 2),
    ("event:goal==Signup|Visit /blog/two", 2),
    ("event:name==Signup", 1),
    ("visit:os==Mac", 1),
    ("visit:source==Goo\\|gle", 0),
    ("no operator;visit:source==Google", 2),
    ("", 4),
    (";;", 4),
]


async def test_filters(stats: Stats) -> None:
    for filters, visitors in FILTERS:
        assert await ask(stats, "aggregate", filters=filters) == {"visitors": {"value": visitors}}, filters


async def test_a_bar_behind_a_backslash_is_a_bar(stats: Stats) -> None:
    await tell(stats.analytics, a_visit("/a|b", "2027-01-13T12:00", by=31, source="A|B"))
    assert await ask(stats, "aggregate", filters="visit:source==A\\|B") == {"visitors": {"value": 1}}
    assert await ask(stats, "aggregate", filters="event:page==/a\\|*") == {"visitors": {"value": 1}}
    assert await ask(stats, "aggregate", filters="visit:source!=A|B") == {"visitors": {"value": 4}}


async def test_conversions(stats: Stats) -> None:
    found = await ask(stats, "aggregate", filters="event:goal==Signup", metrics="visitors,conversion_rate,events")
    assert found == {"visitors": {"value": 1}, "conversion_rate": {"value": 25.0}, "events": {"value": 1}}


async def test_visitors_now_are_a_bare_number(stats: Stats) -> None:
    answer = await stats.get("/api/v1/stats/realtime/visitors", site_id="stats.example.com")
    assert (answer.status, answer.body) == (200, b"1")
    stats.analytics.clock.advance(seconds=119)
    assert await ask(stats, "realtime/visitors") == 1
    stats.analytics.clock.advance(seconds=1)
    assert await ask(stats, "realtime/visitors") == 0


REFUSALS = [
    ("aggregate", {"period": "year"}, "period"),
    ("aggregate", {"period": "realtime"}, "period"),
    ("aggregate", {"period": "custom"}, "date"),
    ("aggregate", {"period": "custom", "date": "2027-01-01"}, "two dates"),
    ("aggregate", {"period": "custom", "date": "2027-01-02,2027-01-01"}, "2027-01-02 is after 2027-01-01"),
    ("aggregate", {"period": "custom", "date": "1027-01-02,2027-01-01"}, "at most 50,000 days"),
    ("aggregate", {"period": "day", "date": "20270101"}, "date"),
    ("aggregate", {"period": "day", "date": "yesterday"}, "date"),
    ("aggregate", {"period": "12mo", "date": "0001-01-01"}, "date: periods lie in the years 2 to 9998"),
    ("aggregate", {"period": "12mo", "date": "0002-10-01"}, "date: periods lie in the years 2 to 9998"),
    ("aggregate", {"period": "7d", "date": "0002-01-03"}, "date: periods lie in the years 2 to 9998"),
    ("aggregate", {"period": "month", "date": "9999-12-31"}, "date: periods lie in the years 2 to 9998"),
    ("aggregate", {"period": "day", "date": "9999-12-31"}, "date: periods lie in the years 2 to 9998"),
    ("timeseries", {"period": "custom", "date": "0001-01-01,0001-01-05"}, "date: periods lie in the years 2 to 9998"),
    ("timeseries", {"period": "custom", "date": "9999-12-30,9999-12-31"}, "date: periods lie in the years 2 to 9998"),
    (
        "aggregate",
        {"period": "day", "date": "0002-01-01", "compare": "previous_period"},
        "compare: periods lie in the years 2 to 9998",
    ),
    ("aggregate", {"metrics": "time_on_page"}, "metrics"),
    ("aggregate", {"metrics": "visitors,visitors"}, "metrics"),
    ("aggregate", {"metrics": "visitors,"}, "metrics"),
    ("aggregate", {"compare": "year"}, "compare"),
    ("aggregate", {"filters": "visit:nothing==x"}, "visit:nothing"),
    ("aggregate", {"filters": "visit:country==Germany"}, "two-letter"),
    ("aggregate", {"filters": "event:goal!=Signup"}, "event:goal"),
    ("aggregate", {"filters": "event:goal==Never seen"}, "Never seen"),
    ("aggregate", {"metrics": "conversion_rate"}, "conversion_rate"),
    ("aggregate", {"metrics": "bounce_rate", "filters": "event:name==Signup"}, "bounce_rate"),
    ("aggregate", {"metrics": "views_per_visit", "filters": "event:page==/"}, "views_per_visit"),
    ("timeseries", {"interval": "week"}, "interval"),
    ("breakdown", {}, "property"),
    ("breakdown", {"property": "visit:medium"}, "visit:medium"),
    ("breakdown", {"property": "event:entry_page"}, "event:entry_page"),
    ("breakdown", {"property": "event:hostname"}, "event:hostname"),
    ("breakdown", {"property": "time:day"}, "time:day"),
    ("breakdown", {"property": "visit:source", "limit": "0"}, "limit"),
    ("breakdown", {"property": "visit:source", "limit": "1001"}, "limit"),
    ("breakdown", {"property": "visit:source", "page": "0"}, "page"),
    ("breakdown", {"property": "visit:source", "page": "x"}, "page"),
    ("breakdown", {"property": "visit:source", "metrics": "views_per_visit"}, "views_per_visit"),
    ("breakdown", {"property": "event:goal", "metrics": "bounce_rate"}, "bounce_rate"),
    ("breakdown", {"property": "event:name", "metrics": "visit_duration"}, "visit_duration"),
    ("realtime/visitors", {"filters": "x==y"}, "x"),
]


async def test_refusals(stats: Stats) -> None:
    for what, query, word in REFUSALS:
        status, message = await refusal(stats, what, **query)
        assert (status, word in message) == (400, True), (what, query, message)


async def test_properties(stats: Stats) -> None:
    for hour, plan in enumerate(("pro", "pro", "it's | free")):
        await tell(
            stats.analytics, a_visit("Bought", f"2027-01-14T0{hour}:00", by=20 + hour, props=encoded({"plan": plan}))
        )
    found = await ask(stats, "breakdown", property="event:props:plan", metrics="visitors,events")
    assert found == [
        {"plan": "(none)", "visitors": 4, "events": 8},
        {"plan": "pro", "visitors": 2, "events": 2},
        {"plan": "it's | free", "visitors": 1, "events": 1},
    ]
    assert await ask(stats, "breakdown", property="event:props:visit:x") == [{"visit:x": "(none)", "visitors": 7}]
    for filters, visitors in (
        ("event:props:plan==pro", 2),
        ("event:props:plan==pro|it's \\| free", 3),
        ("event:props:plan!=pro", 5),
        ("event:props:plan==(none)", 4),
        ("event:props:plan!=(none);event:goal==Bought", 3),
        ("event:props:plan==*free", 1),
        ("event:props:plan==p*|*free", 3),
        ("event:props:nothing==x", 0),
    ):
        assert await ask(stats, "aggregate", filters=filters) == {"visitors": {"value": visitors}}, filters
    by_goal = {"filters": "event:goal==Bought", "property": "event:props:plan", "metrics": "visitors,conversion_rate"}
    assert (await ask(stats, "breakdown", **by_goal))[0] == {"plan": "pro", "visitors": 2, "conversion_rate": 28.57}
    for query in ({"filters": "event:props:plan==pro"}, {"property": "event:props:plan"}):
        what = "breakdown" if "property" in query else "aggregate"
        status, message = await refusal(stats, what, metrics="visitors,bounce_rate", **query)
        assert (status, "bounce_rate" in message) == (400, True)
    assert (await refusal(stats, "breakdown", property="event:props:"))[0] == 400
    many = "|".join(map(str, range(1_001)))
    assert await refusal(stats, "aggregate", filters=f"event:goal=={many}") == (
        400,
        "filters: event:goal takes at most 1000 values",
    )
    assert (await refusal(stats, "aggregate", filters="event:props:==pro"))[0] == 400


async def test_configured_goals(stats: Stats) -> None:
    site, ledger = stats.analytics.site.id, stats.analytics.services.ledger
    for name, fields in {
        "Registration": {"event": "Signup"},
        "Read": {"page": "/blog/*"},
        "a*|b": {"page": "/pricing"},
    }.items():
        await ledger.write(create_goal, Goal(site=site, name=name, **fields), 1)  # type: ignore[arg-type]
    assert await ask(stats, "breakdown", property="event:goal", metrics="visitors,events,conversion_rate") == [
        {"goal": "Read", "visitors": 2, "events": 2, "conversion_rate": 50.0},
        {"goal": "a*|b", "visitors": 2, "events": 2, "conversion_rate": 50.0},
        {"goal": "Registration", "visitors": 1, "events": 1, "conversion_rate": 25.0},
    ]
    for filters, visitors in (
        ("event:goal==Registration", 1),
        ("event:goal==Registration|Read", 2),
        ("event:goal==Signup", 1),
        ("event:goal==R*", 2),
        ("event:goal==*ea*|Visit /pricing", 3),
        ("event:goal==a*\\|b", 2),
        ("event:goal==Registration;event:goal==Read", 0),
        ("event:goal==Nothing*", 0),
        ("event:goal==*g*", 1),
    ):
        assert await ask(stats, "aggregate", filters=filters) == {"visitors": {"value": visitors}}, filters
    series = await ask(stats, "timeseries", period="7d", filters="event:goal==Read", metrics="visitors,conversion_rate")
    assert {"date": "2027-01-13", "visitors": 1, "conversion_rate": 100.0} in series
    assert (await refusal(stats, "aggregate", filters="event:goal==registration"))[0] == 400


async def test_the_order_of_checks(stats: Stats) -> None:
    bad = {"period": "x"}
    assert (await stats.get("/api/v1/stats/aggregate", token=None, **bad)).status == 401
    assert (await stats.get("/api/v1/stats/aggregate", token="unknown", **bad)).status == 401
    assert (await stats.get("/api/v1/stats/aggregate", **bad)).json()["error"][:7] == "site_id"
    assert (await stats.get("/api/v1/stats/aggregate", site_id="nobody.example.com", **bad)).status == 401
    weak = await stats.analytics.new_token(Permission.SITE_READ)
    assert (await stats.get("/api/v1/stats/aggregate", token=weak, site_id="stats.example.com")).status == 401
    assert (await stats.get("/api/v1/stats/aggregate", token=weak)).status == 400
    assert (await stats.get("/api/v1/stats/aggregate", site_id="stats.example.com", **bad)).status == 400


async def test_sites(stats: Stats) -> None:
    defaults = {"timezone": "DE.Europe/Berlin"}
    for name in ("b.example.com", "a.example.com"):
        body = {"cname": name, "user_defaults": defaults}
        assert (await stats.analytics.api("PUT", "/sites", json=body)).status == 200
    named = [("a.example.com", "Europe/Berlin"), ("b.example.com", "Europe/Berlin"), ("stats.example.com", "UTC")]
    found = (await stats.get("/api/v1/sites")).json()
    assert [(each["domain"], each["timezone"]) for each in found["sites"]] == named
    assert found["meta"] == {"after": None, "before": None, "limit": 100}
    first = (await stats.get("/api/v1/sites", limit=2)).json()
    assert [each["domain"] for each in first["sites"]] == ["a.example.com", "b.example.com"]
    assert first["meta"] == {"after": "b.example.com", "before": None, "limit": 2}
    second = (await stats.get("/api/v1/sites", limit=2, after=first["meta"]["after"])).json()
    assert [each["domain"] for each in second["sites"]] == ["stats.example.com"]
    assert second["meta"] == {"after": None, "before": "stats.example.com", "limit": 2}
    back = (await stats.get("/api/v1/sites", limit=1, before="stats.example.com")).json()
    assert [each["domain"] for each in back["sites"]] == ["b.example.com"]
    assert (await stats.get("/api/v1/sites", limit=0)).status == 400
    one = await stats.get("/api/v1/sites/A.example.com")
    assert one.json() == {"domain": "a.example.com", "timezone": "Europe/Berlin"}
    assert (await stats.get("/api/v1/sites/nobody.example.com")).status == 404


async def test_sites_take_a_key_that_may_read_them(stats: Stats) -> None:
    weak = await stats.analytics.new_token(Permission.STATS)
    reading = await stats.analytics.new_token(Permission.SITE_READ)
    for path in ("/api/v1/sites", "/api/v1/sites/stats.example.com"):
        assert (await stats.get(path, token=weak)).status == 401
        assert (await stats.get(path, token=reading)).status == 200
        assert (await stats.get(path, token=None)).status == 401


async def test_health(stats: Stats) -> None:
    for path in ("/api/health", "/api/system/health/live", "/api/system/health/ready"):
        answer = await stats.get(path, token=None)
        assert (answer.status, answer.json()) == (200, {"status": "ok"})
        head = await stats.analytics.ask(path, method="HEAD")
        assert (head.status, head.body) == (200, b"")
    await stats.analytics.services.ledger.close()
    stats.analytics.services.ledger.measurements[0].last_failed = True
    answer = await stats.get("/api/system/health/ready", token=None)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert (await stats.get("/api/system/health/live", token=None)).status == 200
