"""Fields of forms that have one of several values, some of them under headings."""

from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct

from tallystick.services.zones import zones_of_countries
from tallystick.surfaces.dashboard.support.language import N_, Language

NOT_OFFERED = N_("is not one of the choices")

Option = tuple[str, str]
"""The value of a field, and its text."""
Groups = Sequence[tuple[str, Sequence[Option]]]
"""Options under a heading, which is empty for those without one."""


class Choice(Struct, frozen=True):
    """A field with everything that it can be; see the macro ``choose`` of ``support/fields.html``."""

    name: str
    current: str
    groups: Groups

    @property
    def values(self) -> Sequence[str]:
        """What can be chosen."""
        return [value for _, options in self.groups for value, _ in options]


def choice(name: str, current: str, groups: Groups) -> Choice:
    """A field that offers what it is now, too: another program may have set it to something else."""
    if any(value == current for _, options in groups for value, _ in options):
        return Choice(name, current, groups)
    return Choice(name, current, [*groups, ("", [(current, current)])])


def zone_groups(language: Language, first: Sequence[Option]) -> Groups:
    """Time zones by continent. Reads a file at first.

    Args:
        first: what stands above them.
    """
    regions = groupby(zones_of_countries(), key=lambda pair: pair[1].partition("/")[0])
    return [("", first), *((region, [_zone(language, *pair) for pair in pairs]) for region, pairs in regions)]


def _zone(language: Language, country: str, zone: str) -> Option:
    place = zone.partition("/")[2].replace("_", " ")
    return f"{country}.{zone}", f"{place} ({language.country_name(country)})"
