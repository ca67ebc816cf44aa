"""Funnels with names in place of ids, through the service; the right figures are written down."""

from datetime import UTC
from functools import partial
from typing import Any

import pytest

from questions.test_service import tidied
from support.analytics import Analytics
from support.ledgers import until
from support.telling import a_visit, at, tell
from tallystick.errors import InputRefused, QuestionTooLong
from tallystick.model.dimensions import COUNTRY, NEXT_PAGE, PAGE, SOURCE
from tallystick.model.funnel import AskedStep, FunnelAnswer, FunnelQuestion, FunnelStep, LeftTo
from tallystick.model.goal import Goal
from tallystick.model.period import exact_period, period
from tallystick.model.question import EVERYTHING, FilterExpression, HasDone, Match
from tallystick.services.analytics.funnel_questions import FunnelQuestions, check_funnel, steps_of
from tallystick.services.analytics.names import path_ids, rename_path
from tallystick.services.analytics.questions import Questions

DAY = period(at("2020-06-18"), at("2020-06-18T23:59:59"), UTC)


def visit(by: int, *hits: str, **fields: Any) -> list[dict[str, Any]]:
    """Hits of a visitor, each a time of the day and a page or event: ``10:00 /a``."""
    told = (each.split(" ", 1) for each in hits)
    return [a_visit(path, f"2020-06-18T{time}", by=by, **fields) for time, path in told]


@pytest.fixture
async def shop(analytics: Analytics) -> Analytics:
    await tell(
        analytics,
        # buys
        *visit(1, "10:00 /shop/tea", "10:01 /cart", "10:03 Coupon", "10:06 /checkout", "10:10 Purchase", country="NL"),
        # the same, past another page, and without the coupon
        *visit(2, "11:00 /shop/mugs", "11:00:30 /cart", "11:01 /about", "11:02 /checkout", "11:03 Purchase"),
        # looks at the cart twice and goes to another page
        *visit(3, "12:00 /shop/tea", "12:05 /cart", "12:05:10 /cart", "12:06 /about", country="NL"),
        # the cart before the shop, then only the shop
        *visit(4, "13:00 /cart", "13:01 /shop/tea"),
        # reloads the shop, which comes in the same second as the cart
        *visit(5, "14:00 /shop/tea", "14:00 /shop/tea", "14:00 /cart"),
        # never saw the shop
        *visit(6, "15:00 /about"),
        # was there the evening before
        a_visit("/shop/tea", "2020-06-17T23:59", by=7),
        a_visit("/cart", "2020-06-18T00:01", by=7),
        # no session
        a_visit("/shop/tea", "2020-06-18T16:00"),
    )
    return analytics


SHOP = (
    FunnelStep(page="/shop/*"),
    FunnelStep(page="/cart", name="Cart"),
    FunnelStep(event="Coupon", optional=True),
    FunnelStep(page="/checkout"),
    FunnelStep(event="Purchase"),
)


def a_question(analytics: Analytics, *steps: FunnelStep, **fields: Any) -> FunnelQuestion:
    site = analytics.site.id
    return FunnelQuestion(site=site, steps=steps_of(steps or SHOP, (), site), **{"period": DAY} | fields)


async def answer(analytics: Analytics, *steps: FunnelStep, **fields: Any) -> FunnelAnswer:
    return await analytics.services.funnel_questions.answer(a_question(analytics, *steps, **fields))


def figures(found: FunnelAnswer) -> list[tuple[Any, ...]]:
    return [(step.name, step.visits, step.dropped, step.median, step.average) for step in found.steps]


async def test_steps_in_order(shop: Analytics) -> None:
    found = await answer(shop)
    assert found.visits == 7
    assert found.sessionless
    assert figures(found) == [
        ("/shop/*", 5, 1, None, None),
        ("Cart", 4, 2, 45.0, (60 + 30 + 300 + 0) / 4),
        ("Coupon", 1, 0, 120.0, 120.0),
        ("/checkout", 2, 0, (180 + 90) / 2, (180 + 90) / 2),
        ("Purchase", 2, 0, (240 + 60) / 2, (240 + 60) / 2),
    ]
    assert [step.optional for step in found.steps] == [False, False, True, False, False]
    assert found.entered == pytest.approx(100 * 5 / 7)
    assert [found.of_first(number) for number in range(5)] == [100.0, 80.0, 20.0, 40.0, 40.0]
    assert [found.of_previous(number) for number in range(5)] == [None, 80.0, 25.0, 50.0, 100.0]


async def test_steps_one_right_after_the_other(shop: Analytics) -> None:
    found = await answer(shop, strict=True)
    assert figures(found) == [
        ("/shop/*", 5, 1, None, None),
        ("Cart", 4, 3, 45.0, 97.5),
        ("Coupon", 1, 0, 120.0, 120.0),
        ("/checkout", 1, 0, 180.0, 180.0),
        ("Purchase", 1, 0, 240.0, 240.0),
    ]


async def test_where_visits_went_that_did_not_go_on(shop: Analytics) -> None:
    in_order, strict = await answer(shop, left_to=True), await answer(shop, strict=True, left_to=True)
    left = [(step.left_to, step.exits) for step in in_order.steps]
    assert left == [((), 1), ((LeftTo("/cart", event=False, visits=1),), 1), ((), 0), ((), 0), ((), 0)]
    assert strict.steps[1].left_to == (
        LeftTo("/about", event=False, visits=1),
        LeftTo("/cart", event=False, visits=1),
    )
    assert strict.steps[1].exits == 1
    assert (await answer(shop)).steps[1].left_to is None


