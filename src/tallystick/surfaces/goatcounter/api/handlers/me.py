"""``/me``: the account and the token of a request."""

from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import wire
from tallystick.surfaces.goatcounter.api.calling import SiteCall
from tallystick.web.answers import ApiResponse


async def me(_services: Services, call: SiteCall) -> ApiResponse:
    """The account and the token of the principal."""
    account, token = call.principal.account, call.principal.token
    return ApiResponse(200, wire.json({"user": wire.user(account), "token": wire.token(token)}))
