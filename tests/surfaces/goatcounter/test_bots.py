"""``/bots``: what was filtered can be seen and undone."""

from typing import Any

import pytest

from support.analytics import Analytics
from support.telling import a_visit, tell
from tallystick.model.account import Permission
from tallystick.services.job_worker import JobWorker

SPAN = "start=2020-06-18&end=2020-06-18T23:59:59Z"


async def bots(analytics: Analytics, query: str = "") -> Any:
    answer = await analytics.api("GET", f"/bots?{SPAN}{query}")
    assert answer.status == 200, answer.text
    return answer.json()


async def total(analytics: Analytics) -> int:
    return int((await analytics.api("GET", f"/stats/total?{SPAN}")).json()["total"])


async def do_jobs(analytics: Analytics) -> None:
    services = analytics.services
    await JobWorker(services.ledger, services.warehouse, services.names.forget, seen_within=0).work()


async def test_filtered_hits_are_counted_by_reason_and_listed_latest_first(analytics: Analytics) -> None:
    await tell(
        analytics, a_visit("/a", bot=6, country="NL"), a_visit("/b", bot=6), a_visit("/c", bot=153), a_visit("/d")
    )
    found = await bots(analytics)
    assert found["bots"] == [
        {"bot": 6, "reason": "boty-word", "count": 2},
        {"bot": 153, "reason": "webdriver", "count": 1},
    ]
    assert [hit["path"] for hit in found["hits"]] == ["/c", "/b", "/a"]
    assert found["hits"][2] == {
        "id": 1,
        "path_id": 1,
        "path": "/a",
        "event": False,
        "bot": 6,
        "reason": "boty-word",
        "ref": "",
        "ref_scheme": "o",
        "browser": "",
        "system": "",
        "location": "NL",
        "created_at": "2020-06-18T10:00:00Z",
    }


async def test_the_list_goes_on_before_an_id_and_can_be_of_one_code(analytics: Analytics) -> None:
    await tell(analytics, a_visit("/a", bot=6), a_visit("/b", bot=6), a_visit("/c", bot=153))
    found = await bots(analytics, "&bot=6&limit=1")
    assert ([hit["id"] for hit in found["hits"]], found["more"]) == ([2], True)
    found = await bots(analytics, "&bot=6&limit=1&before=2")
    assert ([hit["id"] for hit in found["hits"]], found["more"]) == ([1], False)
    assert len(found["bots"]) == 2


async def test_a_relabelled_hit_is_a_visit(analytics: Analytics) -> None:
    await tell(analytics, a_visit("/a", bot=6), a_visit("/b", bot=6), a_visit("/c", bot=153))
    answer = await analytics.api("POST", "/bots", json={"from": 6, "to": 0, "first_hit_id": 2})
    assert (answer.status, answer.json()) == (202, {"status": "ok"})
    await do_jobs(analytics)
    assert await total(analytics) == 1
    assert [row["count"] for row in (await bots(analytics))["bots"]] == [1, 1]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"from": 6, "to": 6}, "the codes must differ"),
        ({"from": 6, "to": 99}, "a code must be one of 0, 2, 3"),
        ({"from": 6, "to": 0, "x": 1}, 'unknown parameter: "x"'),
        ({"from": 6}, "invalid JSON"),
    ],
)
async def test_a_relabelling_that_makes_no_sense_is_refused(
    analytics: Analytics, body: dict[str, int], error: str
) -> None:
    answer = await analytics.api("POST", "/bots", json=body)
    assert answer.status == 400
    assert answer.json()["error"].startswith(error)


async def mark(analytics: Analytics, to: int, *filters: Any, start: str = "2020-06-18") -> int:
    """Mark hits that pass. Returns how many there are."""
    body = {"to": to, "filters": list(filters), "start": start, "end": "2020-06-18T23:59:59Z"}
    answer = await analytics.api("POST", "/bots", json=body)
    assert answer.status == 202, answer.text
    await do_jobs(analytics)
    told = answer.json()
    assert told.pop("status") == "ok"
    return int(told.pop("hits"))


