"""A row added to the table of dimensions is a page, has details and filters every report."""

from datetime import UTC
from typing import Any
from urllib.parse import urlencode

import pytest

from support.analytics import Analytics
from support.telling import a_visit, at, tell
from tallystick.model import dimensions
from tallystick.model.dimensions import BROWSER, PATH, REFERRER, Dimension, Range, ValueKind
from tallystick.model.metrics import Metric
from tallystick.model.period import period
from tallystick.model.selection import REPORT_METRICS, Filter, ReportRequest
from tallystick.services.analytics.reporting import Reporting, Slice

DAY = {"start": "2020-06-18", "end": "2020-06-18T23:59:59Z"}
METRICS = {"metrics": "visitors,pageviews"}
COLUMNS = {"hue": "VARCHAR DEFAULT ''", "shade": "VARCHAR DEFAULT ''", "depth": "UINTEGER DEFAULT 0"}
PAGES = ("browsers", "systems", "locations", "languages", "sizes", "toprefs")


def a_dimension(**fields: Any) -> Dimension:
    return Dimension(name="made_up", filter="made_up", page="made_ups", details=BROWSER, **fields)


TEXT = a_dimension(columns=("hue",))
CODE = a_dimension(columns=("hue",), kind=ValueKind.CODE, spelling=str.capitalize)
FOLDED = a_dimension(columns=("hue",), kind=ValueKind.FOLDED)
PART = a_dimension(columns=("hue", "shade"), kind=ValueKind.PART)
VERSION = a_dimension(columns=("hue", "shade"), kind=ValueKind.VERSION)
NUMBER = a_dimension(columns=("depth",), kind=ValueKind.NUMBER)
RANGE = a_dimension(
    columns=("depth",), kind=ValueKind.RANGE, ranges=(Range("deep", 10, 99), Range("low", 1, 9), Range("none", 0, 0))
)

# The row's value in a report, and how a filter may name it.
ROWS = [
    (TEXT, "Red", "rED"),
    (CODE, "Red", "rED"),
    (FOLDED, "red", "rED"),
    (PART, "Red-dark", "Red-dark"),
    (VERSION, "Red dark", "Red dark"),
    (NUMBER, "12", "12"),
    (RANGE, "deep", "deep"),
]


Row = tuple[Dimension, str, str]


