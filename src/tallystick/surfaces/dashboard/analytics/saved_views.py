"""The saved views of a site: ``/sites/{site}/views``. A person's own are for that person only."""

from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.model.saved_view import MAX_SAVED_VIEW_NAME, SavedView
from tallystick.services.analytics.kept.saved_views import change_saved_view, create_saved_view, delete_saved_view
from tallystick.surfaces.dashboard.analytics.asking import page_of
from tallystick.surfaces.dashboard.analytics.checking import check_filters
from tallystick.surfaces.dashboard.analytics.view import View, view_of
from tallystick.surfaces.dashboard.analytics.viewer import Viewer, Viewers
from tallystick.surfaces.dashboard.support.data import as_json, times, wants_json
from tallystick.surfaces.dashboard.support.forms import one_of
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.own_address import own_base


class SavedViewPages:
    """Lists, adds, renames and deletes the saved views of a site.

    Who sees a site's statistics may have views of their own; those of the site are for people who may change it.
    """

    def __init__(self, services: PageServices) -> None:
        self._services, self._saved = services, services.statistics.saved_views
        self._viewers = Viewers(services.sites)

    async def page(self, request: PageRequest) -> Response:
        """All views of a site that the person sees, and a form that keeps the one in the address; also as JSON."""
        viewer = await self._viewers.keeper(request)
        if wants_json(request):
            found = await self._saved.visible(viewer.site.id, request.account.id)
            address = own_base(request.http.scope) + viewer.base
            return as_json({"views": [_plain(viewer, address, each) for each in found]})
        return await self._show(request, viewer, request.http.url.query)

    async def create(self, request: PageRequest) -> Response:
        """Keep a view, if it can be shown."""
        viewer, form = await self._viewers.keeper(request), request.form
        try:
            view = _view(request, viewer, form.text("query"))
            statistics = self._services.statistics
            await check_filters(statistics, await page_of(statistics, viewer, view, request.now))
            new = SavedView(
                site=viewer.site.id,
                name=form.text("name"),
                owner=viewer.owner(form.text("whose")),
                query=saved_query(view),
            )
            await self._services.write(request, create_saved_view, new, request.now)
        except InputRefused as error:
            return await self._show(request, viewer, form.text("query"), problems_of(error))
        return see_other(f"{viewer.base}/views?done=added")

    async def change(self, request: PageRequest) -> Response:
        """Rename a view, or give it to the site."""
        viewer, saved = await self._saved_view(request)
        name, owner = request.form.text("name"), viewer.owner(request.form.text("whose"))
        try:
            await self._services.write_or_404(
                request, change_saved_view, viewer.site.id, saved.id, request.account.id, name, owner, request.now
            )
        except InputRefused as error:
            return await self._show(request, viewer, "", problems_of(error))
        return see_other(f"{viewer.base}/views?done=changed")

    async def delete(self, request: PageRequest) -> Response:
        """Delete a view."""
        viewer, saved = await self._saved_view(request)
        await self._services.write_or_404(
            request, delete_saved_view, viewer.site.id, saved.id, request.account.id, request.now
        )
        return see_other(f"{viewer.base}/views?done=deleted")

    async def _saved_view(self, request: PageRequest) -> tuple[Viewer, SavedView]:
        """The view that the form is about.

        Raises:
            HTTPException: there is none that the person may change (404).
        """
        viewer = await self._viewers.keeper(request)
        seen = await self._saved.visible(viewer.site.id, request.account.id)
        return viewer, one_of((each for each in seen if viewer.may_edit(each.owner)), request.form.text("id"))

    async def _show(
        self, request: PageRequest, viewer: Viewer, query: str, problems: Problems = NO_PROBLEMS
    ) -> Response:
        try:
            kept = saved_query(_view(request, viewer, query)) if query else ""
        except InputRefused:
            kept = ""
        values = {
            "viewer": viewer,
            "saved": await self._saved.visible(viewer.site.id, request.account.id),
            "query": kept,
            "typed": {name: request.form.text(name) for name in ("name", "whose")},
            "most_name": MAX_SAVED_VIEW_NAME,
            "problems": problems,
        }
        return await self._services.show(request, "analytics/saved_views.html", values)


def _plain(viewer: Viewer, address: str, saved: SavedView) -> dict[str, Any]:
    """A view as data.

    Args:
        address: of the statistics.
    """
    return {
        "id": saved.id,
        "name": saved.name,
        "personal": saved.owner is not None,
        "query": saved.query,
        "address": f"{address}?{saved.query}",
        "may_edit": viewer.may_edit(saved.owner),
        **times(saved),
    }


def saved_query(view: View) -> str:
    """A view as it is kept. It always names its period: the usual one is another one while a site is new."""
    return view.changed(usual_period="", embedded=False, own=()).query


def _view(request: PageRequest, viewer: Viewer, query: str) -> View:
    """The view that a query means.

    Raises:
        InputRefused: a value is not valid.
    """
    return view_of(parse_qsl(query, keep_blank_values=True), viewer.usual_period(request.now))
