"""Values that can be chosen while a filter is being typed: ``/sites/{site}/values.json?of=page&find=blog``."""

from msgspec.structs import replace
from starlette.responses import Response

from tallystick.surfaces.dashboard.analytics.asking import Page
from tallystick.surfaces.dashboard.analytics.pages import AnalyticsPages, Shows
from tallystick.surfaces.dashboard.analytics.suggesting import suggested
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.forms import number_in
from tallystick.surfaces.dashboard.support.page_request import PageRequest


class ValuePages(AnalyticsPages):
    """Answers what can be chosen."""

    async def values(self, request: PageRequest) -> Response:
        """Values of the dimension ``of`` that contain ``find``.

        The filters of the address hold, so that what is offered finds something; the one at the place ``at``, which is
        being changed, does not.
        """
        shows = Shows(self._values, self._values, self._values)
        return await self._answered(request, request.http.path_params["site"], "json", shows)

    async def _values(self, request: PageRequest, page: Page) -> Response:
        query = request.http.query_params
        place = number_in(query.get("at", ""), 2)
        if place is not None:
            page = replace(page, view=page.view.without(place))
        name, find = query.get("of", ""), query.get("find", "").strip()
        return as_json({"of": name, "values": await suggested(self._asking, request.language, page, name, find)})
