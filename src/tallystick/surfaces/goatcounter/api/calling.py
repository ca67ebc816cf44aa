"""What handlers see and answer."""

from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from tallystick.model.account import Principal
from tallystick.model.site import Site
from tallystick.services.services import Services

Headers = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json; charset=utf-8"


class Call(Struct, frozen=True):
    """One admitted request: its site is known, its token is good and has the permission.

    Attributes:
        place: parameters of the path, as text.
        query: the first value of each parameter, percent-decoded; names as they were sent.
        headers: names in lower case; of a repeated one the first counts.
        now: Unix milliseconds, read once.
    """

    site: Site
    holder: Principal
    place: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str]
    client: IPv4Address | IPv6Address | None
    now: int


class Answer(Struct, frozen=True):
    """What a handler answers; common headers are added by the caller.

    Attributes:
        body: whole; ``wire.json`` makes it.
        file: sent in place of ``body`` where there is one: a path and the name it is downloaded as.
        refused: the reason under which a refusal is counted, where its status does not tell.
    """

    status: int
    body: bytes = b""
    headers: Headers = ()
    content_type: bytes = JSON
    file: tuple[str, str] | None = None
    refused: str | None = None


Handler = Callable[[Services, Call], Awaitable[Answer]]
