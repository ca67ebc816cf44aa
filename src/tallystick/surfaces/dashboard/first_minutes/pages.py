"""The first minutes of a site: ``/sites/{site}`` while nothing is counted, and ``/sites/{site}/install``."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused, QuestionTooLong, StoreUnavailable
from tallystick.services.accounts.sites import sees_unknown_hosts
from tallystick.surfaces.dashboard.analytics.viewer import LoginNeeded, Viewer, Viewers
from tallystick.surfaces.dashboard.first_minutes.signs import FirstVisit, SignReader, Signs
from tallystick.surfaces.dashboard.first_minutes.snippets import (
    RECIPES,
    code_of,
    counting_origin,
    counting_url,
    tag,
)
from tallystick.surfaces.dashboard.support.data import as_json, wants_json
from tallystick.surfaces.dashboard.support.page_request import PageRequest, to_login
from tallystick.surfaces.dashboard.support.services import PageServices


class FirstMinutes:
    """Shows what to paste, and waits for the first visit."""

    def __init__(self, services: PageServices, viewers: Viewers, reader: SignReader) -> None:
        self._services, self._viewers, self._reader = services, viewers, reader

    async def install(self, request: PageRequest) -> Response:
        """What to paste into the pages of a site, at any time; also as JSON."""
        try:
            viewer = await self._viewers.of(request, request.http.path_params["site"])
        except LoginNeeded:
            return to_login(request.http)
        if not viewer.may_change:
            raise HTTPException(404)
        return await self._json(request, viewer) if wants_json(request) else await self.page(request, viewer)

    async def _json(self, request: PageRequest, viewer: Viewer) -> Response:
        url, waits = counting_url(request, viewer.site), await self.waits(viewer)
        return as_json(
            {
                "url": url,
                "origin": counting_origin(request, viewer.site),
                "tag": tag(url),
                "recipes": [
                    {"name": each.name, "file": each.file, "code": code_of(each, url), "note": each.say or None}
                    for each in RECIPES
                ],
                "waits": waits,
                "arrived": _plain(await self.signs(viewer, request.now)) if waits else None,
            }
        )

    async def page(self, request: PageRequest, viewer: Viewer) -> Response:
        """What to paste and, while nothing is counted, what has arrived."""
        url, waits = counting_url(request, viewer.site), await self.waits(viewer)
        values = {
            "viewer": viewer,
            "base": viewer.base,
            "waits": waits,
            "signs": await self.signs(viewer, request.now) if waits else Signs(),
            "url_of_site": url,
            "origin_of_site": counting_origin(request, viewer.site),
            "tag": tag(url),
            "recipes": [(recipe, code_of(recipe, url)) for recipe in RECIPES],
            "secure": url.startswith("https://"),
        }
        return await self._services.renderer.private_page(request, "first_minutes/install.html", values)

    async def waits(self, viewer: Viewer) -> bool:
        """Whether the page of a site shows what to paste in place of empty statistics."""
        if len(viewer.sites) > 1 or viewer.site.received_data or not viewer.may_change:
            return False
        try:
            return not await self._reader.has_imports(viewer.site)
        except StoreUnavailable:
            return False

    async def signs(self, viewer: Viewer, now: int) -> Signs:
        """What has arrived at a site that waits; nothing where that cannot be read."""
        try:
            sees_hosts = viewer.person is not None and sees_unknown_hosts(
                viewer.person, await self._services.sites.all()
            )
            return await self._reader.signs(viewer.site, now, with_hosts=sees_hosts)
        except StoreUnavailable:
            return Signs()

    async def arrived(self, viewer: Viewer, now: int) -> FirstVisit | None:
        """The first visit of a site while it is news for the viewer."""
        if len(viewer.sites) > 1 or not viewer.may_change:
            return None
        try:
            return await self._reader.first_visit(viewer.site, now)
        except (InputRefused, QuestionTooLong, StoreUnavailable):
            return None


def _plain(signs: Signs) -> dict[str, Any]:
    """What has arrived, as data."""
    return {
        "bots": signs.bots,
        "dropped": signs.dropped,
        "hosts_without_site": [{"host": each.host, "requests": each.requests} for each in signs.hosts],
    }
