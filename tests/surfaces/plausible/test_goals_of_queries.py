"""Configured goals, properties and segments in queries: ``/api/v2/query`` and ``/api/query``."""

from typing import Any

import pytest
from msgspec.structs import replace

from support.analytics import Analytics
from support.telling import a_visit, tell
from tallystick.model.goal import Goal
from tallystick.model.props import encoded
from tallystick.model.question import MOST_ROWS
from tallystick.model.segment import Segment
from tallystick.services.accounts.sites import NewSite, create_site
from tallystick.services.analytics.kept.goals import create_goal
from tallystick.services.analytics.kept.segments import create_segment, store_segment

from .conftest import Stats

EXTENDED = "/api/query"
PRO, FREE = encoded({"plan": "pro", "via": "/pricing"}), encoded({"plan": "free"})
HITS = (
    # Ada, from Germany by Google, looks at the prices and signs up.
    a_visit("/", "2027-01-13T09:00", by=1, country="DE", source="Google"),
    a_visit("/pricing", "2027-01-13T09:01", by=1, country="DE"),
    a_visit("Signup", "2027-01-13T09:02", by=1, country="DE", props=PRO),
    a_visit("/Thanks", "2027-01-13T09:03", by=1, country="DE"),
    # Ben, from the US, reads, and signs up.
    a_visit("/blog/one", "2027-01-14T10:00", by=2, country="US"),
    a_visit("/blog/2026/x", "2027-01-14T10:05", by=2, country="US"),
    a_visit("Signup", "2027-01-14T10:06", by=2, country="US", props=FREE),
    # Cem, from the US by Google, loads a file, twice.
    a_visit("/pricing", "2027-01-14T11:00", by=3, country="US", source="Google"),
    a_visit("Download", "2027-01-14T11:01", by=3, country="US", props=encoded({"file": "a.zip"})),
    a_visit("Download", "2027-01-14T11:02", by=3, country="US", props=encoded({"file": "b.zip"})),
    # Dan, from Germany, only reads, in the dark.
    a_visit("/blog/one", "2027-01-15T07:00", by=4, country="DE", props=encoded({"theme": "dark"})),
)
GOALS: dict[str, dict[str, Any]] = {
    "Registration": {"event": "Signup"},
    "Pro": {"event": "signup", "props": (("plan", "pro"),)},
    "Read": {"page": "/blog/*"},
    "Read all": {"page": "/blog/**"},
    "Thanks": {"page": "/thanks"},
}


async def a_goal(analytics: Analytics, name: str, site: int | None = None, **fields: Any) -> Goal:
    goal = Goal(site=site or analytics.site.id, name=name, **fields)
    return await analytics.services.ledger.write(create_goal, goal, 1)


async def a_segment(analytics: Analytics, name: str, *filters: Any, owner: int | None = None) -> Segment:
    new = Segment(site=analytics.site.id, name=name, filters=list(filters), owner=owner)
    return await analytics.services.ledger.write(create_segment, new, 1)


@pytest.fixture
async def shop(analytics: Analytics) -> Stats:
    await tell(analytics, *HITS)
    for name, fields in GOALS.items():
        await a_goal(analytics, name, **fields)
    return Stats(analytics)


async def both(shop: Stats, **body: Any) -> list[tuple[Any, ...]]:
    """The rows of a query, which are the same at both addresses."""
    rows = await shop.rows(**body)
    assert await shop.rows(EXTENDED, **body) == rows
    return rows


async def test_an_event_may_begin_with_visit_and_a_path_may_end_with_a_slash(shop: Stats) -> None:
    await tell(shop.analytics, a_visit("Visit our shop", "2027-01-15T08:00", by=9))
    for goal, visitors in (("Visit our shop", 1), ("Visit /pricing/", 2), ("Visit /blog/*/", 2), ("Visit /*", 4)):
        rows = await both(shop, metrics=["visitors"], filters=[["is", "event:goal", [goal]]])
        assert rows == [(visitors,)], goal


async def test_a_filter_names_so_many_goals_at_most(shop: Stats) -> None:
    answer = await shop.post(
        EXTENDED,
        site_id="stats.example.com",
        metrics=["visitors"],
        date_range="day",
        filters=[["is", "event:goal", [str(number) for number in range(1_001)]]],
    )
    assert (answer.status, "at most 1000 values" in answer.text) == (400, True)


