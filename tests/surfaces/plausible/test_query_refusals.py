"""What ``POST /api/v2/query`` refuses, and in which order (contract 2.1, 2.2, 2.4, 3.1)."""

from typing import Any

import pytest

from tallystick.model.account import Permission
from tallystick.surfaces.plausible.errors import MISSING, REFUSED

from .conftest import Stats

EXTENDED = "/api/query"


FORM: list[tuple[dict[str, Any], str]] = [
    ({"metrics": ["visitors", "baa"]}, '#/metrics/1: Invalid metric "baa"'),
    ({"metrics": ["returning_visitors"]}, '#/metrics/0: Invalid metric "returning_visitors"'),
    ({"metrics": ["scroll_depth"]}, '#/metrics/0: Invalid metric "scroll_depth"'),
    ({"metrics": ["exit_rate"]}, '#/metrics/0: Invalid metric "exit_rate"'),
    ({"metrics": ["total_revenue"]}, '#/metrics/0: Invalid metric "total_revenue"'),
    ({"metrics": [1]}, "#/metrics/0: Invalid metric 1"),
    ({"metrics": []}, "#/metrics: At least one metric is needed"),
    ({"metrics": "visitors"}, '#/metrics: "visitors" is not a list'),
    ({"metrics": ["visitors", "visitors"]}, '#/metrics/1: The metric "visitors" stands twice'),
    ({"metrics": None}, "#: The key metrics is missing"),
    ({"date_range": None}, "#: The key date_range is missing"),
    ({"date_range": "x"}, '#/date_range: Invalid date range "x"'),
    ({"date_range": "realtime"}, '#/date_range: Invalid date range "realtime"'),
    ({"date_range": "30m"}, '#/date_range: Invalid date range "30m"'),
    ({"date_range": "0d"}, '#/date_range: Invalid date range "0d"'),
    ({"date_range": "5001d"}, '#/date_range: Invalid date range "5001d"'),
    ({"date_range": 7}, "#/date_range: Invalid date range 7"),
    ({"date_range": ["2026-03-02", "2026-03-01"]}, '#/date_range: Invalid date range ["2026-03-02","2026-03-01"]'),
    ({"date_range": ["2026-03-02"]}, '#/date_range: Invalid date range ["2026-03-02"]'),
    (
        {"date_range": ["2026-03-02T00:00:00", "2026-03-03T00:00:00"]},
        '#/date_range: Invalid date range ["2026-03-02T00:00:00","2026-03-03T00:00:00"]',
    ),
    ({"date_range": ["1026-03-02", "2026-03-01"]}, '#/date_range: Invalid date range ["1026-03-02","2026-03-01"]'),
    ({"dimensions": ["x"]}, '#/dimensions/0: Invalid dimension "x"'),
    ({"dimensions": ["event:props:" + "a" * 301]}, '#/dimensions/0: Invalid dimension "event:props:aaa'),
    ({"dimensions": ["event:props:"]}, '#/dimensions/0: Invalid dimension "event:props:"'),
    ({"dimensions": ["time:minute"]}, '#/dimensions/0: Invalid dimension "time:minute"'),
    ({"dimensions": ["language"]}, '#/dimensions/0: Invalid dimension "language"'),
    ({"dimensions": ["visit:source", "visit:source"]}, '#/dimensions/1: The dimension "visit:source" stands twice'),
    ({"dimensions": {}}, "#/dimensions: {} is not a list"),
    ({"filters": [["is", "x", ["y"]]]}, '#/filters/0: Invalid filter ["is","x",["y"]]'),
    ({"filters": ["is"]}, '#/filters/0: Invalid filter "is"'),
    ({"filters": [[]]}, "#/filters/0: Invalid filter []"),
    ({"filters": [["is", "visit:source", []]]}, '#/filters/0: Invalid filter ["is","visit:source",[]]'),
    ({"filters": [["is", "visit:source", "x"]]}, '#/filters/0: Invalid filter ["is","visit:source","x"]'),
    ({"filters": [["is", "visit:source", [1]]]}, '#/filters/0: Invalid filter ["is","visit:source",[1]]'),
    ({"filters": [["is", "visit:city", [True]]]}, '#/filters/0: Invalid filter ["is","visit:city",[true]]'),
    ({"filters": [["is", "time:day", ["x"]]]}, '#/filters/0: Invalid filter ["is","time:day",["x"]]'),
    ({"filters": [["matches_wildcard", "visit:source", ["x"]]]},
     '#/filters/0: Invalid filter ["matches_wildcard","visit:source",["x"]]'),
    ({"filters": [["matches", "visit:source", ["x"], {"case_sensitive": False}]]},
     '#/filters/0: Invalid filter ["matches","visit:source",["x"],{"case_sensitive":false}]'),
    ({"filters": [["is", "visit:source", ["x"], {"case_sensitive": 1}]]},
     '#/filters/0: Invalid filter ["is","visit:source",["x"],{"case_sensitive":1}]'),
    ({"filters": [["is", "visit:source", ["x"], {"other": True}]]},
     '#/filters/0: Invalid filter ["is","visit:source",["x"],{"other":true}]'),
    ({"filters": [["is", "segment", [1]]]}, '#/filters/0: Invalid filter ["is","segment",[1]]'),
    ({"filters": [["is", "segment", ["x"]]]}, '#/filters/0: Invalid filter ["is","segment",["x"]]'),
    ({"filters": [["is", "event:props:", ["y"]]]}, '#/filters/0: Invalid filter ["is","event:props:",["y"]]'),
    ({"filters": [["is", "event:props:x", [1]]]}, '#/filters/0: Invalid filter ["is","event:props:x",[1]]'),
    ({"filters": [["and", []]]}, '#/filters/0: Invalid filter ["and",[]]'),
    ({"filters": [["not", []]]}, '#/filters/0: Invalid filter ["not",[]]'),
    ({"filters": [["is", "visit:source", ["x"]], ["or", [["not", ["is", "x", ["y"]]]]]]},
     '#/filters/1: Invalid filter ["or",[["not",["is","x",["y"]]]]]'),
    ({"filters": {}}, "#/filters: {} is not a list"),
    ({"order_by": [["x", "asc"]]}, '#/order_by/0/0: Invalid value in order_by "x"'),
    ({"order_by": [["visitors", "up"]]}, '#/order_by/0/1: Invalid value in order_by "up"'),
    ({"order_by": ["visitors"]}, '#/order_by/0: "visitors" is not a name and asc or desc'),
    ({"include": {"time_labels": 1}}, "#/include/time_labels: 1 is not true or false"),
    ({"include": []}, "#/include: [] is not an object"),
    ({"pagination": {"limit": 0}}, "#/pagination/limit: 0 is not a number from 1 to 10,000"),
    ({"pagination": {"limit": 10_001}}, "#/pagination/limit: 10001 is not a number from 1 to 10,000"),
    ({"pagination": {"limit": True}}, "#/pagination/limit: true is not a number from 1 to 10,000"),
    ({"pagination": {"offset": -1}}, "#/pagination/offset: -1 is not a number from 0 to 9,223,372,036,854,775,807"),
    ({"pagination": {"offset": 2**70}}, f"#/pagination/offset: {2**70} is not a number from 0 to 9,223,372"),
]  # fmt: skip


