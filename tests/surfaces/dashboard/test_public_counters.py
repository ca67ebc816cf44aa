"""Pages of public counters: made and looked up by everybody, managed by superusers."""

import pytest

from support.pages import HOST, Pages
from tallystick.ledger import Ledger
from tallystick.model.counter import FOREVER, HIT, INT64_MAX, OWNED, Add, Counter, Create, Put, RefusalReason
from tallystick.model.key import Key
from tallystick.services.accounts.accounts import all_accounts
from tallystick.services.accounts.audit import events
from tallystick.services.counting.owned.rows import CounterOwner, store_owner

VISITS = Key("a.example", "visits.json")
PLACE = f"/counters/public/{VISITS}"


@pytest.fixture
def ledger_url() -> None:
    """SQLite alone: what a database could change about it is tested below the pages."""


async def value(ledger: Ledger, key: Key = VISITS) -> int | None:
    counter = await ledger.find(key)
    return None if counter is None else counter.value


async def test_a_superuser_finds_counts_sets_and_deletes(pages: Pages, ledger: Ledger) -> None:
    async with pages.ada() as ada:
        assert "There are no public counters yet." in (await ada.get("/counters/public")).text
        fields = {"namespace": VISITS.namespace, "key": VISITS.key, "value": "7", "lower": "-2", "upper": "5"}
        made = await ada.fill("/counters/public", fields)
        assert (made.status_code, made.headers["location"]) == (303, f"{PLACE}?done=created")
        page = (await ada.get(made.headers["location"])).text
        assert "The counter is created." in page
        assert f'fetch("http://stats.example.com/hit/{VISITS}")' in page
        assert f'data-live="/live/{VISITS}"' in page
        assert "\N{MINUS SIGN}2 to +5" in page
        again = await ada.fill("/counters/public", fields)
        assert (again.status_code, "There is a counter of this name already." in again.text) == (422, True)
        for press, expected in (("up", 8), ("down", 7), ("down", 6)):
            assert (await ada.fill(PLACE, {"press": press})).headers["location"] == f"{PLACE}?done=pressed"
            assert await value(ledger) == expected
        assert (await ada.fill(PLACE, {"press": "sideways"})).status_code == 400
        assert (await ada.fill(PLACE, {"value": "-12"}, action=f"{PLACE}/set")).status_code == 303
        assert await value(ledger) == -12, "it is not resettable, which does not bind a superuser"
        for typed, problem in (
            ("", "must be a whole number"),
            ("1.5", "must be a whole number"),
            ("9" * 19, "must fit into 64 bits"),
        ):
            refused = await ada.fill(PLACE, {"value": typed}, action=f"{PLACE}/set")
            assert (refused.status_code, problem in refused.text) == (422, True)
        told = (await ada.client.get(f"{PLACE}/counter.json")).json()
        assert (told["namespace"], told["key"], told["value"]) == ("a.example", "visits.json", -12)
        assert (told["lower"], told["upper"]) == (-2, 5)
        assert told["resettable"] is False
        listed = (await ada.client.get("/counters/public.json?find=a.exa")).json()
        assert listed["after"] is None
        assert [each.items() <= told.items() for each in listed["counters"]] == [True]
        for find, there in (("a.example/vis", True), ("", True), ("b", False), ("a.example/x", False)):
            assert (PLACE in (await ada.get(f"/counters/public?find={find}")).text) == there
        refused = await ada.fill(PLACE, {"confirm": "visits"}, action=f"{PLACE}/delete")
        assert refused.status_code == 422
        deleted = await ada.fill(PLACE, {"confirm": str(VISITS)}, action=f"{PLACE}/delete")
        assert deleted.headers["location"] == "/counters/public?done=deleted"
        assert await value(ledger) is None
        assert (await ada.get(PLACE)).status_code == 404
    logged = [(each.kind, each.actor, each.subject, each.detail) for each in (await ledger.read(events))[:2]]
    assert logged == [
        ("public counter deleted", "ada@example.com", str(VISITS), "the value was -12"),
        ("public counter set", "ada@example.com", str(VISITS), "6 to -12"),
    ]


