"""Taking counted hits out, and giving hits of bots another reason: ``/sites/{site}/left-out/mark`` and ``/relabel``."""

from typing import Any

from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.services.analytics.bot_filters import Marking, mark_matching
from tallystick.services.analytics.left_out import LeftOutPreview, preview_of
from tallystick.surfaces.dashboard.analytics.asking import in_time, tried
from tallystick.surfaces.dashboard.left_out import wording
from tallystick.surfaces.dashboard.left_out.figures import BOT_LISTS, LeftOutFigures
from tallystick.surfaces.dashboard.left_out.pages import (
    ROWS_OF_DATA,
    ROWS_OF_PANEL,
    LeftOutPages,
    about,
    done,
    plain_rows,
)
from tallystick.surfaces.dashboard.support.data import as_json, wants_json
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of

USUAL_REASON = "known"
WHAT_REASON = {"reason": [N_("must be chosen")]}
NO_FILTER = N_("Add a filter first: it says which hits are taken out.")


class MarkingPages(LeftOutPages):
    """Takes people's hits out of the statistics, and gives hits of bots another reason: those of a page's filters."""

    async def mark_page(self, request: PageRequest) -> Response:
        """What would be taken out, and the form that does it; also as JSON."""
        viewer = await self._people.changer(request)
        return await self._shown_to(viewer, request, self._mark_shown, data=wants_json(request))

    async def mark(self, request: PageRequest) -> Response:
        """Take people's hits of the period that pass the filters in the address out of the statistics."""
        figures = await self._figures_to_change(request)
        if not figures.of_bots.parts:
            return await self._show_mark(request, figures, {"": [NO_FILTER]})
        reason = request.form.text("reason")
        if reason not in wording.CODES:
            return await self._show_mark(request, figures, WHAT_REASON)
        try:
            return await self._marked(request, figures, reason, bots=False)
        except InputRefused as error:
            return await self._show_mark(request, figures, problems_of(error))

    async def relabel_page(self, request: PageRequest) -> Response:
        """The hits of bots that would get another reason, and the form that gives it; also as JSON."""
        figures = await self._figures_to_change(request)
        if not wants_json(request):
            return await self._show_relabel(request, figures)
        reasons = await figures.bots_by(BOT_LISTS[0], ROWS_OF_DATA)
        facts = {"bots": await figures.bots(), "reasons": plain_rows(reasons), "choices": list(wording.CODES)}
        return as_json({**about(figures.page), **facts})

    async def relabel(self, request: PageRequest) -> Response:
        """Give hits of bots another reason: those of the period that pass the filters in the address."""
        figures = await self._figures_to_change(request)
        reason = request.form.text("reason")
        if reason not in wording.CODES:
            return await self._show_relabel(request, figures, WHAT_REASON)
        try:
            return await self._marked(request, figures, reason, bots=True)
        except InputRefused as error:
            return await self._show_relabel(request, figures, problems_of(error))

    async def _marked(self, request: PageRequest, figures: LeftOutFigures, reason: str, *, bots: bool) -> Response:
        marking = Marking(
            site=figures.page.viewer.site.id,
            period=figures.page.range.period,
            condition=figures.of_bots,
            bots=bots,
            into=int(wording.CODES[reason]),
        )
        marked = await mark_matching(
            self._ledger, self._warehouse, self._questions, marking, request.now, actor=request.account
        )
        return done(figures.page, "relabelled" if bots else "marked", marked.hits)

    async def _mark_shown(self, request: PageRequest, figures: LeftOutFigures) -> Response:
        if not wants_json(request):
            return await self._show_mark(request, figures)
        preview = _plain(await self._preview_of(figures)) if figures.of_bots.parts else None
        return as_json({**about(figures.page), "preview": preview, "choices": list(wording.CODES)})

    async def _show_mark(
        self, request: PageRequest, figures: LeftOutFigures, problems: Problems = NO_PROBLEMS
    ) -> Response:
        chosen = figures.condition is not None and figures.condition.parts
        values = {
            **self._shared(request, figures.page),
            "here_address": f"{figures.page.viewer.base}/left-out/mark",
            "left_out": f"{figures.page.viewer.base}/left-out",
            "told": figures.condition is not None,
            "preview": await tried(lambda: self._preview_of(figures)) if chosen else None,
            **_form(request, problems),
        }
        return await self._services.show(request, "left_out/mark.html", values)

    async def _show_relabel(
        self, request: PageRequest, figures: LeftOutFigures, problems: Problems = NO_PROBLEMS
    ) -> Response:
        values = {
            **self._shared(request, figures.page),
            "bots": await tried(figures.bots),
            "reasons": await tried(lambda: figures.bots_by(BOT_LISTS[0], ROWS_OF_PANEL)),
            **_form(request, problems),
        }
        return await self._services.show(request, "left_out/relabel.html", values)

    async def _preview_of(self, figures: LeftOutFigures) -> LeftOutPreview:
        page = figures.page
        return await in_time(preview_of(self._questions, page.viewer.site.id, page.range.period, figures.of_bots))


def _form(request: PageRequest, problems: Problems) -> dict[str, Any]:
    return {
        "choices": wording.BOTS,
        "typed": request.form.text("reason") or USUAL_REASON,
        "problems": problems,
    }


def _plain(preview: LeftOutPreview) -> dict[str, Any]:
    return {
        "hits": preview.hits,
        "visitors": preview.visitors,
        "all_hits": preview.all_hits,
        "all_visitors": preview.all_visitors,
        "pages": [{"value": page.value, "hits": page.hits} for page in preview.pages],
    }
