"""What stands around statistics and is not about them: the person's other sites, and saved views."""

from typing import Any

from tallystick.services.accounts.pinned_sites import pinned_sites, sites_in_order
from tallystick.surfaces.dashboard.analytics.asking import Page
from tallystick.surfaces.dashboard.analytics.saved_views import saved_query
from tallystick.surfaces.dashboard.analytics.viewer import address_of
from tallystick.surfaces.dashboard.support.services import PageServices

MOST_NUMBERED = 9
"""Sites that keys lead to."""


async def values_around(services: PageServices, page: Page) -> dict[str, Any]:
    """What the templates of a page show around its statistics.

    Raises:
        StoreUnavailable
    """
    viewer = page.viewer
    values: dict[str, Any] = {"numbered_sites": await _numbered_sites(services, page)}
    if viewer.person is None or not viewer.may_keep:
        return values
    saved = await services.statistics.saved_views.visible(viewer.site.id, viewer.person.id)
    query = saved_query(page.view)
    return {**values, "saved_views": saved, "saved_query": query, "views_page": f"{viewer.base}/views"}


async def _numbered_sites(services: PageServices, page: Page) -> list[tuple[str, str]]:
    """Titles and addresses of the person's first sites, in the order of their cards; none for guests."""
    person = page.viewer.person
    if person is None:
        return []
    pinned = await services.ledger.read(pinned_sites, person.id)
    sites = sites_in_order(person, await services.sites.all(), pinned)[:MOST_NUMBERED]
    view = page.view.changed(chips=(), expression="", text="", own=())  # filters are about one site
    return [(site.domain or site.name, view.at(f"/sites/{address_of(site)}")) for site in sites]
