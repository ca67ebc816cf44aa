"""Sites, their settings, and who may do what."""

import re

import pytest

from builders import NOW
from support.pages import PASSWORD, Pages, shown_once
from tallystick.ledger import Ledger
from tallystick.model.site import COLLECT, Site
from tallystick.services.accounts.accounts import NewAccount, account_by_email, create_account
from tallystick.services.accounts.passwords import Passwords
from tallystick.services.accounts.site_hosts import hosts_of, note_unknown_hosts, remember_host
from tallystick.services.accounts.site_rows import active_sites, site
from tallystick.services.accounts.sites import NewSite, create_site
from tallystick.web.rate_limit import Rate

SETTINGS = {"cname": "stats.example.com", "code": "main", "public": "private", "timezone": ".UTC"}


async def first_site(pages: Pages) -> Site:
    return (await pages.ledger.read(active_sites))[0]


async def test_sites_are_added_under_the_first(pages: Pages) -> None:
    async with pages.ada() as ada:
        answer = await ada.fill("/sites", {"cname": "Zwei.Example.com", "link_domain": "www.example.com"})
        first, second = await pages.ledger.read(active_sites)
        assert answer.headers["location"] == f"/sites/{second.id}/settings?done=created"
        assert (second.cname, second.parent) == ("zwei.example.com", first.id)
        assert "zwei.example.com" in (await ada.get("/sites")).text
        taken = await ada.fill("/sites", {"cname": "zwei.example.com"})
        assert taken.status_code == 422
        assert "Address of its statistics already exists" in taken.text


async def test_a_domain_is_given_to_a_new_site_and_changed(pages: Pages) -> None:
    async with pages.ada() as ada:
        await ada.fill("/sites", {"cname": "zwei.example.com", "domain": "WWW.Example.com"})
        first, second = await pages.ledger.read(active_sites)
        assert second.domain == "example.com"
        assert 'name="domain" type="text" value="example.com"' in (await ada.get(f"/sites/{second.id}/settings")).text
        for taken in ("example.com", "zwei.example.com"):
            answer = await ada.fill(f"/sites/{first.id}/settings", SETTINGS | {"domain": taken})
            assert answer.status_code == 422
            assert "Domain is the domain or a host of another site." in answer.text
            assert f'name="domain" type="text" value="{taken}"' in answer.text
        answer = await ada.fill("/sites", {"cname": "drei.example.com", "domain": "drei"})
        assert answer.status_code == 422
        assert "Domain must be a fully qualified domain name" in answer.text
        assert 'name="domain" type="text" value="drei"' in answer.text
        await ada.fill(f"/sites/{second.id}/settings", SETTINGS | {"cname": "zwei.example.com", "code": "zwei"})
        assert (await pages.ledger.read(active_sites))[1].domain == ""
        await ada.fill(f"/sites/{first.id}/settings", SETTINGS | {"domain": "example.com"})
        assert (await first_site(pages)).domain == "example.com"


async def test_the_first_sites_host_is_asked_for_before_a_second_is_made(pages: Pages) -> None:
    async with pages.visitor() as ada:
        await ada.fill("/setup", pages.first_person(host=""))
        first = await first_site(pages)
        shown = (await ada.get("/sites")).text
        assert f'href="/sites/{first.id}/settings#settings"' in shown
        assert 'name="cname"' not in shown
        refused = await ada.fill("/sites", {"cname": "zwei.example.com"})
        assert refused.status_code == 422
        assert "Site 1 has no host yet" in refused.text
        await ada.fill(f"/sites/{first.id}/settings", SETTINGS)
        assert (await ada.fill("/sites", {"cname": "zwei.example.com"})).status_code == 303


async def test_beside_others_no_site_is_without_a_host(pages: Pages) -> None:
    async with pages.ada() as ada:
        assert (await ada.fill("/sites", {"cname": ""})).status_code == 422
        await ada.fill("/sites", {"cname": "zwei.example.com"})
        first = await first_site(pages)
        answer = await ada.fill(f"/sites/{first.id}/settings", SETTINGS | {"cname": ""})
        assert answer.status_code == 422
        assert "must be set while there are other sites" in answer.text
        assert await first_site(pages) == first