async def test_a_page_shows_how_its_counter_changed(ledger: Ledger) -> None:
    pages = Pages(ledger)
    await ledger.count(VISITS, Create(990, 0, 50))
    async with pages.ada() as ada:
        page = (await ada.get(PLACE)).text
        assert "Nothing changed in this period." in page
        assert 'id="milestones"' not in page
        await ledger.count(VISITS, Add(12))
        page = (await ada.get(PLACE)).text
        assert "Change of the value by hour" in page
        assert '<a href="?period=all#history" aria-current="true">' in page
        assert "in the hour from" in page
        reached = page.split('id="milestones"')[1].split("</section>")[0]
        assert reached.index("1,000") < reached.index("10,000") < reached.index("the next one")
        assert f'href="/history/{VISITS}.csv?period=all&amp;interval=hour&amp;timezone=' in page
        for period in ("24h", "month", "year"):
            assert f'?period={period}#history" aria-current="true"' in (await ada.get(f"{PLACE}?period={period}")).text
        assert (await ada.get(f"{PLACE}?period=7x")).status_code == 400
        told = (await ada.client.get(f"{PLACE}/counter.json?period=24h")).json()
        assert told["interval"] == "hour"
        assert sum(each["added"] for each in told["history"]) == 12
        assert told["history"][-1]["value"] == 1_002
        assert told["begins"] == told["changed"]
        assert [each["value"] for each in told["milestones"]] == [1_000]
        assert (await ada.client.get(f"{PLACE}/counter.json?period=7x")).status_code == 400


async def test_bounds_hold_and_odd_counters_are_shown(pages: Pages, ledger: Ledger) -> None:
    await ledger.count(VISITS, Put(Counter(INT64_MAX, 0, 1, True, FOREVER + 1, FOREVER, 1)))  # noqa: FBT003
    async with pages.ada() as ada:
        page = (await ada.get(PLACE)).text
        assert 'value="up"' in page
        assert 'value="down"' not in page
        assert "never" in page
        assert "Created" not in page
        assert "0 to +1" in page
        assert "to +0" not in page
        for press, problem in (("up", "would not fit"), ("down", "does not count in that direction")):
            refused = await ada.fill(PLACE, {"press": press})
            assert (refused.status_code, problem in refused.text) == (422, True)
        told = (await ada.client.get(f"{PLACE}/counter.json")).json()
        assert (told["value"], told["created"], told["expires"]) == (INT64_MAX, None, None)


async def test_pages_of_the_list_lead_on(pages: Pages, ledger: Ledger) -> None:
    for number in range(51):
        await ledger.count(Key("a.example", f"key-{number:02}"), Create())
    async with pages.ada() as ada:
        page = (await ada.get("/counters/public?find=a.example/")).text
        assert "key-49" in page
        assert "key-50" not in page
        assert "find=a.example/&amp;after=a.example/key-49" in page
        second = (await ada.client.get("/counters/public.json?find=a.example/&after=a.example/key-49")).json()
        assert [each["key"] for each in second["counters"]] == ["key-50"]


async def test_others_look_up_one_and_make_one(pages: Pages, ledger: Ledger) -> None:
    await ledger.count(VISITS, Create(3))
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        assert str(VISITS) not in (await ben.get("/counters/public")).text
        assert "There is no public counter of this name." in (await ben.get("/counters/public?find=a.example")).text
        assert PLACE in (await ben.get(f"/counters/public?find={VISITS}")).text
        page = (await ben.get(PLACE)).text
        assert 'data-value="3"' in page
        assert "<form" not in page.split("<main")[1].split("</main>")[0]
        for action, fields in (("", {"press": "up"}), ("/set", {"value": "9"}), ("/delete", {"confirm": str(VISITS)})):
            assert (await ben.fill("/user", fields, action=PLACE + action)).status_code == 404
        assert await value(ledger) == 3
        made = await ben.fill("/counters/public", {})
        assert made.headers["location"].startswith("/counters/public/default/")
        for fields, problem in (
            ({"key": "a b c"}, "Key must have 3 to 64 of the characters"),
            ({"namespace": ":shared", "key": "abc"}, "Namespace must have 3 to 64 of the characters"),
            ({"lower": "1"}, "must be 0 or less"),
            ({"upper": "-1"}, "must be 0 or more"),
            ({"value": "x"}, "must be a whole number"),
        ):
            refused = await ben.fill("/counters/public", fields)
            assert (refused.status_code, problem in refused.text) == (422, True)


async def test_creations_are_limited_like_those_of_the_api(ledger: Ledger) -> None:
    pages = Pages(ledger, creation_limit=1)
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        token_page = "/counters/public"
        answers = [await ben.fill(token_page, {}) for _ in range(2)]
        if [answer.status_code for answer in answers] == [303, 303]:  # a second has passed in between
            answers = [await ben.fill(token_page, {}) for _ in range(5)]
        assert {answer.status_code for answer in answers} == {303, 422}
        assert "Too many new counters in a second. Try again." in answers[-1].text
        assert (await ada.fill(token_page, {})).status_code == 303, "superusers are not limited"


