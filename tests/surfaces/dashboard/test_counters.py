"""Pages of shared counters: made, pressed, undone, shared, changed and deleted; by role."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

import pytest

from builders import NOW
from support.pages import PASSWORD, Pages, Visitor, token_in
from support.sharing import a_counter, joined
from tallystick.ledger import Ledger
from tallystick.model.account import Account
from tallystick.model.shared_counter import Role, SharedCounter
from tallystick.services.accounts.accounts import NewAccount, create_account
from tallystick.services.accounts.passwords import Passwords
from tallystick.services.sharing.access import members_of, role_of
from tallystick.services.sharing.history import history
from tallystick.surfaces.dashboard.counters.chart import CHANGES_AT_MOST, changes_chart
from tallystick.surfaces.dashboard.support.language import Languages

HOUR, DAY = 3_600_000, 86_400_000
ROLES: Mapping[str, Role | None] = {"ada": "admin", "ben": "member", "cem": "viewer", "dee": None}


@pytest.fixture
async def people(ledger: Ledger) -> Mapping[str, Account]:
    """Four people without sites, who can log in."""
    digest = await Passwords().hash(PASSWORD)
    return {
        name: await ledger.write(
            create_account,
            NewAccount(email=f"{name}@example.com", password=digest, name=name.title(), access={}),
            NOW,
        )
        for name in ROLES
    }


@pytest.fixture
async def counter(ledger: Ledger, people: Mapping[str, Account]) -> SharedCounter:
    """A counter that Ada manages, Ben counts on, Cem sees and Dee does not know."""
    made = await a_counter(ledger, people["ada"], "Cups <of> tea")
    for name, role in ROLES.items():
        if role in {"member", "viewer"}:
            await joined(ledger, made, people[name], role=role)
    return made


@asynccontextmanager
async def browser_of(pages: Pages, name: str) -> AsyncIterator[Visitor]:
    async with pages.visitor() as visitor:
        assert (await visitor.log_in(f"{name}@example.com")).status_code == 303
        yield visitor


async def value(pages: Pages, people: Mapping[str, Account], counter: SharedCounter) -> int:
    found = await pages.ledger.read(role_of, people["ada"].id, counter.uid)
    assert found is not None
    return found[0].value


async def roles(pages: Pages, counter: SharedCounter) -> dict[str, Role]:
    members = await pages.ledger.read(members_of, [counter.id])
    return {member.name: member.role for member in members[counter.id]}


@pytest.mark.usefixtures("people")
async def test_a_counter_is_made_found_and_listed(pages: Pages) -> None:
    async with browser_of(pages, "ada") as ada:
        assert "You have no counters yet." in (await ada.get("/counters")).text
        made = await ada.fill("/counters", {"name": "Cups of <b>tea", "type": "UpDown", "mode": "OnlyUp"})
        assert made.status_code == 303
        place = made.headers["location"].partition("?")[0]
        page = (await ada.get(made.headers["location"])).text
        assert "The counter is created." in page
        assert "Cups of &lt;b&gt;tea" in page
        assert 'value="up"' in page
        assert 'value="down"' not in page
        dated = await ada.fill("/counters", {"name": "Until summer", "type": "ToDate", "date": "2027-06-21"})
        assert "days left" in (await ada.get(dated.headers["location"])).text
        listed = (await ada.get("/counters")).text
        assert listed.index("Until summer") < listed.index("Cups of"), "the newest first"
        assert "Until summer" not in (await ada.get("/counters?find=cups")).text
        assert "No counter has this in its name." in (await ada.get("/counters?find=x")).text
        told = (await ada.client.get("/counters.json")).json()["counters"]
        assert [(each["name"], each["type"], each["mode"]) for each in told] == [
            ("Cups of <b>tea", "UpDown", "OnlyUp"),
            ("Until summer", "ToDate", None),
        ]
        one = (await ada.client.get(f"{place}.json")).json()
        assert (one["value"], one["role"], [each["name"] for each in one["members"]]) == (0, "admin", ["Ada"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "Tea"}, "must have 5 to 40 characters"),
        ({"name": "Holidays", "type": "ToDate"}, "must be a date such as 2026-03-10"),
        ({"name": "Holidays", "type": "FromDate", "date": "soon"}, "must be a date such as 2026-03-10"),
        ({"name": "Visitors", "type": "Sideways"}, "must be a date such as 2026-03-10"),
        ({"name": "Visitors", "mode": "Sideways"}, "Choose in which direction the counter counts."),
    ],
)
@pytest.mark.usefixtures("people")
async def test_what_no_counter_can_be_is_told_beside_its_field(
    pages: Pages, fields: dict[str, str], message: str
) -> None:
    async with browser_of(pages, "ada") as ada:
        refused = await ada.fill("/counters", fields)
        assert refused.status_code == 422
        assert message in refused.text
        assert (await ada.client.get("/counters.json")).json() == {"counters": [], "public": []}


async def test_presses_count_and_are_undone(
    pages: Pages, people: Mapping[str, Account], counter: SharedCounter
) -> None:
    place = f"/counters/{counter.uid}"
    async with browser_of(pages, "ben") as ben:
        for fields, expected, back in (
            ({"press": "up"}, 1, f"{place}?done=pressed"),
            ({"press": "up", "amount": "5"}, 6, f"{place}?done=pressed&step=5"),
            ({"press": "down", "amount": "2"}, 4, f"{place}?done=pressed&step=2"),
            ({"press": "undo"}, 6, f"{place}?done=undone"),
            ({"press": "up", "back": "list"}, 7, "/counters?done=pressed"),
        ):
            answer = await ben.fill(place, fields)
            assert (answer.status_code, answer.headers["location"]) == (303, back)
            assert await value(pages, people, counter) == expected
        first = (await pages.ledger.read(history, people["ben"].id, counter.uid, 0, 10, False))[1]  # noqa: FBT003
        assert (await ben.fill(place, {"press": "undo", "change": str(first.number)})).status_code == 303
        assert await value(pages, people, counter) == 6
        for fields in ({"press": "sideways"}, {"press": "up", "amount": "0"}, {"press": "up", "amount": "x"}, {}):
            assert (await ben.fill(place, fields)).status_code == 400
        assert (await ben.fill(place, {"press": "up", "id": "x" * 256})).status_code == 400
    assert await value(pages, people, counter) == 6


async def test_a_press_that_arrives_again_is_counted_once(
    pages: Pages, people: Mapping[str, Account], counter: SharedCounter
) -> None:
    place = f"/counters/{counter.uid}"
    async with browser_of(pages, "ben") as ben:
        token = token_in((await ben.get(place)).text)
        for _ in range(3):
            answer = await ben.client.post(
                place, data={"token": token, "press": "up", "id": "press-1"}, headers={"accept": "application/json"}
            )
            assert (answer.status_code, answer.json()) == (200, {"value": "1", "version": 2})
        fields = {"token": token, "press": "undo", "change": "999999"}
        refused = await ben.client.post(place, data=fields, headers={"accept": "application/json"})
        assert (refused.status_code, refused.json()) == (409, {"error": "There is no change that you could undo."})
    assert await value(pages, people, counter) == 1


async def test_limits_of_a_counter_are_told(pages: Pages, ledger: Ledger, people: Mapping[str, Account]) -> None:
    least = await a_counter(ledger, people["ada"], "Not below zero", least=0)
    goal = await a_counter(ledger, people["ada"], "Only to one", goal=1, allow_exceed=False)
    async with browser_of(pages, "ada") as ada:
        refused = await ada.fill(f"/counters/{least.uid}", {"press": "down"})
        assert refused.status_code == 422
        assert "The value would be lower than this counter allows" in refused.text
        assert (await ada.fill(f"/counters/{goal.uid}", {"press": "up"})).status_code == 303
        refused = await ada.fill(f"/counters/{goal.uid}", {"press": "up"})
        assert "The goal of this counter may not be exceeded." in refused.text


@pytest.mark.parametrize("name", ROLES)
async def test_each_role_may_do_what_it_is_for(
    pages: Pages, people: Mapping[str, Account], counter: SharedCounter, name: str
) -> None:
    place, role = f"/counters/{counter.uid}", ROLES[name]
    async with browser_of(pages, name) as visitor:
        for page in ("", ".json", "/log", "/log.json", "/log.csv", "/people", "/people.json"):
            assert (await visitor.get(place + page)).status_code == (404 if role is None else 200), page
        for page in ("/settings", "/settings.json"):
            assert (await visitor.get(place + page)).status_code == (200 if role == "admin" else 404)
        token = token_in((await visitor.get("/user/tokens")).text)
        forms: list[tuple[str, dict[str, str], set[Role | None]]] = [
            ("", {"press": "up"}, {"admin", "member"}),
            ("/settings/set", {"value": "7"}, {"admin"}),
            ("/settings/reset", {}, {"admin"}),
            ("/settings", {"name": "Renamed", "mode": "UpAndDown"}, {"admin"}),
            ("/invites", {"role": "viewer", "days": "1"}, {"admin"}),
            ("/people/role", {"id": people["cem"].uid, "role": "member"}, {"admin"}),
            ("/people/remove", {"id": people["cem" if name == "ben" else "ben"].uid}, {"admin"}),
            ("/settings/delete", {"confirm": "Renamed"}, {"admin"}),
        ]
        for path, fields, allowed in forms:
            answer = await visitor.send(place + path, {"token": token, **fields})
            if role in allowed:
                assert answer.status_code in {200, 303}, (path, answer.text)
            elif role is None or path.startswith("/settings"):
                assert answer.status_code == 404, path
            else:
                assert answer.status_code == 422, path
                assert "Your role in this counter does not allow that." in answer.text
    found = await pages.ledger.read(role_of, people["ada"].id, counter.uid)
    if role == "admin":
        assert found is None
    else:
        assert found is not None
        assert found[0].name == counter.name
        assert found[0].value == (1 if role == "member" else 0)
        assert await roles(pages, counter) == {"Ada": "admin", "Ben": "member", "Cem": "viewer"}


@pytest.mark.usefixtures("people")
async def test_changes_are_listed_in_pages_and_as_data(pages: Pages, counter: SharedCounter) -> None:
    place = f"/counters/{counter.uid}"
    async with browser_of(pages, "ben") as ben:
        token = token_in((await ben.get(place)).text)
        for _ in range(101):
            await ben.send(place, {"token": token, "press": "up"})
        first = (await ben.client.get(f"{place}/log.json")).json()
        assert [each["value"] for each in first["changes"]] == list(range(101, 1, -1))
        second = (await ben.client.get(f"{place}/log.json?before={first['older']}")).json()
        assert [(each["kind"], each["value"], each["who"]) for each in second["changes"]] == [
            ("value", 1, "Ben"),
            ("created", 0, "Ada"),
        ]
        assert second["older"] is None
        lines = (await ben.client.get(f"{place}/log.csv?before={first['older']}")).text.splitlines()
        assert lines[0] == "number,at,who,kind,change,value"
        assert [line.split(",")[2:] for line in lines[1:]] == [["Ben", "value", "1", "1"], ["Ada", "created", "", "0"]]
        page = (await ben.get(f"{place}/log")).text
        assert f"?before={first['older']}" in page
        assert page.count('value="undo"') == 100
        assert "+1" in page
    async with browser_of(pages, "cem") as cem:
        assert 'value="undo"' not in (await cem.get(f"{place}/log")).text


async def test_people_are_invited_and_removed(
    pages: Pages, people: Mapping[str, Account], counter: SharedCounter
) -> None:
    place = f"/counters/{counter.uid}"
    async with browser_of(pages, "ada") as ada:
        made = await ada.fill(
            f"{place}/people", {"role": "viewer", "days": "7", "uses": "1"}, action=f"{place}/invites"
        )
        found = re.search(r"http://stats\.example\.com(/invites/[\w-]+)", made.text)
        assert found
        assert "<svg" in made.text
        async with browser_of(pages, "dee") as dee:
            assert (await dee.fill(found[1], {})).headers["location"] == f"{place}?done=joined"
        assert (await roles(pages, counter))["Dee"] == "viewer"
        for fields, status, problem in (
            ({"role": "admin", "days": "7"}, 400, ""),
            ({"role": "member", "days": "0"}, 400, ""),
            ({"role": "member", "days": "7", "uses": "many"}, 422, "must be a whole number"),
            ({"role": "member", "days": "7", "uses": "0"}, 422, "must be 1 to 1,000,000"),
        ):
            refused = await ada.fill(f"{place}/people", fields, action=f"{place}/invites")
            assert (refused.status_code, problem in refused.text) == (status, True)
        made = await ada.fill(f"{place}/people", {"role": "member", "days": "30"}, action=f"{place}/invites")
        found = re.search(r"http://stats\.example\.com(/invites/[\w-]+)", made.text)
        assert found
        told = (await ada.client.get(f"{place}/people.json")).json()
        assert [(each["name"], each["role"]) for each in told["members"]] == [
            ("Ada", "admin"),
            ("Ben", "member"),
            ("Cem", "viewer"),
            ("Dee", "viewer"),
        ]
        assert [(each["role"], each["uses"], each["max_uses"]) for each in told["invites"]] == [("member", 0, None)]
        assert found[1].rpartition("/")[2] not in str(told)
        async with browser_of(pages, "ben") as ben:
            assert (await ben.client.get(f"{place}/people.json")).json()["invites"] == []
        listed = re.search(r'invites/withdraw">.*?name="id" value="([^"]+)"', made.text, re.DOTALL)
        assert listed
        await ada.fill(f"{place}/people", {"id": listed[1]}, action=f"{place}/invites/withdraw")
        assert (await ada.get(found[1])).status_code == 404
        await ada.fill(f"{place}/people", {"id": people["cem"].uid, "role": "member"}, action=f"{place}/people/role")
        await ada.fill(f"{place}/people", {"id": people["dee"].uid}, action=f"{place}/people/remove")
        assert await roles(pages, counter) == {"Ada": "admin", "Ben": "member", "Cem": "member"}
        refused = await ada.fill(f"{place}/people", {}, action=f"{place}/people/leave")
        assert "Make somebody else an admin first." in refused.text
        for missing in ("x", people["dee"].uid):
            answer = await ada.fill(f"{place}/people", {"id": missing}, action=f"{place}/people/remove")
            assert answer.status_code == 404
    async with browser_of(pages, "ben") as ben:
        left = await ben.fill(f"{place}/people", {}, action=f"{place}/people/leave")
        assert left.headers["location"] == "/counters?done=left"
        assert (await ben.get(place)).status_code == 404
    assert await roles(pages, counter) == {"Ada": "admin", "Cem": "member"}


async def test_the_last_person_deletes_a_counter_and_does_not_leave_it(
    pages: Pages, ledger: Ledger, people: Mapping[str, Account]
) -> None:
    alone = await a_counter(ledger, people["ada"], "Alone with it")
    place = f"/counters/{alone.uid}"
    async with browser_of(pages, "ada") as ada:
        refused = await ada.fill(f"{place}/people", {}, action=f"{place}/people/leave")
        assert refused.status_code == 422
        refused = await ada.fill(f"{place}/settings", {"confirm": "alone"}, action=f"{place}/settings/delete")
        assert refused.status_code == 422
        assert (await ada.get(place)).status_code == 200
        deleted = await ada.fill(f"{place}/settings", {"confirm": alone.name}, action=f"{place}/settings/delete")
        assert deleted.headers["location"] == "/counters?done=deleted"
        assert (await ada.get(place)).status_code == 404


async def test_an_admin_changes_sets_and_resets(pages: Pages, ledger: Ledger, people: Mapping[str, Account]) -> None:
    counter = await a_counter(ledger, people["ada"], "Only upwards", mode="OnlyUp", value=5)
    place = f"/counters/{counter.uid}/settings"
    async with browser_of(pages, "ada") as ada:
        refused = await ada.fill(place, {"value": "3"}, action=f"{place}/set")
        assert "Tick the box to set the value all the same." in refused.text
        assert await value(pages, people, counter) == 5
        await ada.fill(place, {"value": "\N{MINUS SIGN}3", "against_mode": "on"}, action=f"{place}/set")
        assert await value(pages, people, counter) == -3
        for text in ("", "3.5", "1e3", "9" * 20):
            refused = await ada.fill(place, {"value": text, "against_mode": "on"}, action=f"{place}/set")
            assert "must be a whole number" in refused.text
        details = {"name": "Both ways", "mode": "UpAndDown", "goal": "100", "least": "-10", "reset_value": "2"}
        changed = await ada.fill(place, details)
        assert changed.status_code == 303
        shown = (await ada.get(place)).text
        assert 'value="Both ways"' in shown
        assert 'value="-10"' in shown
        told = (await ada.client.get(f"{place}.json")).json()
        assert (told["name"], told["goal"], told["least"], told["reset_value"]) == ("Both ways", 100, -10, 2)
        assert "The goal is 100." in (await ada.get(f"/counters/{counter.uid}")).text
        await ada.fill(place, {}, action=f"{place}/reset")
        assert await value(pages, people, counter) == 2
        refused = await ada.fill(place, details | {"goal": "much"})
        assert "Goal must be a whole number." in refused.text
        assert 'value="much"' in refused.text, "what was typed is kept"


async def test_goal_and_milestones_are_shown(pages: Pages, ledger: Ledger, people: Mapping[str, Account]) -> None:
    counter = await a_counter(ledger, people["ada"], "On the way", goal=1_200, value=8)
    place = f"/counters/{counter.uid}"
    async with browser_of(pages, "ada") as ada:
        page = (await ada.get(place)).text
        assert "of 1,200" in page
        assert '<progress max="1200" value="8"' in page
        assert "The goal is 1,200." in page
        assert "Milestones" not in page
        told = (await ada.client.get(f"{place}.json")).json()
        assert (told["goal"], told["goal_reached"], told["goal_reached_at"], told["milestones"]) == (
            1200,
            False,
            None,
            [],
        )
        for amount in ("100", "1", "1500", "1"):
            await ada.fill(place, {"press": "up", "amount": amount})
        page = (await ada.get(place)).text
        assert "The goal of 1,200 was reached on" in page
        assert re.findall(r"<dt>([^<]*)</dt>", page) == ["10", "100", "1,000", "10,000"]
        assert page.count("the next one") == 1
        told = (await ada.client.get(f"{place}.json")).json()
        changes = {each["value"]: each["at"] for each in told["changes"]}
        assert (told["goal_reached"], told["goal_reached_at"]) == (True, changes[1609])
        assert told["milestones"] == [
            {"value": 10, "reached_at": changes[108]},
            {"value": 100, "reached_at": changes[108]},
            {"value": 1000, "reached_at": changes[1609]},
        ]
        details = {"name": "On the way", "mode": "OnlyDown", "goal": "1700", "milestones": "1500 -5\n20000"}
        await ada.fill(f"{place}/settings", details)
        told = (await ada.client.get(f"{place}.json")).json()
        assert {each["value"]: each["reached_at"] for each in told["milestones"]} == {
            **dict.fromkeys((10, 100), changes[108]),
            **dict.fromkeys((1_000, 1_500), changes[1609]),
            -5: changes[8],
            20_000: None,
        }
        assert (await ada.client.get(f"{place}/settings.json")).json()["milestones"] == [-5, 1_500, 20_000]
        page = (await ada.get(place)).text
        shown = re.findall(r"<dt>([^<]*)</dt><dd[^>]*>([^<]*)", page)
        assert [value for value, _ in shown] == ["-5", "10", "100", "1,000", "1,500", "10,000", "20,000"]
        assert [text for _, text in shown[-2:]] == ["the next one", "not yet"]
        assert 'value="-5 1500 20000"' in (await ada.get(f"{place}/settings")).text
        for typed, problem in (
            ("1,000", "without commas"),
            (" ".join(map(str, range(21))), "may be 20 at most"),
            ("9999999999999999999", "must fit into 64 bits"),
        ):
            refused = await ada.fill(f"{place}/settings", details | {"milestones": typed})
            assert problem in refused.text
            assert f'value="{typed}"' in refused.text
        page = (await ada.get(place)).text
        assert "The goal of 1,700 is reached." in page, "it always was"
        assert "<progress" not in page
        await ada.fill(f"{place}/settings", {"name": "On the way", "mode": "OnlyDown", "goal": ""})
        assert "20,000" not in (await ada.get(place)).text, "none are chosen any more"
        assert "The goal" not in (await ada.get(place)).text


async def test_days_are_counted_where_the_person_lives(
    pages: Pages, ledger: Ledger, people: Mapping[str, Account]
) -> None:
    since = await a_counter(ledger, people["ada"], "Without coffee", type="FromDate", date=ledger.clock() - 8 * DAY)
    async with browser_of(pages, "ada") as ada:
        page = (await ada.get(f"/counters/{since.uid}")).text
        assert 'data-value="8"' in page
        assert "7 days: reached" in page
        assert 'value="up"' not in page
        refused = await ada.fill(f"/counters/{since.uid}", {"press": "up"})
        assert refused.status_code == 422
        changed = await ada.fill(f"/counters/{since.uid}/settings", {"name": "Without coffee", "date": "1999-12-31"})
        assert changed.status_code == 303
        assert 'value="1999-12-31"' in (await ada.get(f"/counters/{since.uid}/settings")).text


def test_changes_are_summed_by_what_fits() -> None:
    english = Languages.load().english
    zone = ZoneInfo("Europe/Berlin")
    now = 1_772_366_400_000  # 2026-03-01 12:00 UTC

    def rows(*deltas: tuple[int, int]) -> tuple[str, list[tuple[str, str]]]:
        chart = changes_chart(english, [(now - ago, delta) for ago, delta in deltas], zone, now)
        assert chart is not None
        return chart.unit_heading, [(row.name, row.text) for row in chart.rows]

    unit, hours = rows((0, 1), (HOUR, -3), (HOUR + 1, 1), (2 * HOUR, 5))
    assert unit == "Hour"
    assert hours == [
        ("1 Mar 2026, 11:00", "6"),
        ("1 Mar 2026, 12:00", "-3"),
        ("1 Mar 2026, 13:00, so far", "1"),
    ]
    unit, days = rows((0, 1), (DAY, 2), (4 * DAY, 3))
    assert (unit, [text for _, text in days]) == ("Day", ["3", "0", "0", "2", "1"])
    unit, months = rows((0, 1), (200 * DAY, 7))
    assert (unit, months[0][1], months[-1][1], len(months)) == ("Month", "7", "1", 8)


def test_a_chart_of_one_bucket_or_none_is_not_drawn() -> None:
    english, zone = Languages.load().english, ZoneInfo("UTC")
    assert changes_chart(english, [], zone, NOW) is None
    assert changes_chart(english, [(NOW, 1)], zone, NOW) is None


def test_a_bucket_of_which_changes_are_missing_is_left_out() -> None:
    english, zone = Languages.load().english, ZoneInfo("UTC")
    deltas = [(NOW - number * HOUR // 200, 1) for number in range(CHANGES_AT_MOST)]
    whole = changes_chart(english, deltas[:-1], zone, NOW)
    cut = changes_chart(english, deltas, zone, NOW)
    assert whole is not None
    assert cut is not None
    assert len(cut.rows) == len(whole.rows) - 1
    assert cut.unit_heading == "Hour"
