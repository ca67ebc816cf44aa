from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.period import (
    DAY_S,
    EARLIEST,
    HOUR_S,
    LATEST,
    Period,
    date_of,
    midnight,
    period,
    segments,
    usual_end,
    usual_start,
)

KATHMANDU = ZoneInfo("Asia/Kathmandu")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")
ST_JOHNS = ZoneInfo("America/St_Johns")
BERLIN = ZoneInfo("Europe/Berlin")

SURPRISES = [
    (BERLIN, 1_743_296_400),  # 2025-03-30: an hour is left out
    (BERLIN, 1_761_440_400),  # 2025-10-26: an hour comes twice
    (LORD_HOWE, 1_743_865_200),  # 2025-04-06: half an hour comes twice
    (LORD_HOWE, 1_759_591_800),  # 2025-10-05: half an hour is left out
    (APIA, 1_325_239_200),  # 2011-12-30 never was
    (ST_JOHNS, 1_162_089_060),  # 2006-10-29: clocks went back over midnight
    (KATHMANDU, 504_901_800),  # 1986: from 5:30 to 5:45
    (ZoneInfo("Africa/Monrovia"), 63_593_070),  # 1972: from seconds to none
]

zones = st.one_of(
    st.sampled_from([zone for zone, _ in SURPRISES]), st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
)
near_a_surprise = st.builds(
    lambda surprise, seconds: (surprise[0], surprise[1] + seconds),
    st.sampled_from(SURPRISES),
    st.integers(-3 * DAY_S, 3 * DAY_S),
)
anywhere = st.tuples(zones, st.integers(-3_000_000_000, 5_000_000_000))
places = st.one_of(near_a_surprise, anywhere)


def _at(text: str, zone: tzinfo = UTC) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def _dates(wanted: Period) -> list[str]:
    return [str(date_of(day)) for day in wanted.days]


@pytest.mark.parametrize(
    ("start", "end", "first", "after"),
    [
        ("2020-06-18T00:00:00", "2020-06-18T23:59:59", "2020-06-18T00:00:00", "2020-06-19T00:00:00"),
        ("2020-06-18T00:00:00", "2020-06-18T00:00:00", "2020-06-18T00:00:00", "2020-06-18T01:00:00"),
        ("2020-06-18T00:00:01", "2020-06-18T05:30:00", "2020-06-18T01:00:00", "2020-06-18T06:00:00"),
        ("2020-06-18T00:10:00", "2020-06-18T00:20:00", "2020-06-18T01:00:00", "2020-06-18T01:00:00"),
    ],
    ids=["a day", "midnight is an hour", "begun hours at the end only", "no hour begins here"],
)
def test_hours_belong_to_a_period_when_they_begin_in_it(start: str, end: str, first: str, after: str) -> None:
    wanted = period(_at(start), _at(end), UTC)
    assert (wanted.first, wanted.after) == (_at(first), _at(after))


def test_hours_are_those_of_the_zone() -> None:
    wanted = period(_at("2025-01-02T00:00:00", KATHMANDU), _at("2025-01-02T03:00:00", KATHMANDU), KATHMANDU)
    assert (wanted.first, wanted.after) == (_at("2025-01-01T18:15:00"), _at("2025-01-01T22:15:00"))


@given(place=places, before=st.integers(0, 40 * DAY_S), behind=st.integers(0, 40 * DAY_S))
def test_any_split_of_a_period_sums_to_the_whole(place: tuple[ZoneInfo, int], before: int, behind: int) -> None:
    zone, split = place
    whole = period(split - before, split + behind, zone)
    early, late = period(split - before, split - 1, zone), period(split, split + behind, zone)
    if before:
        assert (early.first, early.after) == (whole.first, late.first)
    assert late.after == whole.after
    assert sorted({*early.days, *late.days}) == list(whole.days)