async def test_faults_of_form(stats: Stats) -> None:
    for body, message in FORM:
        status, found = await stats.refusal(**body)
        assert (status, message in found) == (400, True), (body, found)


UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"extra": 1}, "#: "),
    ({"include": {"comparisons": True}}, "#/include: "),
    ({"include": {"compare": "previous_period"}}, "#/include: "),
    ({"pagination": {"page": 1}}, "#/pagination: "),
    ({"timezone": "UTC"}, "#: "),
]


async def test_unknown_keys(stats: Stats) -> None:
    for body, pointer in UNKNOWN:
        status, found = await stats.refusal(**body)
        assert (status, found[: len(pointer)]) == (400, pointer), body


async def test_all_faults_of_form_are_told_a_line_each(stats: Stats) -> None:
    status, found = await stats.refusal(metrics=["a", "visitors", "b"], dimensions=["c"], filters=[["is"]])
    assert status == 400
    assert found.splitlines() == [
        '#/metrics/0: Invalid metric "a"',
        '#/metrics/2: Invalid metric "b"',
        '#/dimensions/0: Invalid dimension "c"',
        '#/filters/0: Invalid filter ["is"]',
    ]


MEANING: list[tuple[dict[str, Any], str]] = [
    ({"order_by": [["pageviews", "asc"]]}, "order_by"),
    ({"metrics": ["bounce_rate"], "dimensions": ["event:name"]}, "bounce_rate"),
    ({"metrics": ["visit_duration"], "dimensions": ["event:goal"]}, "visit_duration"),
    ({"metrics": ["bounce_rate"], "dimensions": ["event:hostname"]}, "bounce_rate"),
    ({"metrics": ["views_per_visit"], "dimensions": ["visit:source"]}, "views_per_visit"),
    ({"metrics": ["views_per_visit"], "filters": [["is", "event:page", ["/"]]]}, "views_per_visit"),
    ({"metrics": ["views_per_visit"], "filters": [["or", [["is", "event:page", ["/"]]]]]}, "views_per_visit"),
    ({"metrics": ["pageviews"], "dimensions": ["visit:entry_page"]}, "pageviews"),
    ({"metrics": ["events"], "dimensions": ["visit:exit_page_hostname"]}, "events"),
    ({"metrics": ["conversion_rate"]}, "conversion_rate"),
    ({"metrics": ["group_conversion_rate"], "dimensions": ["visit:source"]}, "group_conversion_rate"),
    ({"include": {"time_labels": True}}, "time_labels"),
    ({"filters": [["is", "visit:country", ["Germany"]]]}, "two-letter"),
    ({"filters": [["is_not", "event:goal", ["Signup"]]]}, "event:goal"),
    ({"filters": [["matches", "event:goal", ["Signup"]]]}, "event:goal"),
    ({"filters": [["is", "event:goal", ["Never seen"]]]}, "Never seen"),
    ({"filters": [["not", ["is", "event:goal", ["Signup"]]]]}, "top level"),
    ({"filters": [["and", [["is", "event:hostname", ["example.com"]]]]]}, "top level"),
    ({"filters": [["has_done", ["is", "visit:source", ["Google"]]]]}, "event dimensions"),
    ({"filters": [["has_done", ["has_not_done", ["is", "event:page", ["/"]]]]]}, "inside"),
    ({"filters": [["matches", "visit:source", ["("]]]}, "expression"),
    ({"filters": [["matches", "event:page", ["(?<x"]]]}, "expression"),
    ({"filters": [["is", "visit:source", [f"{number}" for number in range(1_001)]]]}, "1000 values"),
    ({"filters": [["is", "visit:source", ["x" * 2_049]]]}, "2048 characters"),
    ({"filters": [["is", "visit:source", ["x"]]] * 101}, "100 filters"),
    (
        {"dimensions": ["visit:source", "visit:browser", "visit:os", "visit:country", "visit:device"]},
        "4 dimensions",
    ),
]


