"""Tables of routes: which one a method and a path mean."""

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct

from tallystick.web.refusals import ApiRefused


class Route(Struct, frozen=True):
    """One URL; surfaces add a handler, and what a request needs.

    Attributes:
        method: in capitals; HEAD is answered as GET.
        path: with ``{name}`` for one segment, and as the last one ``{name*}`` for all that are left.
    """

    method: str
    path: str


AnyRoute = TypeVar("AnyRoute", bound=Route)


class RouteMatch(NamedTuple, Generic[AnyRoute]):
    """A route and what the placeholders of its path stand for."""

    route: AnyRoute
    place: dict[str, str]


class NoRoute(ApiRefused):
    """No route has this path: 404; or none has it for this method: 405.

    Attributes:
        methods: those that the path has routes for, sorted; none when there is no such path.
    """

    def __init__(self, methods: Sequence[str] = ()) -> None:
        if methods:
            super().__init__("method not allowed", 405, ((b"allow", ", ".join(methods).encode()),))
        else:
            super().__init__("not found", 404)
        self.methods = methods


class _Leaf(NamedTuple, Generic[AnyRoute]):
    """A route and the names of its placeholders."""

    route: AnyRoute
    names: tuple[str, ...]


class _Node(Generic[AnyRoute]):
    """What can follow a beginning of a path."""

    __slots__ = ("any", "leaves", "named", "rest")

    def __init__(self) -> None:
        self.named: dict[str, _Node[AnyRoute]] = {}
        self.any: _Node[AnyRoute] | None = None
        self.rest: _Node[AnyRoute] | None = None
        self.leaves: dict[str, _Leaf[AnyRoute]] = {}

    def child(self, segment: str) -> "_Node[AnyRoute]":
        """The node behind a segment of a pattern, made if need be."""
        if segment.endswith("*}"):
            self.rest = self.rest or _Node()
            return self.rest
        if segment.startswith("{"):
            self.any = self.any or _Node()
            return self.any
        return self.named.setdefault(segment, _Node())


class Table(Generic[AnyRoute]):
    """Finds routes by method and path; a literal segment wins over a placeholder."""

    def __init__(self, routes: Iterable[AnyRoute]) -> None:
        self._root: _Node[AnyRoute] = _Node()
        for route in routes:
            node, segments = self._root, route.path.split("/")[1:]
            for segment in segments:
                node = node.child(segment)
            names = tuple(segment.strip("{*}") for segment in segments if segment.startswith("{"))
            node.leaves[route.method] = _Leaf(route, names)

    def find(self, method: str, path: str) -> RouteMatch[AnyRoute]:
        """Find the route of a request; HEAD takes the route of GET.

        Raises:
            NoRoute
        """
        methods: set[str] = set()
        segments = path.split("/")
        match = _search(self._root, segments, 1, (), "GET" if method == "HEAD" else method, methods)
        if match is None:
            raise NoRoute(
                sorted(methods | ({"HEAD"} if "GET" in methods else set()) | ({"OPTIONS"} if methods else set()))
            )
        return match


def _search(  # noqa: PLR0913, PLR0917  # where the search is, and what it has met
    node: _Node[AnyRoute], segments: list[str], index: int, values: tuple[str, ...], method: str, methods: set[str]
) -> RouteMatch[AnyRoute] | None:
    """Search the first route that matches from this segment on; adds the methods of matching paths to ``methods``."""
    if index == len(segments):
        return _at(node, values, method, methods)
    segment, match = segments[index], None
    if (named := node.named.get(segment)) is not None:
        match = _search(named, segments, index + 1, values, method, methods)
    if match is None and segment and node.any is not None:
        match = _search(node.any, segments, index + 1, (*values, segment), method, methods)
    if match is None and node.rest is not None and (rest := "/".join(segments[index:])):
        match = _at(node.rest, (*values, rest), method, methods)
    return match


def _at(node: _Node[AnyRoute], values: tuple[str, ...], method: str, methods: set[str]) -> RouteMatch[AnyRoute] | None:
    leaf = node.leaves.get(method)
    if leaf is None:
        methods.update(node.leaves)
        return None
    return RouteMatch(leaf.route, dict(zip(leaf.names, values, strict=True)))
