"""Routes requests to surfaces by the longest prefix of their path, in whole segments."""

from collections.abc import Awaitable, Iterable, Mapping

from tallystick.errors import StartRefused
from tallystick.server.hot_lane import Answer, header_lines, with_length
from tallystick.server.refusals import Refusal, RefusalAnswer
from tallystick.web.asgi import AsgiApp, Receive, Scope, Send
from tallystick.web.refusals import retry_after
from tallystick.web.surface import Surface, SurfaceApps


def claims(surfaces: Iterable[Surface]) -> dict[str, Surface]:
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
    return owners


def dispatchers(
    surfaces: Iterable[Surface], apps: Mapping[str, SurfaceApps], unclaimed: AsgiApp
) -> tuple[AsgiApp, AsgiApp]:
    """Make the dispatchers for HTTP and for WebSockets.

    Args:
        apps: by the surface's name.
        unclaimed: takes HTTP requests to paths that no surface claims; WebSockets to such paths are refused.
    """
    owned = {prefix: apps[surface.name] for prefix, surface in claims(surfaces).items()}
    http = dispatcher({prefix: each.http for prefix, each in owned.items()}, unclaimed)
    return http, dispatcher({prefix: each.websocket or refuse for prefix, each in owned.items()}, refuse)


def refusal_answer(surfaces: Iterable[Surface], apps: Mapping[str, SurfaceApps], unclaimed: str) -> RefusalAnswer:
    """Make the encoder of what the server refuses: each surface's paths in its own form.

    Args:
        unclaimed: name of the surface that answers for all other paths.
    """
    owned = {prefix: surface.name for prefix, surface in claims(surfaces).items()}

    def answer(path: str, refusal: Refusal) -> Answer:
        name, place = unclaimed, path
        while place:
            if place in owned:
                name = owned[place]
                break
            place = place.rpartition("/")[0]
        return (apps[name].refuse or _in_plain_text)(path, refusal)

    return answer


def _in_plain_text(_path: str, refusal: Refusal) -> Answer:
    body = f"{refusal.message}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    if refusal.retry_after is not None:
        headers += retry_after(refusal.retry_after)
    return refusal.status, with_length(header_lines(headers), body), body


def dispatcher(apps: Mapping[str, AsgiApp], unclaimed: AsgiApp) -> AsgiApp:
    """Make an ASGI application that passes requests on by the longest prefix of their path.

    Args:
        apps: by prefix.
        unclaimed: takes paths without a matching prefix.
    """
    by_segment = _by_segment({tuple(prefix[1:].split("/")): app for prefix, app in apps.items()}, 1, unclaimed)

    def pass_on(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """No coroutine of its own: hot path."""
        path = scope["path"]
        segment = path[1:].split("/", 1)[0]
        if not segment and path != "/":  # "//hit/x" and "*" (OPTIONS) have no first segment
            return unclaimed(scope, receive, send)
        return by_segment.get(segment, unclaimed)(scope, receive, send)

    return pass_on


def _by_segment(apps: Mapping[tuple[str, ...], AsgiApp], number: int, otherwise: AsgiApp) -> dict[str, AsgiApp]:
    """Group applications by one segment of their prefix.

    Args:
        apps: by the rest of their prefix, from that segment on.
        number: of the segment; the first one is 1.
        otherwise: takes paths that match only a shorter prefix.
    """
    grouped: dict[str, dict[tuple[str, ...], AsgiApp]] = {}
    for (segment, *rest), app in apps.items():
        grouped.setdefault(segment, {})[tuple(rest)] = app
    return {segment: _below(rests, number + 1, otherwise) for segment, rests in grouped.items()}


def _below(apps: dict[tuple[str, ...], AsgiApp], number: int, otherwise: AsgiApp) -> AsgiApp:
    """The application for paths with the same first segments; it passes on if several prefixes begin with them."""
    own = apps.pop((), otherwise)
    if not apps:
        return own
    by_segment = _by_segment(apps, number, own)

    def pass_on(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        segments = scope["path"].split("/", number + 1)
        app = by_segment.get(segments[number], own) if len(segments) > number else own
        return app(scope, receive, send)

    return pass_on


async def refuse(scope: Scope, _receive: Receive, send: Send) -> None:
    """Close a WebSocket that no surface accepts."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