async def test_faults_of_meaning(stats: Stats) -> None:
    for body, word in MEANING:
        status, found = await stats.refusal(**body)
        assert (status, word in found) == (400, True), (body, found)


async def test_views_of_visits_by_time_and_by_our_own_address(stats: Stats) -> None:
    assert await stats.rows(metrics=["views_per_visit"], dimensions=["time:month"]) == [("2027-01-01", 1.75)]
    rows = await stats.rows(EXTENDED, metrics=["views_per_visit"], dimensions=["visit:source"])
    assert rows == [("Google", 2.5), ("Direct / None", 1.0), ("Hacker News", 1.0)]


def nested_in(operator: str, depth: int) -> Any:
    """Hits from Google, in as many filters."""
    lists: Any = ["is", "visit:source", ["Google"]]
    for _ in range(depth):
        lists = [operator, lists if operator == "not" else [lists]]
    return lists


@pytest.mark.parametrize("operator", ["and", "or", "not"])
@pytest.mark.parametrize("path", ["/api/v2/query", EXTENDED])
async def test_filters_can_be_nested(stats: Stats, path: str, operator: str) -> None:
    for depth in (18, 20, 22, 100, 200):
        assert await stats.rows(path, filters=[nested_in(operator, depth)]) == [(2,)]
    for depth in (201, 400):
        refused = await stats.refusal(path, filters=[nested_in(operator, depth)])
        assert refused == (400, "#/filters/0: filters can be nested 200 deep")


