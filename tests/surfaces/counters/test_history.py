"""The history of public counters, as it is asked for."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from builders import NOW
from support.in_process import InProcess, in_process
from tallystick.surfaces.counters.routes import RATES
from tallystick.web.charts.documents import PALETTES, STYLE, STYLE_HASH
from tallystick.web.rate_limit import Rate

UNLIMITED = (Rate("", None, 0),)
SVG = "{http://www.w3.org/2000/svg}"
DAY_S, HOUR_S = 86_400, 3_600
# The clock begins on 2027-01-15, a Friday, at 08:00 UTC.
assert NOW == 1_800_000_000_000


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with in_process(tmp_path, rate_limit=UNLIMITED) as running:
        yield running


async def counted(site: InProcess, key: str = "visits") -> None:
    """A counter that began with 990, and rose by 12, 1 and 3 in three hours of two days."""
    await site.ask(f"/create?namespace=mysite.com&key={key}&value=990&update_lowerbound=-50&update_upperbound=50")
    await site.ask(f"/update/mysite.com/{key}?amount=12")
    site.clock.advance(seconds=DAY_S)
    await site.ask(f"/update/mysite.com/{key}?amount=1")
    site.clock.advance(seconds=HOUR_S)
    await site.ask(f"/update/mysite.com/{key}?amount=3")


async def history(site: InProcess, query: str = "", key: str = "visits") -> dict[str, Any]:
    answer = await site.ask(f"/history/mysite.com/{key}?{query}")
    assert answer.status == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_what_a_counter_changed_by(site: InProcess) -> None:
    await counted(site)
    assert await history(site) == {
        "namespace": "mysite.com",
        "key": "visits",
        "value": 1_006,
        "version": 4,
        "changed": "2027-01-16T09:00:00.000Z",
        "begins": "2027-01-15T08:00:00.000Z",
        "from": "2027-01-15T00:00:00+00:00",
        "to": "2027-01-16T23:59:59+00:00",
        "interval": "hour",
        "timezone": "UTC",
        "added": 16,
        "history": [
            {
                "begin": f"2027-01-{15 + hour // 24}T{hour % 24:02}:00",
                "added": {8: 12, 32: 1, 33: 3}.get(hour, 0),
                "value": None if hour < 8 else 1_002 if hour < 32 else 1_003 if hour < 33 else 1_006,
            }
            for hour in range(34)
        ],
        "milestones": [{"value": 1_000, "reached": "2027-01-15T08:00:00.000Z"}],
        "kept": {"hours_from": "2026-10-18T00:00:00.000Z", "days_from": "2024-01-01T00:00:00.000Z"},
    }
    assert (await history(site, "interval=week&period=7d"))["history"] == [
        {"begin": "2027-01-04", "added": 0, "value": None},
        {"begin": "2027-01-11", "added": 12, "value": 1_002},
    ]
    told = await history(site, "from=2027-01-15&interval=day&timezone=Pacific/Auckland")
    assert told["from"] == "2027-01-15T00:00:00+13:00"
    assert [(each["begin"], each["added"]) for each in told["history"]] == [("2027-01-15", 12), ("2027-01-16", 4)]


async def test_the_guide_says_what_is(site: InProcess) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "history-of-counters.md").read_text("utf-8")
    await site.ask("/hit/example.com/visits")
    requests = re.findall(r'^curl "http://127\.0\.0\.1:8080(.+)"$', guide, re.MULTILINE)
    requests += re.findall(r'src="https://count\.example\.com(.+)" width', guide)
    answers = [await site.ask(request) for request in requests]
    assert [answer.status for answer in answers] == [200] * 4
    shown = json.loads(guide.split("```json\n")[1].split("```")[0])
    assert list(shown) == list(answers[0].json())
    assert "120 histories a minute" in guide
    assert Rate("counter-history", 120, 60) in {rate._replace(counts="") for rate in RATES}


async def test_set_deleted_and_created_anew(site: InProcess) -> None:
    await site.ask("/create?namespace=mysite.com&key=visits&value=7&enable_reset=1")
    await site.ask("/set/mysite.com/visits?value=0")
    assert (await history(site))["added"] == -7
    site.clock.advance(seconds=400 * DAY_S)
    answer = await site.ask("/history/mysite.com/visits")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "no-such-counter")
    await site.ask("/hit/mysite.com/visits")
    told = await history(site)
    assert (told["added"], told["value"], told["milestones"]) == (1, 1, [])
    assert told["begins"] == told["changed"] == "2028-02-19T08:00:00.000Z"


async def test_a_table_for_spreadsheets(site: InProcess) -> None:
    await counted(site)
    answer = await site.ask("/history/mysite.com/visits.csv?interval=day&period=all")
    assert answer.status == 200
    assert answer.text == "begin,added,value\r\n2027-01-15,12,1002\r\n2027-01-16,4,1006\r\n"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="mysite.com_visits_day.csv"'


async def test_a_chart_for_other_pages(site: InProcess) -> None:
    await counted(site)
    answer = await site.ask("/history/mysite.com/visits.svg?interval=day&from=2027-01-14")
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/svg+xml; charset=utf-8"
    policy = f"default-src 'none'; style-src '{STYLE_HASH.decode()}'; sandbox"
    assert answer.headers["content-security-policy"] == policy
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    root = fromstring(answer.text)
    assert root.get("role") == "img"
    title = "mysite.com/visits by day, 2027-01-14 \N{EN DASH} 2027-01-16"
    assert root.findtext(f"{SVG}title") == f"{title}: +16, now 1,006"
    assert root.findtext(f"{SVG}desc") == "Most in one day: +12 (2027-01-15)."
    assert [element.text for element in root.iter(f"{SVG}text")][:2] == [title, "+16, now 1,006"]
    # Light by attributes, dark by the style sheet that the policy names.
    assert root.findtext(f"{SVG}style") == STYLE
    painted = [element for element in root.iter() if element.get("fill", "none") != "none"]
    for element in painted:
        (name,) = [each for each in (element.get("class") or "").split() if each.startswith("fill-")]
        assert element.get("fill") == getattr(PALETTES["light"], name.removeprefix("fill-"))
        assert f".{name}{{fill:{getattr(PALETTES['dark'], name.removeprefix('fill-'))}}}" in STYLE
    for interval in ("hour", "week", "month", "year"):
        fromstring((await site.ask(f"/history/mysite.com/visits.svg?interval={interval}")).text)


async def test_the_last_suffix_is_the_form(site: InProcess) -> None:
    await site.ask("/hit/mysite.com/a.svg")
    await site.ask("/hit/mysite.com/b.v1")
    assert (await history(site, key="a.svg.json"))["key"] == "a.svg"
    assert (await history(site, key="b.v1"))["key"] == "b.v1"
    answer = await site.ask("/history/mysite.com/a.svg")
    assert answer.json()["error"]["field"] == "key"  # "a" is too short for a key
    assert (await site.ask("/history/mysite.com/a.svg.csv")).status == 200


async def test_what_has_not_changed_is_not_sent_again(site: InProcess) -> None:
    await counted(site)
    for form in ("", ".csv", ".svg"):
        answer = await site.ask(f"/history/mysite.com/visits{form}")
        assert answer.headers["cache-control"] == "public, max-age=60"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "sandbox" in answer.headers["content-security-policy"]
        known = [("if-none-match", answer.headers["etag"])]
        again = await site.ask(f"/history/mysite.com/visits{form}", headers=known)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]
    await site.ask("/update/mysite.com/visits?amount=1")
    assert (await site.ask("/history/mysite.com/visits.svg", headers=known)).status == 200


REFUSED = [
    ("mysite.com/missing", 404, "no-such-counter", None),
    ("mysite.com/missing.svg", 404, "no-such-counter", None),
    ("ab/visits", 400, "malformed-name", "namespace"),
    ("mysite.com/visits/all", 404, "not-found", None),
    ("mysite.com/visits?period=yesterday", 400, "invalid-field", "period"),
    ("mysite.com/visits.csv?from=2027-01-02&to=2027-01-01", 400, "invalid-field", "from"),
    ("mysite.com/visits?interval=minute", 400, "invalid-field", "interval"),
    ("mysite.com/visits?period=100d&interval=hour", 400, "invalid-field", "interval"),
    ("mysite.com/missing?timezone=Europe/Atlantis", 400, "invalid-field", "timezone"),
]


async def test_refusals(site: InProcess) -> None:
    await counted(site)
    for path, status, code, field in REFUSED:
        answer = await site.ask(f"/history/{path}")
        error = answer.json()["error"]
        assert (answer.status, error["code"], error.get("field")) == (status, code, field), path
        assert answer.headers["cache-control"] == "no-store"


async def test_an_address_may_ask_so_often_in_a_namespace(tmp_path: Path) -> None:
    async with in_process(tmp_path, rate_limit=(Rate("counter-history", 2, 60),)) as site:
        answers = [await site.ask("/history/mysite.com/missing") for _ in range(3)]
        others = [
            await site.ask("/history/other.com/missing"),
            await site.ask("/history/mysite.com/missing", client="192.0.2.9"),
            await site.ask("/api/counters/mysite.com/missing"),
        ]
    assert [answer.status for answer in answers] == [404, 404, 429]
    assert answers[-1].json()["error"]["code"] == "rate-limited"
    assert [answer.status for answer in others] == [404, 404, 404]


async def test_switched_off_counters_have_no_history(tmp_path: Path) -> None:
    async with in_process(tmp_path, public_counters="off") as site:
        answer = await site.ask("/history/mysite.com/visits.svg")
    assert (answer.status, answer.json()["error"]["code"]) == (403, "public-counters-off")