async def test_bots_are_brought_back_by_a_filter(analytics: Analytics) -> None:
    await tell(
        analytics,
        a_visit("/a", bot=6, country="NL"),
        a_visit("/b", bot=6, country="NL"),
        a_visit("/a", bot=153, country="DE"),
        a_visit("/a", bot=6, country="NL", when="2020-06-17T10:00"),
        a_visit("/c", by=1),
    )
    assert await mark(analytics, 0, ["is", "event:page", ["/a"]], ["is", "event:bot", ["boty-word"]]) == 1
    assert await total(analytics) == 2
    assert await mark(analytics, 0, ["contains", "visit:country_name", ["Norw"]]) == 0
    assert await mark(analytics, 153, ["is", "visit:country_name", ["Netherlands"]]) == 1
    assert await mark(analytics, 0, ["matches", "visit:country_name", ["lands$"]], ["is", "event:page", ["/a"]]) == 1
    assert await mark(analytics, 0, ["contains", "event:page", ["/A"], {"case_sensitive": False}]) == 1
    assert await total(analytics) == 3
    assert await mark(analytics, 0, ["is", "event:page", ["/nowhere"]]) == 0
    assert await mark(analytics, 0, ["is", "visit:source", ["Google"]]) == 0
    assert (await bots(analytics))["bots"] == [{"bot": 6, "reason": "boty-word", "count": 1}]
    assert await mark(analytics, 0, ["is", "visit:source", ["Direct / None"]]) == 1
    assert await total(analytics) == 4
    assert await mark(analytics, 0) == 0
    assert await mark(analytics, 0, start="2020-06-17") == 1


async def test_peoples_visits_become_bots_and_people_again(analytics: Analytics) -> None:
    await tell(
        analytics,
        a_visit("/a", by=1, source="Spam", channel="Referral"),
        a_visit("/b", by=1, when="2020-06-18T10:01"),
        a_visit("/a", by=2),
    )
    before = await total(analytics)
    assert await mark(analytics, 5, ["is", "visit:source", ["Spam"]]) == 2
    assert await total(analytics) == 1
    assert (await bots(analytics))["bots"] == [{"bot": 5, "reason": "known", "count": 2}]
    assert await mark(analytics, 0, ["is", "event:bot", ["known"]]) == 2
    assert await total(analytics) == before


WITHOUT_SENSE: list[tuple[dict[str, Any], str]] = [
    ({"to": 0, "filters": 1}, "invalid JSON: Expected `array`"),
    ({"to": 0, "filters": None}, "invalid JSON: Expected `array`"),
    ({"filters": []}, "invalid JSON: Object missing required field `to`"),
    ({"to": 0, "filters": [], "from": 6}, 'unknown parameter: "from"'),
    ({"to": 99, "filters": []}, "a code must be one of 0, 2, 3"),
    ({"to": 1, "filters": []}, "a code must be one of 0, 2, 3"),
    ({"to": 0, "filters": [], "start": "x"}, "invalid query parameters: field=start"),
    ({"to": 0, "filters": [], "timezone": "x"}, "invalid query parameters: field=timezone"),
    ({"to": 0, "filters": [[]]}, "invalid filter 0: a filter is a list such as"),
    ({"to": 0, "filters": [["is", "event:page", ["/"]], ["is", "x", []]]}, "invalid filter 1: there is no filter"),
    ({"to": 0, "filters": [["is", "event:page", []]]}, "the filter on page has no values"),
    ({"to": 0, "filters": [["matches", "visit:browser", ["("]]]}, "the expression '(' is not valid"),
    ({"to": 0, "filters": [["matches", "event:page", ["("]]]}, "the expression '(' is not valid"),
    ({"to": 0, "filters": [["has_done", ["is", "visit:source", ["x"]]]]}, "has done takes filters on pages"),
]


async def test_filters_that_make_no_sense_are_refused(analytics: Analytics) -> None:
    await tell(analytics, a_visit("/a", bot=6))
    for body, error in WITHOUT_SENSE:
        answer = await analytics.api("POST", "/bots", json=body)
        assert answer.status == 400, (body, error)
        assert answer.json()["error"].startswith(error), (body, error)


async def test_codes_and_parameters_that_there_are_not_are_refused(analytics: Analytics) -> None:
    for query in ("bot=99", "country=NL", "metrics=visitors"):
        assert (await analytics.api("GET", f"/bots?{query}")).status == 400


async def test_looking_needs_statistics_and_changing_needs_site_update(analytics: Analytics) -> None:
    looking = await analytics.new_token(Permission.STATS)
    assert (await analytics.api("GET", "/bots", token=looking)).status == 200
    assert (await analytics.api("POST", "/bots", json={"from": 6, "to": 0}, token=looking)).status == 403


async def test_dropped_hits_are_counted_by_reason(analytics: Analytics) -> None:
    hits = [{"path": path, "created_at": "2020-06-18T10:00:00Z"} for path in ("/favicon.ico", "/favicon.ico", "/a")]
    assert (await analytics.api("POST", "/count", json={"no_sessions": True, "hits": hits})).status == 202
    await analytics.services.ingest.dropped.keep()
    assert (await bots(analytics))["dropped"] == [{"reason": "ignored-path", "count": 2}]
    other = await analytics.api("GET", "/bots?start=2020-06-17&end=2020-06-17T23:59:59Z")
    assert other.json()["dropped"] == []