async def test_the_hosts_of_an_only_site_are_shown_and_let_go(pages: Pages) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="s") as ben:
        first = await first_site(pages)
        await pages.ledger.write(remember_host, first.id, "old.example.com", NOW)
        path = f"/sites/{first.id}/settings"
        assert "Stop counting for it" in (await ada.get(path)).text
        assert "Stop counting for it" not in (await ben.get(path)).text
        fields = {"host": "old.example.com"}
        assert (await ben.fill(path, fields, action=f"{path}/hosts")).status_code == 404
        assert await pages.ledger.read(hosts_of, first.id) == ["old.example.com"]
        answer = await ada.fill(path, fields, action=f"{path}/hosts")
        assert answer.headers["location"] == f"{path}?done=released"
        assert await pages.ledger.read(hosts_of, first.id) == []


async def test_hosts_that_no_site_has_are_shown_to_who_may_add_one(pages: Pages) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        await pages.ledger.write(note_unknown_hosts, {"blog.example.com": 3}, NOW)
        assert "blog.example.com" in (await ada.get("/sites")).text
        assert "3 requests, last" in (await ada.get("/sites")).text
        assert "blog.example.com" not in (await ben.get("/sites")).text
        await ada.fill("/sites", {"cname": "blog.example.com"})
        assert "Hosts without a site" not in (await ada.get("/sites")).text


async def test_hosts_that_no_site_has_are_not_shown_to_one_account_of_several(pages: Pages) -> None:
    digest = await Passwords().hash(PASSWORD)
    async with pages.ada() as ada, pages.visitor() as eve:
        await pages.ledger.write(note_unknown_hosts, {"blog.example.com": 3}, NOW)
        stranger = NewAccount(email="eve@example.com", password=digest, access={"all": "a"})
        person = await pages.ledger.write(create_account, stranger, NOW)
        await eve.log_in("eve@example.com")
        assert "blog.example.com" not in (await eve.get("/sites")).text
        site = await pages.ledger.write(create_site, person, NewSite(cname="eve.example.com"), NOW)
        assert site.root != (await first_site(pages)).root
        for path in ("/sites", "/sites.json"):
            assert "blog.example.com" not in (await eve.get(path)).text
            assert "blog.example.com" in (await ada.get(path)).text


async def test_an_account_without_access_adds_no_site(pages: Pages) -> None:
    digest = await Passwords().hash(PASSWORD)
    async with pages.ada(), pages.visitor() as eve:
        await pages.ledger.write(create_account, NewAccount(email="eve@example.com", password=digest), NOW)
        await eve.log_in("eve@example.com")
        assert "tallystick user access eve@example.com admin" in (await eve.get("/sites")).text
        assert (await eve.fill("/sites", {"cname": "eve.example.com"})).status_code == 404
    assert len(await pages.ledger.read(active_sites)) == 1


async def test_settings_go_there_and_back(pages: Pages) -> None:
    async with pages.ada() as ada:
        path = f"/sites/{(await first_site(pages)).id}/settings"
        fields = {
            "cname": "",
            "code": "main",
            "link_domain": "www.example.com",
            "public": "secret",
            "secret": "abcdefgh12",
            "timezone": "DE.Europe/Berlin",
            "allow_embed": "https://www.example.com",
            "allow_counter": "on",
        }
        answer = await ada.fill(path, fields)
        assert answer.headers["location"] == f"{path}?done=changed"
        kept = await first_site(pages)
        assert (kept.cname, kept.code, kept.link_domain) == (None, "main", "www.example.com")
        assert (kept.settings.allow_counter, kept.settings.allow_bosmang) == (True, False)
        assert (kept.user_defaults.timezone, kept.settings.collect) == ("DE.Europe/Berlin", COLLECT)
        shown = (await ada.get(path)).text
        assert 'name="public" value="secret" checked' in shown


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"cname": "no_host"}, "Address of its statistics must be"),
        ({"code": "www"}, "Short name cannot be"),
        ({"domain": "localhost"}, "Domain must be a fully qualified domain name"),
        ({"domain": "<b>.example.com"}, "Domain must be a valid hostname: invalid character: '&lt;'."),
        ({"link_domain": "java script"}, "The website must be a valid url"),
        ({"public": "perhaps"}, "This must be one of"),
        ({"public": "secret"}, "Secret of the link must be 8 to 40 letters and digits"),
        ({"allow_embed": "*"}, "is not allowed"),
    ],
)
async def test_settings_that_make_no_sense_are_shown_again(pages: Pages, changed: dict[str, str], told: str) -> None:
    async with pages.ada() as ada:
        before = await first_site(pages)
        answer = await ada.fill(f"/sites/{before.id}/settings", SETTINGS | changed)
        assert answer.status_code == 422
        assert told.replace("'", "&#39;") in answer.text
        assert await first_site(pages) == before