@pytest.mark.parametrize(
    ("condition", "visits", "steps"),
    [
        (Match(dimension=COUNTRY, values=("NL",)), 2, [2, 2, 1, 1, 1]),
        (Match(dimension=PAGE, values=("/about",)), 3, [2, 2, 0, 1, 1]),
        (HasDone(Match(dimension=PAGE, values=("/about",))), 3, [2, 2, 0, 1, 1]),
        (Match(dimension=SOURCE, values=("Google",)), 0, [0, 0, 0, 0, 0]),
    ],
)
async def test_filters_say_which_visits_take_part(
    shop: Analytics, condition: FilterExpression, visits: int, steps: list[int]
) -> None:
    found = await answer(shop, condition=condition)
    assert (found.visits, [step.visits for step in found.steps]) == (visits, steps)
    assert found.steps[0].median is None


async def test_only_hits_of_the_period_take_part(shop: Analytics) -> None:
    steps = FunnelStep(page="/shop/*"), FunnelStep(page="/cart")
    both_days = exact_period(at("2020-06-17"), at("2020-06-18T09:00"), UTC)
    assert [step.visits for step in (await answer(shop, *steps, period=both_days)).steps] == [1, 1]
    after_midnight = exact_period(at("2020-06-18"), at("2020-06-18T09:00"), UTC)
    found = await answer(shop, *steps, period=after_midnight)
    assert (found.visits, [step.visits for step in found.steps]) == (1, [0, 0])


async def test_a_page_takes_two_steps_when_it_is_seen_twice(shop: Analytics) -> None:
    found = await answer(shop, FunnelStep(page="/cart"), FunnelStep(page="/cart"))
    assert [step.visits for step in found.steps] == [6, 1]
    assert found.steps[1].median == 10.0


async def test_steps_may_be_goals(shop: Analytics) -> None:
    site = shop.site.id
    goals = (
        Goal(id=3, site=site, name="In the shop", page="/SHOP/**"),
        Goal(id=4, site=site, name="Paid", event="purchase"),
    )
    steps = steps_of((FunnelStep(goal=3), FunnelStep(goal=4, name="Done")), goals, site)
    found = await shop.services.funnel_questions.answer(FunnelQuestion(site=site, period=DAY, steps=steps))
    assert [(step.name, step.visits) for step in found.steps] == [("In the shop", 5), ("Done", 2)]
    with pytest.raises(InputRefused, match="the site has no goal 5"):
        steps_of((FunnelStep(goal=5),), goals, site)


async def test_an_answer_is_kept_until_something_changes_it(shop: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    await until(partial(tidied, shop))
    reads: list[object] = []
    read = shop.services.warehouse.read

    async def counted(*arguments: Any) -> Any:
        reads.append(arguments)
        return await read(*arguments)

    monkeypatch.setattr(shop.services.warehouse, "read", counted)
    steps = FunnelStep(page="/shop/tea"), FunnelStep(page="/cart")
    for _ in range(2):
        assert [step.visits for step in (await answer(shop, *steps)).steps] == [4, 3]
    asked_once = len(reads)
    assert asked_once
    await answer(shop, *steps, left_to=True)
    assert len(reads) == 2 * asked_once
    await tell(shop, *visit(8, "17:00 /shop/tea", "17:01 /cart"))
    assert [step.visits for step in (await answer(shop, *steps)).steps] == [5, 4]
    [number] = await shop.services.ledger.read(path_ids, shop.site.id, ["/cart"])
    await shop.services.ledger.write(rename_path, shop.site.id, number, "/basket")
    shop.services.forget_names()
    assert [step.visits for step in (await answer(shop, *steps)).steps] == [5, 0]


async def test_a_funnel_that_takes_too_long_is_given_up(shop: Analytics) -> None:
    services = shop.services
    impatient = Questions(services.ledger, services.warehouse, within=0)
    funnels = FunnelQuestions(services.ledger, services.warehouse, impatient)
    with pytest.raises(QuestionTooLong):
        await funnels.answer(a_question(shop))


def step(condition: FilterExpression = EVERYTHING, *, optional: bool = False) -> AskedStep:
    return AskedStep(name="", condition=condition, optional=optional)


PAGES = Match(dimension=PAGE, values=("/a",))


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([step()], "a funnel has 2 to 8 steps; this one has 1"),
        ([step()] * 9, "a funnel has 2 to 8 steps; this one has 9"),
        ([step(optional=True), step()], "the first and the last step cannot be optional"),
        ([step(), step(optional=True)], "the first and the last step cannot be optional"),
        ([step(), step(Match(dimension=COUNTRY, values=("NL",)))], "not on country"),
        ([step(), step(Match(dimension=NEXT_PAGE, values=("/a",)))], "not on next_page"),
        ([step(), step(HasDone(PAGES))], "a step cannot have has done"),
        ([step(), step(Match(dimension=PAGE, values=()))], "the filter on page has no values"),
        ([step(PAGES)] * 8, None),
    ],
)
def test_what_has_no_answer_is_refused(steps: list[AskedStep], said: str | None) -> None:
    question = FunnelQuestion(site=1, period=DAY, steps=tuple(steps))
    if said is None:
        check_funnel(question)
        return
    with pytest.raises(InputRefused, match=said):
        check_funnel(question)
