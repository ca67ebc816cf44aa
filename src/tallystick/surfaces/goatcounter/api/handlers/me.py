"""``/me``: whose token it is."""

from tallystick.services.services import Services
from tallystick.surfaces.goatcounter import wire
from tallystick.surfaces.goatcounter.api.calling import Answer, Call


async def me(_services: Services, call: Call) -> Answer:
    """The account behind the token, and the token."""
    account, token = call.holder.account, call.holder.token
    return Answer(200, wire.json({"user": wire.user(account), "token": wire.token(token)}))
