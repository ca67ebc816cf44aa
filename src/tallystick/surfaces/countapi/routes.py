"""Every URL of this surface, and the parsing of paths."""

from collections.abc import Awaitable, Callable
from functools import lru_cache

from msgspec import Struct

from tallystick.model.key import DEFAULT_NAMESPACE, Key
from tallystick.services.counting.counting import Counting
from tallystick.surfaces.countapi import handlers, wire
from tallystick.surfaces.countapi.handlers import Request
from tallystick.surfaces.countapi.wire import Payload

Handler = Callable[[Counting, Request], Awaitable[Payload]]

KEYED: dict[str, Handler] = {
    # GET /{verb}/{key}  and  GET /{verb}/{namespace}/{key}, each with or without a slash at the end
    "get": handlers.get,
    "set": handlers.set_,
    "update": handlers.update,
    "hit": handlers.hit,
    "info": handlers.info,
}
PLAIN: dict[str, Handler] = {
    # GET /{verb}, with or without a slash at the end
    "create": handlers.create,
    "stats": handlers.stats,
}
PREFIXES = tuple(f"/{verb}" for verb in (*KEYED, *PLAIN))

PATHS_REMEMBERED = 16_384
LONGEST_PATH = 512

_NO_KEY = Key(DEFAULT_NAMESPACE, "")


class RouteTarget(Struct, frozen=True):
    """A parsed path.

    Attributes:
        key: None if it depends on the calling page, or is illegal.
        path: the value of ``X-Path``.
        headers: of a JSON response about the key.
        names: namespace and key as written.
    """

    handler: Handler
    key: Key | None = _NO_KEY
    path: bytes = b""
    headers: wire.Headers = wire.JSON
    names: tuple[str | None, str] | None = None


def target_of(path: str) -> RouteTarget | None:
    """Parse a path; None if it is no endpoint."""
    # Long paths bypass the cache: its memory is bounded only if each entry is.
    return _target_of(path) if len(path) <= LONGEST_PATH else _target_of.__wrapped__(path)


@lru_cache(PATHS_REMEMBERED)
def _target_of(path: str) -> RouteTarget | None:
    verb, *parts = path.removeprefix("/").split("/")
    if parts and parts[-1] == "":
        parts.pop()
    if verb in PLAIN and not parts:
        return RouteTarget(PLAIN[verb])
    if verb not in KEYED or len(parts) not in {1, 2}:
        return None
    names = (parts[0] if len(parts) > 1 else None, parts[-1])
    key = wire.key_of(*names)
    x_path = str(key).encode() if key else b""
    return RouteTarget(KEYED[verb], key, x_path, (*wire.JSON, (b"x-path", x_path)), names)
