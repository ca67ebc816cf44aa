"""What the forms of goals and funnels offer: paths and events that the site has, the most visited first."""

from collections.abc import Sequence

from tallystick.model.dimensions import PAGEVIEW
from tallystick.surfaces.dashboard.analytics.asking import Asking, Failure, page_of, tried
from tallystick.surfaces.dashboard.analytics.suggesting import Suggested, suggested
from tallystick.surfaces.dashboard.analytics.view import view_of
from tallystick.surfaces.dashboard.analytics.viewer import Viewer
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.services import Statistics


async def offered_names(statistics: Statistics, request: PageRequest, viewer: Viewer, by: str) -> Sequence[str]:
    """The most visited names of the usual period; none where they cannot be told.

    Args:
        by: ``page`` or ``event``.
    """

    async def values() -> Sequence[Suggested]:
        view = view_of([], viewer.usual_period(request.now))
        page = await page_of(statistics, viewer, view, request.now)
        return await suggested(Asking(statistics), request.language, page, by)

    found = await tried(values)
    return () if isinstance(found, Failure) else [each.name for each in found if each.name != PAGEVIEW]
