"""What has arrived at a site that counts nothing yet, and why it was not counted. All of it is stored anyway."""

from collections.abc import Mapping
from datetime import UTC
from types import MappingProxyType

from msgspec import Struct

from tallystick.ledger import Ledger
from tallystick.model.dimensions import PAGE, SOURCE
from tallystick.model.hit import HOUR_S, Bot
from tallystick.model.metrics import Metric
from tallystick.model.period import DAY_S, exact_period
from tallystick.model.question import Question
from tallystick.model.site import Site
from tallystick.services.accounts.site_hosts import UnknownHost, unknown_hosts
from tallystick.services.accounts.sites import Sites
from tallystick.services.analytics.questions import Questions
from tallystick.services.ingest.arrival import DropReason
from tallystick.services.ingest.dropped_hits import DroppedHits, dropped_hits
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.warehouse import Warehouse

LOOKED_BACK_S = DAY_S
HOSTS_SHOWN = 5
FRESH_MS = HOUR_S * 1000
"""How long the first visit is news."""

_PROGRAM = N_("A program drives the browser. Open the page in a browser of yours.")
_UNCLEAR = N_(
    "The browser names itself like a program: too short, with a link, or as a bot. Open the page in an ordinary"
    " browser."
)
BOTS: Mapping[int, str] = MappingProxyType(
    {
        Bot.PREFETCH: N_("The browser has fetched the page ahead of time. Open it."),
        Bot.CLIENT_LIBRARY: N_("A program has fetched the page. Open it in a browser."),
        Bot.PHANTOM: _PROGRAM,
        Bot.NIGHTMARE: _PROGRAM,
        Bot.SELENIUM: _PROGRAM,
        Bot.WEBDRIVER: _PROGRAM,
    }
)
"""What to do about hits with a bot code; ``_UNCLEAR`` for the others."""

DROPPED: Mapping[DropReason, str] = MappingProxyType(
    {
        DropReason.PREFETCH: N_("The browser has fetched the page ahead of time. Open it."),
        DropReason.OPTED_OUT: N_(
            "The browser asks not to be tracked, and this site respects that. Try another browser, or change it in the"
            " settings."
        ),
        DropReason.IGNORED_ADDRESS: N_("They came from an address that the settings leave out, perhaps your own."),
        DropReason.IGNORED_PATH: N_("They were of icons and other paths that are no pages."),
        DropReason.SPAM_REFERRER: N_(
            "They came from a link on a page of this machine (localhost), or of a website known for spam. Type the"
            " page's address instead."
        ),
        DropReason.IGNORED_COUNTRY: N_("They came from a country that the settings leave out."),
        DropReason.IGNORED_PAGE: N_("They were of a path that the settings leave out."),
        DropReason.IGNORED_HOST: N_("They were of a host that the settings leave out."),
        DropReason.IGNORED_CAMPAIGN: N_("They were of a campaign that the settings leave out."),
    }
)


class Sign(Struct, frozen=True):
    """Hits that were not counted, and what to do about it, to be translated."""

    hits: int
    say: str


class Signs(Struct, frozen=True):
    """Everything that has arrived in a day.

    Attributes:
        bots: hits that were taken for bots'.
        dropped: hits that were not stored.
        hosts: hosts that no site has, and that were asked to count; the latest first.
    """

    bots: tuple[Sign, ...] = ()
    dropped: tuple[Sign, ...] = ()
    hosts: tuple[UnknownHost, ...] = ()

    @property
    def seen(self) -> int:
        """How many hits there are; it grows with each."""
        signs = sum(each.hits for each in (*self.bots, *self.dropped))
        return signs + sum(each.requests for each in self.hosts)


class FirstVisit(Struct, frozen=True):
    """The first visit of a site.

    Attributes:
        source: empty for none.
        seconds: since then.
    """

    page: str
    source: str
    seconds: int


class SignReader:
    """Reads what has arrived."""

    def __init__(
        self, ledger: Ledger, warehouse: Warehouse, sites: Sites, questions: Questions, dropped: DroppedHits
    ) -> None:
        self._ledger, self._warehouse, self._sites = ledger, warehouse, sites
        self._questions, self._dropped = questions, dropped

    async def signs(self, site: Site, now: int, *, with_hosts: bool) -> Signs:
        """What has arrived within a day.

        Args:
            now: Unix milliseconds.
            with_hosts: whether hosts without a site are told: not to who may not create sites.

        Raises:
            StoreUnavailable
        """
        # The site's first hour may have begun before the site.
        since = max(now // 1000 - LOOKED_BACK_S, site.created // 1000 - HOUR_S)
        period = exact_period(since, now // 1000, UTC)
        await self._dropped.keep()
        dropped = await self._ledger.read(dropped_hits, [site.id], period)
        bots = await self._warehouse.read(lambda session: session.bots_by_code(site.id, period))
        return Signs(
            tuple(Sign(hits, BOTS.get(code, _UNCLEAR)) for code, hits in bots),
            tuple(Sign(hits, DROPPED[reason]) for reason, hits in dropped.items()),
            await self._hosts(since * 1000) if with_hosts else (),
        )

    async def first_visit(self, site: Site, now: int) -> FirstVisit | None:
        """The first visit, while it is news; None before and later.

        Args:
            now: Unix milliseconds.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable
        """
        if site.counting_since is None or now - site.counting_since > FRESH_MS:
            return None
        first = await self._warehouse.read(lambda session: session.first_counted(site.id))
        if first is None or now // 1000 - first > FRESH_MS // 1000:
            return None
        answer = await self._questions.answer(
            Question(
                sites=(site.id,),
                period=exact_period(first, first, UTC),
                metrics=(Metric.VISITORS,),
                dimensions=(PAGE, SOURCE),
                limit=1,
            )
        )
        if not answer.rows:
            return None
        page, source = map(str, answer.rows[0].values)
        return FirstVisit(page, source, max(0, now // 1000 - first))

    async def has_imports(self, site: Site) -> bool:
        """Whether a site has imported figures, which its statistics show without a hit.

        Raises:
            StoreUnavailable
        """
        return bool(await self._warehouse.read(lambda session: session.aggregate_imports(site.id)))

    async def _hosts(self, since: int) -> tuple[UnknownHost, ...]:
        await self._sites.keep_unknown()
        hosts: list[UnknownHost] = await self._ledger.read(unknown_hosts)
        return tuple(host for host in hosts if host.last >= since)[:HOSTS_SHOWN]
