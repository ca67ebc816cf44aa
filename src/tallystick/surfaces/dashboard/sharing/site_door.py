"""The secret link of a site, as GoatCounter has it: ``/sites/{site}?access-token=SECRET``."""

from urllib.parse import urlencode

from tallystick.services.accounts.site_readers import is_secret, is_site_secret, site_proof
from tallystick.surfaces.dashboard.analytics.viewer import OtherFirst, Viewer, Viewers, given_for
from tallystick.surfaces.dashboard.support import cookies
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.services import PageServices, refuse_over_limit

LIMIT = "site-secret"
TOKEN = "access-token"  # noqa: S105  # a parameter's name


class SiteDoor:
    """Finds out who looks at a site, and takes its secret where the address has it.

    The secret becomes a proof in a cookie, and the browser goes on to the address without it: so it is in no link of
    the page, and no other website is told.
    """

    def __init__(self, services: PageServices) -> None:
        self._services, self._viewers = services, Viewers(services.sites)

    async def of(self, request: PageRequest, names: str) -> Viewer:
        """The viewer of the sites in an address.

        Raises:
            OtherFirst: the secret was taken.
            LoginNeeded, HTTPException: as of ``Viewers.of``; too many wrong secrets (429).
        """
        if secret := request.http.query_params.get(TOKEN, ""):
            await self._take(request, names, secret)
        return await self._viewers.of(request, names)

    async def _take(self, request: PageRequest, names: str, secret: str) -> None:
        sites = [site for site in await self._viewers.named(names) if is_secret(site)]
        if not sites:
            return
        address = self._services.addresses.of(request.http.scope)
        # Beyond the limit the right one is not taken either, or guesses would go on.
        refuse_over_limit(await self._services.rates.address_state_over_all(LIMIT, address))
        for site in sites:
            if is_site_secret(site, secret):
                rest = [pair for pair in request.http.query_params.multi_items() if pair[0] != TOKEN]
                path = request.http.url.path
                response = see_other(f"{path}?{urlencode(rest)}" if rest else path)
                response.headers["referrer-policy"] = "no-referrer"
                cookies.keep_given(request.http, response, given_for(site), site_proof(site, request.now))
                raise OtherFirst(response)
        refuse_over_limit(await self._services.rates.admit_address_over_all(LIMIT, address))