@pytest.mark.parametrize("switch", ["existing", "off"])
async def test_the_switch_holds_for_everybody_but_superusers(ledger: Ledger, switch: str) -> None:
    pages = Pages(ledger, public_counters=switch)
    await ledger.count(VISITS, Create(3))
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        page = await ben.get(PLACE)
        assert page.status_code == (404 if switch == "off" else 200)
        listed = (await ben.get(f"/counters/public?find={VISITS}")).text
        assert (PLACE in listed) == (switch == "existing")
        assert "A new public counter" not in listed
        assert (await ben.fill("/user", {"key": "another"}, action="/counters/public")).status_code == 404
        assert (await ada.fill("/counters/public", {"key": "another"})).status_code == 303
        managed = (await ada.get(PLACE)).text
        assert 'data-value="3"' in managed
        assert ("How to use it" in managed) == (switch == "existing")


ABUSE = "/admin/counters/namespaces"


async def test_a_superuser_finds_and_stops_what_is_abused(pages: Pages, ledger: Ledger) -> None:
    names = [f"spam.example/spam{number}" for number in range(3)]
    for name in (*names, "good.example/visits"):
        await ledger.count(Key(*name.split("/")), HIT)
    async with pages.ada() as ada:
        shown = (await ada.get(ABUSE)).text
        assert shown.index("spam.example") < shown.index("good.example")
        closed = await ada.fill(ABUSE, {"namespace": " spam.example "}, action=f"{ABUSE}/close")
        assert closed.headers["location"] == f"{ABUSE}?done=closed"
        refused = await ada.fill(ABUSE, {"namespace": "a b"}, action=f"{ABUSE}/close")
        assert (refused.status_code, "must have 3 to 64" in refused.text) == (422, True)
        found = f"{ABUSE}?find=spam.example/"
        listed = (await ada.get(found)).text
        assert all(name in listed for name in names)
        frozen = await ada.fill(found, {"id": "spam.example/"}, action=f"{ABUSE}/freeze")
        assert "The counters are frozen" in (await ada.get(frozen.headers["location"])).text
        assert (await ledger.count(Key(*names[0].split("/")), HIT)).refused is RefusalReason.FROZEN
        data = (await ada.get(f"{ABUSE}.json?find=spam.example/&busiest=1")).json()
        assert data["largest"][0] == {"namespace": "spam.example", "counters": 3, "reserved": False, "closed": True}
        assert data["busiest"][0]["changed_by"] == 3
        assert [each["frozen"] for each in data["counters"]] == [True] * 3
        assert (data["closed"], data["frozen"], data["frozen_counters"]) == (["spam.example"], names, 3)
        page = f"/counters/public/{names[0]}"
        assert "This counter is frozen" in (await ada.get(page)).text
        await ada.fill(page, {"frozen": "no"}, action=f"{page}/freeze")
        assert (await ledger.count(Key(*names[0].split("/")), HIT)).value == 2
        unsure = await ada.fill(found, {"id": "spam.example/", "confirm": "spam"}, action=f"{ABUSE}/delete")
        assert unsure.status_code == 422
        await ada.fill(found, {"id": "spam.example/", "confirm": "spam.example/"}, action=f"{ABUSE}/delete")
        assert (await ada.get(f"{ABUSE}.json")).json()["largest"] == [
            {"namespace": "good.example", "counters": 1, "reserved": False, "closed": False}
        ]
        await ada.fill(ABUSE, {"namespace": "spam.example"}, action=f"{ABUSE}/reopen")
        assert (await ada.get(f"{ABUSE}.json")).json()["closed"] == []
        nothing = await ada.fill(ABUSE, {"id": ""}, action=f"{ABUSE}/freeze")
        assert nothing.status_code == 400
        async with pages.ben(ada, access_all="a") as ben:
            assert (await ben.get(ABUSE)).status_code == 404
    noted = [(each.kind, each.actor) for each in await ledger.read(events) if "public counters" in each.kind]
    assert noted == [
        (kind, "ada@example.com")
        for kind in (
            "namespace of public counters opened",
            "public counters deleted",
            "public counters unfrozen",
            "public counters frozen",
            "namespace of public counters closed",
        )
    ]


