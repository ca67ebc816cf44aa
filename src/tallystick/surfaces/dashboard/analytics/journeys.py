"""Ways through a site: a page's own view (``/sites/{site}/page?page=/blog``), and funnels."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.model.funnel import Funnel
from tallystick.services.exports.spreadsheet import safe
from tallystick.services.inquiries.funnels import FunnelServices, funnel_answered
from tallystick.surfaces.dashboard.analytics.asking import Failure, ListAnswer, Page, in_time, tried
from tallystick.surfaces.dashboard.analytics.lists import LISTS, Listing
from tallystick.surfaces.dashboard.analytics.pages import (
    ROWS_OF_PANEL,
    AnalyticsPages,
    Shows,
    about,
    figures_data,
    row_data,
    series_data,
)
from tallystick.surfaces.dashboard.analytics.view import Chip
from tallystick.surfaces.dashboard.charts.small import FunnelBar, funnel_steps
from tallystick.surfaces.dashboard.charts.words import NumberWords
from tallystick.surfaces.dashboard.support.data import as_csv, as_json, twin
from tallystick.surfaces.dashboard.support.language import N_, Language
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.streaming import streamed

NUMBERS_OF_PAGE = ("visitors", "pageviews", "bounce_rate", "visit_duration", "exit_rate")

_IN_VISITS = ("visitors",)
CAME_FROM = Listing(name="came-from", title=N_("Came from"), by="previous page", column=N_("Page"), metrics=_IN_VISITS)
WENT_TO = Listing(name="went-to", title=N_("Went to"), by="next page", column=N_("Page"), metrics=_IN_VISITS)
LISTS_OF_PAGE: tuple[Listing, ...] = (CAME_FROM, WENT_TO, LISTS["referrers"], LISTS["sources"], LISTS["goals"])
"""What is shown of one page. Goals are those of visits that saw it."""

MOST_DRAWN = 10
"""Funnels of one page of funnels; the others are links."""


class JourneyPages(AnalyticsPages):
    """Pages about ways through a site."""

    async def one_page(self, request: PageRequest) -> Response:
        """A page's own view; the address has a filter that names the page."""
        shows = Shows(self._one_page, self._one_page_json, self._one_page_csv)
        return await self._answered(request, request.http.path_params["site"], twin(request.http.url.path)[1], shows)

    async def funnels(self, request: PageRequest) -> Response:
        """All funnels of a site, drawn."""
        shows = Shows(self._funnels, self._funnels_json, self._funnels_csv)
        return await self._answered(request, request.http.path_params["site"], twin(request.http.url.path)[1], shows)

    # One page.

    async def _one_page(self, request: PageRequest, page: Page) -> Response:
        chip = _page_chip(page)  # refused before the first part is sent
        numbers = await tried(lambda: self._asking.numbers(page, NUMBERS_OF_PAGE))
        chart = await tried(lambda: self._chart(request, page))
        shared = await self._shared(request, page)
        values = {**shared, "chip": chip, "on_website": _on_website(page), "numbers": numbers, "chart": chart}
        head, headers = await self._services.renderer.private_text(request, "analytics/one_page.html", values)
        return streamed(request.http.scope, head, self._page_parts(request, page, shared), headers)

    async def _page_parts(self, request: PageRequest, page: Page, shared: Mapping[str, Any]) -> AsyncIterator[str]:
        for listing in _lists(page):
            answer = await tried(partial(self._rows, page, listing))
            values = {**shared, "listing": listing, "answer": answer, "metrics": _metrics(listing)}
            yield await self._services.renderer.fragment(request, "analytics/page_panel.html", values)

    async def _one_page_json(self, _request: PageRequest, page: Page) -> Response:
        numbers = await self._asking.numbers(page, NUMBERS_OF_PAGE)
        lists: dict[str, Any] = {}
        warnings: list[str] = []
        for listing in _lists(page):
            answer = await self._rows(page, listing)
            lists[listing.name] = [row_data(listing, row) for row in answer.rows]
            warnings += answer.notes
        return as_json(
            {
                **about(page),
                "page": ", ".join(_page_chip(page).values),
                "on_website": _on_website(page) or None,
                "numbers": {each.metric: figures_data(each) for each in numbers},
                "series": series_data(await self._asking.series(page)),
                "lists": lists,
                "warnings": list(dict.fromkeys(warnings)),
            }
        )

    async def _one_page_csv(self, _request: PageRequest, page: Page) -> Response:
        """One figure a line: the series, under the name of its unit, and the lists."""
        series = await self._asking.series(page)
        compares = page.compared is not None
        titles = ["list", "value", "metric", "figure", "before", "figure_before", "change"]
        rows: list[list[Any]] = [titles]
        for place, label in enumerate(series.labels):
            before = [series.before_labels[place], series.before[place]] if series.compares else ["", ""]
            rows.append([series.unit.value, label, series.metric, series.values[place], *before, ""])
        rows += ([series.unit.value, "", series.metric, "", label, value, ""] for label, value in series.alone)
        for listing in _lists(page):
            answer = await self._rows(page, listing)
            for row in answer.rows:
                (first, *_) = row.figures
                rows.append([listing.name, safe(row.value), first.metric, first.now, "", first.before, first.change])
        kept = len(titles) if compares else titles.index("before")
        return await asyncio.to_thread(as_csv, [row[:kept] for row in rows], "page")

    async def _rows(self, page: Page, listing: Listing) -> ListAnswer:
        asked = _of_goals(page) if listing.of_goals else page
        return await self._asking.rows(asked, listing, _metrics(listing), limit=ROWS_OF_PANEL)

    # Funnels.

    async def _funnels(self, request: PageRequest, page: Page) -> Response:
        found = await self._of_site(page)
        drawn = _chosen(request, found)
        shared = await self._shared(request, page)
        values = {**shared, "funnels": found, "others": found[MOST_DRAWN:]}
        head, headers = await self._services.renderer.private_text(request, "analytics/funnels.html", values)
        return streamed(request.http.scope, head, self._funnel_parts(request, page, drawn, shared), headers)

    async def _funnel_parts(
        self, request: PageRequest, page: Page, funnels: tuple[Funnel, ...], shared: Mapping[str, Any]
    ) -> AsyncIterator[str]:
        for funnel in funnels:
            answer = await tried(partial(self._funnel_answer, page, funnel))
            drawn = () if isinstance(answer, Failure) else _drawn(request.language, answer)
            values = {**shared, "funnel": funnel, "answer": answer, "steps": drawn}
            yield await self._services.renderer.fragment(request, "analytics/funnel_panel.html", values)

    async def _funnels_json(self, request: PageRequest, page: Page) -> Response:
        found = []
        for funnel in _chosen(request, await self._of_site(page)):
            answer = await self._funnel_answer(page, funnel)
            found.append({"id": funnel.id, "name": funnel.name, "strict": funnel.strict, **answer["results"]})
        return as_json({**about(page), "funnels": found})

    async def _funnels_csv(self, request: PageRequest, page: Page) -> Response:
        rows: list[list[Any]] = [["funnel", "step", "visits", "of_first", "of_previous", "dropped"]]
        for funnel in _chosen(request, await self._of_site(page)):
            for step in (await self._funnel_answer(page, funnel))["results"]["steps"]:
                figures = (step[key] for key in ("visits", "of_first", "of_previous", "dropped"))
                rows.append([safe(funnel.name), safe(step["name"]), *figures])
        return await asyncio.to_thread(as_csv, rows, "funnels")

    async def _of_site(self, page: Page) -> tuple[Funnel, ...]:
        """The funnels of the site.

        Raises:
            HTTPException: the page is of several sites, or the viewer sees a part only (404).
        """
        if len(page.viewer.sites) != 1 or page.viewer.sees_a_part:
            raise HTTPException(404)
        return await self._statistics.funnels.of_site(page.viewer.site.id)

    async def _funnel_answer(self, page: Page, funnel: Funnel) -> dict[str, Any]:
        statistics = self._statistics
        used = FunnelServices(statistics.questions, statistics.funnel_questions, statistics.funnels)
        body: Mapping[str, Any] = {
            "funnel": funnel.id,
            "date_range": page.range.asked,
            "filters": page.filters,
            "include": {"left_to": True},
        }
        return await in_time(funnel_answered(used, page.viewer.site, page.known, body, page.now))


