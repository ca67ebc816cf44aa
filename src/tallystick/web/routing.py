"""Tables of routes: which one a method and a path mean."""

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from tallystick.errors import TallystickError


class Routed(Protocol):
    """What stands in a table."""

    @property
    def method(self) -> str:
        """In capitals; HEAD asks what GET answers."""

    @property
    def path(self) -> str:
        """With ``{name}`` for one segment, and as the last one ``{name*}`` for all that are left."""


Route = TypeVar("Route", bound=Routed)


class RouteMatch(NamedTuple, Generic[Route]):
    """A route and what the placeholders of its path stand for."""

    route: Route
    place: dict[str, str]


class NoRoute(TallystickError):
    """Nothing is there for this method and path.

    Attributes:
        methods: for which the path is there, in the order of the alphabet; none when it is not.
    """

    def __init__(self, methods: Sequence[str]) -> None:
        super().__init__("method not allowed" if methods else "not found")
        self.methods = methods


class _Leaf(NamedTuple, Generic[Route]):
    """A route and the names of its placeholders."""

    route: Route
    names: tuple[str, ...]


class _Node(Generic[Route]):
    """What can follow a beginning of a path."""

    __slots__ = ("any", "leaves", "named", "rest")

    def __init__(self) -> None:
        self.named: dict[str, _Node[Route]] = {}
        self.any: _Node[Route] | None = None
        self.rest: _Node[Route] | None = None
        self.leaves: dict[str, _Leaf[Route]] = {}

    def child(self, segment: str) -> "_Node[Route]":
        """The node behind a segment of a pattern, made if need be."""
        if segment.endswith("*}"):
            self.rest = self.rest or _Node()
            return self.rest
        if segment.startswith("{"):
            self.any = self.any or _Node()
            return self.any
        return self.named.setdefault(segment, _Node())


class Table(Generic[Route]):
    """Every route, found by method and path; where a segment is named, that goes before a placeholder."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root: _Node[Route] = _Node()
        for route in routes:
            node, segments = self._root, route.path.split("/")[1:]
            for segment in segments:
                node = node.child(segment)
            names = tuple(segment.strip("{*}") for segment in segments if segment.startswith("{"))
            node.leaves[route.method] = _Leaf(route, names)

    def find(self, method: str, path: str) -> RouteMatch[Route]:
        """The route of a request.

        Raises:
            NoRoute
        """
        methods: set[str] = set()
        segments = path.split("/")
        found = _search(self._root, segments, 1, (), "GET" if method == "HEAD" else method, methods)
        if found is None:
            raise NoRoute(
                sorted(methods | ({"HEAD"} if "GET" in methods else set()) | ({"OPTIONS"} if methods else set()))
            )
        return found


def _search(  # noqa: PLR0913, PLR0917  # where the search is, and what it has met
    node: _Node[Route], segments: list[str], index: int, values: tuple[str, ...], method: str, methods: set[str]
) -> RouteMatch[Route] | None:
    """The first route that fits from this segment on; the methods of paths that fit are noted."""
    if index == len(segments):
        return _at(node, values, method, methods)
    segment, found = segments[index], None
    if (named := node.named.get(segment)) is not None:
        found = _search(named, segments, index + 1, values, method, methods)
    if found is None and segment and node.any is not None:
        found = _search(node.any, segments, index + 1, (*values, segment), method, methods)
    if found is None and node.rest is not None and (rest := "/".join(segments[index:])):
        found = _at(node.rest, (*values, rest), method, methods)
    return found


def _at(node: _Node[Route], values: tuple[str, ...], method: str, methods: set[str]) -> RouteMatch[Route] | None:
    leaf = node.leaves.get(method)
    if leaf is None:
        methods.update(node.leaves)
        return None
    return RouteMatch(leaf.route, dict(zip(leaf.names, values, strict=True)))
