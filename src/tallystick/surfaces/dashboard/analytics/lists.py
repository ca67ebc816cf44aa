"""The lists of a page of statistics, and the panels that show them.

A list has a name, which is its address: ``/sites/example.com/entry-pages``.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from tallystick.model.dimension_names import grouped_by
from tallystick.model.metrics import BY_VISIT
from tallystick.surfaces.dashboard.support.language import N_

LEFT_OUT = "left-out"
"""What was left out: no list, but named like one in addresses and among what a viewer may see."""


class Listing(Struct, frozen=True, kw_only=True):
    """Rows of one dimension.

    Attributes:
        name: in addresses.
        title: to be translated.
        by: the dimension as people write it, and the name of its filter.
        column: the heading of its values, to be translated.
        metrics: of the panel. The first one sorts.
        more: further metrics of the list on a page of its own.
        of_goals: whether rates of conversion can be told.
        within: a dimension that rows are of, too: a version is one of a browser. Such a list is not offered by itself.
        finer: the list that divides a row; the panel shows it when the row is chosen.
    """

    name: str
    title: str
    by: str
    column: str
    metrics: tuple[str, ...] = ("visitors", "percentage")
    more: tuple[str, ...] = ("pageviews", "bounce_rate", "visit_duration")
    of_goals: bool = False
    within: str = ""
    finer: str = ""

    @property
    def dimensions(self) -> list[str]:
        """The dimensions on the wire, that of its values last."""
        return [grouped_by(name) for name in (self.within, self.by) if name]

    def all_metrics(self, sites: int) -> tuple[str, ...]:
        """The metrics of the list on a page of its own.

        Args:
            sites: how many the page is of. What is kept by ids has no rates and averages of several sites.
        """
        metrics = (*self.metrics, *self.more)
        if sites == 1 or self.by not in _OF_IDS:
            return metrics
        return tuple(each for each in metrics if each not in _BY_VISIT)


class Panel(Struct, frozen=True):
    """A panel: lists of which one is shown.

    Attributes:
        name: unique; in the page's anchors.
        title: to be translated.
    """

    name: str
    title: str
    lists: tuple[Listing, ...]


_BY_VISIT = frozenset(each.value for each in BY_VISIT)
_OF_IDS = frozenset({"page", "entry page", "exit page", "event", "campaign"})
"""Dimensions whose names stand apart from hits, by ids that are of one site."""

_VISITS = ("bounce_rate", "visit_duration")

PANELS: tuple[Panel, ...] = (
    Panel(
        "pages",
        N_("Pages"),
        (
            Listing(name="pages", title=N_("Pages"), by="page", column=N_("Page")),
            Listing(name="entry-pages", title=N_("Entry pages"), by="entry page", column=N_("Page"), more=_VISITS),
            Listing(name="exit-pages", title=N_("Exit pages"), by="exit page", column=N_("Page"), more=_VISITS),
            Listing(name="hosts", title=N_("Hosts"), by="host", column=N_("Host"), more=("pageviews",)),
        ),
    ),
    Panel(
        "sources",
        N_("Sources"),
        (
            Listing(name="sources", title=N_("Sources"), by="source", column=N_("Source")),
            Listing(name="channels", title=N_("Channels"), by="channel", column=N_("Channel")),
            Listing(name="referrers", title=N_("Referrers"), by="referrer", column=N_("Referrer")),
            Listing(name="campaigns", title=N_("Campaigns"), by="campaign", column=N_("Campaign")),
            Listing(name="utm-sources", title=N_("UTM sources"), by="utm source", column=N_("UTM source")),
            Listing(name="utm-media", title=N_("UTM media"), by="utm medium", column=N_("UTM medium")),
            Listing(name="utm-contents", title=N_("UTM contents"), by="utm content", column=N_("UTM content")),
            Listing(name="utm-terms", title=N_("UTM terms"), by="utm term", column=N_("UTM term")),
        ),
    ),
    Panel(
        "places",
        N_("Places"),
        (
            Listing(name="countries", title=N_("Countries"), by="country", column=N_("Country"), finer="regions"),
            Listing(name="regions", title=N_("Regions"), by="region", column=N_("Region")),
            Listing(name="languages", title=N_("Languages"), by="language", column=N_("Language")),
        ),
    ),
    Panel(
        "devices",
        N_("Devices"),
        (
            Listing(name="devices", title=N_("Devices"), by="device", column=N_("Device")),
            Listing(
                name="browsers", title=N_("Browsers"), by="browser", column=N_("Browser"), finer="browser-versions"
            ),
            Listing(
                name="browser-versions",
                title=N_("Browser versions"),
                by="browser version",
                column=N_("Browser"),
                within="browser",
            ),
            Listing(name="systems", title=N_("Systems"), by="system", column=N_("System"), finer="system-versions"),
            Listing(
                name="system-versions",
                title=N_("System versions"),
                by="system version",
                column=N_("System"),
                within="system",
            ),
            Listing(name="sizes", title=N_("Screen sizes"), by="size", column=N_("Screen size")),
        ),
    ),
    Panel(
        "goals",
        N_("Goals"),
        (
            Listing(
                name="goals",
                title=N_("Goals"),
                by="goal",
                column=N_("Goal"),
                metrics=("visitors", "conversion_rate"),
                more=("events",),
                of_goals=True,
            ),
            Listing(name="events", title=N_("Events"), by="event", column=N_("Event"), more=("events",)),
        ),
    ),
)

LISTS: Mapping[str, Listing] = MappingProxyType({each.name: each for panel in PANELS for each in panel.lists})


def panel_of(listing: Listing) -> Panel:
    """The panel that shows a list."""
    return next(panel for panel in PANELS if listing in panel.lists)