@pytest.mark.parametrize("path", ["/api/v2/query", EXTENDED])
async def test_as_many_filters_as_there_can_be_are_nested(stats: Stats, path: str) -> None:
    # In each level one that every hit passes in "and", and one that none passes in "or".
    levels = [("and", "is_not"), ("or", "is")]
    lists: Any = ["is", "visit:source", ["Google"]]
    for number in range(99):
        operator, compare = levels[number % 2]
        lists = [operator, [lists, [compare, "event:page", [f"/nowhere/{number}"]]]]
    assert await stats.rows(path, filters=[lists]) == [(2,)]
    assert await stats.rows(path, filters=[["not", lists]]) == [(2,)]
    refused = await stats.refusal(path, filters=[["or", [lists, ["is", "event:page", ["/x"]]]]])
    assert refused == (400, "a question takes at most 100 filters")


REASONS: list[tuple[dict[str, Any], str]] = [
    ({"metrics": [], "timezone": 5}, "#/timezone: 5 is not a text\n#/metrics: At least one metric is needed"),
    ({"timezone": "Factory"}, "#/timezone: 'Factory' is no time zone: one is called Europe/Berlin, for example"),
    (
        {"filters": [["is", "segment", ["none"]]]},
        '#/filters/0: Invalid filter ["is","segment",["none"]]: there is no segment \'none\'',
    ),
    (
        {"filters": [["is", "visit:source", []]]},
        '#/filters/0: Invalid filter ["is","visit:source",[]]: the filter on visit:source has no values',
    ),
    (
        {"date_range": ["2026-01-01", "then"]},
        (
            '#/date_range: Invalid date range ["2026-01-01","then"]: \'2026-01-01\' is neither a date such as'
            " 2026-03-10 nor a moment with its offset"
        ),
    ),
    (
        {"date_range": ["2026-01-02", "2026-01-01"]},
        '#/date_range: Invalid date range ["2026-01-02","2026-01-01"]: 2026-01-02 is after 2026-01-01',
    ),
    (
        {"date_range": ["0002-01-01", "0002-01-02"], "include": {"compare": "previous_period"}},
        '#/include/compare: "previous_period" cannot be compared with: periods lie in the years 2 to 9998',
    ),
    (
        {"date_range": "7d", "include": {"compare": ["2026-01-02", "2026-01-01"]}},
        '#/include/compare: ["2026-01-02","2026-01-01"] cannot be compared with: 2026-01-02 is after 2026-01-01',
    ),
    ({"filters": [["matches", "event:page", ["\\d+("]]]}, "the expression '\\d+(' is not valid: missing ): \\d+("),
]


async def test_our_own_address_gives_reasons(stats: Stats) -> None:
    for body, message in REASONS:
        assert await stats.refusal(EXTENDED, **body) == (400, message)


@pytest.mark.parametrize("key", ["metrics", "dimensions", "filters", "order_by", "include", "pagination", "timezone"])
async def test_null_is_one_fault(stats: Stats, key: str) -> None:
    body: dict[str, Any] = {"site_id": "stats.example.com", "metrics": ["visitors"], "date_range": "7d"}
    answer = await stats.post(EXTENDED, **(body | {key: None}))
    (fault,) = answer.json()["error"].splitlines()
    assert (answer.status, fault[: len(key) + 15]) == (400, f"#/{key}: null is not")


