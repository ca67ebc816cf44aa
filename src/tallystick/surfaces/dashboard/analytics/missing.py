"""Why a list is empty or old: what the settings of its sites leave out (``/sites/{site}/collection``)."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from tallystick.model.site import Collect, Site
from tallystick.surfaces.dashboard.analytics.lists import Listing
from tallystick.surfaces.dashboard.support.language import N_

_SESSION = Collect.SESSION | Collect.HITS
"""Sessions are of single hits."""

_STORED_WITH: Mapping[str, Collect] = MappingProxyType(
    {
        **dict.fromkeys(("source", "channel", "referrer", "campaign"), Collect.REFERRER),
        **dict.fromkeys(("utm source", "utm medium", "utm content", "utm term"), Collect.REFERRER),
        **dict.fromkeys(("device", "browser", "browser version", "system", "system version"), Collect.USER_AGENT),
        "size": Collect.SCREEN_SIZE,
        "country": Collect.LOCATION,
        "region": Collect.REGION,
        "language": Collect.LANGUAGE,
        **dict.fromkeys(("entry page", "exit page", "previous page", "next page"), _SESSION),
    }
)
"""By dimension the bits that all have to be set, as ``services/ingest/steps.py`` reads them."""

_MISSING: Mapping[Collect, str] = MappingProxyType(
    {
        Collect.REFERRER: N_("This site does not store where visitors come from."),
        Collect.USER_AGENT: N_("This site does not store browsers and systems."),
        Collect.SCREEN_SIZE: N_("This site does not store widths of screens."),
        Collect.LOCATION: N_("This site does not store countries."),
        Collect.REGION: N_("This site does not store regions."),
        Collect.LANGUAGE: N_("This site does not store languages."),
        _SESSION: N_("This site does not store which hits are of one visit, so each hit stands alone here."),
    }
)


def missing_by_settings(listing: Listing, sites: Iterable[Site]) -> str:
    """Why no later hits come to a list, in English; empty where they do at one of the sites."""
    needed = _STORED_WITH.get(listing.by)
    if needed is None or any(needed in Collect(site.settings.collect) for site in sites):
        return ""
    return _MISSING[needed]
