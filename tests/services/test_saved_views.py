"""Saved views come, change and go, on both databases."""

from typing import Any

import pytest

from support.people import a_person, a_site
from tallystick.errors import Conflicting, InputRefused, InvalidFields, NotPermitted, NotThere
from tallystick.ledger import Ledger
from tallystick.model.saved_view import MAX_SAVED_VIEW_NAME, MAX_SAVED_VIEW_QUERY, SavedView
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import delete_account
from tallystick.services.accounts.audit import events
from tallystick.services.accounts.sites import delete_site
from tallystick.services.analytics.kept import saved_views as saved_views_module
from tallystick.services.analytics.kept.keeping import KeptCache
from tallystick.services.analytics.kept.saved_views import (
    SavedViews,
    change_saved_view,
    create_saved_view,
    delete_saved_view,
    saved_views_of,
)
from tallystick.services.job_worker import _remove_site

ADA, BEN = 1, 2


@pytest.fixture
async def site(ledger: Ledger) -> Site:
    return await a_site(ledger, await a_person(ledger))


async def a_view(ledger: Ledger, site: Site, owner: int | None = None, **fields: Any) -> SavedView:
    new = SavedView(**{"site": site.id, "name": "Last week", "owner": owner, "query": "period=7d", **fields})
    return await ledger.write(create_saved_view, new, ledger.clock())


async def kinds(ledger: Ledger) -> list[str]:
    return [event.kind for event in await ledger.read(events) if "view" in event.kind]


async def test_a_view_of_ones_own_is_seen_by_nobody_else(ledger: Ledger, site: Site) -> None:
    saved, now = SavedViews(KeptCache(ledger)), ledger.clock()
    shared, mine = await a_view(ledger, site, name=" Shared "), await a_view(ledger, site, ADA)
    assert shared.name == "Shared"
    assert await saved.visible(site.id, ADA) == (shared, mine)
    assert await saved.visible(site.id, BEN) == (shared,)
    with pytest.raises(NotThere):
        await ledger.write(change_saved_view, site.id, mine.id, BEN, "Ben's", BEN, now)
    with pytest.raises(NotThere):
        await ledger.write(delete_saved_view, site.id, mine.id, BEN, now)
    with pytest.raises(NotPermitted):
        await ledger.write(change_saved_view, site.id, mine.id, ADA, "Ben's", BEN, now)
    given = await ledger.write(change_saved_view, site.id, mine.id, ADA, "Everyone's", None, now)
    assert await saved.visible(site.id, BEN) == (shared, given)
    await ledger.write(delete_saved_view, site.id, shared.id, BEN, now)
    assert await saved.visible(site.id, ADA) == (given,)
    assert await kinds(ledger) == ["saved view deleted", "saved view changed", "saved view created"]


async def test_there_are_bounds(ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", "  ", "x" * (MAX_SAVED_VIEW_NAME + 1), "a\nb", "a\x00", "a\ud800"):
        with pytest.raises(InvalidFields):
            await a_view(ledger, site, name=name)
    for query in ("", "x" * (MAX_SAVED_VIEW_QUERY + 1), "page=ä", "page=\n"):
        with pytest.raises(InvalidFields):
            await a_view(ledger, site, query=query)
    monkeypatch.setattr(saved_views_module, "MAX_SAVED_VIEWS", 1)
    monkeypatch.setattr(saved_views_module, "MAX_OWN_SAVED_VIEWS", 1)
    mine = await a_view(ledger, site, ADA)
    await a_view(ledger, site)
    await a_view(ledger, site, BEN)
    for owner in (None, ADA, BEN):
        with pytest.raises(InputRefused, match="has 1 saved views"):
            await a_view(ledger, site, owner)
    with pytest.raises(InputRefused, match="has 1 saved views"):
        await ledger.write(change_saved_view, site.id, mine.id, ADA, "Mine", None, ledger.clock())


async def test_an_owner_has_a_name_once(ledger: Ledger, site: Site) -> None:
    shared, mine = await a_view(ledger, site), await a_view(ledger, site, ADA)
    await a_view(ledger, site, BEN)
    with pytest.raises(Conflicting, match="the site has a saved view 'LAST WEEK' already"):
        await a_view(ledger, site, name=" LAST WEEK ")
    with pytest.raises(Conflicting, match="the site has a saved view of yours 'Last week' already"):
        await a_view(ledger, site, ADA)
    with pytest.raises(Conflicting):
        await ledger.write(change_saved_view, site.id, mine.id, ADA, "Last week", None, ledger.clock())
    other = await a_view(ledger, site, name="Other")
    with pytest.raises(Conflicting):
        await ledger.write(change_saved_view, site.id, other.id, ADA, "last week", None, ledger.clock())
    renamed = await ledger.write(change_saved_view, site.id, shared.id, ADA, "LAST week", None, ledger.clock())
    assert renamed.name == "LAST week"


async def test_views_go_with_their_site_and_their_person(ledger: Ledger, site: Site) -> None:
    ben = await a_person(ledger, "ben@example.com", site.id)
    await a_view(ledger, site, ben.id)
    await a_view(ledger, site)
    await ledger.write(delete_account, ben.id, ledger.clock())
    (kept,) = await ledger.read(saved_views_of, site.id)
    assert kept.owner is None
    job = await ledger.write(delete_site, site.id, ledger.clock())
    await ledger.write(_remove_site, job, site.id)
    assert await ledger.read(saved_views_of, site.id) == ()