@pytest.mark.parametrize("path", ["/api/v2/query", EXTENDED])
@pytest.mark.parametrize(
    "ends",
    [
        ["0001-01-01", "0001-01-03"],
        ["0001-12-31", "0002-01-01"],
        ["9998-12-31", "9999-01-01"],
        ["9999-12-31", "9999-12-31"],
        ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:01+14:00"],
        ["9999-12-31T23:59:58-14:00", "9999-12-31T23:59:59-14:00"],
    ],
)
async def test_periods_outside_of_the_calendar_are_refused(stats: Stats, path: str, ends: list[str]) -> None:
    status, message = await stats.refusal(path, date_range=ends)
    assert (status, message.partition(": ")[0]) == (400, "#/date_range")
    assert message.endswith(": periods lie in the years 2 to 9998")


@pytest.mark.parametrize("path", ["/api/v2/query", EXTENDED])
@pytest.mark.parametrize("year", ["0002", "9998"])
async def test_the_first_and_the_last_year_can_be_asked_for(stats: Stats, path: str, year: str) -> None:
    found = await stats.query(path, date_range=[f"{year}-01-01", f"{year}-12-31"], dimensions=["time:month"])
    assert found["query"]["date_range"] == [f"{year}-01-01T00:00:00+00:00", f"{year}-12-31T23:59:59+00:00"]
    assert found["results"] == []


UNREADABLE = [
    (
        b'{"a":"\\ud800"}',
        "the body is not JSON that can be read: it has half of a surrogate pair, which is no character",
    ),
    (b'{"a":"\xff"}', "the body is not JSON that can be read: it is not UTF-8"),
    (b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "the body is not JSON that can be read: it is nested too deep"),
    (b'{"a":1', "the body is not JSON"),
    (b'{"a":"\\\\ud800"', "the body is not JSON"),
]


@pytest.mark.parametrize(("body", "message"), UNREADABLE)
async def test_why_a_body_cannot_be_read(stats: Stats, body: bytes, message: str) -> None:
    headers = {"authorization": f"Bearer {stats.analytics.token}"}
    answer = await stats.analytics.ask(EXTENDED, method="POST", headers=headers, body=body)
    assert (answer.status, answer.json()) == (400, {"error": message})


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'"text"', b"[" * 100_000, b'{"a":"\xff"}', b'{"a":NaN}'])
async def test_a_body_that_is_no_object_is_refused_before_the_key_is_looked_at(stats: Stats, body: bytes) -> None:
    answer = await stats.analytics.ask("/api/v2/query", method="POST", body=body)
    assert answer.status == 400
    assert list(answer.json()) == ["error"]


async def test_a_large_body_is_refused(stats: Stats) -> None:
    headers = {"authorization": f"Bearer {stats.analytics.token}"}
    answer = await stats.analytics.ask("/api/v2/query", method="POST", headers=headers, body=b" " * 300_000)
    assert (answer.status, answer.json()["error"]) == (413, "the body is larger than 256 KiB")


@pytest.mark.parametrize("site", [None, "", 7, [], {}])
async def test_a_missing_site_is_told_before_anything_else(stats: Stats, site: Any) -> None:
    sent: dict[str, Any] = {"metrics": ["baa"], "extra": 1} | ({} if site is None else {"site_id": site})
    answer = await stats.post(**sent)
    assert (answer.status, answer.json()["error"][:7]) == (400, "site_id")


async def test_who_may_not_ask_is_told_one_thing(stats: Stats) -> None:
    """Nobody learns which sites exist."""
    asked: dict[str, Any] = {"site_id": "stats.example.com", "metrics": ["visitors"], "date_range": "7d"}
    other = await stats.analytics.api("PUT", "/sites", json={"cname": "other.example.com"})
    weak = await stats.analytics.new_token(Permission.COUNT, Permission.SITE_READ)
    limited = await stats.analytics.new_token(Permission.STATS, sites=(other.json()["id"],))
    for token, site in (("unknown", "stats.example.com"), (weak, "stats.example.com"), (limited, "stats.example.com"),
                        ("", "nobody.example.com"), (limited, "nobody.example.com")):  # fmt: skip
        answer = await stats.post(token=token, **(asked | {"site_id": site}))
        assert (answer.status, answer.json()) == (401, {"error": REFUSED})
    answer = await stats.post(token=None, **asked)
    assert (answer.status, answer.json()) == (401, {"error": MISSING})
    # The key is looked at before the site, and before the rest of the body.
    assert (await stats.post(token="unknown")).status == 401


