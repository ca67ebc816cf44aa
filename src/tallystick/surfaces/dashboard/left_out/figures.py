"""Figures of what was left out of a page's period. Each part is asked for alone, so that one fails alone."""

import asyncio
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import InputRefused
from tallystick.ledger import Ledger
from tallystick.model.dimension_names import GOAL, SEGMENT, filtered_by
from tallystick.model.dimensions import BOT, BROWSER, COUNTRY, HOST, PAGE, SYSTEM, Dimension
from tallystick.model.filter_lists import InvalidFilter, filter_of
from tallystick.model.metrics import Metric
from tallystick.model.question import MOST_ROWS, AllOf, Question, TimeUnit
from tallystick.services.analytics.display_names import country_by_name
from tallystick.services.analytics.left_out import HitsBy, bot_hits_by, bot_hits_in_all
from tallystick.services.analytics.questions import Questions, labels
from tallystick.services.ingest.arrival import DropReason
from tallystick.services.ingest.dropped_hits import dropped_over_time
from tallystick.surfaces.dashboard.analytics.asking import Page, in_time
from tallystick.surfaces.dashboard.analytics.hidden import shown_dimensions
from tallystick.surfaces.dashboard.analytics.view import View
from tallystick.surfaces.dashboard.analytics.viewer import Viewer
from tallystick.surfaces.dashboard.support.language import N_


class BotList(Struct, frozen=True):
    """A list of bots' hits.

    Attributes:
        name: in data.
        by: the name of its filter.
        title: to be translated.
        column: the heading of its values, to be translated.
    """

    name: str
    by: str
    dimension: Dimension
    title: str
    column: str


BOT_LISTS = (
    BotList("reasons", "bot", BOT, N_("Bots by reason"), N_("Reason")),
    BotList("pages", "page", PAGE, N_("Bots by page"), N_("Page")),
    BotList("browsers", "browser", BROWSER, N_("Bots by browser"), N_("Browser")),
    BotList("systems", "system", SYSTEM, N_("Bots by system"), N_("System")),
    BotList("countries", "country", COUNTRY, N_("Bots by country"), N_("Country")),
    BotList("hosts", "host", HOST, N_("Bots by host"), N_("Host")),
)


def lists_of(viewer: Viewer) -> tuple[BotList, ...]:
    """The lists that a viewer may see: with a link that shows a part, by what it shows."""
    if not viewer.sees_a_part:
        return BOT_LISTS
    shown = shown_dimensions(viewer)
    return tuple(each for each in BOT_LISTS if filtered_by(each.by) in shown)


class LeftOutRow(Struct, frozen=True):
    """What was left out in one unit of time.

    Attributes:
        label: as answers to questions have it.
        dropped: by reason.
    """

    label: str
    bots: int
    dropped: Mapping[DropReason, int]

    @property
    def dropped_in_all(self) -> int:
        """Of all reasons."""
        return sum(self.dropped.values())

    @property
    def total(self) -> int:
        """Hits of bots and dropped ones."""
        return self.bots + self.dropped_in_all


class OverTime(Struct, frozen=True):
    """What was left out over time.

    Attributes:
        rows: every unit of the period.
    """

    unit: TimeUnit
    rows: tuple[LeftOutRow, ...]

    @property
    def bots(self) -> int:
        """Hits of bots of the whole period."""
        return sum(row.bots for row in self.rows)

    @property
    def dropped(self) -> dict[DropReason, int]:
        """Dropped hits of the whole period by reason, most first."""
        found = {reason: sum(row.dropped.get(reason, 0) for row in self.rows) for reason in DropReason}
        return {reason: hits for reason, hits in sorted(found.items(), key=lambda each: -each[1]) if hits}

    @property
    def dropped_in_all(self) -> int:
        """Dropped hits of the whole period."""
        return sum(self.dropped.values())


class LeftOutFigures(Struct, frozen=True):
    """Answers for one page.

    Attributes:
        condition: None where a filter does not tell hits of bots apart.
    """

    questions: Questions
    ledger: Ledger
    page: Page
    condition: AllOf | None

    @property
    def _sites(self) -> list[int]:
        return [site.id for site in self.page.viewer.sites]

    @property
    def of_bots(self) -> AllOf:
        """The filters of hits of bots.

        Raises:
            InputRefused: one of them does not tell hits of bots apart.
        """
        if self.condition is None:
            msg = "hits of bots cannot be filtered by goals and segments; remove that filter to see them"
            raise InputRefused(msg)
        return self.condition

    async def bots(self) -> int:
        """The number of bots' hits.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable
        """
        return await in_time(bot_hits_in_all(self.questions, self._sites, self.page.range.period, self.of_bots))

    async def bots_by(self, listing: BotList, limit: int, offset: int = 0) -> HitsBy:
        """Rows of a list, those with the most hits first.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable
        """
        period, by = self.page.range.period, listing.dimension
        asked = bot_hits_by(self.questions, self._sites, period, by, limit, offset=offset, condition=self.of_bots)
        return await in_time(asked)

    async def over_time(self) -> OverTime:
        """Bots' hits that pass the filters, and dropped hits, which filters do not concern.

        There are no hits of bots where a filter does not tell them apart. One who sees only a part
        of the hits sees no numbers of dropped ones.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable
        """
        period = self.page.range.period
        # Dropped hits are counted by the hour.
        unit = TimeUnit.HOUR if self.page.unit in {TimeUnit.MINUTE, TimeUnit.QUARTER_HOUR} else self.page.drawn_by
        bots: dict[str, int] = {}
        if self.condition is not None:
            asked = bot_hits_by(self.questions, self._sites, period, unit, MOST_ROWS, condition=self.condition)
            bots = dict((await in_time(asked)).rows)
        dropped: Mapping[str, Mapping[DropReason, int]] = {}
        if not self.page.viewer.locked:
            dropped = await self.ledger.read(dropped_over_time, self._sites, period, unit)
        question = Question(sites=tuple(self._sites), period=period, metrics=(Metric.EVENTS,), dimensions=(unit,))
        units = await asyncio.to_thread(labels, question, self.page.now // 1000)
        known = dict.fromkeys([*units, *bots, *dropped])
        rows = [LeftOutRow(label, bots.get(label, 0), dropped.get(label, {})) for label in sorted(known)]
        return OverTime(unit, tuple(rows))


async def condition_of(page: Page) -> AllOf | None:
    """The filters of a page with those that its text means, as questions about bots have them.

    Returns:
        None where one does not tell hits of bots apart: they have no goals and segments.
    """
    country_name = await asyncio.to_thread(country_by_name)
    try:
        return AllOf(tuple(filter_of(each, country_name) for each in page.filters))
    except InvalidFilter:
        return None


async def view_of_bots(page: Page) -> View | None:
    """What a page shows without the filters that do not tell hits of bots apart; None if the viewer cannot choose."""
    others = page.view.changed(chips=tuple(chip for chip in page.view.chips if chip.name not in {GOAL, SEGMENT}))
    for view in (others, others.changed(expression="")):
        if await condition_of(replace(page, view=view)) is not None:
            return view
    return None
