"""The map of visitors by country."""

from collections.abc import Callable, Mapping

from tallystick.surfaces.dashboard.map.world_map import WorldMap, world_map
from tallystick.surfaces.dashboard.support.language import Language

COUNTRIES_OF_PANEL = 40
"""On the page of everything, where the map may take 5 KB; the list's own page shows all."""
ALL_COUNTRIES = 300


def map_of_visitors(language: Language, visitors: Mapping[str, int], address: Callable[[str], str]) -> WorldMap | None:
    """The map; None where there is nothing to see on it.

    Args:
        visitors: by ISO 3166-1 alpha-2 code.
        address: where a click on a country leads, given its code.
    """

    def title(code: str, number: int) -> str:
        said = language.ngettext("%(num)s visitor", "%(num)s visitors", number) % {"num": language.number(number)}
        return f"{language.country_name(code)}: {said}"

    drawn = world_map(visitors, title, address)
    return drawn if drawn.shapes else None
