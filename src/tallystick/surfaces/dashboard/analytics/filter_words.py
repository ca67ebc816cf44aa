"""Names of filters and of their values, as people read them."""

from collections.abc import Mapping
from types import MappingProxyType

from tallystick.model.dimension_names import PROPERTY, SEGMENT
from tallystick.surfaces.dashboard.analytics.asking import Page
from tallystick.surfaces.dashboard.analytics.view import Chip, chip_of
from tallystick.surfaces.dashboard.names.values import countries_with, shown_value
from tallystick.surfaces.dashboard.support.language import N_, Language

GROUPS: tuple[tuple[str, Mapping[str, str]], ...] = (
    (
        N_("Pages and events"),
        MappingProxyType(
            {
                "page": N_("Page"),
                "entry page": N_("Entry page"),
                "exit page": N_("Exit page"),
                "next page": N_("Next page"),
                "previous page": N_("Page before"),
                "event": N_("Event"),
                PROPERTY: N_("Property of events"),
                "goal": N_("Goal"),
                "host": N_("Host"),
                "entry host": N_("Entry host"),
                "exit host": N_("Exit host"),
            }
        ),
    ),
    (
        N_("Sources"),
        MappingProxyType(
            {
                "source": N_("Source"),
                "channel": N_("Channel"),
                "referrer": N_("Referrer"),
                "campaign": N_("Campaign"),
                "utm source": N_("UTM source"),
                "utm medium": N_("UTM medium"),
                "utm content": N_("UTM content"),
                "utm term": N_("UTM term"),
            }
        ),
    ),
    (
        N_("Places"),
        MappingProxyType(
            {
                "country": N_("Country"),
                "country name": N_("Country by its English name"),
                "region": N_("Region"),
                "language": N_("Language"),
            }
        ),
    ),
    (
        N_("Devices"),
        MappingProxyType(
            {
                "device": N_("Device"),
                "size": N_("Screen size"),
                "browser": N_("Browser"),
                "browser version": N_("Browser version"),
                "system": N_("System"),
                "system version": N_("System version"),
                "bot": N_("Bot"),
            }
        ),
    ),
    (N_("Segments"), MappingProxyType({SEGMENT: N_("Segment")})),
)
"""Every dimension that filters have, in groups of the list to choose from."""

_TITLES: Mapping[str, str] = MappingProxyType({name: title for _, group in GROUPS for name, title in group.items()})


def filter_name(language: Language, name: str) -> str:
    """The name of a filter's dimension."""
    if name.startswith(PROPERTY) and name != PROPERTY:
        return language.gettext(N_("Property %(name)s")) % {"name": name.removeprefix(PROPERTY)}
    return language.gettext(_TITLES.get(name, name))


def chip_to_find(language: Language, name: str, text: str) -> Chip:
    """The filter on the rows of a list that contain a text. Countries are found by their names."""
    codes = countries_with(language, text) if name == "country" else ()
    return chip_of(name, "is", codes) if codes else chip_of(name, "contains", [text])


def plain_filter_name(name: str) -> str:
    """The name of a filter's dimension in English, for messages that are translated where they are shown."""
    return f"Property {name.removeprefix(PROPERTY)}" if name.startswith(PROPERTY) else _TITLES.get(name, name)


def filter_values(language: Language, page: Page, chip: Chip) -> list[str]:
    """The values of a filter: countries, segments and others by their names."""
    if chip.name == SEGMENT:
        names = {str(segment.id): segment.name for segment in page.known.segments}
        return [names.get(value, value) for value in chip.values]
    if chip.operator.startswith(("contains", "matches")):
        return list(chip.values)
    return [shown_value(language, chip.name, value) for value in chip.values]
