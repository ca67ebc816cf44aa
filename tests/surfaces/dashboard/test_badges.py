"""The page to copy badges of public counters from."""

import pytest

from support.analytics import Analytics
from support.pages import HOST, Pages
from tallystick.ledger import Ledger
from tallystick.model.counter import Create
from tallystick.model.key import Key
from tallystick.services.accounts.sites import SiteChanges, update_site
from tallystick.surfaces.dashboard.badges.pasting import badge_page, snippets

KEY = Key("a.example", "visits")


@pytest.fixture
def ledger_url() -> None:
    """SQLite alone: what a database could change about it is tested below the pages."""


async def test_the_page_gives_what_is_pasted(ledger: Ledger) -> None:
    await ledger.count(KEY, Create(5))
    async with Pages(ledger).visitor() as guest:
        page = (await guest.get(f"/badge/{KEY}")).text
        assert f'src="/badge/{KEY}.svg"' in page
        assert f"![visits](http://stats.example.com/badge/{KEY}.svg)" in page
        page = (await guest.get(f"/badge/{KEY}?label=a]%20%3C%22b%22%3E&color=green&labelColor=&count=1&form=png")).text
        address = f"http://stats.example.com/badge/{KEY}.png?label=a%5D%20%3C%22b%22%3E&amp;color=green&amp;count=1"
        assert f"![a\\] &lt;&#34;b&#34;&gt;]({address})" in page
        assert f"image:{address}[&#34;a] &lt;\\&#34;b\\&#34;&gt;&#34;]" in page
        assert f'src="/badge/{KEY}.png?label=a%5D%20%3C%22b%22%3E&amp;color=green"' in page, "the preview only reads"
        refused = await guest.get(f"/badge/{KEY}?color=mauveish&pad=99")
        assert refused.status_code == 400
        assert "must be a name such as green" in refused.text
        assert "must be a number of digits from 1 to 20" in refused.text
        assert f"![visits](http://stats.example.com/badge/{KEY}.svg)" in refused.text
        missing = await guest.get("/badge/a.example/nothing")
        assert (missing.status_code, "There is no such counter yet" in missing.text) == (404, True)
        for nothing in (":shared/visits", "a.example/b"):
            assert (await guest.get(f"/badge/{nothing}")).status_code == 404
    async with Pages(ledger, public_counters="off").visitor() as guest:
        assert (await guest.get(f"/badge/{KEY}")).status_code == 404


async def test_the_page_says_what_the_owner_has_set(analytics: Analytics) -> None:
    made = await analytics.ask(
        "/api/counters", method="POST", body=b'{"namespace":"a.example","key":"visits","unique":"day"}'
    )
    owner = {"authorization": f"Bearer {made.json()['secret']}"}
    assert b"lets only some pages count" in (await analytics.ask(f"/badge/{KEY}")).body
    await analytics.ask(f"/api/counters/{KEY}", method="PATCH", body=b'{"locked":true}', headers=owner)
    assert b"is locked by its owner" in (await analytics.ask(f"/badge/{KEY}")).body
    data = (await analytics.ask(f"/badge/{KEY}/badge.json")).json()
    assert (data["locked"], data["restricted"]) == (True, True)


async def test_keys_that_end_like_a_badge_have_a_page_too(ledger: Ledger) -> None:
    await ledger.count(Key("a.example", "logo.png"), Create(5))
    async with Pages(ledger).visitor() as guest:
        page = (await guest.get("/badge/a.example/logo.png/page")).text
        assert 'src="/badge/a.example/logo.png.svg"' in page
        assert 'action="/badge/a.example/logo.png/page"' in page
        assert (await guest.get("/badge/a.example/logo.png/badge.json")).status_code == 200
    assert (badge_page("a.example/logo.png"), badge_page("a.b/c.d")) == (
        "/badge/a.example/logo.png/page",
        "/badge/a.b/c.d",
    )


async def test_a_site_has_such_a_page(ledger: Ledger) -> None:
    pages = Pages(ledger)
    async with pages.ada() as ada:
        page = (await ada.get("/sites/1/badge?since=7d")).text
        assert f'src="/badge/{HOST}.svg?since=7d"' in page
        assert f"![visits](http://{HOST}/badge/{HOST}.svg?since=7d)" in page
        assert "does not show its visits yet" in page
        assert 'name="count"' not in page
        await ledger.write(update_site, 1, SiteChanges(settings={"allow_counter": True}), ledger.clock())
        assert "does not show its visits yet" not in (await ada.get("/sites/1/badge")).text
        data = (await ada.get("/sites/1/badge.json")).json()
        assert (data["name"], data["shown"], data["problems"]) == (HOST, True, {})
        assert 'href="/sites/1/badge"' in (await ada.get("/sites/1/sharing")).text


def test_what_is_pasted_is_one_line_in_every_language() -> None:
    for language, text in snippets("https://a.example/badge/b/c.svg?label=x", 'A\n"b" [c]'):
        assert "https://a.example/badge/b/c.svg?label=x" in text, language
        assert len(text.splitlines()) == (2 if language == "reStructuredText" else 1)