async def test_an_account_makes_counters_of_its_own_and_finds_them(pages: Pages, ledger: Ledger) -> None:
    page = "/counters/public"
    fields = {"namespace": "b.example", "key": "likes", "value": "3", "upper": "2", "label": "Likes & more"}
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        assert "Your public counters" not in (await ben.get(page)).text
        made = await ben.fill(page, {**fields, "unique": "day", "resettable": "on"})
        assert made.headers["location"] == f"{page}/b.example/likes?done=created"
        again = await ben.fill(page, {**fields, "unique": "visit"})
        assert (again.status_code, "There is a counter of this name already." in again.text) == (422, True)
        assert '<option value="visit" selected>' in again.text, "what was chosen is chosen still"
        for typed, problem in (
            ({"unique": "year"}, "Each visitor must be one of those that are offered."),
            ({"label": "x" * 101}, "Label must be shorter than 101 characters."),
        ):
            refused = await ben.fill(page, {**fields, "key": "another", **typed})
            assert (refused.status_code, problem in refused.text) == (422, True)
        shown = (await ben.get(page)).text
        assert "Likes &amp; more" in shown.split('id="own"')[1].split("</section>")[0]
        told = (await ben.client.get(f"{page}.json")).json()
        assert (told["counters"], told["own_after"]) == ([], None)
        (own,) = told["own"]
        assert (own["key"], own["value"], own["upper"], own["resettable"]) == ("likes", 3, 2, True)
        assert (own["label"], own["unique"], own["locked"], own["expires"]) == ("Likes & more", "day", False, None)
        assert 'href="/counters/public/b.example/likes"' in (await ben.get("/counters")).text
        assert (await ben.client.get("/counters.json")).json()["public"] == [{"name": "b.example/likes", "value": 3}]
        assert (await ada.client.get("/counters.json")).json()["public"] == []
        assert "Your public counters" not in (await ada.get(page)).text, "it is not hers"
        assert "b.example/likes" in (await ada.get(page)).text, "superusers see all of them"
    logged = next(each for each in await ledger.read(events) if each.subject == "b.example/likes")
    assert (logged.kind, logged.actor) == ("public counter created", "ben@example.com")


async def test_pages_of_own_counters_lead_on(pages: Pages, ledger: Ledger) -> None:
    async with pages.ada() as ada:
        await ada.get("/counters/public")
        (account,) = await ledger.read(all_accounts)
        owner = CounterOwner(account=account.id)
        for number in range(51):
            key = Key("a.example", f"key-{number:02}")
            await ledger.count(key, Create(flags=OWNED))
            await ledger.write(store_owner, key, owner)
        own = (await ada.get("/counters/public")).text.split('id="own"')[1].split("</section>")[0]
        assert "key-49" in own
        assert "key-50" not in own
        assert '"/counters/public?own=a.example/key-49"' in own
        second = (await ada.client.get("/counters/public.json?own=a.example/key-49")).json()
        assert ([each["key"] for each in second["own"]], second["own_after"]) == (["key-50"], None)


OWN = "/counters/public/b.example/likes"
RULES = {"label": "Likes", "lower": "-3", "upper": "4", "unique": "hour", "origins": "https://b.example"}