async def test_a_site_is_deleted_by_who_types_its_name(pages: Pages) -> None:
    async with pages.ada() as ada:
        await ada.fill("/sites", {"cname": "zwei.example.com"})
        _, second = await pages.ledger.read(active_sites)
        path = f"/sites/{second.id}/settings"
        refused = await ada.fill(path, {"confirm": "zwei"}, action=path.replace("settings", "delete"))
        assert refused.status_code == 422
        assert await pages.ledger.read(site, second.id)
        answer = await ada.fill(path, {"confirm": "zwei.example.com"}, action=path.replace("settings", "delete"))
        assert answer.headers["location"] == "/sites?done=deleted"
        assert await pages.ledger.read(site, second.id) is None
        assert (await ada.get(path)).status_code == 404


async def test_another_accounts_site_is_as_good_as_none(pages: Pages) -> None:
    digest = await Passwords().hash(PASSWORD)
    async with pages.ada() as ada, pages.visitor() as eve:
        stranger = await pages.ledger.write(create_account, NewAccount(email="eve@example.com", password=digest), NOW)
        other = await pages.ledger.write(create_site, stranger, NewSite(cname="eve.example.com"), NOW)
        mine = await first_site(pages)
        await eve.log_in("eve@example.com")
        for visitor, own, foreign in ((ada, mine, other), (eve, other, mine)):
            assert (await visitor.get(f"/sites/{own.id}/settings")).status_code == 200
            assert (await visitor.get(f"/sites/{foreign.id}/settings")).status_code == 404
            listed = (await visitor.get("/sites")).text
            assert f'href="/sites/{own.cname}"' in listed
            assert f'href="/sites/{foreign.cname}"' not in listed
            for action in (f"/sites/{foreign.id}/settings", f"/sites/{foreign.id}/delete"):
                fields = SETTINGS | {"confirm": foreign.cname or ""}
                assert (await visitor.fill("/sites", fields, action=action)).status_code == 404
        assert "eve@example.com" not in (await ada.get("/people")).text


@pytest.mark.parametrize("number", ["0", "77", "-1", "1.0", "x", "9" * 30, "²"])
async def test_no_such_site(pages: Pages, number: str) -> None:
    async with pages.ada() as ada:
        assert (await ada.get(f"/sites/{number}/settings")).status_code == 404


@pytest.mark.parametrize(("letter", "may_change", "may_delete"), [("r", 404, 404), ("s", 303, 404), ("a", 303, 303)])
async def test_access_decides_what_a_person_may_do(pages: Pages, letter: str, may_change: int, may_delete: int) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all=letter) as ben:
        path = f"/sites/{(await first_site(pages)).id}/settings"
        assert (await ben.get(path)).status_code == 200
        assert (await ben.fill(path, SETTINGS)).status_code == may_change
        assert (
            await ben.fill("/sites", {"confirm": "stats.example.com"}, action=path.replace("settings", "delete"))
        ).status_code == (may_delete)


async def test_access_to_one_site_is_access_to_no_other(pages: Pages) -> None:
    async with pages.ada() as ada:
        await ada.fill("/sites", {"cname": "zwei.example.com"})
        first, second = await pages.ledger.read(active_sites)
        async with pages.ben(ada, **{f"access_{second.id}": "s"}) as ben:
            assert (await ben.get(f"/sites/{first.id}/settings")).status_code == 404
            assert (
                await ben.fill(f"/sites/{second.id}/settings", SETTINGS | {"cname": "z.example.com"})
            ).status_code == 303
            assert (await ben.fill("/sites", {"cname": "drei.example.com"})).status_code == 404


async def test_a_first_password_is_shown_once_and_works(pages: Pages) -> None:
    async with pages.ada() as ada, pages.visitor() as ben:
        answer = await ada.fill("/people", {"email": "Ben@Example.com", "name": "Ben", "access-all": "r"})
        assert (await ben.log_in("ben@example.com", shown_once(answer))).status_code == 303
        listed = (await ada.get("/people")).text
        assert "Read on all sites." in listed
        assert shown_once(answer) not in listed
        again = await ada.fill("/people", {"email": "ben@example.com"})
        assert again.status_code == 422
        assert "Email already exists" in again.text


