"""Who may export a site's data and import into it: as in the APIs, its admins."""

from starlette.exceptions import HTTPException

from tallystick.model.site import Site
from tallystick.services.accounts.accounts import may_change
from tallystick.surfaces.dashboard.analytics.viewer import Viewers
from tallystick.surfaces.dashboard.support.page_request import PageRequest


async def site_of_admin(viewers: Viewers, request: PageRequest) -> Site:
    """The site in the path.

    Raises:
        HTTPException: there is no one site there of which the person is an admin (404).
    """
    viewer = await viewers.of(request, request.http.path_params["site"])
    if len(viewer.sites) > 1 or not may_change(request.account, "a", viewer.site):
        raise HTTPException(404)
    return viewer.site
