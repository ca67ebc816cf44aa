"""``POST /api/query/funnel``."""

from typing import Any

import pytest

from support.telling import a_visit, tell
from tallystick.model.funnel import Funnel, FunnelStep
from tallystick.model.goal import Goal
from tallystick.services.analytics.kept.funnels import create_funnel
from tallystick.services.analytics.kept.goals import create_goal

from .conftest import Stats

FUNNEL = "/api/query/funnel"
STEPS = [
    {"page": "/"},
    {"page": "/pricing"},
    {"page": "/blog/*", "optional": True},
    {"event": "Signup", "name": "Done"},
]
USUAL: dict[str, Any] = {
    "site_id": "stats.example.com",
    "funnel": {"steps": STEPS},
    "date_range": ["2027-01-13", "2027-01-15"],
}


async def found(stats: Stats, **body: Any) -> Any:
    answer = await stats.post(FUNNEL, **(USUAL | body))
    assert answer.status == 200, answer.text
    return answer.json()


async def refusal(stats: Stats, **body: Any) -> tuple[int, list[str]]:
    sent = {key: value for key, value in (USUAL | body).items() if value is not None}
    answer = await stats.post(FUNNEL, **sent)
    assert list(answer.json()) == ["error"]
    return answer.status, answer.json()["error"].split("\n")


async def test_the_answer(stats: Stats) -> None:
    assert await found(stats, include={"left_to": True}) == {
        "results": {
            "visits": 4,
            "entered": 75.0,
            "steps": [
                a_step("/", 3, 100.0, None, 2, left_to=[], exits=2),
                a_step("/pricing", 1, 33.33, 33.33, 0, 60.0, left_to=[], exits=0),
                a_step("/blog/*", 1, 33.33, 100.0, 0, 240.0, optional=True, left_to=[], exits=0),
                a_step("Done", 1, 33.33, 100.0, 0, 60.0, left_to=[], exits=0),
            ],
        },
        "meta": {},
        "query": {
            "site_id": "stats.example.com",
            "funnel": {"steps": STEPS},
            "date_range": ["2027-01-13T00:00:00+00:00", "2027-01-15T23:59:59+00:00"],
            "filters": [],
            "include": {"left_to": True},
        },
    }


def a_step(  # noqa: PLR0913, PLR0917  # the columns of a table
    name: str,
    visits: int,
    of_first: float,
    of_previous: float | None,
    dropped: int,
    seconds: float | None = None,
    **others: Any,
) -> dict[str, Any]:
    return {
        "name": name,
        "optional": False,
        "visits": visits,
        "of_first": of_first,
        "of_previous": of_previous,
        "dropped": dropped,
        "median_seconds": seconds,
        "average_seconds": seconds,
        **others,
    }


async def test_where_visits_went(stats: Stats) -> None:
    await tell(
        stats.analytics,
        a_visit("/pricing", "2027-01-14T10:12", by=3),
        a_visit("/<b>'\"", "2027-01-14T10:13", by=3),
        a_visit("Click", "2027-01-14T23:31", by=2),
    )
    answer = await found(
        stats, funnel={"steps": [{"page": "/"}, {"event": "Signup"}], "strict": True}, include={"left_to": True}
    )
    first, last = answer["results"]["steps"]
    assert first["left_to"] == [{"page": "/pricing", "visits": 2}, {"event": "Click", "visits": 1}]
    assert (first["dropped"], first["exits"], last["left_to"], last["exits"]) == (3, 0, [], 0)
    assert (last["of_first"], last["median_seconds"]) == (0.0, None)
    steps = {"steps": [{"page": "/pricing"}, {"page": "/blog/**"}]}
    answer = await found(stats, funnel=steps, include={"left_to": True})
    assert answer["results"]["steps"][0]["left_to"] == [{"page": "/", "visits": 1}]
    strange = {"steps": [{"page": "/pricing"}, {"page": "/<b>'\""}]}
    assert [step["visits"] for step in (await found(stats, funnel=strange))["results"]["steps"]] == [2, 1]


async def test_filters_zones_and_hits_without_a_session(stats: Stats) -> None:
    two: dict[str, Any] = {"funnel": {"steps": [{"page": "/"}, {"page": "/pricing"}]}}
    german = await found(stats, **two, filters=[["is", "visit:country", ["DE"]]])
    assert (german["results"]["visits"], german["results"]["entered"]) == (1, 100.0)
    of_signups = await found(stats, **two, filters=[["is", "event:goal", ["Signup"]]])
    assert [step["visits"] for step in of_signups["results"]["steps"]] == [1, 1]
    west = {"date_range": ["2027-01-14", "2027-01-14"], "timezone": "America/New_York"}
    assert (await found(stats, **two, **west))["results"]["visits"] == 2
    east = {"date_range": ["2027-01-15", "2027-01-15"], "timezone": "Asia/Tokyo"}
    assert (await found(stats, **two, **east))["results"]["visits"] == 2
    assert (await found(stats, **two))["meta"] == {}
    await tell(stats.analytics, a_visit("/", "2027-01-15T07:00"))
    [warning] = (await found(stats, **two))["meta"]["warnings"]
    assert warning["code"] == "hits_without_session"


