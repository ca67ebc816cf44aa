"""A page's own view, and funnels."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.analytics import Analytics, analytics_in_process
from tallystick.errors import QuestionTooLong
from tallystick.model.funnel import Funnel, FunnelStep
from tallystick.services.analytics.kept.funnels import create_funnel
from tallystick.surfaces.dashboard.analytics.asking import Asking
from tallystick.surfaces.dashboard.analytics.journeys import JourneyPages

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0"


@pytest.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    async with analytics_in_process(tmp_path) as running:
        await running.change_site(public="public")
        await walk(running, 140, "/", "/pricing", "/signup")
        await walk(running, 141, "/pricing", "/")
        await walk(running, 142, "/")
        yield running


async def walk(analytics: Analytics, version: int, *paths: str) -> None:
    """A visit of its own, by the version of its browser."""
    for path in paths:
        agent = AGENT.format(version, version)
        assert (await analytics.pixel(p=path, r="https://www.google.com/", headers={"user-agent": agent})).status == 200


async def data(analytics: Analytics, target: str, status: int = 200) -> Any:
    answer = await analytics.ask(target)
    assert answer.status == status, answer.text
    return answer.json() if status == 200 else None


def pairs(rows: list[dict[str, Any]], by: str) -> dict[str, int]:
    return {row[by]: row["visitors"] for row in rows}


async def test_where_people_came_from_and_went_to(analytics: Analytics) -> None:
    found = await data(analytics, "/sites/1/page.json?page=/pricing&compare=off")
    assert found["page"] == "/pricing"
    assert found["numbers"]["visitors"] == 2
    assert found["numbers"]["exit_rate"] == 0
    assert pairs(found["lists"]["came-from"], "previous_page") == {"": 1, "/": 1}
    assert pairs(found["lists"]["went-to"], "next_page") == {"/": 1, "/signup": 1}
    assert pairs(found["lists"]["sources"], "source") == {"Google": 2}


async def test_data_of_a_page_have_its_comparison_and_its_series(analytics: Analytics) -> None:
    found = await data(analytics, "/sites/1/page.json?page=/pricing&period=today&graph=pageviews")
    assert found["numbers"]["visitors"] == {"now": 2, "before": 0, "change": 100}
    series = found["series"]
    assert (series["metric"], series["by"], len(series["labels"])) == ("pageviews", "hour", 24)
    assert sum(filter(None, series["values"])) == found["numbers"]["pageviews"]["now"]
    assert [label and label[11:] for label in series["before_labels"]][:1] == [series["labels"][0][11:]]
    rows = (await analytics.ask("/sites/1/page.csv?page=/pricing&period=today&graph=pageviews")).text.splitlines()
    assert rows[0] == "list,value,metric,figure,before,figure_before,change"
    assert rows[1].startswith(
        f"hour,{series['labels'][0]},pageviews,{series['values'][0]},{series['before_labels'][0]},"
    )
    assert "sources,Google,visitors,2,,0,100" in rows
    alone = (await analytics.ask("/sites/1/page.csv?page=/pricing&period=today&compare=off")).text.splitlines()
    assert (alone[0], "sources,Google,visitors,2" in alone) == ("list,value,metric,figure", True)


async def test_the_page_says_who_entered_and_left(analytics: Analytics) -> None:
    answer = await analytics.ask("/sites/1/page?page=/pricing", headers={"accept": "text/html"})
    assert answer.status == 200
    for text in ("Came from", "(entered here)", "Went to", "/signup", "Referrers", "Goals"):
        assert text in answer.text, text
    assert answer.text.rstrip().endswith("</html>")


async def test_goals_of_a_page_are_those_of_visits_that_saw_it(analytics: Analytics) -> None:
    agent = AGENT.format(142, 142)
    await analytics.pixel(p="Bought", e="1", headers={"user-agent": agent})
    await analytics.pixel(p="Bought", e="1", headers={"user-agent": AGENT.format(141, 141)})
    found = await data(analytics, "/sites/1/page.json?page=/pricing&compare=off")
    assert pairs(found["lists"]["goals"], "goal") == {"Bought": 1}


@pytest.mark.parametrize("query", ["", "?page=!/pricing", "?page=~pricing", "?source=Google"])
async def test_a_view_of_no_page_is_not_there(analytics: Analytics, query: str) -> None:
    for form in ("", ".json", ".csv"):
        answer = await analytics.ask(f"/sites/1/page{form}{query}")
        assert answer.status == 404, (form, query)


async def test_what_came_after_a_step_may_be_an_event(analytics: Analytics) -> None:
    await walk(analytics, 143, "/pricing")
    await analytics.pixel(p="Bought", e="1", headers={"user-agent": AGENT.format(143, 143)})
    steps = (FunnelStep(page="/pricing"), FunnelStep(page="/signup"))
    await analytics.services.ledger.write(create_funnel, Funnel(site=1, name="Buys", steps=steps), 1)
    shown = (await analytics.ask("/sites/1/funnels", headers={"accept": "text/html"})).text
    assert "Bought" in shown
    assert "Something went wrong" not in shown


async def test_a_part_that_cannot_be_rendered_says_so(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.surfaces.dashboard.analytics.pages._row_name", lambda *_: 1 / 0)
    shown = (await analytics.ask("/sites/1?period=today", headers={"accept": "text/html"})).text
    assert "Something went wrong here." in shown
    assert shown.rstrip().endswith("</html>")


async def test_funnels_are_drawn_and_told(analytics: Analytics) -> None:
    answer = await analytics.ask("/sites/1/funnels", headers={"accept": "text/html"})
    assert "This site has no funnels yet" in answer.text
    steps = (FunnelStep(page="/pricing"), FunnelStep(page="/signup"))
    funnel = await analytics.running.application.services.ledger.write(
        create_funnel, Funnel(site=1, name="<b>Buys", steps=steps), 1
    )
    analytics.running.application.services.kept.invalidate()
    found = await data(analytics, "/sites/1/funnels.json")
    assert [(step["name"], step["visits"]) for step in found["funnels"][0]["steps"]] == [
        ("/pricing", 2),
        ("/signup", 1),
    ]
    shown = (await analytics.ask("/sites/1/funnels", headers={"accept": "text/html"})).text
    assert "&lt;b&gt;Buys" in shown
    assert "<b>Buys" not in shown
    assert "2 visits" in shown
    csv = (await analytics.ask(f"/sites/1/funnels.csv?funnel={funnel.id}")).text
    assert csv.splitlines()[2] == "<b>Buys,/signup,1,50.0,50.0,0"
    assert (await analytics.ask("/sites/1/funnels?funnel=77")).status == 404


async def test_without_its_page_the_own_view_becomes_that_of_the_site(analytics: Analytics) -> None:
    shown = (await analytics.ask("/sites/1/page?page=/pricing&source=Google", headers={"accept": "text/html"})).text
    for address in ("/sites/1?source=Google", "/sites/1?page=!/pricing&amp;source=Google", "/sites/1"):
        assert f'<a href="{address}"' in shown, address
    assert '<a href="/sites/1/page?page=/pricing" data-remove' in shown
    answer = await analytics.ask("/sites/1/page?page=/pricing&add=page&op=contains&value=x&at=0")
    assert answer.headers["location"] == "/sites/1?page=~x"
    answer = await analytics.ask("/sites/1/page?page=/pricing&add=source&value=x")
    assert answer.headers["location"] == "/sites/1/page?page=/pricing&source=x"


async def test_the_search_for_pages_narrows_funnels(analytics: Analytics) -> None:
    steps = (FunnelStep(page="/pricing"), FunnelStep(page="/signup"))
    await analytics.services.ledger.write(create_funnel, Funnel(site=1, name="Buys", steps=steps), 1)
    found = await data(analytics, "/sites/1/funnels.json?q=signup+in:path")
    assert [step["visits"] for step in found["funnels"][0]["steps"]] == [1, 1]
    csv = (await analytics.ask("/sites/1/funnels.csv?q=nothing-has-this")).text
    assert csv.splitlines()[1].startswith("Buys,/pricing,0,")


@pytest.mark.parametrize("path", ["page?page=/pricing", "funnels"])
async def test_for_the_head_no_parts_are_asked_for(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async def counted(*_: object, **__: object) -> None:
        asked.append(path)
        raise QuestionTooLong(2.0)

    asked: list[str] = []
    steps = (FunnelStep(page="/pricing"), FunnelStep(page="/signup"))
    await analytics.services.ledger.write(create_funnel, Funnel(site=1, name="Buys", steps=steps), 1)
    monkeypatch.setattr(Asking, "rows", counted)
    monkeypatch.setattr(JourneyPages, "_funnel_answer", counted)
    for method in ("HEAD", "GET"):
        answer = await analytics.ask(f"/sites/1/{path}", headers={"accept": "text/html"}, method=method)
        assert (answer.status, bool(asked)) == (200, method == "GET")


async def test_no_cell_of_data_is_a_formula(analytics: Analytics) -> None:
    await walk(analytics, 150, "=before()", "/pricing")
    steps = (FunnelStep(page="/pricing", name="+step"), FunnelStep(page="/signup"))
    await analytics.services.ledger.write(create_funnel, Funnel(site=1, name="=funnel()", steps=steps), 1)
    assert "'=funnel(),'+step,3," in (await analytics.ask("/sites/1/funnels.csv")).text
    await analytics.pixel(p="=after()", e="1", headers={"user-agent": AGENT.format(150, 150)})
    text = (await analytics.ask("/sites/1/page.csv?page=/pricing")).text
    cells = [cell for line in text.splitlines() for cell in line.split(",")]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert "goals" in text