async def test_an_owner_changes_a_counter_and_others_read_it(pages: Pages, ledger: Ledger) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        await ben.fill("/counters/public", {"namespace": "b.example", "key": "likes"})
        before = (await ben.client.get(f"{OWN}/counter.json")).json()
        assert (before["owned"], before["mine"], before["locked"]) == (True, True, False)
        saved = await ben.fill(OWN, {**RULES, "locked": "on"}, action=f"{OWN}/rules")
        assert saved.headers["location"] == f"{OWN}?done=changed"
        told = (await ada.client.get(f"{OWN}/counter.json")).json()
        assert (told["mine"], told["locked"], told["resettable"]) == (False, True, False)
        assert (told["lower"], told["upper"], told["unique"]) == (-3, 4, "hour")
        assert (told["label"], told["origins"]) == ("Likes", ["https://b.example"])
        for fields, problem in (
            ({"lower": "1"}, "Largest single decrease must be 0 or less."),
            ({"upper": "x"}, "Largest single increase must be a whole number."),
            ({"unique": "year"}, "Each visitor must be one of those that are offered."),
            ({"origins": "b.example"}, "Websites whose pages count have to be http:// or https:// and a host"),
            ({"label": "x" * 101}, "Label must be shorter than 101 characters."),
        ):
            refused = await ben.fill(OWN, {**RULES, "label": "Typed", **fields}, action=f"{OWN}/rules")
            assert (refused.status_code, problem in refused.text) == (422, True)
            assert ("Typed" in refused.text) or "label" in fields, "what was typed is not lost"
        assert (await ben.fill(OWN, {"press": "up"})).headers["location"] == f"{OWN}?done=pressed"
        assert (await ben.fill(OWN, {"value": "9"}, action=f"{OWN}/set")).status_code == 303
        for fields, problem in (
            ({"namespace": "b.example", "key": "x"}, "Key must have 3 to 64"),
            ({"namespace": "b.example", "key": "more"}, "There is a counter of this name already."),
        ):
            await ben.fill("/counters/public", {"namespace": "b.example", "key": "more"})
            refused = await ben.fill(OWN, fields, action=f"{OWN}/rename")
            assert (refused.status_code, problem in refused.text) == (422, True)
        moved = await ben.fill(OWN, {"namespace": "b.example", "key": "hearts"}, action=f"{OWN}/rename")
        place = "/counters/public/b.example/hearts"
        assert moved.headers["location"] == f"{place}?done=renamed"
        assert "The counter has a new name." in (await ben.get(moved.headers["location"])).text
        assert (await ben.get(OWN)).status_code == 404
        assert await value(ledger, Key("b.example", "hearts")) == 9
        await ada.fill(place, {"frozen": "yes"}, action=f"{place}/freeze")
        frozen = (await ben.get(place)).text
        assert "The operator of this server stopped all changes of this counter." in frozen
        assert "<form" not in frozen.split("<main")[1].split("</main>")[0]
        refused = await ben.fill("/user", {"value": "1"}, action=f"{place}/set")
        assert (refused.status_code, await value(ledger, Key("b.example", "hearts"))) == (422, 9)
        await ada.fill(place, {"frozen": "no"}, action=f"{place}/freeze")
        assert (await ben.fill(place, {"confirm": "hearts"}, action=f"{place}/delete")).status_code == 422
        deleted = await ben.fill(place, {"confirm": "b.example/hearts"}, action=f"{place}/delete")
        assert deleted.headers["location"] == "/counters/public?done=deleted"
    kinds = [each.kind for each in await ledger.read(events) if each.actor == "ben@example.com"]
    assert kinds[0] == "public counter deleted"
    assert {"public counter changed", "public counter set", "public counter renamed"} <= set(kinds)


async def test_others_change_nothing_of_an_owned_counter(pages: Pages, ledger: Ledger) -> None:
    likes = Key("b.example", "likes")
    async with pages.ada() as ada, pages.ben(ada, access_all="a") as ben:
        await ada.fill("/counters/public", {"namespace": "b.example", "key": "likes"})
        page = (await ben.get(OWN)).text
        assert "someone else" in page
        assert "<form" not in page.split("<main")[1].split("</main>")[0]
        for action, fields in (
            ("", {"press": "up"}),
            ("/set", {"value": "9"}),
            ("/rules", {**RULES, "locked": "on"}),
            ("/rename", {"namespace": "b.example", "key": "mine"}),
            ("/delete", {"confirm": str(likes)}),
        ):
            assert (await ben.fill("/user", fields, action=OWN + action)).status_code == 404
        assert await value(ledger, likes) == 0
        await ledger.count(VISITS, Create(3))
        fields = {"namespace": "a.example", "key": "mine"}
        for action, sent in (("/rules", RULES), ("/rename", fields)):
            assert (await ada.fill("/user", sent, action=PLACE + action)).status_code == 404, "nobody owns this one"


@pytest.mark.parametrize("join", ["invited", "anyone"])
async def test_admins_of_a_site_reserve_the_namespace_with_its_name(ledger: Ledger, join: str) -> None:
    page, host = "/counters/public", {"reserved": HOST}
    pages = Pages(ledger, join=join)
    async with pages.ada() as ada, pages.ben(ada, access_all="a") as ben:
        for typed, problem in (("a b", "must have 3 to 64"), ("b.example", "This is not the host or the domain")):
            refused = await ada.fill(page, {"reserved": typed}, action=f"{page}/reserve")
            assert (refused.status_code, problem in refused.text) == (422, True)
        if join == "anyone":
            assert "Reserved namespaces" not in (await ben.get(page)).text
            assert (await ben.fill(page, host, action=f"{page}/reserve")).status_code == 404
            assert (await ada.fill(page, host, action=f"{page}/reserve")).status_code == 303
            assert (await ben.client.get(f"{page}.json")).json()["reserved"] == []
            return
        reserved = await ben.fill(page, host, action=f"{page}/reserve")
        assert "The namespace is reserved." in (await ben.get(reserved.headers["location"])).text
        assert (await ben.client.get(f"{page}.json")).json()["reserved"] == [HOST]
        assert (await ben.fill(page, {"namespace": HOST, "key": "visits"})).status_code == 303, "he is an admin there"
        assert (await ben.fill(page, host, action=f"{page}/release")).headers["location"] == f"{page}?done=released"
        assert (await ada.client.get(f"{page}.json")).json()["reserved"] == []