async def test_nobody_gives_more_than_they_have(pages: Pages) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="a") as ben:
        superuser = await pages.ledger.read(account_by_email, "ada@example.com")
        assert superuser is not None
        tried = [
            await ben.fill("/people", {"email": "eve@example.com", "access-all": "*"}),
            *[
                await ben.fill("/people", {"id": str(superuser.id), "access-all": "r"}, action=f"/people/{action}")
                for action in ("access", "password", "remove")
            ],
        ]
        assert [answer.status_code for answer in tried] == [422] * 4
        assert all("Only superusers can manage superusers." in answer.text for answer in tried)
        assert await pages.ledger.read(account_by_email, "eve@example.com") is None
        assert (await ben.fill("/people", {"email": "eve@example.com", "access-all": "a"})).status_code == 200


@pytest.mark.parametrize("letter", ["r", "s"])
async def test_who_is_no_admin_decides_about_nobody(pages: Pages, letter: str) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all=letter) as ben:
        assert "Add a person" not in (await ben.get("/people")).text
        answer = await ben.fill("/people", {"email": "eve@example.com", "access-all": "r"})
        assert "Only admins of all sites can manage people." in answer.text
        assert await pages.ledger.read(account_by_email, "eve@example.com") is None


async def test_nobody_decides_about_themselves(pages: Pages) -> None:
    async with pages.ada() as ada:
        own = await pages.ledger.read(account_by_email, "ada@example.com")
        assert own is not None
        for action in ("access", "password", "remove"):
            answer = await ada.fill("/people", {"id": str(own.id), "access-all": "r"}, action=f"/people/{action}")
            assert "You cannot change your own access here." in answer.text
        assert await pages.ledger.read(account_by_email, "ada@example.com") == own


async def test_access_is_changed_passwords_are_renewed_and_people_are_removed(pages: Pages) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        person = await pages.ledger.read(account_by_email, "ben@example.com")
        assert person is not None
        fields = {"id": str(person.id), "access-all": "s"}
        changed = await ada.fill("/people", fields, action="/people/access")
        assert changed.headers["location"] == "/people?done=access"
        assert (await ben.fill(f"/sites/{(await first_site(pages)).id}/settings", SETTINGS)).status_code == 303
        renewed = await ada.fill("/people", fields, action="/people/password")
        assert (await ben.get("/sites")).status_code == 303
        assert (await ben.log_in("ben@example.com", shown_once(renewed))).status_code == 303
        refused = await ada.fill("/people", fields, action="/people/remove")
        assert refused.status_code == 422
        assert "This is not the name that has to be typed" in refused.text
        await ada.fill("/people", {**fields, "confirm": "ben@example.com"}, action="/people/remove")
        assert (await ben.get("/sites")).status_code == 303
        assert (await ben.log_in("ben@example.com", shown_once(renewed))).status_code == 422
        gone = await ada.fill("/people", fields, action="/people/access")
        assert "There is no such person." in gone.text


@pytest.mark.parametrize("fields", [{}, {"id": "x"}, {"id": ""}])
async def test_a_form_about_nobody_is_refused(pages: Pages, fields: dict[str, str]) -> None:
    async with pages.ada() as ada:
        assert (await ada.fill("/people", fields, action="/people/remove")).status_code == 404


