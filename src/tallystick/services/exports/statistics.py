"""The statistics of a JSON export: the file of each, and its lines, which refer to names by number."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from tallystick.services.analytics.display_names import country_name, language_name
from tallystick.warehouse.types import StatisticRow, VisitStatistic

MOMENTS_KEPT = 1_000

Line = dict[str, Any]


class Numbers:
    """Numbers names from 1, in the order in which they occur."""

    def __init__(self, *first: tuple[str, ...]) -> None:
        self._numbers: dict[tuple[str, ...], int] = {name: number for number, name in enumerate(first, 1)}

    def of(self, *name: str) -> int:
        """A name's number."""
        return self._numbers.setdefault(name, len(self._numbers) + 1)

    def items(self) -> list[tuple[tuple[str, ...], int]]:
        """All names with their numbers."""
        return list(self._numbers.items())


class Named:
    """The names that the lines of an export refer to.

    Attributes:
        paths: ids in the ledger.
        refs: text and scheme; number 1 is the empty one.
        browsers, systems: name and version.
        locations: country and region.
    """

    def __init__(self) -> None:
        self.paths: set[int] = set()
        self.refs = Numbers(("", "o"))
        self.browsers, self.systems = Numbers(), Numbers()
        self.locations, self.languages = Numbers(), Numbers()

    def lists(self) -> dict[str, list[Line]]:
        """The files of names, without the paths."""
        return {
            "refs": [{"id": n, "ref": ref, "ref_scheme": scheme} for (ref, scheme), n in self.refs.items()],
            "browsers": [{"id": n, "name": name, "version": v} for (name, v), n in self.browsers.items()],
            "systems": [{"id": n, "name": name, "version": v} for (name, v), n in self.systems.items()],
            "locations": [_location(country, region) for (country, region), _ in self.locations.items()],
            "languages": [{"iso_639_3": code, "name": language_name(code)} for (code,), _ in self.languages.items()],
        }


class Statistic(NamedTuple):
    """One file of counts.

    Attributes:
        name: of the file, and of the values by which its visits are counted.
        line: encodes a row, which begins with a Unix second and a path.
    """

    name: VisitStatistic
    line: Callable[[Named, StatisticRow], Line]


@lru_cache(MOMENTS_KEPT)
def _hour(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(MOMENTS_KEPT)
def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _hit(named: Named, row: StatisticRow) -> Line:
    hour, path, ref, scheme, count = row
    return {"hour": _hour(hour), "path_id": path, "ref_id": named.refs.of(ref, scheme), "count": count}


def _browser(named: Named, row: StatisticRow) -> Line:
    return _daily(row, "browser_id", named.browsers.of(row[2], row[3]))


def _system(named: Named, row: StatisticRow) -> Line:
    return _daily(row, "system_id", named.systems.of(row[2], row[3]))


def _at(named: Named, row: StatisticRow) -> Line:
    country, region = row[2:4]
    named.locations.of(country, region)
    return _daily(row, "location", joined(country, region))


def _size(_: Named, row: StatisticRow) -> Line:
    return _daily(row, "width", row[2])


def _language(named: Named, row: StatisticRow) -> Line:
    named.languages.of(row[2])
    return _daily(row, "language", row[2])


STATISTICS = (
    Statistic("hit_stats", _hit),
    Statistic("browser_stats", _browser),
    Statistic("system_stats", _system),
    Statistic("location_stats", _at),
    Statistic("size_stats", _size),
    Statistic("language_stats", _language),
)


def _daily(row: StatisticRow, name: str, value: object) -> Line:
    return {"day": _day(row[0]), "path_id": row[1], name: value, "count": row[-1]}


def joined(country: str, region: str) -> str:
    """ISO 3166-2 where there is a region, else ISO 3166-1."""
    return f"{country}-{region}" if region else country


def _location(country: str, region: str) -> Line:
    return {"country": country, "region": region, "country_name": country_name(country), "region_name": ""}