@pytest.mark.parametrize("header", ["Basic eDp5", "Bearer", "Bearer a b", "Token x", ""])
async def test_other_headers_are_no_key(stats: Stats, header: str) -> None:
    answer = await stats.analytics.ask("/api/v2/query", method="POST", headers={"authorization": header}, body=b"{}")
    assert (answer.status, answer.json()) == (401, {"error": MISSING})


async def test_the_scheme_may_be_written_in_any_case(stats: Stats) -> None:
    body = b'{"site_id":"STATS.example.com","metrics":["visitors"],"date_range":"7d"}'
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"authorization": f"{scheme} {stats.analytics.token}", "content-type": "text/plain"}
        assert (await stats.analytics.ask("/api/v2/query", method="POST", headers=headers, body=body)).status == 200


NOWHERE = [
    ("GET", "/api/v2/query"),
    ("PUT", "/api/v2/query"),
    ("DELETE", "/api/v1/sites"),
    ("GET", "/api/v2"),
    ("GET", "/api/v2/other"),
    ("GET", "/api/v1/stats"),
    ("POST", "/api/v1/stats/aggregate"),
    ("GET", "/api/event"),
    ("GET", "/api/system/health"),
    ("POST", "/api/health"),
]


async def test_other_addresses_and_methods_are_not_found(stats: Stats) -> None:
    for method, path in NOWHERE:
        answer = await stats.analytics.ask(path, method=method)
        assert answer.status == 404, (method, path)
        assert list(answer.json()) == ["error"]


async def test_goatcounters_addresses_stay_where_they_are(stats: Stats) -> None:
    assert (await stats.analytics.api("GET", "/me")).status == 200
    assert (await stats.analytics.ask("/api.json")).json()["info"]["title"]
    assert (await stats.analytics.ask("/api/other")).json() == {"error": "not found"}


NASTY = ["'; DROP TABLE hit; --", '"', "\\", "%", "_", "\x00", "$p0", "?", "{x}", "\u202e", "[[", "(?i)x", "🙂"]


async def test_texts_are_never_a_part_of_a_statement(stats: Stats) -> None:
    """As a value of every dimension with every operator, and as every name."""
    for text in NASTY:
        names = [name for name in DIMENSIONS if name != "event:hostname"]
        for operator, visitors in (("is", 0), ("contains", 0), ("is_not", 4), ("contains_not", 4)):
            joined = "and" if operator.endswith("not") else "or"
            found = await stats.rows(filters=[[joined, [[operator, name, [text]] for name in names]]])
            assert found == [(visitors,)], operator
            assert await stats.rows(filters=[[operator, "event:hostname", [text]]]) == [(visitors,)], text
        bodies: list[dict[str, Any]] = [
            {"metrics": [text]},
            {"dimensions": [text]},
            {"date_range": text},
            {"order_by": [[text, "asc"]]},
            {"filters": [[text, "visit:source", ["x"]]]},
            {"filters": [["is", text, ["x"]]]},
            {text: 1},
        ]
        for body in bodies:
            assert (await stats.refusal(**body))[0] == 400, text
        assert (await stats.post(site_id=text, metrics=["visitors"], date_range="7d")).status == 401, text
        assert await stats.rows(metrics=["events"]) == [(8,)], text


DIMENSIONS = [
    "event:name", "event:page", "event:hostname", "visit:source", "visit:channel", "visit:referrer",
    "visit:utm_source", "visit:utm_medium", "visit:utm_campaign", "visit:utm_content", "visit:utm_term",
    "visit:entry_page", "visit:exit_page", "visit:entry_page_hostname", "visit:exit_page_hostname", "visit:device",
    "visit:browser", "visit:browser_version", "visit:os", "visit:os_version", "visit:country_name",
    "visit:region", "visit:region_name", "visit:city", "visit:city_name",
]  # fmt: skip
