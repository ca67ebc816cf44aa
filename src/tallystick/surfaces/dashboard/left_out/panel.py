"""The panel of what was left out, on the page of all statistics."""

from msgspec import Struct

from tallystick.surfaces.dashboard.analytics.asking import Failure, Page, tried
from tallystick.surfaces.dashboard.analytics.view import View
from tallystick.surfaces.dashboard.left_out import wording
from tallystick.surfaces.dashboard.left_out.figures import (
    BOT_LISTS,
    LeftOutFigures,
    condition_of,
    view_of_bots,
)
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.services import PageServices

ROWS = 9


class PanelRows(Struct, frozen=True):
    """What the panel shows.

    Attributes:
        rows: words and hits, most first.
        tells_bots: whether the filters tell hits of bots apart.
        without: where they do not, what to show in its place; None if the viewer cannot choose.
    """

    rows: list[tuple[str, int]]
    tells_bots: bool = True
    without: View | None = None


class LeftOutPanel:
    """Renders the panel."""

    def __init__(self, services: PageServices) -> None:
        self._services = services

    async def html(self, request: PageRequest, page: Page) -> str:
        """What was left out in a few rows."""
        found = await tried(lambda: self._rows(page))
        values = {
            "view": page.view,
            "base": page.viewer.base,
            "answer": found,
            "takes_out": page.viewer.may_change and bool(page.filters),
            "failed": isinstance(found, Failure),
        }
        return await self._services.renderer.fragment(request, "left_out/panel.html", values)

    async def _rows(self, page: Page) -> PanelRows:
        condition = await condition_of(page)
        figures = LeftOutFigures(self._services.statistics.questions, self._services.ledger, page, condition)
        over_time = await figures.over_time()
        rows = [(wording.DROPPED[reason], hits) for reason, hits in over_time.dropped.items()]
        if condition is None:
            return PanelRows(rows[:ROWS], tells_bots=False, without=await view_of_bots(page))
        reasons = await figures.bots_by(BOT_LISTS[0], ROWS)
        rows += [(wording.BOTS.get(row.value, row.value), row.hits) for row in reasons.rows]
        return PanelRows(sorted(rows, key=lambda row: -row[1])[:ROWS])
