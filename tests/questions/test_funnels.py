"""Every question about a funnel has the oracle's answer; and examples with the right figures written down."""

import re
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from questions.funnel_oracle import funnel_answer
from questions.test_oracle import HOSTILE
from questions.worlds import BEGINNINGS, CONDITIONS, World, a_world, matches, periods
from tallystick.errors import InputRefused
from tallystick.model.dimensions import EVENT_NAME, HOST, PAGE, PAGEVIEW_ID, SOURCE
from tallystick.model.funnel import MAX_STEPS, MIN_STEPS, AskedStep, FunnelAnswer, FunnelQuestion
from tallystick.model.period import DAY_S, exact_period
from tallystick.model.question import EVERYTHING, AllOf, AnyOf, FilterExpression, Match, Not, Operator
from tallystick.warehouse.duckdb.questions.funnels import answer_funnel

PAGEVIEWS = Match(dimension=EVENT_NAME, values=(PAGEVIEW_ID,))


def page(*paths: int) -> FilterExpression:
    return AllOf((Match(dimension=PAGE, values=paths), PAGEVIEWS))


def event(*names: int) -> FilterExpression:
    return AllOf((Match(dimension=EVENT_NAME, values=names), replace(PAGEVIEWS, negated=True)))


@st.composite
def step_conditions(draw: st.DrawFn, site: int) -> FilterExpression:
    own = 10 * site
    common = st.one_of(
        st.lists(st.sampled_from([own + 1, own + 2, own + 3]), min_size=1, max_size=2).map(lambda ids: page(*ids)),
        st.sampled_from([own + 4, own + 5]).map(event),
    )
    hits = matches([PAGE, EVENT_NAME, HOST])
    drawn: FilterExpression = draw(
        st.one_of(
            *[common] * 4,
            hits,
            hits.map(Not),
            st.lists(common, max_size=2).map(lambda parts: AnyOf(tuple(parts))),
            st.tuples(common, hits).map(AllOf),
            st.just(EVERYTHING),
            st.just(page(*range(own, own + 40))),
        )
    )
    return drawn


@st.composite
def funnels(draw: st.DrawFn) -> tuple[int, FunnelQuestion]:
    begin = draw(st.sampled_from(BEGINNINGS))
    site = draw(st.sampled_from([1, 2, 3]))
    count = draw(st.integers(MIN_STEPS, draw(st.sampled_from([3, 4, MAX_STEPS]))))
    steps = tuple(
        AskedStep(
            name=str(number),
            condition=draw(step_conditions(site)),
            optional=0 < number < count - 1 and draw(st.sampled_from([True, False, False])),
        )
        for number in range(count)
    )
    whole = (exact_period(begin - DAY_S, begin + 9 * DAY_S, UTC), None)
    span, _ = draw(st.one_of(st.just(whole), periods(begin)))
    return begin, FunnelQuestion(
        site=site,
        period=span,
        steps=steps,
        strict=draw(st.booleans()),
        condition=draw(st.one_of(st.just(EVERYTHING), CONDITIONS)),
        left_to=draw(st.booleans()),
    )


def assert_same(found: FunnelAnswer, expected: FunnelAnswer) -> None:
    averages = [step.average for step in expected.steps]
    assert [step.average for step in found.steps] == pytest.approx(averages)
    assert replace(found, steps=tuple(replace(step, average=None) for step in found.steps)) == replace(
        expected, steps=tuple(replace(step, average=None) for step in expected.steps)
    )


@given(drawn=funnels())
def test_every_funnel_has_the_oracles_answer(drawn: tuple[int, FunnelQuestion]) -> None:
    begin, question = drawn
    known: World = a_world(begin)
    found = answer_funnel(known.session, question)
    assert_same(found, funnel_answer(known.rows, question))
    assert_sums(found)


def assert_sums(found: FunnelAnswer) -> None:
    """Visits that dropped and those that did not are all that took the first step."""
    assert sum(step.dropped for step in found.steps) + found.steps[-1].visits == found.steps[0].visits
    assert found.visits >= found.steps[0].visits
    required = [step.visits for step in found.steps if not step.optional]
    assert required == sorted(required, reverse=True)
    for step in found.steps:
        if step.left_to is not None and step.exits is not None:
            assert step.exits >= 0
            assert sum(each.visits for each in step.left_to) + step.exits <= step.dropped


@settings(max_examples=min(30, settings().max_examples))
@given(drawn=funnels())
def test_without_optional_steps_the_others_are_the_same(drawn: tuple[int, FunnelQuestion]) -> None:
    begin, drawn_question = drawn
    question = replace(drawn_question, strict=False)
    short = replace(question, steps=tuple(step for step in question.steps if not step.optional))
    found, others = (answer_funnel(a_world(begin).session, each) for each in (question, short))
    assert [step.visits for step in found.steps if not step.optional] == [step.visits for step in others.steps]


def test_values_are_never_a_part_of_the_statement() -> None:
    known: World = a_world(BEGINNINGS[0])
    span = exact_period(0, BEGINNINGS[0] + 9 * DAY_S, UTC)
    stored = known.session.connection.execute("SELECT count(*) FROM hit").fetchall()
    for operator in Operator:
        texts = tuple(
            re.escape(each).replace("\0", "x00") if operator is Operator.MATCHES else each for each in HOSTILE
        )
        for negated in (False, True):
            of_hits = Match(dimension=HOST, operator=operator, values=texts, negated=negated)
            of_visits = Match(dimension=SOURCE, operator=operator, values=texts, negated=negated)
            for strict in (False, True):
                question = FunnelQuestion(
                    site=1,
                    period=span,
                    steps=(AskedStep(name=texts[0], condition=of_hits), AskedStep(name="'", condition=Not(of_hits))),
                    condition=AnyOf((of_hits, of_visits)),
                    strict=strict,
                    left_to=True,
                )
                assert_same(answer_funnel(known.session, question), funnel_answer(known.rows, question))
    assert known.session.connection.execute("SELECT count(*) FROM hit").fetchall() == stored


def test_an_expression_that_is_not_valid_is_refused() -> None:
    bad = Match(dimension=HOST, operator=Operator.MATCHES, values=("(",))
    span = exact_period(0, 1, UTC)
    for condition, step in ((bad, EVERYTHING), (EVERYTHING, bad)):
        steps = (AskedStep(name="1", condition=step), AskedStep(name="2", condition=EVERYTHING))
        question = FunnelQuestion(site=1, period=span, steps=steps, condition=condition)
        with pytest.raises(InputRefused, match=r"the expression .* is not valid"):
            answer_funnel(a_world(BEGINNINGS[0]).session, question)
