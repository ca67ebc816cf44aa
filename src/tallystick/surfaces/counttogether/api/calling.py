"""What handlers see."""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from tallystick.model.account import Account
from tallystick.services.kept_answers import KeyedRequest
from tallystick.services.services import Services
from tallystick.surfaces.counttogether.answers import Answer, Stream
from tallystick.surfaces.counttogether.authorization import Caller
from tallystick.web.asgi import Scope


class Call(Struct, frozen=True):
    """One admitted request: its token is good and has the permission.

    Attributes:
        scope: as ASGI tells it.
        place: parameters of the path, as text.
        query: the first value of each parameter, percent-decoded.
        headers: the ones that this surface knows, by their names in lower case.
        keyed: what the request is known by, where it carries an Idempotency-Key.
        now: Unix milliseconds, read once.
    """

    caller: Caller
    scope: Scope
    place: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    body: bytes
    keyed: KeyedRequest | None
    now: int

    @property
    def account(self) -> Account:
        """Whose request it is."""
        return self.caller.account

    def header(self, name: bytes) -> str | None:
        """A header as text."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


Handler = Callable[[Services, Call], Awaitable[Answer | Stream]]
