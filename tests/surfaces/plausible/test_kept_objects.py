"""``/api/v2/sites/{domain}/goals``, ``funnels``, ``segments`` and ``annotations``, and Plausible's own goals."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from builders import NOW
from support.analytics import HOST, Analytics, analytics_in_process
from support.asking import Answer
from tallystick.model.account import Permission

SITE = f"/api/v2/sites/{HOST}"
OLDER = "/api/v1/sites/goals"
CREATED = "2027-01-15T08:00:00Z"


class Keeping(NamedTuple):
    """Asks the server about what is kept."""

    analytics: Analytics

    async def ask(self, method: str, path: str, body: object = None, *, token: str = "") -> Answer:
        headers = {"authorization": f"Bearer {token or self.analytics.token}"}
        sent = None if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        target = path if path.startswith("/api") else f"{SITE}/{path}"
        return await self.analytics.ask(target, method=method, headers=headers, body=sent)

    async def made(self, path: str, token: str = "", **body: Any) -> Any:
        answer = await self.ask("POST", path, body, token=token)
        assert answer.status == 201, answer.text
        return answer.json()

    async def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        answer = await self.ask(method, path, body)
        assert set(answer.json()) == {"error"}, answer.text
        return answer.status, answer.json()["error"]

    async def get(self, path: str, token: str = "") -> Any:
        answer = await self.ask("GET", path, token=token)
        assert answer.status == 200, answer.text
        return answer.json()


@pytest.fixture
async def keeping(tmp_path: Path) -> AsyncIterator[Keeping]:
    async with analytics_in_process(tmp_path) as analytics:
        assert analytics.clock() == NOW
        yield Keeping(analytics)


async def test_a_goal(keeping: Keeping) -> None:
    goal = await keeping.made("goals", event="Signup", props={"plan": "pro"})
    assert goal == {
        "id": 1,
        "name": "Signup",
        "page": None,
        "event": "Signup",
        "props": {"plan": "pro"},
        "created_at": CREATED,
        "updated_at": CREATED,
    }
    assert await keeping.get("goals") == {"goals": [goal]}
    assert await keeping.get("goals/1") == goal
    answer = await keeping.ask("PATCH", "goals/1", {"name": "Read", "page": "/blog/**", "event": None, "props": None})
    changed = goal | {"name": "Read", "page": "/blog/**", "event": None, "props": {}}
    assert (answer.status, answer.json()) == (200, changed)
    answer = await keeping.ask("DELETE", "goals/1")
    assert (answer.status, answer.json()) == (200, {"deleted": True})
    assert await keeping.refused("GET", "goals/1") == (404, "the site has no goal 1")


async def test_a_funnel(keeping: Keeping) -> None:
    goal = await keeping.made("goals", name="Bought", event="Purchase")
    steps: list[dict[str, Any]] = [
        {"page": "/pricing"},
        {"event": "Cart", "name": "In the cart", "optional": True},
        {"goal": "bought"},
    ]
    funnel = await keeping.made("funnels", name="Buys", steps=steps)
    empty: dict[str, Any] = {"goal": None, "page": None, "event": None, "name": None, "optional": False}
    assert funnel == {
        "id": 1,
        "name": "Buys",
        "steps": [empty | steps[0], empty | steps[1], empty | {"goal": goal["id"]}],
        "strict": False,
        "created_at": CREATED,
        "updated_at": CREATED,
    }
    assert await keeping.get("funnels") == {"funnels": [funnel]}
    answer = await keeping.ask("PATCH", "funnels/1", {"steps": [steps[0], {"goal": goal["id"]}], "strict": True})
    assert answer.json() == funnel | {"steps": [empty | steps[0], empty | {"goal": goal["id"]}], "strict": True}
    assert await keeping.get("funnels/1") == answer.json()
    status, message = await keeping.refused("DELETE", "goals/1")
    assert (status, message) == (409, "the goal 'Bought' is used by the funnel 'Buys'; change or delete that first")
    assert (await keeping.ask("DELETE", "funnels/1")).json() == {"deleted": True}
    assert await keeping.refused("PATCH", "funnels/1", {}) == (404, "the site has no funnel 1")


async def test_a_segment(keeping: Keeping) -> None:
    filters = [["is", "visit:country", ["DE", "AT"]], ["not", ["contains", "event:page", ["/blog"]]]]
    segment = await keeping.made("segments", name="German readers", filters=filters)
    times = {"created_at": CREATED, "updated_at": CREATED}
    assert segment == {"id": 1, "name": "German readers", "personal": False, "filters": filters, **times}
    mine = await keeping.made("segments", name="Mine", filters=filters, personal=True)
    assert mine["personal"] is True
    assert await keeping.get("segments") == {"segments": [segment, mine]}
    answer = await keeping.ask("PATCH", "segments/2", {"personal": False, "filters": filters[:1]})
    assert answer.json() == mine | {"personal": False, "filters": filters[:1]}
    assert (await keeping.ask("DELETE", "segments/2")).json() == {"deleted": True}
    assert await keeping.get("segments/1") == segment


async def test_an_annotation(keeping: Keeping) -> None:
    note = await keeping.made("annotations", at="2026-03-10T14:30", text="New design", link="https://example.com/new")
    assert note == {
        "id": 1,
        "at": "2026-03-10 14:30",
        "text": "New design",
        "link": "https://example.com/new",
        "kind": "note",
        "personal": False,
        "created_at": CREATED,
        "updated_at": CREATED,
    }
    assert await keeping.get("annotations/1") == note
    answer = await keeping.ask("PATCH", "annotations/1", {"link": None, "personal": True, "at": "2026-03-11"})
    assert answer.json() == note | {"link": None, "personal": True, "at": "2026-03-11"}
    assert (await keeping.ask("DELETE", "annotations/1")).json() == {"deleted": True}
    assert (await keeping.made("annotations", text="Now"))["at"] == "2027-01-15 08:00"


async def test_annotations_have_pages_a_range_and_a_kind(keeping: Keeping) -> None:
    for day in range(10, 15):
        await keeping.made("annotations", at=f"2026-03-{day}", text=f"On the {day}th")
    seen: list[str] = []
    path = "annotations?limit=2"
    while True:
        page = await keeping.get(path)
        seen += [each["at"][-2:] for each in page["annotations"]]
        assert page["meta"]["limit"] == 2
        if page["meta"]["after"] is None:
            break
        path = f"annotations?limit=2&after={page['meta']['after']}"
    assert seen == ["10", "11", "12", "13", "14"]
    within = await keeping.get("annotations?from=2026-03-11&to=2026-03-12&kind=note")
    assert [each["at"] for each in within["annotations"]] == ["2026-03-11", "2026-03-12"]
    assert (await keeping.get("annotations?kind=upgrade"))["annotations"] == []


REFUSED: list[tuple[str, str, object, int, str]] = [
    ("POST", "goals", {}, 400, "#/page: a goal has either a page or an event; this one has neither"),
    ("POST", "goals", {"page": "/a", "event": "b"}, 400, "#/page: a goal has either"),
    ("POST", "goals", {"page": 7}, 400, "#/page: must be a text or null, not a whole number"),
    ("POST", "goals", {"pages": "/x"}, 400, '#: there is no key "pages"'),
    ("POST", "goals", {"event": "x", "props": {"a": 1}}, 400, "#/props/...: must be a text, not a whole number"),
    ("POST", "goals", {"event": "x", "name": "a\nb"}, 400, "#/name: cannot contain control characters"),
    ("POST", "goals", {"event": "x", "name": "x" * 121}, 400, "#/name: must be shorter than 121 characters"),
    ("POST", "goals", b"[]", 400, "the body is not a JSON object"),
    (
        "POST",
        "goals",
        b'{"event": "\\ud800"}',
        400,
        "the body is not JSON that can be read: it has half of a surrogate",
    ),
    ("POST", "goals", b'{"event": "' + b"x" * 300_000 + b'"}', 413, "the body is larger than 256 KiB"),
    ("PATCH", "goals/x", {}, 404, "the site has no goal 'x'"),
    ("GET", "goals/0", None, 404, "the site has no goal '0'"),
    ("GET", "goals/99999999999999999999", None, 404, "the site has no goal"),
    ("DELETE", "goals/9", None, 404, "the site has no goal 9"),
    ("PUT", "goals", {}, 404, "not found"),
    ("POST", "funnels", {"name": "F"}, 400, '#: the key "steps" is missing'),
    ("POST", "funnels", {"name": "F", "steps": [{"page": "/a"}]}, 400, "#/steps: a funnel has 2 to 8 steps"),
    ("POST", "funnels", {"name": "F", "steps": [{"page": "/a"}] * 900}, 400, "#/steps: a funnel has 2 to 8 steps"),
    (
        "POST",
        "funnels",
        {"name": "F", "steps": [{"page": "/a"}, {"goal": "x"}]},
        400,
        "#/steps/1: the site has no goal 'x'",
    ),
    (
        "POST",
        "funnels",
        {"name": "F", "steps": [{"page": "/a"}, {"goal": 9}]},
        400,
        "#/steps/1: the site has no goal 9",
    ),
    ("POST", "funnels", {"name": "F", "steps": [{"page": "/a"}, {"goal": True}]}, 400, "#/steps/1/goal: must be"),
    ("POST", "funnels", {"name": "F", "steps": [{}, {"url": ""}]}, 400, '#/steps/1: there is no key "url"'),
    ("POST", "segments", {"name": "S", "filters": []}, 400, "#/filters: must not be empty"),
    ("POST", "segments", {"name": "S", "filters": [["is", "segment", [1]]]}, 400, "cannot contain another segment"),
    ("POST", "segments", {"name": "S", "filters": [["is", "x", ["y"]]]}, 400, "there is no filter on 'x'"),
    ("POST", "segments", {"name": "S", "filters": [["not", ["matches", "event:page", ["(("]]]]}, 400, "expression"),
    ("POST", "segments", {"name": "S", "filters": [["is", "event:page", [2**70]]]}, 400, "has a value that is no text"),
    ("POST", "segments", {"name": "", "filters": [["is", "event:page", ["/"]]]}, 400, "#/name: must not be empty"),
    ("POST", "annotations", {"at": "2026-03-32", "text": "x"}, 400, "#/at: must be a date"),
    ("POST", "annotations", {"text": "x", "link": "javascript:alert(1)"}, 400, "#/link: must be a URL"),
    ("POST", "annotations", {"text": "x", "kind": "upgrade"}, 400, '#: there is no key "kind"'),
    ("GET", "annotations?from=March", None, 400, "from: "),
    ("GET", "annotations?kind=nothing", None, 400, "kind: "),
    ("GET", "annotations?after=1", None, 400, "after: "),
    ("GET", "annotations?limit=1001", None, 400, "limit: "),
    ("GET", "/api/v2/sites/other.example.com/goals", None, 401, "the API key is not valid for this"),
    ("PUT", OLDER, {"site_id": HOST}, 400, '#: the key "goal_type" is missing'),
    ("PUT", OLDER, {"site_id": HOST, "goal_type": "scroll"}, 400, "#/goal_type: Invalid enum value 'scroll'"),
    ("PUT", OLDER, {"site_id": HOST, "goal_type": "event"}, 400, "#/event_name: is missing"),
    ("PUT", OLDER, {"goal_type": "event"}, 400, "site_id is missing"),
    ("GET", OLDER, None, 400, "site_id is missing"),
]


async def test_what_is_not_valid_is_refused_with_the_place(keeping: Keeping) -> None:
    for method, path, body, status, message in REFUSED:
        found = await keeping.refused(method, path, body)
        assert found[0] == status, (method, path, body, status, message)
        assert message in found[1], (method, path, body, status, message)


async def test_a_name_that_is_taken_is_a_conflict(keeping: Keeping) -> None:
    await keeping.made("goals", event="Signup")
    assert await keeping.refused("POST", "goals", {"page": "/x", "name": "SIGNUP"}) == (
        409,
        "the site has a goal 'SIGNUP' already",
    )


async def test_goals_in_plausibles_form(keeping: Keeping) -> None:
    event = {"site_id": HOST, "goal_type": "event", "event_name": "Signup", "custom_props": {"plan": "pro"}}
    answer = await keeping.ask("PUT", OLDER, event)
    described = {
        "id": 1,
        "display_name": "Signup",
        "goal_type": "event",
        "event_name": "Signup",
        "page_path": None,
        "custom_props": {"plan": "pro"},
    }
    assert (answer.status, answer.json()) == (200, {"domain": HOST, **described})
    assert (await keeping.ask("PUT", OLDER, event)).json()["id"] == 1
    page = {"site_id": HOST, "goal_type": "page", "page_path": "/blog/*", "display_name": "Read"}
    assert (await keeping.ask("PUT", OLDER, page)).json()["display_name"] == "Read"
    listed = await keeping.get(f"{OLDER}?site_id={HOST}&limit=1")
    assert listed == {"goals": [described], "meta": {"after": 1, "before": None, "limit": 1}}
    behind = await keeping.get(f"{OLDER}?site_id={HOST}&after=1")
    assert [goal["page_path"] for goal in behind["goals"]] == ["/blog/*"]
    assert behind["meta"] == {"after": None, "before": 2, "limit": 100}
    before = await keeping.get(f"{OLDER}?site_id={HOST}&before=2")
    assert [goal["id"] for goal in before["goals"]] == [1]
    assert [goal["name"] for goal in (await keeping.get("goals"))["goals"]] == ["Signup", "Read"]
    assert (await keeping.ask("DELETE", f"{OLDER}/2", {"site_id": HOST})).json() == {"deleted": True}
    assert (await keeping.ask("DELETE", f"{OLDER}/1?site_id={HOST}")).json() == {"deleted": True}
    assert await keeping.get("goals") == {"goals": []}


async def test_a_key_that_may_only_read_keeps_for_its_person_only(keeping: Keeping) -> None:
    token = await keeping.analytics.new_token(Permission.STATS)
    note = await keeping.made("annotations", token, text="Mine", personal=True)
    segment = await keeping.made("segments", token, name="Mine", filters=[["is", "event:page", ["/"]]], personal=True)
    assert (await keeping.ask("PATCH", f"annotations/{note['id']}", {"text": "x"}, token=token)).status == 200
    for method, path, body in (
        ("POST", "annotations", {"text": "x"}),
        ("PATCH", f"annotations/{note['id']}", {"personal": False}),
        ("PATCH", f"segments/{segment['id']}", {"personal": False}),
        ("POST", "goals", {"event": "x"}),
    ):
        answer = await keeping.ask(method, path, body, token=token)
        assert (answer.status, "may not change" in answer.json()["error"]) == (401, True), path
    assert (await keeping.ask("DELETE", f"segments/{segment['id']}", token=token)).status == 200


async def test_a_key_that_may_only_change_sites_keeps_for_the_site_only(keeping: Keeping) -> None:
    token = await keeping.analytics.new_token(Permission.SITE_UPDATE)
    await keeping.made("annotations", token, text="Deployed")
    assert (await keeping.ask("POST", "annotations", {"text": "x", "personal": True}, token=token)).status == 401
    assert (await keeping.ask("GET", "annotations", token=token)).status == 401
    mine = await keeping.made("annotations", text="Mine", personal=True)
    assert (await keeping.ask("DELETE", f"annotations/{mine['id']}", token=token)).status == 404


async def test_hostile_texts_are_sent_as_they_are(keeping: Keeping) -> None:
    name = "<img src=x onerror=alert(1)> \"'`{{7*7}}"
    await keeping.made("goals", name=name, event="=cmd|' /C calc'!A0")
    answer = await keeping.ask("GET", "goals")
    assert answer.json()["goals"][0]["name"] == name
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
