"""Values of dimensions as people read them."""

from collections.abc import Mapping
from types import MappingProxyType

from tallystick.model import shown_values
from tallystick.services.analytics.display_names import countries
from tallystick.surfaces.dashboard.names.regions import region_name
from tallystick.surfaces.dashboard.support.language import N_, Language

NONE, NOT_KNOWN = N_("(none)"), N_("(not known)")
_DIRECT = N_("Direct, or not known")
_EMPTY = frozenset({"", shown_values.NOT_SET, shown_values.NONE})
"""What answers have in place of a value."""

_NEIGHBOURS: Mapping[str, str] = MappingProxyType(
    {"previous page": N_("(entered here)"), "next page": N_("(left here)")}
)
"""What the lack of a page means."""

_EVERY_VISIT_HAS = frozenset(
    {
        *("country", "region", "language", "host"),
        *("device", "size", "browser", "browser version", "system", "system version"),
    }
)
"""Dimensions of which every visit has a value, known or not."""

_NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "device": {"Mobile": N_("Mobile phone"), "Tablet": N_("Tablet"), "Desktop": N_("Computer")},
        "size": {
            "phone": N_("Phones, up to 600 pixels wide"),
            "tablet": N_("Tablets, up to 1,000 pixels"),
            "desktop": N_("Computers, up to 1,920 pixels"),
            "desktophd": N_("Larger screens"),
            "unknown": NOT_KNOWN,
        },
        "event": {"pageview": N_("Pageview")},
        "source": {shown_values.DIRECT: _DIRECT},
        "referrer": {shown_values.DIRECT: _DIRECT},
        "channel": {
            "Cross-network": N_("Cross-network"),
            "Paid Shopping": N_("Paid shopping"),
            "Paid Search": N_("Paid search"),
            "Paid Social": N_("Paid social media"),
            "Paid Video": N_("Paid video"),
            "Display": N_("Display advertising"),
            "Paid Other": N_("Other paid"),
            "AI Assistants": N_("AI assistants"),
            "Organic Shopping": N_("Shopping"),
            "Organic Social": N_("Social media"),
            "Organic Video": N_("Video"),
            "Email": N_("Email"),
            "Affiliates": N_("Affiliates"),
            "Audio": N_("Audio"),
            "SMS": N_("SMS"),
            "Mobile Push Notifications": N_("Push notifications"),
            "Organic Search": N_("Search"),
            "Referral": N_("Other websites"),
            "Direct": N_("Direct"),
        },
    }
)


def shown_value(language: Language, by: str, value: str) -> str:
    """A value of a dimension in the language of the page.

    Args:
        by: the dimension as people write it.
    """
    if by in _NEIGHBOURS:
        return value or language.gettext(_NEIGHBOURS[by])
    if value in _EMPTY:
        return language.gettext(NOT_KNOWN if by in _EVERY_VISIT_HAS else NONE)
    match by:
        case "country":
            return language.country_name(value)
        case "language":
            return language.language_name(value)
        case "region":
            name, country = region_name(language.code, value), value.partition("-")[0]
            return f"{name}, {language.country_name(country)}" if name != value else value
    return language.gettext(_NAMES[by][value]) if value in _NAMES.get(by, {}) else value


def countries_with(language: Language, text: str) -> tuple[str, ...]:
    """The codes of countries whose names contain a text."""
    wanted = text.casefold()
    return tuple(sorted(code for code in countries() if wanted in language.country_name(code).casefold()))


def country_code(language: Language, text: str) -> str:
    """The code of the country of this name, in English or in the language of the page; other texts are unchanged."""
    wanted = text.strip().casefold()
    for code, name in countries().items():
        if wanted in {code.casefold(), name.casefold(), language.country_name(code).casefold()}:
            return code
    return text
