"""The page that makes, changes and withdraws the shared links of a site."""

import re
from datetime import UTC, datetime

import pytest

from support.pages import HOST, Pages, Visitor, clock_of, shown_once
from tallystick.model.shared_link import SharedLink
from tallystick.services.accounts.passwords import password_matches
from tallystick.services.accounts.site_rows import active_sites
from tallystick.services.accounts.sites import SiteChanges, update_site
from tallystick.services.analytics.kept import shared_links as shared_links_module
from tallystick.services.analytics.kept.shared_links import open_shared_link, shared_links_of

PASSWORD = "open sesame, please"
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


async def links(pages: Pages) -> list[SharedLink]:
    (site,) = await pages.ledger.read(active_sites)
    return list(await pages.ledger.read(shared_links_of, site.id))


async def make(ada: Visitor, **fields: str | list[str]) -> str:
    """Fill in the form for a new link. Returns its address."""
    answer = await ada.fill("/sites/1/sharing", {"name": "For Eve", **fields})
    assert answer.status_code == 200, answer.text
    return shown_once(answer)


async def test_a_link_is_made_and_shown_once(pages: Pages) -> None:
    async with pages.ada() as ada:
        assert "There are no links yet." in (await ada.get("/sites/1/sharing")).text
        address = await make(
            ada,
            expires="2099-12-31",
            password=PASSWORD,
            filter='source is Google and page contains "/blog"',
            panel=["pages", "sources"],
        )
        (link,) = await links(pages)
        assert (link.name, link.panels, link.created_by) == ("For Eve", ("pages", "sources"), 1)
        assert link.filters == [["is", "visit:source", ["Google"]], ["contains", "event:page", ["/blog"]]]
        assert link.expires == int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
        assert password_matches(link.password, PASSWORD)
        before, _, secret = address.rpartition("/")
        assert before == f"http://{HOST}/share"
        found = await pages.ledger.read(open_shared_link, secret, pages.ledger.clock())
        assert found is not None
        assert found.link == link
        shown = await ada.get("/sites/1/sharing")
        assert "For Eve" in shown.text
        assert "Needs a password." in shown.text
        assert "2 lists only." in shown.text
        assert secret not in shown.text
        assert shown.headers["cache-control"] == "private, no-store"


async def test_embeds_are_offered_for_links_without_a_password(pages: Pages) -> None:
    async with pages.ada() as ada:
        shown = (await ada.fill("/sites/1/sharing", {"name": "Open"})).text
        assert "/chart.svg" in shown
        assert "iframe" not in shown
        assert "first add the website" in shown
        await pages.ledger.write(update_site, 1, SiteChanges(settings={"allow_embed": ("https://example.com",)}), 1)
        assert "&lt;iframe" in (await ada.fill("/sites/1/sharing", {"name": "Framed"})).text
        shown = (await ada.fill("/sites/1/sharing", {"name": "Closed", "password": PASSWORD})).text
        assert "/chart.svg" not in shown
        assert "iframe" not in shown


async def test_a_link_is_changed(pages: Pages) -> None:
    async with pages.ada() as ada:
        await make(ada, expires="2099-12-31", password=PASSWORD, filter="page is /a", panel="pages")
        (before,) = await links(pages)
        shown = (await ada.get("/sites/1/sharing/1")).text
        assert 'value="2099-12-31"' in shown
        assert 'value="page is /a"' in shown
        assert re.search(r'name="panel" value="pages" checked', shown)
        assert str(before.password) not in shown
        fields = {"name": "For Adam", "expires": "2099-12-31"}
        answer = await ada.fill("/sites/1/sharing/1", fields)
        assert answer.headers["location"] == "/sites/stats.example.com/sharing?done=changed"
        (after,) = await links(pages)
        assert (after.name, after.expires, after.filters, after.panels) == ("For Adam", before.expires, [], ())
        assert (after.password, after.digest) == (before.password, before.digest)
        await ada.fill("/sites/1/sharing/1", fields | {"password": "another password"})
        (after,) = await links(pages)
        assert password_matches(after.password, "another password")
        await ada.fill("/sites/1/sharing/1", {"name": "For Adam", "no_password": "on"})
        (after,) = await links(pages)
        assert (after.password, after.expires) == (None, None)


async def test_an_expired_link_can_be_renamed_and_prolonged(pages: Pages) -> None:
    async with pages.ada() as ada:
        today = datetime.fromtimestamp(pages.ledger.clock() / 1000, UTC).date().isoformat()
        await make(ada, expires=today)
        clock_of(pages.ledger).now += 2 * 86_400_000
        assert "Expired" in (await ada.get("/sites/1/sharing")).text
        assert (await ada.fill("/sites/1/sharing/1", {"name": "Old", "expires": today})).status_code == 303
        refused = await ada.fill("/sites/1/sharing/1", {"name": "Old", "expires": "2020-01-01"})
        assert refused.status_code == 422
        assert "must be in the future" in refused.text
        assert (await ada.fill("/sites/1/sharing/1", {"name": "Old", "expires": "2099-01-01"})).status_code == 303


