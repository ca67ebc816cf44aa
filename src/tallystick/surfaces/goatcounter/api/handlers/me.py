"""``/me``: whose token it is."""

from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import wire
from tallystick.surfaces.goatcounter.api.calling import SiteCall
from tallystick.web.answers import ApiResponse


async def me(_services: Services, call: SiteCall) -> ApiResponse:
    """The account behind the token, and the token."""
    account, token = call.principal.account, call.principal.token
    return ApiResponse(200, wire.json({"user": wire.user(account), "token": wire.token(token)}))
