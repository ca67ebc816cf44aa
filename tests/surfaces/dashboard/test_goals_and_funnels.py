"""Goals and funnels on pages: added, changed and deleted, with refusals beside their fields."""

from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from support.asking import Answer
from support.rights import World, world
from tallystick.model.funnel import FunnelStep
from tallystick.services.accounts.audit import events
from tallystick.services.analytics.kept.funnels import FunnelChanges, change_funnel

HOSTILE = "<script>alert(1)</script>'\"&amp;{{7-7}}%s"


@pytest.fixture
async def everybody(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def ask(everybody: World, to: str, status: int = 200) -> Answer:
    answer = await everybody.page("settings", "GET", f"/sites/1/{to}")
    assert answer.status == status, answer.text
    return answer


async def send(everybody: World, to: str, status: int = 303, **fields: Any) -> str:
    answer = await everybody.page("settings", "POST", f"/sites/1/settings/{to}", fields)
    assert answer.status == status, answer.text
    return unescape(answer.text) if status != 303 else answer.headers["location"]


async def goals(everybody: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await ask(everybody, "settings/goals.json")).json()["goals"]
    return [{name: goal[name] for name in ("name", "page", "event", "props")} for goal in found]


async def funnel(everybody: World, number: int) -> dict[str, Any]:
    found: dict[str, Any] = (await ask(everybody, f"settings/funnels/{number}.json")).json()
    return found


def shown(steps: list[dict[str, Any]]) -> list[str]:
    return [str(step["goal"] or step["page"] or step["event"]) for step in steps]


async def test_goals_are_added_changed_and_deleted(everybody: World) -> None:
    await everybody.analytics.pixel(p="Signup", e="true", headers={"host": "stats.example.com"})
    own: dict[str, Any] = {"name": "own goal", "page": "/thanks", "event": None, "props": {}}
    assert await goals(everybody) == [own]
    page = (await ask(everybody, "settings/goals")).text
    for offered in ("/own/a", "Signup"):
        assert f'<option value="{offered}">' in page
    assert '<option value="pageview">' not in page
    pairs: dict[str, Any] = {"prop": ["plan", "", ""], "value": ["pro", "", ""]}
    assert (await send(everybody, "goals", event="Signup", **pairs)).endswith("/settings/goals?done=added")
    await send(everybody, "goals", name=HOSTILE, page="/blog/**")
    signup = {"name": "Signup", "page": None, "event": "Signup", "props": {"plan": "pro"}}
    assert await goals(everybody) == [own, signup, {"name": HOSTILE, "page": "/blog/**", "event": None, "props": {}}]
    page = (await ask(everybody, "settings/goals")).text
    assert "<script>alert" not in page
    assert HOSTILE in unescape(page)
    number = (await ask(everybody, "settings/goals.json")).json()["goals"][1]["id"]
    form = (await ask(everybody, f"settings/goals/{number}")).text
    for value in ("Signup", "plan", "pro"):
        assert f'value="{value}"' in form
    await send(everybody, f"goals/{number}", name="Signed up", page="/welcome")
    assert (await goals(everybody))[1] == {"name": "Signed up", "page": "/welcome", "event": None, "props": {}}
    assert (await send(everybody, f"goals/{number}/delete")).endswith("done=deleted")
    assert len(await goals(everybody)) == 2
    await ask(everybody, f"settings/goals/{number}", 404)
    (event, *_) = await everybody.analytics.services.ledger.read(events)
    assert (event.kind, event.actor) == ("goal deleted", "settings@example.net")


async def test_what_is_refused_of_a_goal_stands_at_its_field_with_what_was_typed(everybody: World) -> None:
    number = everybody.goals["own"].id
    for fields, field, problem in (
        ({"name": "N"}, "page", "A goal has either a page or an event; this one has neither a page nor an event."),
        ({"name": "N", "page": "/a", "event": "b"}, "page", "this one has both a page and an event."),
        ({"name": "N", "page": "blog"}, "page", "Must begin with / or *, for example /blog/*."),
        ({"name": "N", "event": "pageview"}, "event", "Pageview is no event: give the page, or ** for every page."),
        ({"name": "N", "event": "b", "prop": "", "value": "x"}, "props", "A name is a line of 1 to 300 bytes."),
    ):
        for to in ("goals", f"goals/{number}"):
            text = await send(everybody, to, 422, **fields)
            assert problem in text.partition(f'id="{field}-problem"')[2].partition("</p>")[0], (to, problem)
            assert 'value="N"' in text
    taken = await send(everybody, "goals", 422, name="OWN goal", event="x")
    assert "The site has a goal 'OWN goal' already." in taken.partition('id="name-problem"')[2]
    steps = ["/a", "goal:own goal"]
    await send(everybody, "funnels", name="Thanked", step=steps, called=["", ""])
    used = await send(everybody, f"goals/{number}/delete", 422)
    assert "The goal 'own goal' is used by the funnel 'Thanked'; change or delete that first." in used
    assert 'value="/thanks"' in used


async def test_funnels_are_added_changed_and_deleted(everybody: World) -> None:
    goal = everybody.goals["own"].id
    rows: dict[str, Any] = {
        "step": ["/a", "", "Cart", "goal:OWN goal", ""],
        "called": ["Start", "", "", "", ""],
        "optional": ["2", "4"],
    }
    place = await send(everybody, "funnels", name=HOSTILE, strict="on", **rows)
    number = int(place.rpartition("=")[2])
    made = await funnel(everybody, number)
    assert (made["name"], made["strict"], shown(made["steps"])) == (HOSTILE, True, ["/a", "Cart", str(goal)])
    assert [(step["name"], step["optional"]) for step in made["steps"]] == [
        ("Start", False),
        (None, True),
        (None, False),
    ]
    page = (await ask(everybody, place.partition("stats.example.com/")[2])).text
    assert f'/funnels?funnel={number}">See how many visits take each step' in page
    assert "<script>alert" not in page
    form = (await ask(everybody, f"settings/funnels/{number}")).text
    assert form.count('name="step"') == 8
    assert 'value="goal:own goal"' in form
    assert (await send(everybody, f"funnels/{number}", name="Short", step=["/a", "/b"], called=["", ""])).endswith(
        f"?done=changed&funnel={number}"
    )
    made = await funnel(everybody, number)
    assert (made["name"], made["strict"], shown(made["steps"])) == ("Short", False, ["/a", "/b"])
    await send(everybody, f"funnels/{number}/delete")
    await ask(everybody, f"settings/funnels/{number}.json", 404)
    listed = (await ask(everybody, "settings/funnels.json")).json()["funnels"]
    assert [each["name"] for each in listed] == ["own funnel"]


async def test_a_step_that_is_not_changed_stays_what_the_api_has_made_it(everybody: World) -> None:
    number = everybody.funnels["own"].id
    steps = (FunnelStep(event="*"), FunnelStep(event="goal:x"), FunnelStep(page="/b"))
    await everybody.analytics.services.ledger.write(change_funnel, 1, number, FunnelChanges(steps=steps), 1)
    await send(everybody, f"funnels/{number}", name="Same", step=["*", "goal:x", "*/c"], called=["", "", ""])
    made = (await funnel(everybody, number))["steps"]
    assert [(step["event"], step["page"]) for step in made] == [("*", None), ("goal:x", None), (None, "*/c")]


async def test_what_is_refused_of_a_funnel_stands_at_its_row(everybody: World) -> None:
    number = everybody.funnels["own"].id
    for step, optional, field, problem in (
        (["/a", "", ""], (), "steps", "A funnel has 2 to 8 steps; this one has 1."),
        (["/a", "", "goal:nothing"], (), "step-2", "The site has no goal 'nothing'."),
        (["", "/a", "pageview"], (), "step-2", "Pageview is no event: give the page, or ** for every page."),
        (["", "/a", "/b"], ("1",), "step-1", "The first and the last step cannot be optional."),
    ):
        for to in ("funnels", f"funnels/{number}"):
            text = await send(everybody, to, 422, name="N", step=step, called=["", "", ""], optional=optional)
            assert problem in text.partition(f'id="{field}-problem"')[2].partition("</p>")[0], (to, problem)
            assert 'value="N"' in text
    taken = await send(everybody, "funnels", 422, name="OWN funnel", step=["/a", "/b"], called=["", ""])
    assert "The site has a funnel 'OWN funnel' already." in taken.partition('id="name-problem"')[2]


async def test_who_may_change_them_finds_them_from_the_statistics_and_the_settings(everybody: World) -> None:
    for page, kind in (("funnels", "funnels"), ("goals", "goals"), ("settings", "goals"), ("settings", "funnels")):
        link = f'/settings/{kind}"'
        assert link in (await ask(everybody, page)).text, page
        seen = await everybody.page("reader", "GET", f"/sites/1/{page}")
        assert (seen.status, link in seen.text) == (200, False), page