async def test_goals_are_listed_with_the_events_that_no_goal_names(shop: Stats) -> None:
    metrics = ["visitors", "events", "pageviews", "conversion_rate", "percentage"]
    assert await both(shop, metrics=metrics, dimensions=["event:goal"]) == [
        ("Read", 2, 2, 2, 50.0, 50.0),
        ("Read all", 2, 3, 3, 50.0, 50.0),
        ("Registration", 2, 2, 0, 50.0, 50.0),
        ("Download", 1, 2, 0, 25.0, 25.0),
        ("Pro", 1, 1, 0, 25.0, 25.0),
        ("Thanks", 1, 1, 1, 25.0, 25.0),
    ]


async def test_rows_of_goals_are_sorted_and_cut_together(shop: Stats) -> None:
    body: dict[str, Any] = {"metrics": ["visitors"], "dimensions": ["event:goal"], "include": {"total_rows": True}}
    answer = await shop.query(**body, pagination={"limit": 2, "offset": 2}, order_by=[["event:goal", "desc"]])
    assert [row["dimensions"] for row in answer["results"]] == [["Read all"], ["Read"]]
    assert answer["meta"] == {"total_rows": 6}
    by_rate = await both(
        shop, metrics=["conversion_rate"], dimensions=["event:goal"], order_by=[["conversion_rate", "asc"]]
    )
    assert [row[0] for row in by_rate] == ["Download", "Pro", "Thanks", "Read", "Read all", "Registration"]


async def test_goals_by_another_dimension(shop: Stats) -> None:
    rows = await both(
        shop,
        metrics=["visitors", "conversion_rate", "group_conversion_rate"],
        dimensions=["event:goal", "visit:country"],
    )
    assert rows == [
        ("Download", "US", 1, 25.0, 50.0),
        ("Pro", "DE", 1, 25.0, 50.0),
        ("Read", "DE", 1, 25.0, 50.0),
        ("Read", "US", 1, 25.0, 50.0),
        ("Read all", "DE", 1, 25.0, 50.0),
        ("Read all", "US", 1, 25.0, 50.0),
        ("Registration", "DE", 1, 25.0, 50.0),
        ("Registration", "US", 1, 25.0, 50.0),
        ("Thanks", "DE", 1, 25.0, 50.0),
    ]
    days = await both(shop, dimensions=["time:day", "event:goal"], filters=[["is", "event:goal", ["Read", "Pro"]]])
    assert days == [("2027-01-13", "Pro", 1), ("2027-01-14", "Read", 1), ("2027-01-15", "Read", 1)]
    names = await both(shop, metrics=["events"], dimensions=["event:name", "event:goal"])
    assert names == [
        ("pageview", "Read all", 3),
        ("Download", "Download", 2),
        ("Signup", "Registration", 2),
        ("pageview", "Read", 2),
        ("Signup", "Pro", 1),
        ("pageview", "Thanks", 1),
    ]