def _page_chip(page: Page) -> Chip:
    """The filter that names the page.

    Raises:
        HTTPException: the address has none, the viewer may not see pages, or sees hits of some pages only: the pages
            before and after would be others (404).
    """
    chip = next((each for each in page.view.chips if each.names_page), None)
    if chip is None or page.viewer.locked or not page.viewer.sees("pages"):
        raise HTTPException(404)
    return chip


def _on_website(page: Page) -> str:
    """The address of the page itself; empty where it is not known, or where the name is one of several pages."""
    site, names = page.viewer.site, _page_chip(page).values
    if not site.link_domain or len(page.viewer.sites) > 1 or len(names) > 1 or names[0] in site.settings.path_rules:
        return ""
    start = site.link_domain if "://" in site.link_domain else f"https://{site.link_domain}"
    return start.rstrip("/") + names[0] if names[0].startswith("/") else ""


def _lists(page: Page) -> tuple[Listing, ...]:
    """The lists of one page that the viewer may see."""
    _page_chip(page)
    return tuple(each for each in LISTS_OF_PAGE if each in {CAME_FROM, WENT_TO} or page.viewer.sees(each.name))


def _metrics(listing: Listing) -> tuple[str, ...]:
    return ("visitors",) if listing.of_goals else listing.metrics


def _of_goals(page: Page) -> Page:
    """A page with the filter on its pages as one on visits: goals are other hits of the visits that saw the page."""
    chip = _page_chip(page)
    others = tuple(each for each in page.view.chips if each is not chip)
    locked = (*page.viewer.locked, ["has_done", chip.lists])
    return replace(page, view=page.view.changed(chips=others), viewer=replace(page.viewer, locked=locked))


def _chosen(request: PageRequest, funnels: tuple[Funnel, ...]) -> tuple[Funnel, ...]:
    """The funnels to draw: the one that the address names, else the first ones.

    Raises:
        HTTPException: there is no such funnel (404).
    """
    which = request.http.query_params.get("funnel", "")
    if not which:
        return funnels[:MOST_DRAWN]
    found = tuple(funnel for funnel in funnels if str(funnel.id) == which)
    if not found:
        raise HTTPException(404)
    return found


def _drawn(language: Language, answer: Mapping[str, Any]) -> tuple[FunnelBar, ...]:
    def noun(value: float) -> str:
        return language.ngettext("%(num)s visit", "%(num)s visits", int(value)) % {"num": language.number(value)}

    words = NumberWords(language=language, title=language.gettext(N_("Visits")), noun=noun)
    steps = answer["results"]["steps"]
    return funnel_steps([(step["name"], step["visits"], step["dropped"]) for step in steps], words)
