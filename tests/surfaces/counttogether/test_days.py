"""Days are calendar days where somebody looks, whatever clocks are changed and days are left out there."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.counting_together import Person, Together
from tallystick.model.account import UserSettings
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.accounts.accounts import change_account
from tallystick.services.zones import today_in, zone_named
from tallystick.surfaces.counttogether.wire import data_of, flat, value_of


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def a_date_counter(type_: Any, day: str) -> SharedCounter:
    instant = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    return SharedCounter(
        id=1,
        uid="018f5b5c-1f21-7c3a-9b1e-3f1f2a7c9d10",
        name="Days",
        type=type_,
        date=round(instant.timestamp() * 1000),
        day=instant.date(),
        created=0,
        value=0,
        version=1,
    )


SINCE = [
    # zone, now, start day, days
    ("UTC", "2026-05-02T00:00:00+00:00", "2026-05-01", 1),
    ("UTC", "2026-05-01T23:59:59.999+00:00", "2026-05-01", 0),
    # Berlin's days of 23 and of 25 hours
    ("Europe/Berlin", "2026-03-29T00:30:00+01:00", "2026-03-28", 1),
    ("Europe/Berlin", "2026-03-29T23:59:59+02:00", "2026-03-28", 1),
    ("Europe/Berlin", "2026-03-30T00:00:00+02:00", "2026-03-28", 2),
    ("Europe/Berlin", "2026-10-25T02:30:00+02:00", "2026-10-24", 1),
    ("Europe/Berlin", "2026-10-25T23:59:59+01:00", "2026-10-24", 1),
    ("Europe/Berlin", "2026-10-26T00:00:00+01:00", "2026-10-24", 2),
    # Apia left out 30 December 2011: the day after the 29th was the 31st
    ("Pacific/Apia", "2011-12-29T23:59:59-10:00", "2011-12-29", 0),
    ("Pacific/Apia", "2011-12-31T00:00:00+14:00", "2011-12-29", 2),
    ("Pacific/Apia", "2011-12-30T10:00:00+00:00", "2011-12-29", 2),
    ("Pacific/Apia", "2011-12-30T09:59:59+00:00", "2011-12-29", 0),
    # three days at one moment
    ("Pacific/Kiritimati", "2026-06-15T10:30:00+00:00", "2026-06-01", 15),
    ("UTC", "2026-06-15T10:30:00+00:00", "2026-06-01", 14),
    ("Pacific/Pago_Pago", "2026-06-15T10:30:00+00:00", "2026-06-01", 13),
    # leap days, and long ago
    ("UTC", "2028-03-01T00:00:00+00:00", "2028-02-28", 2),
    ("UTC", "2027-03-01T00:00:00+00:00", "2027-02-28", 1),
    ("UTC", "2026-01-01T00:00:00+00:00", "0001-01-01", 739_616),
]


@pytest.mark.parametrize(("zone", "now", "start", "days"), SINCE)
def test_days_since(zone: str, now: str, start: str, days: int) -> None:
    counter = a_date_counter("FromDate", start)
    today = today_in(zone_named(zone), milliseconds(now))
    assert value_of(counter, today) == days
    assert (data_of(counter, today) or {})["pastDays"] == days
    assert value_of(a_date_counter("ToDate", start), today) == 0


@given(st.integers(157_766_400, 2_840_140_800), st.sampled_from([row[0] for row in SINCE]))
def test_since_and_until_the_same_day_are_two_sides_of_one_difference(now: int, zone: str) -> None:
    today = today_in(zone_named(zone), now * 1000)
    since = data_of(a_date_counter("FromDate", "2012-02-29"), today) or {}
    until = data_of(a_date_counter("ToDate", "2012-02-29"), today) or {}
    assert since["pastDays"] == until.get("overdueDays", 0)
    assert until["remainingDays"] == since.get("startsInDays", 0)
    assert (since["pastDays"] == 0) or (until["remainingDays"] == 0)
    assert [each["reached"] for each in since["milestones"]] == sorted(
        (each["days"] <= since["pastDays"] for each in since["milestones"]), reverse=True
    )


def test_what_is_told_of_a_date_to_come_and_of_one_that_is_over() -> None:
    counter, today = a_date_counter("ToDate", "2026-12-24"), datetime(2026, 12, 20, tzinfo=UTC).date()
    assert data_of(counter, today) == {"date": "2026-12-24T00:00:00Z", "dateOnly": "2026-12-24", "remainingDays": 4}
    over = data_of(counter, datetime(2026, 12, 27, tzinfo=UTC).date()) or {}
    assert (over["remainingDays"], over["overdueDays"]) == (0, 3)
    assert flat(counter, today) == {
        "id": counter.uid,
        "name": "Days",
        "type": "ToDate",
        "value": 4,
        "created": "1970-01-01T00:00:00Z",
        "endDate": "2026-12-24",
    }


def test_milestones_are_whole_days_after_the_start() -> None:
    data = data_of(a_date_counter("FromDate", "2026-01-01"), datetime(2026, 1, 15, tzinfo=UTC).date()) or {}
    assert [each["days"] for each in data["milestones"]] == [7, 10, 14, 21, 30, 50, 100]
    assert data["milestones"][2] == {"days": 14, "reached": True, "remainingDays": None, "date": "2026-01-15"}
    assert data["milestones"][3] == {"days": 21, "reached": False, "remainingDays": 7, "date": "2026-01-22"}


WRITTEN = [
    # data that is sent, date and day that are kept
    ({"dateOnly": "2026-05-01"}, "2026-05-01T00:00:00Z", "2026-05-01"),
    ({"date": "2026-05-01"}, "2026-05-01T00:00:00Z", "2026-05-01"),
    ({"date": "2026-05-01T23:30:00Z"}, "2026-05-01T23:30:00Z", "2026-05-01"),
    ({"date": "2026-05-01T23:30:00-05:00"}, "2026-05-02T04:30:00Z", "2026-05-01"),
    ({"date": "2026-05-02T00:30:00+02:00"}, "2026-05-01T22:30:00Z", "2026-05-02"),
    ({"date": "2026-05-01T12:00:00"}, "2026-05-01T12:00:00Z", "2026-05-01"),
    ({"date": "2026-05-01T12:00:00.1234567Z"}, "2026-05-01T12:00:00.123Z", "2026-05-01"),
    ({"date": "2026-05-01T23:30:00Z", "dateOnly": "2026-05-02"}, "2026-05-01T23:30:00Z", "2026-05-02"),
]


async def test_how_dates_are_written(ada: Person) -> None:
    for sent, date, day in WRITTEN:
        counter = await ada.new_counter(type_="FromDate", **sent)
        data = (await ada.ask("GET", f"/v1/counters/{counter}")).json()["data"]
        assert (data["date"], data["dateOnly"]) == (date, day), sent
    until = await ada.new_counter(type_="ToDate", dateOnly="2026-05-01")
    assert (await ada.ask("GET", f"/v1/counters/{until}")).json()["data"]["date"] == "2026-05-01T23:59:59Z"


async def test_what_is_no_date(ada: Person) -> None:
    for type_, code in (("FromDate", -2020), ("ToDate", -2021)):
        counter = await ada.new_counter(type_=type_, dateOnly="2026-05-01")
        field = "startDate" if type_ == "FromDate" else "endDate"
        for text in ("", "tomorrow", "2026-02-30", "26-05-01", "2026-05-01T25:00:00Z", "10000-01-01", "١٩٩٩-01-01"):
            for data in ({"date": text}, {"dateOnly": text}):
                body = {"displayName": "Days", "type": type_, "data": data}
                assert (await ada.ask("POST", "/v1/counters", body)).json()["code"] == code, text
                assert (await ada.ask("PUT", f"/v1/counters/{counter}", {"data": data})).json()["code"] == code, text
            assert (await ada.ask("PATCH", f"/v2/counters/{counter}", {field: text})).json()["code"] == code, text
        missing = await ada.ask("POST", "/v1/counters", {"displayName": "Days since", "type": type_})
        assert missing.json()["code"] == code


async def test_an_instant_outside_of_the_calendar_in_utc_is_no_date(ada: Person) -> None:
    for type_, code, text in (
        ("FromDate", -2020, "0001-01-01T00:00:00+12:00"),
        ("ToDate", -2021, "9999-12-31T23:59:59-12:00"),
    ):
        body = {"displayName": "Days", "type": type_, "data": {"date": text}}
        assert (await ada.ask("POST", "/v1/counters", body)).json()["code"] == code


async def test_who_sends_back_what_they_read_changes_only_what_they_changed(ada: Person) -> None:
    counter = await ada.new_counter(type_="FromDate", date="2026-05-01T22:30:00-05:00")
    path = f"/v1/counters/{counter}"
    shown = (await ada.ask("GET", path)).json()
    steps = [
        # what is changed in it, date and day that are kept
        ({}, "2026-05-02T03:30:00Z", "2026-05-01"),
        ({"date": "2026-06-01T12:00:00Z"}, "2026-06-01T12:00:00Z", "2026-06-01"),
        ({"dateOnly": "2026-07-01"}, "2026-07-01T00:00:00Z", "2026-07-01"),
    ]
    for changed, date, day in steps:
        data = (await ada.ask("PUT", path, shown | {"data": shown["data"] | changed})).json()["data"]
        assert (data["date"], data["dateOnly"]) == (date, day)
        shown["data"] |= {"date": date, "dateOnly": day}
    versions = [(await ada.ask("GET", path)).headers["etag"].split("-")[0]]
    assert versions == ['"3']
    same = await ada.ask("PATCH", f"/v2/counters/{counter}", {"startDate": "2026-07-01"})
    assert same.headers["etag"].split("-")[0] == '"3'


async def test_the_zone_is_the_one_asked_for_or_the_accounts_or_utc(together: Together, ada: Person) -> None:
    together.clock.now = milliseconds("2026-06-15T10:30:00+00:00")
    counter = await ada.new_counter(type_="FromDate", dateOnly="2026-06-01")

    async def days(query: str = "") -> list[int]:
        answers = [await ada.ask("GET", f"/{version}/counters/{counter}{query}") for version in ("v1", "v2")]
        listed = [await ada.ask("GET", f"/{version}/counters{query}") for version in ("v1", "v2")]
        shown = [answer.json() for answer in answers] + [answer.json()[0] for answer in listed]
        return [one["value"] if "value" in one else one["data"]["pastDays"] for one in shown]

    assert await days() == [14] * 4
    assert await days("?timezone=Pacific/Kiritimati") == [15] * 4
    assert await days("?timezone=Pacific%2FPago_Pago") == [13] * 4
    settings = UserSettings(timezone="KI.Pacific/Kiritimati")
    await together.ledger.write(change_account, ada.account.id, "Ada", settings, together.clock())
    assert await days() == [15] * 4
    assert await days("?timezone=UTC") == [14] * 4
    strangers = ("", "Nowhere", "KI.Pacific/Kiritimati", "../UTC", "utc", "posixrules", "right/UTC", "W. Europe Time")
    for name in strangers:
        asked = [("GET", "/v1/counters"), ("GET", f"/v2/counters/{counter}"), ("POST", f"/v1/counters/{counter}/undo")]
        for method, path in asked:
            refused = await ada.ask(method, f"{path}?timezone={quote(name)}")
            assert (refused.status, refused.json()["code"]) == (400, -2000), name
            assert refused.json()["message"].startswith(f"{name!r} is no time zone")