FILTERS: list[tuple[list[Any], int, int]] = [
    # visitors and events
    ([["is", "event:goal", ["Registration"]]], 2, 2),
    ([["is", "event:goal", ["Pro"]]], 1, 1),
    ([["is", "event:goal", ["Read"]]], 2, 2),
    ([["is", "event:goal", ["Read all"]]], 2, 3),
    ([["is", "event:goal", ["Thanks", "Pro"]]], 1, 2),
    ([["is", "event:goal", ["Thanks", "Registration", "Download"]]], 3, 5),
    # Names of events and pages are goals as well.
    ([["is", "event:goal", ["Signup"]]], 2, 2),
    ([["is", "event:goal", ["Visit /pricing", "Read"]]], 4, 4),
    ([["contains", "event:goal", ["Re"]]], 3, 5),
    ([["contains", "event:goal", ["reg", "DOWN"], {"case_sensitive": False}]], 3, 4),
    ([["contains", "event:goal", ["ign"]]], 2, 2),
    ([["contains", "event:goal", ["nothing"]]], 0, 0),
    ([["is", "event:goal", ["REGISTRATION"], {"case_sensitive": False}]], 2, 2),
    ([["is", "event:goal", ["Registration"]], ["is", "event:goal", ["Pro"]]], 1, 1),
    ([["is", "event:goal", ["Registration"]], ["is", "visit:country", ["US"]]], 1, 1),
    ([["has_done", ["is", "event:goal", ["Pro"]]]], 1, 4),
    ([["has_not_done", ["is", "event:goal", ["Registration", "Read"]]]], 1, 3),
    ([["is", "event:goal", ["Thanks"]], ["has_done", ["is", "event:goal", ["Pro"]]]], 1, 1),
    # Properties.
    ([["is", "event:props:plan", ["pro"]]], 1, 1),
    ([["is", "event:props:plan", ["pro", "free"]]], 2, 2),
    ([["is_not", "event:props:plan", ["pro"]]], 4, 10),
    ([["is", "event:props:plan", ["(none)"]]], 4, 9),
    ([["is_not", "event:props:plan", ["(none)"]]], 2, 2),
    ([["is", "event:props:plan", ["(none)", "pro"]]], 4, 10),
    ([["contains", "event:props:file", [".zip"]]], 1, 2),
    ([["contains_not", "event:props:file", ["A"], {"case_sensitive": False}]], 4, 10),
    ([["matches", "event:props:file", ["^[ab]\\.zip$"]]], 1, 2),
    ([["is", "event:props:Plan", ["pro"]]], 0, 0),
    ([["is", "event:props:theme", ["dark"]]], 1, 1),
    ([["or", [["is", "event:props:plan", ["free"]], ["is", "event:props:file", ["b.zip"]]]]], 2, 2),
    ([["has_done", ["is", "event:props:plan", ["pro"]]]], 1, 4),
    ([["is", "event:goal", ["Registration"]], ["is", "event:props:plan", ["free"]]], 1, 1),
    ([["is", "event:props:plan", ["pro"]], ["is", "event:props:via", ["/pricing"]]], 1, 1),
]


async def test_filters(shop: Stats) -> None:
    for filters, visitors, events in FILTERS:
        assert await both(shop, metrics=["visitors", "events"], filters=filters) == [(visitors, events)], filters


async def test_a_filter_on_goals_names_the_rows(shop: Stats) -> None:
    async def rows(*filters: Any) -> list[tuple[Any, ...]]:
        return await both(shop, metrics=["events"], dimensions=["event:goal"], filters=list(filters))

    # Hits of the goal "Read" reach "Read all", too.
    assert await rows(["is", "event:goal", ["Read"]]) == [("Read", 2)]
    assert await rows(["contains", "event:goal", ["Re"]]) == [("Read all", 3), ("Read", 2), ("Registration", 2)]
    assert await rows(["is", "event:goal", ["Signup"]]) == [("Signup", 2)]
    assert await rows(["is", "event:goal", ["Registration", "Download"]]) == [("Download", 2), ("Registration", 2)]
    assert await rows(["contains", "event:goal", ["Re"]], ["is", "event:goal", ["Read"]]) == [("Read", 2)]
    assert await rows(["is", "event:props:plan", ["pro"]]) == [("Pro", 1), ("Registration", 1)]


async def test_conversions_of_filters(shop: Stats) -> None:
    body: dict[str, Any] = {
        "metrics": ["visitors", "conversion_rate"],
        "filters": [["is", "event:goal", ["Registration"]]],
    }
    assert await both(shop, **body) == [(2, 50.0)]
    google = ["is", "visit:source", ["Google"]]
    assert await both(shop, **body | {"filters": [*body["filters"], google]}) == [(1, 50.0)]
    rates = {"metrics": ["group_conversion_rate"], "dimensions": ["visit:source"]}
    assert await both(shop, **body | rates) == [("Direct / None", 50.0), ("Google", 50.0)]
    plans = {"metrics": ["visitors", "conversion_rate"], "dimensions": ["event:props:plan"]}
    assert await both(shop, **body | plans) == [("free", 1, 25.0), ("pro", 1, 25.0)]


async def test_a_comparison(shop: Stats) -> None:
    rows = (
        await shop.query(
            EXTENDED,
            metrics=["events", "conversion_rate"],
            dimensions=["event:goal"],
            filters=[["is", "event:goal", ["Read", "Registration"]]],
            date_range=["2027-01-14", "2027-01-14"],
            include={"compare": ["2027-01-13", "2027-01-13"]},
        )
    )["results"]
    assert [(row["dimensions"], row["metrics"], row["comparison"]["metrics"]) for row in rows] == [
        (["Read"], [1, 50.0], [0, 0]),
        (["Registration"], [1, 50.0], [1, 100.0]),
    ]


