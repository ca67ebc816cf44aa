"""Routes requests to surfaces by the longest prefix of their path, in whole segments."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from tallystick.errors import StartRefused
from tallystick.server.hot_lane import Answer, header_lines, with_length
from tallystick.server.refusals import Refusal, RefusalAnswer
from tallystick.web.asgi import AsgiApp, Receive, Scope, Send
from tallystick.web.refusals import refused_by_server
from tallystick.web.surface import Surface, SurfaceApps

Owner = TypeVar("Owner")


def claims(surfaces: Sequence[Surface]) -> dict[str, Surface]:
    """Map every prefix to the surface that claims it.

    Raises:
        StartRefused: two surfaces claim the same prefix, or a prefix is not a path.
    """
    owners: dict[str, Surface] = {}
    for surface in surfaces:
        for prefix in surface.prefixes:
            if not prefix.startswith("/") or (prefix != "/" and "" in prefix[1:].split("/")):
                msg = f"the surface {surface.name} claims {prefix!r}, which is not a path"
                raise StartRefused(msg)
            if prefix in owners:
                msg = f"the surfaces {owners[prefix].name} and {surface.name} both claim {prefix}"
                raise StartRefused(msg)
            owners[prefix] = surface
    for surface in surfaces:
        for prefix in surface.within:
            if prefix not in owners:
                msg = f"the surface {surface.name} takes paths below {prefix}, which no surface claims"
                raise StartRefused(msg)
    return owners


def dispatchers(
    surfaces: Sequence[Surface], apps: Mapping[str, SurfaceApps], unclaimed: AsgiApp
) -> tuple[AsgiApp, AsgiApp]:
    """Make the dispatchers for HTTP and for WebSockets.

    Args:
        apps: by the surface's name.
        unclaimed: takes HTTP requests to paths that no surface claims; WebSockets to such paths are refused.
    """
    owned = {prefix: apps[surface.name] for prefix, surface in claims(surfaces).items()}
    by_prefix = {prefix: each.http for prefix, each in owned.items()}
    for surface in surfaces:
        for prefix, owns in surface.within.items():
            by_prefix[prefix] = _where(owns, apps[surface.name].http, by_prefix[prefix])
    http = dispatcher(by_prefix, unclaimed)
    return http, dispatcher({prefix: each.websocket or refuse for prefix, each in owned.items()}, refuse)


def refusal_answer(surfaces: Sequence[Surface], apps: Mapping[str, SurfaceApps], unclaimed: str) -> RefusalAnswer:
    """Make the encoder of what the server refuses: each surface's paths in its own form.

    Args:
        unclaimed: name of the surface that answers for all other paths.
    """
    by_name = {name: each.refuse or in_plain_text for name, each in apps.items()}
    owned = {prefix: by_name[surface.name] for prefix, surface in claims(surfaces).items()}
    for surface in surfaces:
        for prefix, owns in surface.within.items():
            owned[prefix] = _refused_where(owns, by_name[surface.name], owned[prefix])
    owner = longest_prefix(owned, by_name[unclaimed])

    def answer(path: str, refusal: Refusal) -> Answer:
        return owner(path)(path, refusal)

    return answer


def _where(owns: Callable[[str], bool], app: AsgiApp, otherwise: AsgiApp) -> AsgiApp:
    def pass_on(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return (app if owns(scope["path"]) else otherwise)(scope, receive, send)

    return pass_on


def _refused_where(owns: Callable[[str], bool], own: RefusalAnswer, otherwise: RefusalAnswer) -> RefusalAnswer:
    def answer(path: str, refusal: Refusal) -> Answer:
        return (own if owns(path) else otherwise)(path, refusal)

    return answer


def in_plain_text(_path: str, refusal: Refusal) -> Answer:
    """Encode what the server refuses where no surface has a form of its own."""
    body = f"{refusal.message}\n".encode()
    headers = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        *refused_by_server(refusal).headers,
    )
    return refusal.status, with_length(header_lines(headers), body), body


def dispatcher(apps: Mapping[str, AsgiApp], unclaimed: AsgiApp) -> AsgiApp:
    """Make an ASGI application that passes requests on by the longest prefix of their path.

    Args:
        apps: by prefix.
        unclaimed: takes paths without a matching prefix.
    """
    owner = longest_prefix(apps, unclaimed)

    def pass_on(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """No coroutine of its own: each request that is not hot runs through it."""
        return owner(scope["path"])(scope, receive, send)

    return pass_on


def longest_prefix(owned: Mapping[str, Owner], otherwise: Owner) -> Callable[[str], Owner]:
    """Make the look-up of a path by the longest of its prefixes, in whole segments.

    Args:
        owned: by prefix; ``/`` is the root alone.
        otherwise: found where no prefix matches.
    """
    by_segment = _by_segment({tuple(prefix[1:].split("/")): owner for prefix, owner in owned.items()}, 1, otherwise)

    def find(path: str) -> Owner:
        segment = path[1:].split("/", 1)[0]
        if not segment and path != "/":  # "//hit/x" and "*" (OPTIONS) have no first segment
            return otherwise
        below = by_segment.get(segment)
        return otherwise if below is None else below(path)

    return find


def _by_segment(
    owned: Mapping[tuple[str, ...], Owner], number: int, otherwise: Owner
) -> dict[str, Callable[[str], Owner]]:
    """Group prefixes by one segment.

    Args:
        owned: by the rest of their prefix, from that segment on.
        number: of the segment; the first one is 1.
        otherwise: found where only a shorter prefix matches.

    Returns:
        By the segment, the look-up of a whole path whose segments up to that one match.
    """
    grouped: dict[str, dict[tuple[str, ...], Owner]] = {}
    for (segment, *rest), owner in owned.items():
        grouped.setdefault(segment, {})[tuple(rest)] = owner
    return {segment: _below(rests, number + 1, otherwise) for segment, rests in grouped.items()}


def _below(owned: dict[tuple[str, ...], Owner], number: int, otherwise: Owner) -> Callable[[str], Owner]:
    """The look-up of paths with the same first segments; it goes on if several prefixes begin with them."""
    own = owned.pop((), otherwise)
    if not owned:
        return lambda _: own
    by_segment = _by_segment(owned, number, own)

    def find(path: str) -> Owner:
        segments = path.split("/", number + 1)
        below = by_segment.get(segments[number]) if len(segments) > number else None
        return own if below is None else below(path)

    return find


async def refuse(scope: Scope, _receive: Receive, send: Send) -> None:
    """Close a WebSocket that no surface accepts."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
