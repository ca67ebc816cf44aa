"""Made-up queries of ``POST /api/query/funnel`` have the oracle's answers, with names and zones as they are sent."""

from datetime import datetime
from random import Random
from typing import Any

import msgspec

from conftest import EXAMPLES
from questions.funnel_oracle import funnel_answer
from questions.test_over_http import BEGIN, PATHS, a_query, hits, stored_hits
from support.analytics import Analytics
from support.telling import tell
from tallystick.model.dimensions import EVENT_NAME, PAGE, PAGEVIEW_ID
from tallystick.model.funnel import AskedStep, FunnelAnswer, FunnelQuestion
from tallystick.model.question import AllOf, FilterExpression, Match

STEPS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "/": ({"page": "/"}, ("/",)),
    "/a": ({"page": "/A"}, ("/a",)),
    "any page": ({"page": "/**"}, tuple(path for path in PATHS if path.startswith("/"))),
    "a part": ({"page": "/b*"}, ("/b.html",)),
    "the shop": ({"page": "/shop/"}, ("/Shop",)),
    "Signup": ({"event": "Signup"}, ("Signup",)),
    "sign out": ({"event": "SIGN OUT"}, ("sign out",)),
    "unknown": ({"page": "/never"}, ()),
}


def a_step(random: Random, *, optional: bool) -> tuple[dict[str, Any], AskedStep]:
    name = random.choice(["/", "any page", *STEPS])
    sent, fitting = STEPS[name]
    condition: FilterExpression = Match(dimension=EVENT_NAME if "event" in sent else PAGE, values=fitting)
    if "page" in sent:  # pageviews, not the events there
        condition = AllOf((condition, Match(dimension=EVENT_NAME, values=(PAGEVIEW_ID,))))
    return sent | {"name": name, "optional": optional}, AskedStep(name=name, condition=condition, optional=optional)


def sent_answer(answer: FunnelAnswer) -> dict[str, Any]:
    """The answer of the oracle as it is sent."""
    steps = []
    for number, step in enumerate(answer.steps):
        assert step.left_to is not None
        steps.append(
            {
                "name": step.name,
                "optional": step.optional,
                "visits": step.visits,
                "of_first": rounded(answer.of_first(number), 2),
                "of_previous": rounded(answer.of_previous(number), 2),
                "dropped": step.dropped,
                "median_seconds": rounded(step.median, 1),
                "average_seconds": rounded(step.average, 1),
                "left_to": [
                    {"event" if each.event else "page": each.name, "visits": each.visits} for each in step.left_to
                ],
                "exits": step.exits,
            }
        )
    return {"visits": answer.visits, "entered": rounded(answer.entered, 2), "steps": steps}


def rounded(figure: float | None, digits: int) -> float | None:
    return None if figure is None else round(figure, digits)


async def test_made_up_funnels_have_the_oracles_answers(analytics: Analytics) -> None:
    random = Random(13)
    analytics.clock.now = int(datetime.timestamp(BEGIN) + 10 * 86_400) * 1000
    await tell(analytics, *hits(random))
    stored = await stored_hits(analytics)
    reached = 0
    for _ in range(max(EXAMPLES, 100)):
        asked = a_query(random, analytics.site.id)
        count = random.randint(2, 5)
        drawn = [a_step(random, optional=0 < n < count - 1 and random.random() < 0.3) for n in range(count)]
        strict = random.random() < 0.4
        kept = {key: asked.body[key] for key in ("site_id", "date_range", "filters", "timezone")}
        body = kept | {"funnel": {"steps": [sent for sent, _ in drawn], "strict": strict}, "include": {"left_to": True}}
        answer = await analytics.ask(
            "/api/query/funnel",
            method="POST",
            headers={"authorization": f"Bearer {analytics.token}"},
            body=msgspec.json.encode(body),
        )
        assert answer.status == 200, (body, answer.text)
        question = FunnelQuestion(
            site=analytics.site.id,
            period=asked.question.period,
            steps=tuple(step for _, step in drawn),
            strict=strict,
            condition=asked.question.condition,
            left_to=True,
        )
        expected = funnel_answer(stored, question)
        found = answer.json()
        assert found["results"] == sent_answer(expected), body
        assert bool(found["meta"]) == expected.sessionless
        reached += bool(expected.steps[-1].visits)
    assert reached > 5
