"""What each flag of ``collect`` keeps and what is missing without it, in words. Texts are translated where shown."""

from msgspec import Struct

from tallystick.model.site import Collect
from tallystick.surfaces.dashboard.support.language import N_


class Collected(Struct, frozen=True, kw_only=True):
    """A part of a hit that a site may store.

    Attributes:
        kept: what is stored with it.
        without: what statistics lack without it.
        never: what is not stored either way; empty where there is nothing to say.
    """

    label: str
    kept: str
    without: str
    never: str = ""


class CollectedBit(Collected, frozen=True, kw_only=True):
    """One of the bits."""

    bit: Collect


COLLECTED = (
    CollectedBit(
        bit=Collect.REFERRER,
        label=N_("Referrer and campaign"),
        kept=N_("the page that led here, the name and kind of the source, the campaign and the utm parameters"),
        without=N_("sources, channels, referrers and campaigns stay empty"),
        never=N_("what stands behind the question mark of the referrer, and click ids of advertisements"),
    ),
    CollectedBit(
        bit=Collect.USER_AGENT,
        label=N_("Browser and system"),
        kept=N_("names and versions of browser and system, from a closed list, and the kind of device"),
        without=N_("devices, browsers and systems stay empty"),
        never=N_("the User-Agent itself"),
    ),
    CollectedBit(
        bit=Collect.SCREEN_SIZE,
        label=N_("Width of the screen"),
        kept=N_("the width in pixels"),
        without=N_("screen sizes stay empty"),
    ),
    CollectedBit(
        bit=Collect.LOCATION,
        label=N_("Country"),
        kept=N_("the country of the address"),
        without=N_("countries and the map stay empty"),
        never=N_("the address, or a part of it"),
    ),
    CollectedBit(
        bit=Collect.REGION,
        label=N_("Region"),
        kept=N_("the region, of visitors from the countries listed below; and the country of all"),
        without=N_("regions stay empty"),
        never=N_("the city"),
    ),
    CollectedBit(
        bit=Collect.LANGUAGE,
        label=N_("Language"),
        kept=N_("the language that the browser prefers"),
        without=N_("languages stay empty"),
    ),
    CollectedBit(
        bit=Collect.SESSION,
        label=N_("Sessions, which tell visits from pageviews"),
        kept=N_("a number that tells which hits are of one visit; eight hours after the last hit a new visit begins"),
        without=N_(
            "each first hit on a page counts as a visitor, and bounce rate, duration, entry and exit pages and funnels"
            " are missing"
        ),
        never=N_("who visits, or whether somebody has been here before"),
    ),
    CollectedBit(
        bit=Collect.HITS,
        label=N_("Single hits to the second, needed for exports"),
        kept=N_("the second of each hit"),
        without=N_("only the hour is stored, and no session; nobody is shown as being there now"),
    ),
)
"""In the order of the form."""

PROPERTIES = Collected(
    label=N_("Properties of events and pageviews"),
    kept=N_("names and values that your pages send; they hold personal data if your pages send any"),
    without=N_("later hits have no properties to filter by"),
)