async def test_rights_are_asked_before_a_password_is_hashed(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        hashed: list[str] = []

        def hash_password(password: str) -> str:
            hashed.append(password)
            return "digest"

        monkeypatch.setattr("tallystick.services.accounts.passwords.hash_password", hash_password)
        own = await pages.ledger.read(account_by_email, "ada@example.com")
        assert own is not None
        fields = {"id": str(own.id), "email": "eve@example.com", "access-all": "r"}
        for action in ("/people", "/people/password"):
            assert (await ben.fill("/people", fields, action=action)).status_code == 422
        assert hashed == []
        assert (await ada.fill("/people", {"email": "eve@example.com", "access-all": "r"})).status_code == 200
        assert len(hashed) == 1


async def test_forms_that_hash_are_limited_as_logins(ledger: Ledger) -> None:
    pages = Pages(ledger, [Rate("login", 5, 60)])
    async with pages.ada() as ada:
        forms = [("/people", {"email": f"p{number}@example.com", "access-all": "r"}) for number in range(5)]
        statuses = [(await ada.fill(page, fields)).status_code for page, fields in forms]
        assert statuses == [200] * 4 + [429]
        assert (await ada.fill("/user", {"current": PASSWORD}, action="/user/two-factor/off")).status_code == 429


async def test_pages_of_a_person_are_kept_by_no_proxy(pages: Pages) -> None:
    async with pages.ada() as ada, pages.visitor() as guest:
        for path in ("/", "/docs", "/sites", "/user", "/nowhere/at/all"):
            answer = await ada.get(path)
            assert answer.headers["cache-control"] == "private, no-store", path
        assert (await guest.get("/")).headers["cache-control"] == "no-cache"


async def test_superusers_see_every_account_and_site_and_let_people_add_sites(pages: Pages) -> None:
    digest = await Passwords().hash(PASSWORD)
    async with pages.ada() as ada, pages.ben(ada, access_all="a") as ben, pages.visitor() as eve:
        stranger = await pages.ledger.write(create_account, NewAccount(email="eve@example.com", password=digest), NOW)
        await eve.log_in("eve@example.com")
        for visitor in (ben, eve):
            assert (await visitor.get("/admin/people")).status_code == 404
            assert 'href="/admin"' not in (await visitor.get("/sites")).text
            granting = await visitor.fill("/sites", {"id": str(stranger.id)}, action="/admin/people/grant")
            assert granting.status_code == 404
        assert 'href="/admin"' in (await ada.get("/sites")).text
        shown = (await ada.get("/admin/people")).text
        assert "eve@example.com" in shown
        assert "Allow to add sites" in shown
        granted = await ada.fill("/admin/people", {"id": str(stranger.id)}, action="/admin/people/grant")
        assert granted.headers["location"] == "/admin/people?done=granted"
        assert (await eve.fill("/sites", {"cname": "eve.example.com"})).status_code == 303
        shown = (await ada.get("/admin/people")).text
        assert "eve.example.com" in shown
        assert "Account of eve@example.com." in shown
        again = await ada.fill("/admin/people", {"id": str(stranger.id)}, action="/admin/people/grant")
        assert again.status_code == 422


async def test_who_may_do_more_loses_nothing_by_being_allowed_to_add_sites(pages: Pages) -> None:
    async with pages.ada() as ada:
        bea = NewAccount(email="bea@example.com", password="unused", access={"all": "*"})
        siteless = await pages.ledger.write(create_account, bea, NOW)
        granted = await ada.fill("/admin/people", {"id": str(siteless.id)}, action="/admin/people/grant")
        assert granted.status_code == 303
        found = await pages.ledger.read(account_by_email, "bea@example.com")
        assert found is not None
        assert found.access == {"all": "*"}


async def test_readers_see_names_only_and_no_two_alike(pages: Pages) -> None:
    async with pages.ada() as ada, pages.ben(ada, access_all="r") as ben:
        for email, name in (("kim@example.com", "Kim"), ("kim2@example.com", "KIM"), ("x@example.com", "")):
            await ada.fill("/people", {"email": email, "name": name, "access-all": "r"})
        shown = (await ben.get("/people")).text
        assert "Kim (1)" in shown
        assert "KIM (2)" in shown
        assert re.findall(r"[a-z0-9]+@example\.com", shown.partition("<main")[2]) == []
        assert "kim2@example.com" in (await ada.get("/people")).text


async def test_emails_of_other_accounts_cannot_be_guessed(pages: Pages) -> None:
    digest = await Passwords().hash(PASSWORD)
    async with pages.ada() as ada, pages.ben(ada, access_all="a") as ben:
        await pages.ledger.write(create_account, NewAccount(email="eve@example.com", password=digest), NOW)
        taken = await ben.fill("/people", {"email": "eve@example.com", "access-all": "r"})
        assert taken.status_code == 422
        assert "Email cannot be added here; ask the operator of this server" in taken.text
        assert "already exists" not in taken.text
        assert "already exists" in (await ben.fill("/people", {"email": "ada@example.com", "access-all": "r"})).text
        assert "already exists" in (await ada.fill("/people", {"email": "eve@example.com", "access-all": "r"})).text
