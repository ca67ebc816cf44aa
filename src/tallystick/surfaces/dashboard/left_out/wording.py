"""Words for reasons and rules. Texts are English, and translated where they are shown."""

from collections.abc import Mapping
from types import MappingProxyType

from tallystick.model.hit import Bot
from tallystick.model.leaving_out import RuleKind
from tallystick.services.analytics.bot_hits import reason
from tallystick.services.ingest.arrival import DropReason
from tallystick.surfaces.dashboard.support.language import N_

DROPPED: Mapping[DropReason, str] = MappingProxyType(
    {
        DropReason.PREFETCH: N_("Fetched ahead of time, perhaps never seen"),
        DropReason.OPTED_OUT: N_("The browser asks not to be tracked"),
        DropReason.IGNORED_ADDRESS: N_("From a network that you leave out"),
        DropReason.IGNORED_PATH: N_("Icons and other paths that are no pages"),
        DropReason.SPAM_REFERRER: N_("The referrer is known for spam"),
        DropReason.IGNORED_COUNTRY: N_("From a country that you leave out"),
        DropReason.IGNORED_PAGE: N_("Of a path that you leave out"),
        DropReason.IGNORED_HOST: N_("Of a host that you leave out"),
        DropReason.IGNORED_CAMPAIGN: N_("Of a campaign that you leave out"),
    }
)

_DATA_CENTER = N_("From a data centre")

BOTS: Mapping[str, str] = MappingProxyType(
    {
        reason(bot): text
        for bot, text in {
            Bot.PREFETCH: N_("Fetched ahead of time"),
            Bot.LINK: N_("The browser's name has a link in it"),
            Bot.CLIENT_LIBRARY: N_("A programming library"),
            Bot.KNOWN: N_("A known bot"),
            Bot.BOTY_WORD: N_("Calls itself bot, crawler or the like"),
            Bot.SHORT: N_("The browser's name is missing or too short"),
            Bot.AWS: _DATA_CENTER,
            Bot.DIGITAL_OCEAN: _DATA_CENTER,
            Bot.SERVERS_COM: _DATA_CENTER,
            Bot.GOOGLE_CLOUD: _DATA_CENTER,
            Bot.HETZNER: _DATA_CENTER,
            Bot.AZURE: _DATA_CENTER,
            Bot.ALIBABA: _DATA_CENTER,
            Bot.LINODE: _DATA_CENTER,
            Bot.ORACLE: _DATA_CENTER,
            Bot.OVH: _DATA_CENTER,
            Bot.PHANTOM: N_("A browser that a program drives (PhantomJS)"),
            Bot.NIGHTMARE: N_("A browser that a program drives (Nightmare)"),
            Bot.SELENIUM: N_("A browser that a program drives (Selenium)"),
            Bot.WEBDRIVER: N_("A browser that a program drives (WebDriver)"),
        }.items()
    }
)
"""By the name of the reason."""
CODES: Mapping[str, Bot] = MappingProxyType({reason(bot): bot for bot in Bot if reason(bot) in BOTS})
"""By the name of the reason."""

KINDS: Mapping[RuleKind, str] = MappingProxyType(
    {
        RuleKind.PATH: N_("Path"),
        RuleKind.HOST: N_("Host"),
        RuleKind.CAMPAIGN: N_("Campaign"),
        RuleKind.COUNTRY: N_("Country"),
        RuleKind.NETWORK: N_("Network"),
    }
)
"""In the order in which they are shown."""

NAMES: Mapping[str, RuleKind] = MappingProxyType({kind.name.lower(): kind for kind in KINDS})
"""Names of kinds in addresses and forms."""