async def test_properties_are_dimensions(shop: Stats) -> None:
    assert await both(shop, dimensions=["event:props:plan"]) == [("(none)", 4), ("free", 1), ("pro", 1)]
    rows = await both(shop, metrics=["events"], dimensions=["event:props:file", "event:name"])
    assert rows == [
        ("(none)", "pageview", 7),
        ("(none)", "Signup", 2),
        ("a.zip", "Download", 1),
        ("b.zip", "Download", 1),
    ]
    two = await both(shop, metrics=["events"], dimensions=["event:props:plan", "event:props:via"])
    assert two == [("(none)", "(none)", 9), ("free", "(none)", 1), ("pro", "/pricing", 1)]
    ordered: dict[str, Any] = {"order_by": [["event:props:plan", "desc"]], "pagination": {"limit": 2}}
    assert await both(shop, dimensions=["event:props:plan"], **ordered) == [("pro", 1), ("free", 1)]
    echo = (await shop.query(dimensions=["event:props:plan"], **ordered))["query"]
    assert (echo["dimensions"], echo["order_by"]) == (["event:props:plan"], [["event:props:plan", "desc"]])


HOSTILE = [
    "it's",
    'a"b',
    "a\\b",
    "$.a",
    "a.b[0]",
    "a'); DROP TABLE hit; --",
    "ключ 键 🔑",
    "a\nb\tc",
    "${p0} $p0 ?",
    "*",
    "/",
    "event:props:x",
    "visitors",
    "a" * 300,
]


async def test_hostile_names_and_values_of_properties(shop: Stats) -> None:
    props = {name: f"value of {name}" for name in HOSTILE}
    await tell(shop.analytics, a_visit("Odd", "2027-01-13T12:00", by=9, props=encoded(props)))
    for name, value in props.items():
        dimension = f"event:props:{name}"
        rows = await both(shop, metrics=["events"], dimensions=[dimension])
        assert rows == [("(none)", 11), (value, 1)], name
        assert await both(shop, metrics=["events"], filters=[["is", dimension, [value]]]) == [(1,)], name
        assert await both(shop, metrics=["events"], filters=[["contains", dimension, [value[3:]]]]) == [(1,)], name
        assert await both(shop, metrics=["events"], filters=[["is", "event:props:plan", [value]]]) == [(0,)], name


async def test_hostile_names_of_goals_and_segments(shop: Stats) -> None:
    for number, name in enumerate(each for each in HOSTILE if len(each) <= 120 and "\n" not in each):
        await a_goal(shop.analytics, name, event="Signup", props=((name, "x"),))
        await a_goal(shop.analytics, f"{name} p", page=f"/{number}{name}")
        segment = await a_segment(shop.analytics, name, ["is", "visit:country", ["US"]])
        assert await shop.rows(filters=[["is", "segment", [segment.id]]]) == [(2,)]
        assert await shop.rows(EXTENDED, filters=[["is", "segment", [name]]]) == [(2,)]
        assert await both(shop, filters=[["is", "event:goal", [name]]]) == [(0,)], name
        assert await both(shop, filters=[["is", "event:goal", [f"{name} p"]]]) == [(0,)], name
        assert await both(shop, filters=[["contains", "event:goal", [name[:5]]]], dimensions=["visit:city"]) in (
            [],
            [(0, 3)],
        )
    assert len(await both(shop, metrics=["visitors"], dimensions=["event:goal"])) == 6


async def test_a_goal_goes_before_an_event_of_its_name(shop: Stats) -> None:
    await a_goal(shop.analytics, "Download", page="/pricing")
    assert await both(shop, filters=[["is", "event:goal", ["Download"]]]) == [(2,)]
    assert await both(shop, filters=[["contains", "event:goal", ["Downl"]]]) == [(2,)]
    rows = await both(shop, dimensions=["event:goal"])
    assert ("Download", 2) in rows
    assert len(rows) == 6
    await a_goal(shop.analytics, "Visit /blog/*", page="/blog/one")
    assert await both(shop, metrics=["events"], filters=[["is", "event:goal", ["Visit /blog/*"]]]) == [(2,)]