async def test_a_funnel_by_its_id_and_its_name(stats: Stats) -> None:
    site, ledger = stats.analytics.site.id, stats.analytics.services.ledger
    goal = await ledger.write(create_goal, Goal(site=site, name="Signed up", event="Signup"), 0)
    steps = (FunnelStep(page="/pricing"), FunnelStep(goal=goal.id))
    funnel = await ledger.write(create_funnel, Funnel(site=site, name="Sales", steps=steps, strict=False), 0)
    by_id, by_name = await found(stats, funnel=funnel.id), await found(stats, funnel="sales")
    assert by_id == by_name
    assert by_id["query"]["funnel"] == {"id": funnel.id, "name": "Sales", "strict": False}
    assert [(step["name"], step["visits"]) for step in by_id["results"]["steps"]] == [("/pricing", 2), ("Signed up", 1)]
    for which in (goal.id, "signed UP"):
        inline = {"steps": [{"page": "/pricing", "goal": None}, {"goal": which}]}
        assert (await found(stats, funnel=inline))["results"] == by_id["results"]
    assert await refusal(stats, funnel=funnel.id + 1) == (404, [f"the site has no funnel {funnel.id + 1}"])
    assert await refusal(stats, funnel="x'; --") == (404, ['the site has no funnel "x\'; --"'])


A_PAGE = {"page": "/a"}


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"funnel": None}, ["#: The key funnel is missing"]),
        ({"funnel": True}, ["#/funnel: true is not the id or the name of a funnel, or an object with steps"]),
        ({"funnel": {}}, ["#/funnel: {} is not the id or the name of a funnel, or an object with steps"]),
        ({"date_range": None}, ["#: The key date_range is missing"]),
        (
            {"x": 1, "date_range": "never", "include": {"y": True}, "filters": [["is"]]},
            [
                '#: The key "x" is not known; there are date_range, filters, funnel, include, site_id, timezone',
                '#/include: The key "y" is not known; there is left_to',
                "#/date_range: Invalid date range \"never\": 'never' is not a period",
                '#/filters/0: Invalid filter ["is"]: a filter is a list such as ["is", "event:page", ["/"]]',
            ],
        ),
        ({"include": []}, ["#/include: [] is not an object"]),
        ({"include": {"left_to": 1}}, ["#/include/left_to: 1 is not true or false"]),
        ({"timezone": "Mars"}, ["#/timezone: 'Mars' is no time zone: one is called Europe/Berlin, for example"]),
        ({"funnel": {"steps": [A_PAGE]}}, ["#/funnel/steps: a funnel has 2 to 8 steps; this one has 1"]),
        ({"funnel": {"steps": [A_PAGE] * 9}}, ["#/funnel/steps: a funnel has 2 to 8 steps; this one has 9"]),
        (
            {"funnel": {"steps": [A_PAGE, {**A_PAGE, "optional": True}]}},
            ["#/funnel/steps/1: the first and the last step cannot be optional"],
        ),
        (
            {"funnel": {"steps": [1, {"page": 2, "z": 3, "optional": 0}], "strict": None, "w": 4}},
            [
                '#/funnel: The key "w" is not known; there are steps, strict',
                "#/funnel/strict: null is not true or false",
                "#/funnel/steps/0: 1 is not an object",
                '#/funnel/steps/1: The key "z" is not known; there are goal, page, event, name, optional',
                "#/funnel/steps/1/page: 2 is not a text",
                "#/funnel/steps/1/optional: 0 is not true or false",
            ],
        ),
        ({"funnel": {"steps": [A_PAGE, {"goal": "None"}]}}, ['#/funnel/steps/1/goal: the site has no goal "None"']),
        ({"funnel": {"steps": [A_PAGE, {"goal": False}]}}, ["#/funnel/steps/1/goal: the site has no goal false"]),
    ],
)
async def test_faults_are_all_listed(stats: Stats, body: dict[str, Any], faults: list[str]) -> None:
    assert await refusal(stats, **body) == (400, faults)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"site_id": "nowhere.example.com"}, 401, "the API key is not valid for this"),
        ({"site_id": ["stats.example.com"]}, 400, "a funnel is of one site: site_id is a text"),
        ({"filters": [["is", "event:goal", ["Nothing"]]]}, 400, "the site has no goal 'Nothing'"),
        ({"filters": [["matches", "visit:source", ["("]]]}, 400, "the expression '(' is not valid"),
        ({"filters": [["is", "visit:country", ["DEU"]]]}, 400, "two-letter country codes"),
        ({"funnel": {"steps": [A_PAGE, {"page": "nowhere"}]}}, 400, "#/funnel/steps/1"),
        ({"funnel": {"steps": [A_PAGE, {"page": "/b", "event": "c"}]}}, 400, "#/funnel/steps/1"),
        ({"funnel": {"steps": [A_PAGE, {}]}}, 400, "#/funnel/steps/1"),
        ({"funnel": {"steps": [A_PAGE, {"page": "/b", "name": "a\nb"}]}}, 400, "#/funnel/steps/1"),
        ({"funnel": {"steps": [A_PAGE, {"page": "/" + "b" * 5000}]}}, 400, "#/funnel/steps/1"),
    ],
)
async def test_what_is_refused(stats: Stats, body: dict[str, Any], status: int, said: str) -> None:
    found_status, faults = await refusal(stats, **body)
    assert found_status == status
    assert said in "\n".join(faults)


HOSTILE = ("'", '"', "\\", "$p0", "*'); DROP TABLE hit; --", "%", "{}", "é", "😀", "(", "[a", "**", "a|b")


async def test_hostile_names_are_only_names(stats: Stats) -> None:
    for name in HOSTILE:
        steps = [{"page": "/" + name}, {"event": name, "name": name}, {"page": "/**" + name, "optional": True}, A_PAGE]
        answer = await stats.post(FUNNEL, **(USUAL | {"funnel": {"steps": steps}}))
        assert answer.status == 200, (name, answer.text)
        assert answer.json()["results"]["visits"] == 4
        assert answer.json()["results"]["steps"][1]["name"] == name
    assert (await found(stats))["results"]["visits"] == 4
