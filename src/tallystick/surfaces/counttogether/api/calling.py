"""The request as handlers get it."""

from collections.abc import Awaitable, Callable

from tallystick.services.idempotency import KeyedRequest
from tallystick.services.services import Services
from tallystick.web.answers import AnyResponse
from tallystick.web.api import ApiCall
from tallystick.web.asgi import Scope


class CounterCall(ApiCall, frozen=True):
    """A request about shared counters: its token is valid and has the permission.

    Attributes:
        scope: of the request.
        keyed: identity of the request where it carries an Idempotency-Key.
    """

    scope: Scope
    keyed: KeyedRequest | None


Handler = Callable[[Services, CounterCall], Awaitable[AnyResponse]]