async def test_a_link_is_withdrawn_when_its_name_is_typed(pages: Pages) -> None:
    async with pages.ada() as ada:
        address = await make(ada)
        action = "/sites/1/sharing/withdraw"
        refused = await ada.fill("/sites/1/sharing", {"id": "1", "confirm": "eve"}, action=action)
        assert refused.status_code == 422
        assert len(await links(pages)) == 1
        for number in ("2", "0", "-1"):
            answer = await ada.fill("/sites/1/sharing", {"id": number, "confirm": "For Eve"}, action=action)
            assert answer.status_code == 404
        answer = await ada.fill("/sites/1/sharing", {"id": "1", "confirm": "For Eve"}, action=action)
        assert answer.headers["location"] == "/sites/stats.example.com/sharing?done=withdrawn"
        assert await links(pages) == []
        secret = address.rpartition("/")[2]
        assert await pages.ledger.read(open_shared_link, secret, pages.ledger.clock()) is None


REFUSED = [
    ({"name": ""}, "Name must not be empty"),
    ({"name": "a\nb"}, "Name cannot contain control characters"),
    ({"name": "x" * 121}, "Name must be shorter"),
    ({"expires": "tomorrow"}, "Last day must be a date"),
    ({"expires": "9999-12-31"}, "Last day must be a date"),
    ({"expires": "2001-01-01"}, "Last day must be in the future"),
    ({"password": "short"}, "Password must have 8 to 128 characters"),
    ({"filter": "page is"}, "expected a value after"),
    ({"filter": "nothing is x"}, "there is no "),
    ({"filter": "segment is x"}, "a segment"),
    ({"filter": "page is /a or goal is Signup"}, "top level"),
    ({"panel": "secrets"}, "Lists must be ones of this list"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
async def test_what_is_not_valid_is_said_and_shown_again(pages: Pages, fields: dict[str, str], message: str) -> None:
    typed = {"name": "Typed name", "filter": "page is /typed", "panel": "sources", **fields}
    async with pages.ada() as ada:
        answer = await ada.fill("/sites/1/sharing", typed)
        assert answer.status_code == 422
        assert message in answer.text
        assert await links(pages) == []
        for name in ("name", "filter"):
            if name not in fields:
                assert f'value="{typed[name]}"' in answer.text


async def test_hostile_names_and_filters_are_shown_as_text(pages: Pages) -> None:
    async with pages.ada() as ada:
        quoted = '"' + HOSTILE.replace('"', '\\"') + '"'
        answer = await ada.fill("/sites/1/sharing", {"name": HOSTILE, "filter": f"page is {quoted}"})
        assert answer.status_code == 200
        (link,) = await links(pages)
        assert link.filters == [["is", "event:page", [HOSTILE]]]
        shown = [answer.text, *[(await ada.get(path)).text for path in ("/sites/1/sharing", "/sites/1/sharing/1")]]
        for text in shown:
            assert "<img src=x" not in text
            assert "<script>alert" not in text
        assert (await ada.fill("/sites/1/sharing/1", {"name": "x", "filter": f"page is {quoted}"})).status_code == 303


async def test_a_site_has_only_so_many_links(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_links_module, "MAX_LINKS", 1)
    async with pages.ada() as ada:
        await make(ada)
        answer = await ada.fill("/sites/1/sharing", {"name": "Another"})
        assert answer.status_code == 422
        assert "1 shared links already" in answer.text
        taken = await ada.fill("/sites/1/sharing", {"name": "for eve"})
        assert "already" in taken.text


async def test_the_page_says_who_else_may_read(pages: Pages) -> None:
    async with pages.ada() as ada:
        assert "Only the people of this account" in (await ada.get("/sites/1/sharing")).text
        changes = SiteChanges(settings={"public": "secret", "secret": "abcdefgh12"})
        await pages.ledger.write(update_site, 1, changes, 1)
        assert f"http://{HOST}/sites/{HOST}?access-token=abcdefgh12" in (await ada.get("/sites/1/sharing")).text
        await pages.ledger.write(update_site, 1, SiteChanges(settings={"public": "public"}), 1)
        shown = (await ada.get("/sites/1/sharing")).text
        assert "Everyone may read" in shown
        assert "abcdefgh12" not in shown


async def test_readers_do_not_see_links(pages: Pages) -> None:
    async with pages.ada() as ada:
        await make(ada)
        async with pages.ben(ada, access_all="r") as ben:
            assert (await ben.get("/sites/1/sharing")).status_code == 404
            assert (await ben.get("/sites/1/sharing/1")).status_code == 404
