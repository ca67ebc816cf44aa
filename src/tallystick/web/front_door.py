"""Which surface a path belongs to: the one with the longest prefix, in whole segments."""

from collections.abc import Awaitable, Iterable, Mapping

from tallystick.errors import StartRefused
from tallystick.web.asgi import AsgiApp, Receive, Scope, Send
from tallystick.web.surface import Surface


def claims(surfaces: Iterable[Surface]) -> dict[str, Surface]:
    """Every prefix and the surface that claims it.

    Raises:
        StartRefused: two surfaces claim one prefix, or a prefix is none.
    """
    owners: dict[str, Surface] = {}
    for surface in surfaces:
        for prefix in surface.prefixes:
            if not prefix.startswith("/") or (prefix != "/" and "" in prefix[1:].split("/")):
                msg = f"the surface {surface.name} claims {prefix!r}, which is no path"
                raise StartRefused(msg)
            if prefix in owners:
                msg = f"the surfaces {owners[prefix].name} and {surface.name} both claim {prefix}"
                raise StartRefused(msg)
            owners[prefix] = surface
    return owners


def front_door(apps: Mapping[str, AsgiApp], unclaimed: AsgiApp) -> AsgiApp:
    """Pass requests on by the longest prefix of their path.

    Args:
        apps: by prefix.
        unclaimed: takes paths that no prefix fits.
    """
    by_segment = _by_first_segment(apps, unclaimed)

    def pass_on(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """No coroutine of its own: hot path."""
        path = scope["path"]
        segment = path[1:].split("/", 1)[0]
        if not segment and path != "/":  # "//hit/x" and "*" (OPTIONS) have no first segment
            return unclaimed(scope, receive, send)
        return by_segment.get(segment, unclaimed)(scope, receive, send)

    return pass_on


def _by_first_segment(apps: Mapping[str, AsgiApp], unclaimed: AsgiApp) -> dict[str, AsgiApp]:
    """The application of each first segment; where prefixes share a first segment, one that tells them apart."""
    shared: dict[str, dict[tuple[str, ...], AsgiApp]] = {}
    for prefix, app in apps.items():
        segments = tuple(prefix[1:].split("/"))
        shared.setdefault(segments[0], {})[segments] = app
    return {
        segment: prefixes[segment,] if len(prefixes) == 1 and (segment,) in prefixes else _longest(prefixes, unclaimed)
        for segment, prefixes in shared.items()
    }


def _longest(apps: Mapping[tuple[str, ...], AsgiApp], unclaimed: AsgiApp) -> AsgiApp:
    """Pass requests on by the longest of several prefixes."""
    lengths = sorted({len(segments) for segments in apps}, reverse=True)
    most = lengths[0]

    def pass_on(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        segments = tuple(scope["path"][1:].split("/", most)[:most])
        app = unclaimed
        for length in lengths:
            if (claimed := apps.get(segments[:length])) is not None:
                app = claimed
                break
        return app(scope, receive, send)

    return pass_on


async def refuse(scope: Scope, _receive: Receive, send: Send) -> None:
    """Close a WebSocket that no surface takes."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
