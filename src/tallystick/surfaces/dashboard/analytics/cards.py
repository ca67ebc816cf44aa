"""Cards of sites: a number, its change and a small line, each asked for alone."""

import asyncio
from typing import Any

from msgspec import Struct

from tallystick.errors import InputRefused, QuestionTooLong, StoreUnavailable
from tallystick.model.account import Account
from tallystick.model.site import Site
from tallystick.surfaces.dashboard.analytics.asking import Asking, page_of
from tallystick.surfaces.dashboard.analytics.view import View
from tallystick.surfaces.dashboard.analytics.viewer import Viewer, address_of, by_clocks_of
from tallystick.surfaces.dashboard.analytics.wording import number_words
from tallystick.surfaces.dashboard.charts.small import Sparkline, sparkline
from tallystick.surfaces.dashboard.charts.words import Delta
from tallystick.surfaces.dashboard.support.language import Language
from tallystick.surfaces.dashboard.support.services import Statistics

VISITORS = "visitors"


class SiteCard(Struct, frozen=True, kw_only=True):
    """A site at a glance.

    Attributes:
        address: of its page.
        counting: whether it has hits.
        visitors: of the period, in words; empty where they cannot be told now.
        count, count_before: the visitors of the period, and of the one it is compared with; None for no number.
        hint: the change as a sentence.
    """

    site: Site
    address: str
    counting: bool
    visitors: str = ""
    count: float | None = None
    count_before: float | None = None
    delta: Delta | None = None
    hint: str = ""
    spark: Sparkline | None = None


class SiteCards:
    """Makes cards."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics, self._asking = statistics, Asking(statistics)

    async def card(self, person: Account, site: Site, view: View, language: Language, now: int) -> SiteCard:
        """The card of a site. One that cannot be asked about now has no numbers.

        Args:
            view: its period, and what it is compared with.
            now: Unix milliseconds.
        """
        plain = SiteCard(site=site, address=view.at(f"/sites/{address_of(site)}"), counting=site.received_data)
        if not site.received_data:
            return plain
        viewer = Viewer(sites=(by_clocks_of(language, site),), base=f"/sites/{address_of(site)}", person=person)
        try:
            page = await page_of(self._statistics, viewer, view, now)
            (visitors,) = await self._asking.numbers(page, (VISITORS,))
            series = await self._asking.series(page)
        except (InputRefused, QuestionTooLong, StoreUnavailable):
            return plain
        words = await asyncio.to_thread(number_words, language, VISITORS)
        return SiteCard(
            site=site,
            address=plain.address,
            counting=True,
            visitors=words.phrase(visitors.now),
            count=visitors.now,
            count_before=visitors.before,
            delta=words.delta(visitors.now, visitors.before),
            hint=words.sentence(visitors.now, visitors.before),
            spark=sparkline(series.values, unfinished=series.partial is not None),
        )


def plain_card(card: SiteCard, base_path: str) -> dict[str, Any]:
    """A card as JSON has it. ``visitors`` is null where there is no number."""
    return {
        "id": card.site.id,
        "name": card.site.name,
        "domain": card.site.domain,
        "address": base_path + card.address,
        "counting": card.counting,
        "visitors": card.count,
        "visitors_before": card.count_before,
    }
