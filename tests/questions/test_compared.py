"""Every row of two periods that are compared is in the answer once, whatever the periods, the zone and the unit."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tallystick.errors import InputRefused
from tallystick.model.dimensions import PAGE
from tallystick.model.metrics import Metric
from tallystick.model.named_period import Earlier, Today, custom_comparison, dates, earlier, period_between
from tallystick.model.period import Period
from tallystick.model.question import CLOCK_UNITS, DATE_UNITS, Answer, AnswerRow, Comparison, Question, TimeUnit
from tallystick.services.analytics import questions
from tallystick.services.analytics.questions import compared, labels

BEGIN = datetime(2023, 12, 25, tzinfo=UTC)
ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe")]
VALUES = ("/a", "/b")


@st.composite
def periods(draw: st.DrawFn, zone: ZoneInfo) -> Period:
    if draw(st.booleans()):
        first = BEGIN.date() + timedelta(days=draw(st.integers(0, 1_100)))
        return dates(first, first + timedelta(days=draw(st.integers(0, 40))), zone)
    begin = BEGIN + timedelta(minutes=draw(st.integers(0, 1_100 * 1440)))
    end = begin + timedelta(minutes=draw(st.integers(1, 4 * 1440)))
    return period_between(begin.isoformat(), end.isoformat(), Today(0, zone))


@st.composite
def comparisons(draw: st.DrawFn) -> Question:
    zone = draw(st.sampled_from(ZONES))
    asked = draw(periods(zone))
    today = Today(draw(st.sampled_from([asked.end + 1, (asked.start + asked.end) // 2])), zone)
    compare, same_weekdays = draw(st.sampled_from([*Earlier, None])), draw(st.booleans())
    if compare is None:
        other = custom_comparison(asked, draw(periods(zone)), today, same_weekdays=same_weekdays)
    else:
        other = earlier(asked, compare, today, same_weekdays=same_weekdays)
    return Question(
        sites=(1,),
        period=asked,
        metrics=(Metric.VISITORS,),
        dimensions=(draw(st.sampled_from(sorted(CLOCK_UNITS | DATE_UNITS, key=lambda unit: unit.value))), PAGE),
        compare=Comparison(other, compare is Earlier.YEAR_OVER_YEAR and not same_weekdays, draw(st.booleans())),
        total_rows=True,
    )


def rows_of(draw: Any, times: list[str]) -> dict[tuple[str, str], int]:
    keys = draw(st.lists(st.tuples(st.sampled_from(times), st.sampled_from(VALUES)), unique=True, max_size=30))
    return {key: number + 1 for number, key in enumerate(keys)}


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_every_row_of_both_periods_is_there_once(drawn: Any) -> None:
    question = drawn.draw(comparisons())
    assert question.compare is not None
    other = replace(question, period=question.compare.period, compare=None)
    here_times, there_times = labels(question), labels(other)
    here, there = rows_of(drawn.draw, here_times), rows_of(drawn.draw, there_times)
    answers = [
        Answer(rows=tuple(AnswerRow(values, (figure,)) for values, figure in rows.items())) for rows in (here, there)
    ]
    found = compared(question, *answers)
    assert all(row.compared_values is not None for row in found.rows)
    own = [row for row in found.rows if row.values in here]
    assert {row.values: row.figures[0] for row in own} == here
    assert len({row.values for row in own}) == len(own)
    others = [row for row in found.rows if row.compared_values in there]
    assert len({row.compared_values for row in others}) == len(others)
    assert all(row.compared == (there[row.compared_values],) for row in others)  # type: ignore[index]
    if question.compare.gone:
        assert {row.compared_values for row in others} == set(there)
        assert found.total_rows == len(found.rows) == len(own) + sum(row.values not in here for row in others)
        assert all(row.figures == (0,) for row in found.rows if row.values not in here)
    else:
        assert found.rows == tuple(own)
    for row in found.rows:
        time, before = row.values[0], (row.compared_values or ("",))[0]
        assert time in here_times or time == ""
        assert before in there_times or before == ""
        assert (row.compared is None) == (before == "")
        assert row.values[1] == (row.compared_values or ())[1]


@pytest.mark.parametrize("by", [(PAGE,), (TimeUnit.DAY, PAGE)])
def test_what_was_not_read_is_not_said_to_be_nothing(by: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "MOST_GROUPS", 2)
    span, before = (
        dates(BEGIN.date() + timedelta(days=days), BEGIN.date() + timedelta(days=days), UTC) for days in (1, 0)
    )
    times = (("2023-12-26",), ("2023-12-25",)) if len(by) > 1 else ((), ())
    here = Answer(rows=(AnswerRow((*times[0], "/a"), (1,)), AnswerRow((*times[0], "/z"), (1,))))
    there = Answer(rows=(AnswerRow((*times[1], "/a"), (3,)), AnswerRow((*times[1], "/b"), (2,))))
    asked: dict[str, Any] = {"sites": (1,), "period": span, "metrics": (Metric.VISITORS,), "dimensions": by}
    with pytest.raises(InputRefused, match="a comparison takes fewer than 100,000 rows of each period"):
        compared(Question(**asked, compare=Comparison(before)), here, there)
    only_here = Question(**asked, compare=Comparison(before, gone=False))
    if len(by) > 1:
        with pytest.raises(InputRefused, match="a comparison takes fewer"):
            compared(only_here, here, there)
    else:
        assert [row.compared for row in compared(only_here, here, there).rows] == [(3,), None]
