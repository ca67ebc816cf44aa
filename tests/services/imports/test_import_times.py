"""Layouts of times, as Go writes them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import InputRefused
from tallystick.services.imports.times import COMMON_LOG, moment, time_format

AT = int(datetime(2026, 3, 9, 14, 5, 7, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (COMMON_LOG, "09/Mar/2026:14:05:07 +0000"),
        (COMMON_LOG, "09/Mar/2026:19:35:07 +0530"),
        (COMMON_LOG, "09/mar/2026:06:05:07 -0800"),
        ("ansic", "Mon Mar  9 14:05:07 2026"),
        ("unix", "Mon Mar  9 14:05:07 UTC 2026"),
        ("unix", "Mon Mar  9 09:05:07 EST 2026"),
        ("unix", "Mon Mar  9 19:35:07 +0530 2026"),
        ("unix", "Mon Mar  9 17:05:07 +03 2026"),
        ("rfc1123", "Mon, 09 Mar 2026 07:05:07 PDT"),
        ("rfc3339", "2026-03-09T14:05:07+0000"),
        ("rfc3339", "2026-03-09T14:05:07,5Z"),
        ("2006-01-02T15:04:05-0700", "2026-03-09T19:50:07+05:45"),
        ("unix_sec", f"{AT}.999"),
        ("unix_nano", f"{AT}000000000.0"),
        ("rfc850", "Monday, 09-Mar-26 14:05:07 GMT"),
        ("rfc1123", "Mon, 09 Mar 2026 14:05:07 GMT"),
        ("rfc1123z", "Mon, 09 Mar 2026 16:05:07 +0200"),
        ("rfc3339", "2026-03-09T14:05:07Z"),
        ("rfc3339", "2026-03-09T14:05:07.999Z"),
        ("rfc3339", "2026-03-09T15:05:07+01:00"),
        ("rfc3339nano", "2026-03-09T14:05:07.123456789Z"),
        ("unix_sec", str(AT)),
        ("unix_milli", f"{AT}999"),
        ("unix_nano", f"{AT}000000001"),
        ("unix_sec_float", f"{AT}.75"),
        ("unix_milli_float", f"{AT}750.5"),
        ("2006-01-02 15:04:05", "2026-03-09 14:05:07"),
        ("2006-01-02 15:04:05,000", "2026-03-09 14:05:07,250"),
        ("2.1.2006 3:04:05 PM", "9.3.2026 2:05:07 PM"),
        ("January 2, 2006 at 3:04:05pm -07", "March 9, 2026 at 3:05:07pm +01"),
    ],
)
def test_a_layout_reads_its_texts(layout: str, text: str) -> None:
    assert moment((time_format(layout), text)) == AT


@pytest.mark.parametrize(("layout", "text"), [("rfc822", "09 Mar 26 14:05 GMT"), ("rfc822z", "09 Mar 26 15:05 +0100")])
def test_a_layout_may_leave_the_seconds_out(layout: str, text: str) -> None:
    assert moment((time_format(layout), text)) == AT - 7


def test_a_date_and_a_time_make_a_moment() -> None:
    assert moment((time_format("2006-01-02"), "2026-03-09"), (time_format("15:04:05"), "14:05:07")) == AT


def test_midnight_and_noon_have_their_own_halves() -> None:
    form = time_format("2006-01-02 3 PM")
    assert moment((form, "2026-03-09 12 AM")) == AT // 86_400 * 86_400
    assert moment((form, "2026-03-09 12 pm")) == AT // 86_400 * 86_400 + 12 * 3_600


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (COMMON_LOG, ""),
        (COMMON_LOG, "09/Mar/2026"),
        (COMMON_LOG, "31/Feb/2026:14:05:07 +0000"),
        (COMMON_LOG, "09/Foo/2026:14:05:07 +0000"),
        (COMMON_LOG, "09/Mar/2026:25:05:07 +0000"),
        (COMMON_LOG, "09/Mar/1969:14:05:07 +0000"),
        (COMMON_LOG, "09/Mar/٢٠٢٦:14:05:07 +0000"),
        ("unix_sec", "-1"),
        ("unix_sec", "9999999999999"),
        ("unix_sec", "soon"),
        ("unix_sec_float", "1e999"),
        ("unix_sec_float", "nan"),
    ],
)
def test_what_makes_no_sense_is_no_moment(layout: str, text: str) -> None:
    assert moment((time_format(layout), text)) is None


@pytest.mark.parametrize("layout", ["", "yesterday", "--::"])
def test_a_layout_without_a_time_is_refused(layout: str) -> None:
    with pytest.raises(InputRefused, match="is not a layout of a time"):
        time_format(layout)


@given(st.text(max_size=40))
def test_no_text_raises(text: str) -> None:
    for layout in (COMMON_LOG, "rfc3339", "unix_sec_float", "ansic"):
        moment((time_format(layout), text))