async def test_goals_of_the_same_name_in_several_sites_are_one_row(shop: Stats) -> None:
    analytics = shop.analytics
    other = await analytics.services.ledger.write(
        create_site, analytics.prepared.account, NewSite(cname="other.example.com"), analytics.clock()
    )
    told = [
        a_visit("/blog/one", "2027-01-13T10:00", by=7),
        a_visit("Bought", "2027-01-13T10:01", by=7),
        a_visit("Signup", "2027-01-13T10:02", by=7),
        a_visit("/thanks", "2027-01-13T10:00", by=8),
    ]
    here, analytics.site = analytics.site, other
    await tell(analytics, *told)
    analytics.site = here
    await a_goal(analytics, "registration", site=other.id, event="Bought")
    await a_goal(analytics, "Only there", site=other.id, page="/thanks")
    sites: dict[str, Any] = {"site_id": ["stats.example.com", "other.example.com"], "metrics": ["visitors", "events"]}

    async def rows(**body: Any) -> list[tuple[Any, ...]]:
        return await shop.rows(EXTENDED, **sites | body)

    assert (
        await rows(dimensions=["event:goal"])
        == [
            ("Registration", 3, 3),
            ("Read", 2, 2),
            ("Read all", 2, 3),
            ("Download", 1, 2),
            ("Only there", 1, 1),
            ("Pro", 1, 1),
            ("Signup", 1, 1),
            ("Thanks", 1, 1),
        ]
        or []
    )
    either_case = {"case_sensitive": False}
    assert await rows(filters=[["is", "event:goal", ["Registration"], either_case]]) == [(3, 3)]
    assert await rows(filters=[["is", "event:goal", ["Registration"]]]) == [(2, 2)]
    assert await rows(filters=[["is", "event:goal", ["Read"]]]) == [(2, 2)]
    assert await rows(filters=[["is", "event:goal", ["Thanks"]]]) == [(1, 1)]
    assert await rows(filters=[["is", "event:goal", ["Only there"]]]) == [(1, 1)]
    assert await rows(filters=[["is", "event:goal", ["Signup"]]]) == [(3, 3)]
    assert await rows(filters=[["contains", "event:goal", ["ign"]]]) == [(3, 3)]


async def test_segments_stand_for_their_filters(shop: Stats) -> None:
    german = await a_segment(shop.analytics, "Germans", ["is", "visit:country", ["DE"]])
    buyers = await a_segment(
        shop.analytics, "Buyers", ["is", "event:goal", ["Registration"]], ["is_not", "event:props:plan", ["free"]]
    )
    mine = shop.analytics.prepared.account.id
    readers = await a_segment(shop.analytics, "Readers", ["or", [["contains", "event:page", ["blog"]]]], owner=mine)
    body: dict[str, Any] = {"metrics": ["visitors", "events"]}
    for filters, row in (
        ([["is", "segment", [german.id]]], (2, 5)),
        ([["is", "segment", [german.id]], ["is", "segment", [readers.id]]], (1, 1)),
        ([["is", "segment", [german.id, readers.id]]], (3, 7)),
        ([["not", ["is", "segment", [german.id]]]], (2, 6)),
        ([["or", [["is", "segment", [german.id]], ["is", "visit:source", ["Google"]]]]], (3, 8)),
        ([["has_done", ["is", "segment", [readers.id]]]], (2, 4)),
        ([["is", "segment", [buyers.id]]], (1, 1)),
    ):
        assert await both(shop, **body, filters=filters) == [row], filters
        assert (await shop.query(**body, filters=filters))["query"]["filters"] == filters
    rates = await both(shop, metrics=["conversion_rate"], filters=[["is", "segment", [buyers.id]]])
    assert rates == [(25.0,)]
    rows = await both(shop, metrics=["events"], dimensions=["event:goal"], filters=[["is", "segment", [buyers.id]]])
    assert rows == [("Registration", 1)]
    assert await shop.rows(EXTENDED, filters=[["is", "segment", ["Germans", "Readers"]]]) == [(3,)]


