"""Parts add up to the whole: units of time, parts of a period, and sites."""

from collections import Counter
from datetime import UTC
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from questions.worlds import BEGINNINGS, CONDITIONS, PEOPLES, SITES, World, a_world, periods
from tallystick.model.dimensions import Scope
from tallystick.model.metrics import Metric
from tallystick.model.period import exact_period
from tallystick.model.question import EVERYTHING, Question, TimeUnit
from tallystick.warehouse.duckdb.questions.answering import answer

HITS = (Metric.PAGEVIEWS, Metric.EVENTS, Metric.COUNT)
"""Numbers of hits, each of which is in one part."""
VISITS = (Metric.VISITORS, Metric.VISITS)
Drawn = tuple[int, Question]
times = st.lists(st.sampled_from(TimeUnit), min_size=1, max_size=3, unique=True).map(tuple)
of_visits = st.sampled_from([each for each in PEOPLES if each.scope is Scope.VISIT])


@st.composite
def asked(draw: st.DrawFn) -> Drawn:
    begin = draw(st.sampled_from(BEGINNINGS))
    span, _ = draw(periods(begin))
    return begin, Question(sites=SITES, period=span, metrics=HITS, condition=draw(CONDITIONS))


def groups(begin: int, question: Question) -> dict[tuple[Any, ...], Counter[Metric]]:
    """The figures of each row, by metric."""
    return {
        row.values: Counter(
            {metric: int(figure or 0) for metric, figure in zip(question.metrics, row.figures, strict=True)}
        )
        for row in answer(a_world(begin).session, question).rows
    }


def whole(begin: int, question: Question) -> Counter[Metric]:
    return groups(begin, question)[()]


@given(drawn=asked(), units=times)
def test_hits_of_all_units_of_time_are_all_hits(drawn: Drawn, units: tuple[TimeUnit, ...]) -> None:
    begin, question = drawn
    by_time = groups(begin, replace(question, dimensions=units))
    assert sum(by_time.values(), Counter()) == +whole(begin, question)


@given(drawn=asked(), dimension=of_visits)
def test_visitors_of_all_values_of_visits_are_all_visitors(drawn: Drawn, dimension: Any) -> None:
    begin, question = drawn
    question = replace(question, metrics=VISITS + HITS)
    by_value = groups(begin, replace(question, dimensions=(dimension,)))
    assert sum(by_value.values(), Counter()) == +whole(begin, question)


@given(drawn=asked(), cut=st.floats(0, 1))
def test_visits_of_two_parts_are_all_visits_and_those_over_the_cut_twice(drawn: Drawn, cut: float) -> None:
    begin, question = drawn
    first, last = question.period.first, max(question.period.first, question.period.after) - 1
    middle = first + round((last + 1 - first) * cut)
    one, other, both = (
        whole(begin, replace(question, metrics=VISITS + HITS, condition=EVERYTHING, period=exact_period(*span, UTC)))
        for span in ((first, middle - 1), (middle, last), (first, last))
    )
    crossing = _crossing(a_world(begin), first, middle, last)
    twice = Counter(dict.fromkeys(VISITS, crossing))
    assert one + other == both + twice


def _crossing(known: World, first: int, middle: int, last: int) -> int:
    """The number of visits with hits before and after a moment of a period."""
    sides: dict[tuple[int, int], set[bool]] = {}
    for row in known.rows:
        if row["session"] and not row["bot"] and first <= row["created"] <= last:
            sides.setdefault((row["site"], row["session"]), set()).add(row["created"] < middle)
    return sum(len(each) > 1 for each in sides.values())


@given(drawn=asked(), units=st.one_of(st.just(()), times, of_visits.map(lambda each: (each,))))
def test_several_sites_are_the_sum_of_each(drawn: Drawn, units: tuple[Any, ...]) -> None:
    begin, question = drawn
    question = replace(question, metrics=VISITS + HITS, dimensions=units)
    added: dict[tuple[Any, ...], Counter[Metric]] = {}
    for site in SITES:
        for values, figures in groups(begin, replace(question, sites=(site,))).items():
            added[values] = added.get(values, Counter()) + figures
    assert {values: +figures for values, figures in groups(begin, question).items()} == added