@given(place=places, length=st.integers(0, 40 * DAY_S))
def test_days_of_a_period_are_whole_between_its_first_and_last(place: tuple[ZoneInfo, int], length: int) -> None:
    zone, start = place
    wanted = period(start, start + length, zone)
    whole = wanted.whole_days
    assert whole.first <= wanted.first
    assert whole.after >= wanted.after or wanted.after - whole.after < HOUR_S
    assert whole.whole_days == whole
    assert set(wanted.days) <= {*whole.days, whole.days[0] - 1}
    assert len(wanted.days) <= wanted.most_days


@given(place=places, split=st.integers(1, 40), length=st.integers(1, 40))
def test_whole_days_that_meet_share_nothing_and_lose_nothing(
    place: tuple[ZoneInfo, int], split: int, length: int
) -> None:
    zone, moment = place
    day = moment // DAY_S
    edges = [midnight(day, zone), midnight(day + split, zone), midnight(day + split + length, zone)]
    assert edges == sorted(edges)
    early, late = period(edges[0], edges[1] - 1, zone), period(edges[1], edges[2] - 1, zone)
    assert (early.first, early.after, late.first, late.after) == (edges[0], edges[1], edges[1], edges[2])


@given(place=places, span=st.integers(1, 900 * DAY_S))
def test_segments_agree_with_the_zone_at_every_moment(place: tuple[ZoneInfo, int], span: int) -> None:
    zone, begin = place
    found = segments(zone, begin, begin + span)
    assert (found[0].begin, found[-1].end) == (begin, begin + span)
    for segment, following in pairwise(found):
        assert segment.end == following.begin
        assert segment.offset != following.offset
    for segment in found:
        for moment in (segment.begin, (segment.begin + segment.end) // 2, segment.end - 1):
            assert segment.offset == _offset(zone, moment)


@given(zone=zones, moments=st.tuples(*[st.integers(-(10**12), 10**12)] * 2))
def test_any_times_make_a_period(zone: ZoneInfo, moments: tuple[int, int]) -> None:
    start = max(EARLIEST, min(LATEST, moments[0]))
    wanted = period(start, start + moments[1] % (100 * DAY_S), zone)
    assert wanted.first >= wanted.start
    assert wanted.offsets


def _offset(zone: tzinfo, moment: int) -> float:
    offset = datetime.fromtimestamp(moment, zone).utcoffset()
    assert offset is not None
    return offset.total_seconds()


def test_a_day_that_a_zone_left_out_is_not_in_the_list() -> None:
    wanted = period(midnight(15_337, APIA), midnight(15_340, APIA) - 1, APIA)
    assert _dates(wanted) == ["2011-12-29", "2011-12-31"]


def test_every_day_is_there_however_short_its_part() -> None:
    wanted = period(_at("2025-01-01T23:30:00"), _at("2025-01-04T00:00:00"), UTC)
    assert _dates(wanted) == ["2025-01-01", "2025-01-02", "2025-01-03", "2025-01-04"]


def test_a_period_that_ends_before_it_begins_has_no_days() -> None:
    wanted = period(_at("2025-01-04T00:00:00"), _at("2025-01-01T00:00:00"), BERLIN)
    assert wanted.after <= wanted.first
    assert wanted.days == ()
    assert wanted.whole_days == wanted


def test_clocks_that_go_back_over_midnight_show_both_dates() -> None:
    wanted = period(_at("2006-10-29T00:00:00", ST_JOHNS), _at("2006-10-29T23:59:59", ST_JOHNS), ST_JOHNS)
    assert _dates(wanted) == ["2006-10-28", "2006-10-29"]


def test_without_a_wish_it_is_eight_days_of_the_zone() -> None:
    now = _at("2025-03-31T01:30:00", BERLIN)
    wanted = period(usual_start(now, BERLIN), usual_end(now, BERLIN), BERLIN)
    assert _dates(wanted)[0] == "2025-03-24"
    assert _dates(wanted)[-1] == "2025-03-31"
    assert len(wanted.days) == 8
    assert wanted.after - wanted.first == 8 * DAY_S - HOUR_S