async def test_segments_that_are_refused(shop: Stats) -> None:
    german = await a_segment(shop.analytics, "Germans", ["is", "visit:country", ["DE"]])
    theirs = await a_segment(shop.analytics, "Theirs", ["is", "visit:country", ["DE"]], owner=10_000)
    for filter_ in (
        ["is", "segment", [999]],
        ["is", "segment", [theirs.id]],
        ["is", "segment", ["Germans"]],
        ["is", "segment", [True]],
        ["is", "segment", []],
        ["is_not", "segment", [german.id]],
        ["is", "segment", [german.id], {"case_sensitive": False}],
        ["or", [["is", "segment", [german.id, 999]]]],
    ):
        status, message = await shop.refusal(filters=[["is", "visit:country", ["DE"]], filter_])
        assert (status, message[:35]) == (400, "#/filters/1: Invalid filter " + str(message[28:35])), filter_
        if "Germans" not in str(filter_):
            assert (await shop.refusal(EXTENDED, filters=[filter_]))[0] == 400
    assert "Theirs" not in (await shop.refusal(EXTENDED, filters=[["is", "segment", [theirs.id]]]))[1]
    await a_segment(shop.analytics, "Germans", ["is", "visit:country", ["AT"]])
    assert (await shop.refusal(EXTENDED, filters=[["is", "segment", ["Germans"]]]))[0] == 400
    many = [["is", "segment", [german.id] * 11], ["not", ["is", "segment", [german.id] * 10]]]
    assert "at most 20 segments" in (await shop.refusal(filters=many))[1]


async def test_a_segment_that_has_become_invalid_is_named(shop: Stats) -> None:
    segment = await a_segment(shop.analytics, "Old", ["is", "visit:country", ["DE"]])
    by_goal = await a_segment(shop.analytics, "Goals", ["is", "event:goal", ["Pro"]])
    for filters, why in (
        ([["is", "visit:nothing", ["x"]]], "visit:nothing"),
        ([["is", "segment", [by_goal.id]]], "another segment"),
        ([["is", "visit:country", ["Germany"]]], "two-letter"),
        (["is"], "a filter is a list"),
    ):
        await shop.analytics.services.ledger.write(store_segment, replace(segment, filters=filters))
        shop.analytics.services.kept.invalidate()
        status, message = await shop.refusal(filters=[["is", "segment", [segment.id]]])
        assert status == 400
        assert message.startswith(f"the segment 'Old' ({segment.id}) cannot be used here: ")
        assert why in message
    status, message = await shop.refusal(filters=[["not", ["is", "segment", [by_goal.id]]]])
    assert (status, "the segment 'Goals'" in message, "top level" in message) == (400, True, True)


async def test_a_goal_that_was_renamed_or_deleted(shop: Stats) -> None:
    assert (await shop.refusal(filters=[["is", "event:goal", ["Never"]]]))[1].startswith("the site has no goal 'Never'")
    status, message = await shop.refusal(filters=[["is", "event:goal", ["registration"]]])
    assert (status, message) == (400, (await shop.refusal(filters=[["is", "event:goal", ["registration"]]]))[1])
    assert (await shop.refusal(filters=[["not", ["is", "event:goal", ["Pro"]]]]))[0] == 400
    assert (await shop.refusal(filters=[["is_not", "event:goal", ["Pro"]]]))[0] == 400


async def test_metrics_of_visits_are_not_divided_by_goals_and_properties(shop: Stats) -> None:
    for dimension in ("event:goal", "event:props:plan"):
        for metric in ("bounce_rate", "visit_duration"):
            for path in ("/api/v2/query", EXTENDED):
                status, message = await shop.refusal(path, metrics=[metric], dimensions=[dimension])
                assert (status, metric in message, dimension in message) == (400, True, True)


async def test_rates_of_more_groups_than_a_page_has_rows(analytics: Analytics) -> None:
    pages = [f"/{number:05}" for number in range(MOST_ROWS + 10)]
    views = [a_visit(page, "2027-01-13T09:00", by=number + 1) for number, page in enumerate(pages)]
    await tell(analytics, *views, a_visit("Signup", "2027-01-13T09:01", by=len(pages)))
    asked: dict[str, Any] = {
        "metrics": ["visitors", "group_conversion_rate"],
        "dimensions": ["visit:entry_page"],
        "filters": [["is", "event:goal", ["Signup"]]],
    }
    assert await Stats(analytics).rows(**asked) == [(pages[-1], 1, 100.0)]
    asked |= {"filters": [], "metrics": ["visitors", "group_conversion_rate"], "dimensions": ["event:goal"]}
    (row,) = await Stats(analytics).rows(**asked)
    assert row == ("Signup", 1, round(100 / len(pages), 2))