@pytest.fixture(params=ROWS, ids=lambda row: row[0].kind.value)
def row(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Row:
    """A made-up dimension in the table, one of its values and a filter's spelling of it.

    It is also what the rows of the page ``schemes`` are divided by, whose column is an existing one.
    """
    row: Row = request.param
    scheme = Dimension(name="scheme", columns=("ref_scheme",), kind=ValueKind.CODE, page="schemes", details=row[0])
    monkeypatch.setattr(dimensions, "DIMENSIONS", (*dimensions.DIMENSIONS, row[0], scheme))
    return row


def color(session: Any, colored: dict[int, tuple[str, str, int]]) -> None:
    """Add the columns to the warehouse and fill them, by path."""
    for name, kind in COLUMNS.items():
        session.connection.execute(f"ALTER TABLE hit ADD COLUMN {name} {kind}")
    for path, values in colored.items():
        session.connection.execute("UPDATE hit SET hue = ?, shade = ?, depth = ? WHERE path = ?", [*values, path])


async def fill(analytics: Analytics) -> None:
    """Three visits on two paths that are red, one blue event, one without any color."""
    await tell(
        analytics,
        a_visit("/a", by=1, browser="Firefox", country="NL", ref="a.example", ref_scheme="h"),
        a_visit("/b", by=1, browser="Firefox"),
        a_visit("/b", by=2, browser="Chrome", system="Linux", language="nld", width=300, campaign="Spring"),
        a_visit("click", by=2, browser="Chrome"),
        a_visit("/c", by=3, browser="Chrome"),
    )
    red, blue = ("Red", "dark", 12), ("Blue", "", 5)
    await analytics.services.warehouse.write(color, {1: red, 2: red, 3: blue})


async def stats(analytics: Analytics, path: str, **query: str) -> Any:
    answer = await analytics.api("GET", f"/stats/{path}?{urlencode(DAY | query)}")
    assert answer.status == 200, answer.text
    return answer.json()


def figures(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in ("count", "visitors", "pageviews") if name in row}


def expected(metrics: dict[str, str], count: int, visitors: int, pageviews: int) -> dict[str, int]:
    """What a row has with these metrics."""
    return {"count": count, **({"visitors": visitors, "pageviews": pageviews} if metrics else {})}


@pytest.mark.parametrize("metrics", [{}, METRICS], ids=["visits", "metrics"])
async def test_it_is_a_page_with_details(analytics: Analytics, row: Row, metrics: dict[str, str]) -> None:
    _, value, spelling = row
    await fill(analytics)
    page = await stats(analytics, "made_ups", **metrics)
    [red] = [each for each in page["stats"] if each.get("id") == value]
    assert figures(red) == expected(metrics, 3, 2, 3)
    assert sum(each["count"] for each in page["stats"]) == 5
    assert sum(each["count"] for each in (await stats(analytics, "made_ups", country="NL"))["stats"]) == 1
    details = (await stats(analytics, f"made_ups/{spelling}", **metrics))["stats"]
    assert [(each["name"], figures(each)) for each in details] == [
        ("Firefox", expected(metrics, 2, 1, 2)),
        ("Chrome", expected(metrics, 1, 1, 1)),
    ]


@pytest.mark.parametrize("metrics", [{}, METRICS], ids=["visits", "metrics"])
async def test_it_is_the_details_of_a_page(analytics: Analytics, row: Row, metrics: dict[str, str]) -> None:
    _, value, _ = row
    await fill(analytics)
    schemes = (await stats(analytics, "schemes", **metrics))["stats"]
    assert [(each["id"], each["count"]) for each in schemes] == [("o", 4), ("h", 1)]
    [red] = [each for each in (await stats(analytics, "schemes/o", **metrics))["stats"] if each["name"] == value]
    assert figures(red) == expected(metrics, 2, 2, 2)


@pytest.mark.parametrize("metrics", [{}, METRICS], ids=["visits", "metrics"])
async def test_it_filters_every_report(analytics: Analytics, row: Row, metrics: dict[str, str]) -> None:
    _, _, spelling = row
    await fill(analytics)
    query = {"made_up": spelling, **metrics}
    total = await stats(analytics, "total", **query)
    assert total["total"] == total["total_utc"] == 3
    assert [total.get("visitors"), total.get("pageviews")] == ([2, 3] if metrics else [None, None])
    hits = (await stats(analytics, "hits", **query))["hits"]
    assert [(hit["path"], figures(hit)) for hit in hits] == [
        ("/b", expected(metrics, 2, 2, 2)),
        ("/a", expected(metrics, 1, 1, 1)),
    ]
    for page in (*PAGES, "made_ups", "schemes"):
        rows = (await stats(analytics, page, **query))["stats"]
        assert sum(each["count"] for each in rows) == 3, page
    assert [each["count"] for each in (await stats(analytics, "campaigns", **query))["stats"]] == [1]
    assert [each["name"] for each in (await stats(analytics, "hits/1", **query))["refs"]] == ["a.example"]
    assert (await stats(analytics, "hits/4", **query))["refs"] == []
    for details, visits in (("browsers/Firefox", 2), ("toprefs/a.example", 1), ("locations/nl", 1), ("campaigns/1", 1)):
        rows = (await stats(analytics, details, **query))["stats"]
        assert sum(each["count"] for each in rows) == visits, details
    assert (await stats(analytics, "total", browser="Chrome", **query))["total"] == 1


async def test_it_is_listed_where_a_page_does_not_exist(analytics: Analytics, row: Row) -> None:
    answer = await analytics.api("GET", "/stats/x")
    assert ", toprefs, made_ups, schemes" in answer.json()["errors"]["page"][0]
    if row[0] is RANGE:
        answer = await analytics.api("GET", "/stats/total?made_up=x")
        assert answer.json()["error"].endswith("field=made_up: must be one of deep, low, none")


@pytest.mark.parametrize("metrics", [frozenset(), REPORT_METRICS], ids=["visits", "metrics"])
async def test_reporting_groups_and_filters_by_it(analytics: Analytics, row: Row, metrics: frozenset[Metric]) -> None:
    dimension, value, spelling = row
    await fill(analytics)
    reporting = Reporting(analytics.services.ledger, analytics.services.warehouse)
    span = period(at("2020-06-18"), at("2020-06-18T23:59:59"), UTC)
    everything = ReportRequest(site=analytics.site.id, period=span, metrics=metrics)
    red = ReportRequest(site=analytics.site.id, period=span, metrics=metrics, filters=(Filter(dimension, (spelling,)),))
    ten = Slice(10)
    by_value = await reporting.by_value(everything, dimension, ten)
    assert {each.value: each.visits for each in by_value.rows}[value] == 3
    assert all(bool(each.figures) == bool(metrics) for each in by_value.rows)
    assert [each.value for each in (await reporting.by_value(red, dimension, ten)).rows] == [value]
    total = await reporting.total(red)
    assert (total.visits, len(total.figures)) == (3, len(metrics))
    top = await reporting.top_paths(red, 10)
    assert [(path.path, days.visits) for path, days in top.rows] == [("/b", 2), ("/a", 1)]
    assert sum(each.visits for each in (await reporting.referrers(red, ten)).rows) == 3
    assert sum(each.visits for each in (await reporting.referrers_of_path(red, 2, ten)).rows) == 2
    for other in dimensions.DIMENSIONS:
        rows = (await reporting.by_value(red, other, ten)).rows
        assert sum(each.visits for each in rows) == (1 if other.optional else 3), other.name
    several = ReportRequest(
        site=analytics.site.id,
        period=span,
        filters=(Filter(dimension, (spelling, "x")), Filter(PATH, ("/b", 3)), Filter(REFERRER, ("", "x"))),
    )
    assert (await reporting.total(several)).visits == 2
