"""Statistics of sites: ``/sites/{site}``, ``/sites/{site}/{list}``, and the same as JSON and CSV."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused, QuestionTooLong
from tallystick.services.analytics.titles import MOST_LOOKED_AT
from tallystick.services.exports.spreadsheet import safe
from tallystick.surfaces.dashboard.analytics import week, wording
from tallystick.surfaces.dashboard.analytics.around import values_around
from tallystick.surfaces.dashboard.analytics.asking import (
    Asking,
    Failure,
    Figures,
    ListAnswer,
    ListRow,
    Page,
    Series,
    page_of,
    tried,
)
from tallystick.surfaces.dashboard.analytics.bars import form_values, refused_values, words_of_bars
from tallystick.surfaces.dashboard.analytics.chart import ChartRegion, chart_region, notes_of
from tallystick.surfaces.dashboard.analytics.checking import check_filters
from tallystick.surfaces.dashboard.analytics.choosing import chosen
from tallystick.surfaces.dashboard.analytics.filter_words import chip_to_find
from tallystick.surfaces.dashboard.analytics.lists import LEFT_OUT, LISTS, PANELS, Listing, Panel, panel_of
from tallystick.surfaces.dashboard.analytics.periods import local_dates
from tallystick.surfaces.dashboard.analytics.suggesting import suggested_for
from tallystick.surfaces.dashboard.analytics.view import View, filtered_address, own_view, view_of
from tallystick.surfaces.dashboard.analytics.viewer import LoginNeeded, OtherFirst, Viewer, ViewerSource
from tallystick.surfaces.dashboard.first_minutes.pages import FirstMinutes
from tallystick.surfaces.dashboard.left_out import panel as left_out
from tallystick.surfaces.dashboard.map.visitors import ALL_COUNTRIES, COUNTRIES_OF_PANEL, map_of_visitors
from tallystick.surfaces.dashboard.map.world_map import WorldMap
from tallystick.surfaces.dashboard.names.values import shown_value
from tallystick.surfaces.dashboard.support.data import as_csv, as_json, twin
from tallystick.surfaces.dashboard.support.forms import number_in
from tallystick.surfaces.dashboard.support.framing import with_frames
from tallystick.surfaces.dashboard.support.language import Language
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other, to_login
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.surfaces.dashboard.support.streaming import streamed

ROWS_OF_PANEL = 9
ROWS_OF_PAGE = 100
MOST_ROWS_OF_DATA = 10_000

COUNTRIES = "countries"
"""The list that has a map."""


class AnalyticsPages:
    """Pages of statistics.

    Args:
        viewers: who looks, by the name in the address.
    """

    def __init__(self, services: PageServices, viewers: ViewerSource, first_minutes: FirstMinutes) -> None:
        self._services, self._statistics = services, services.statistics
        self._viewers, self._asking, self._first_minutes = viewers, Asking(services.statistics), first_minutes
        self._left_out = left_out.LeftOutPanel(services)

    async def page(self, request: PageRequest) -> Response:
        """Everything about a site, or several sites together."""
        names, form = twin(request.http.path_params["site"])
        shows = Shows(self._whole, self._whole_json, self._whole_csv)
        return await self._answered(request, names, form, shows)

    async def listing(self, request: PageRequest) -> Response:
        """One list with all of its rows."""
        name, form = twin(request.http.path_params["listing"])
        if name not in LISTS:
            raise HTTPException(404)
        shows = Shows(self._list, self._list_json, self._list_csv)
        return await self._answered(request, request.http.path_params["site"], form, shows)

    async def _answered(self, request: PageRequest, names: str, form: str | None, shows: "Shows") -> Response:
        """Find out who looks at what, and show it.

        Args:
            names: of sites, as they stand in the address.
            form: ``json``, ``csv`` or None for a page.
        """
        try:
            viewer = await self._viewers.of(request, names)
        except LoginNeeded:
            return to_login(request.http)
        except OtherFirst as other:
            return other.response
        response = await self._answered_to(viewer, request, form, shows)
        response.headers.update(viewer.headers)
        return with_frames(response, viewer.frames)

    async def _answered_to(self, viewer: Viewer, request: PageRequest, form: str | None, shows: "Shows") -> Response:
        pairs = request.http.query_params.multi_items()
        try:
            view = view_of(pairs, viewer.usual_period(request.now))
            if form is None and (other := chosen(dict(pairs), view, request.language)):
                await check_filters(self._statistics, await page_of(self._statistics, viewer, other, request.now))
                other = other.changed(own=_own(request))
                return see_other(filtered_address(other, request.http.url.path))
            page = await page_of(self._statistics, viewer, view, request.now)
            await check_filters(self._statistics, page)  # refused here, and not in every panel
            if form is None:
                return await shows.page(request, page)
        except InputRefused as error:
            if form is not None:
                return as_json({"error": str(error)}, 400)
            return await self._refused(request, viewer, error)
        return await _refusing((shows.json if form == "json" else shows.csv)(request, page))

    async def _refused(self, request: PageRequest, viewer: Viewer, error: InputRefused) -> Response:
        """A page that says why an address cannot be shown, with the form that was sent as it was filled in."""
        values = refused_values(request, viewer, error)
        values["suggestions"] = await suggested_for(self._statistics, request, viewer)
        return await self._services.renderer.private_page(request, "analytics/refused.html", values, 400)

    # The page.

    async def _whole(self, request: PageRequest, page: Page) -> Response:
        if await self._first_minutes.waits(page.viewer):
            return await self._first_minutes.page(request, page.viewer)
        numbers = await tried(lambda: self._asking.numbers(page))
        live = await tried(lambda: self._asking.live(page))
        chart = await tried(lambda: self._chart(request, page))
        first_visit = await self._first_minutes.arrived(page.viewer, page.now)
        shared = await self._shared(request, page)
        values = {**shared, "numbers": numbers, "live": live, "chart": chart, "first_visit": first_visit}
        head, headers = await self._services.renderer.private_text(request, "analytics/page.html", values)
        return streamed(request.http.scope, head, self._parts(request, page, shared), headers)

    async def _chart(self, request: PageRequest, page: Page) -> ChartRegion:
        series = await self._asking.series(page)
        notes = await notes_of(self._statistics, page)
        return await asyncio.to_thread(chart_region, request.language, page, series, notes, request.http.url.path)

    async def _parts(self, request: PageRequest, page: Page, shared: Mapping[str, Any]) -> AsyncIterator[str]:
        for panel in PANELS:
            lists = [each for each in panel.lists if page.viewer.sees(each.name)]
            if lists:
                values = await self._panel_values(request, page, panel, lists)
                yield await self._services.renderer.fragment(request, "analytics/panel.html", {**shared, **values})
        if page.viewer.sees(LEFT_OUT):
            yield await self._left_out.html(request, page)
        if page.viewer.sees(week.NAME):
            values = {**shared, **await self._week_values(request, page)}
            yield await self._services.renderer.fragment(request, "analytics/week_panel.html", values)

    async def _panel_values(
        self, request: PageRequest, page: Page, panel: Panel, lists: Sequence[Listing]
    ) -> dict[str, Any]:
        shown = next((each for each in lists if each.name in page.view.lists), lists[0])
        limit = COUNTRIES_OF_PANEL if shown.name == COUNTRIES else ROWS_OF_PANEL
        answer = await tried(lambda: self._asking.rows(page, shown, shown.metrics, limit=limit))
        offered = [each for each in lists if each is shown or not each.within]
        values: dict[str, Any] = {"panel": panel, "lists": offered, "listing": shown, "answer": answer, "map": None}
        if isinstance(answer, ListAnswer):
            values["answer"] = replace(answer, rows=answer.rows[:ROWS_OF_PANEL])
            values["map"] = _map(request.language, page, shown, answer)
            values["whole"] = answer.total <= limit
        return values

    async def _week_values(self, request: PageRequest, page: Page) -> Mapping[str, Any]:
        found = await tried(lambda: week.week_of(self._asking, page))
        drawn = {} if isinstance(found, Failure) else await asyncio.to_thread(week.week_values, request.language, found)
        return {"week": found, **drawn}

    async def _shared(self, request: PageRequest, page: Page) -> dict[str, Any]:
        language = request.language
        return {
            "page": page,
            "view": page.view,
            "viewer": page.viewer,
            "base": page.viewer.base,
            "here_address": request.http.url.path,
            "units": page.units,
            "unit_words": wording.UNITS,
            "may_note": page.viewer.may_keep,
            "note_date": min(page.range.last, page.today.date).isoformat(),
            "period_words": wording.period(language, page),
            "figure": lambda metric, value: wording.figure(language, metric, value),
            "change": lambda figures: wording.change(language, figures),
            "sentence": lambda figures: wording.sentence(language, figures),
            "is_good": wording.is_good,
            "titles": wording.TITLES,
            **form_values(page.view, page.viewer),
            **words_of_bars(language, page),
            **await values_around(self._services, page),
            "shown_value": lambda by, value: shown_value(language, by, value),
            "row_name": lambda listing, row: _row_name(language, listing, row),
            "row_view": lambda listing, row: _row_view(page, listing, row),
            "own_view": lambda value: own_view(page.view, page.viewer.base, value),
            "with_list": lambda panel, chosen: _with_list(page.view, panel, chosen),
            "failed": lambda answer: isinstance(answer, Failure),
        }

    # A list.

    async def _list(self, request: PageRequest, page: Page) -> Response:
        listing, offset, order, find = _of_list(request, page)
        metrics = listing.all_metrics(len(page.viewer.sites))
        asked = _finding(request.language, page, listing, find)
        answer = await tried(
            lambda: self._asking.rows(asked, listing, metrics, limit=ROWS_OF_PAGE, offset=offset, order=order)
        )
        world: Any = None
        if listing.name == COUNTRIES and not offset:
            world = await tried(lambda: self._asking.rows(asked, listing, ("visitors",), limit=ALL_COUNTRIES))
        view = page.view.changed(own=_own(request))
        values = {
            **await self._shared(request, page),
            **form_values(view, page.viewer),
            "view": view,
            "map": _map(request.language, page, listing, world) if isinstance(world, ListAnswer) else None,
            "listing": listing,
            "metrics": metrics,
            "order": order or metrics[0],
            "answer": answer,
            "offset": offset,
            "step": ROWS_OF_PAGE,
            "find": find,
            "at_row": lambda row: view.changed(own=(*view.own, *([("from", str(row))] if row else []))).at(
                request.http.url.path
            ),
        }
        return await self._services.renderer.private_page(request, "analytics/list.html", values)

    async def _list_answer(self, request: PageRequest, page: Page) -> tuple[Listing, tuple[str, ...], ListAnswer]:
        listing, offset, order, find = _of_list(request, page)
        metrics = listing.all_metrics(len(page.viewer.sites))
        asked = _finding(request.language, page, listing, find)
        answer = await self._asking.rows(asked, listing, metrics, limit=MOST_ROWS_OF_DATA, offset=offset, order=order)
        return listing, metrics, answer

    async def _list_json(self, request: PageRequest, page: Page) -> Response:
        listing, _, answer = await self._list_answer(request, page)
        rows = [row_data(listing, row) for row in answer.rows]
        found = {"list": listing.name, "total": answer.total, "rows": rows, "warnings": answer.notes}
        return as_json({**about(page), **found})

    async def _list_csv(self, request: PageRequest, page: Page) -> Response:
        listing, metrics, answer = await self._list_answer(request, page)
        compares = page.compared is not None
        titles = _columns(listing)
        for metric in metrics:
            titles += [metric, *([f"{metric}_before", f"{metric}_change"] if compares else ())]
        rows: list[list[Any]] = [titles]
        for row in answer.rows:
            cells: list[Any] = [safe(value) for value in _values(listing, row)]
            for each in row.figures:
                cells += [each.now, *([each.before, each.change] if compares else ())]
            rows.append(cells)
        return await asyncio.to_thread(as_csv, rows, listing.name)

    # The whole page as data.

    async def _whole_json(self, _request: PageRequest, page: Page) -> Response:
        numbers, live = await self._asking.numbers(page), await self._asking.live(page)
        series = await self._asking.series(page)
        panels: dict[str, Any] = {}
        warnings: list[str] = []
        for panel in PANELS:
            lists = [each for each in panel.lists if page.viewer.sees(each.name)]
            for listing in lists:
                if listing is lists[0] or listing.name in page.view.lists:
                    answer = await self._asking.rows(page, listing, listing.metrics, limit=ROWS_OF_PANEL)
                    panels[listing.name] = [row_data(listing, row) for row in answer.rows]
                    warnings += answer.notes
        return as_json(
            {
                **about(page),
                "numbers": {each.metric: figures_data(each) for each in numbers},
                "live": live,
                "series": series_data(series),
                "lists": panels,
                "warnings": list(dict.fromkeys(warnings)),
            }
        )

    async def _whole_csv(self, _request: PageRequest, page: Page) -> Response:
        series = await self._asking.series(page)
        rows: list[list[Any]] = [
            [series.unit.value, series.metric, *(["before", f"{series.metric}_before"] if series.compares else ())]
        ]
        for place, label in enumerate(series.labels):
            before = [series.before_labels[place], series.before[place]] if series.compares else []
            rows.append([label, series.values[place], *before])
        rows += (["", "", label, value] for label, value in series.alone)
        return await asyncio.to_thread(as_csv, rows, series.metric)


Show: TypeAlias = Callable[[PageRequest, Page], Awaitable[Response]]


class Shows(NamedTuple):
    """What shows a page, and the same as data."""

    page: Show
    json: Show
    csv: Show


async def _refusing(data: Awaitable[Response]) -> Response:
    """A page as data, or in its place an error as JSON."""
    try:
        return await data
    except InputRefused as error:
        return as_json({"error": str(error)}, 400)
    except QuestionTooLong as error:
        return as_json({"error": str(error)}, 504)


def _map(language: Language, page: Page, listing: Listing, answer: ListAnswer) -> WorldMap | None:
    if listing.name != COUNTRIES:
        return None
    rows = {row.value: row for row in answer.rows}
    visitors = {code: int(row.figures[0].now) for code, row in rows.items()}
    return map_of_visitors(language, visitors, lambda code: _row_view(page, listing, rows[code]).at(page.viewer.base))


def _row_name(language: Language, listing: Listing, row: ListRow) -> str:
    value = shown_value(language, listing.by, row.value)
    return f"{shown_value(language, listing.within, row.within)} {value}" if row.within else value


def _row_view(page: Page, listing: Listing, row: ListRow) -> View:
    """The view after a click on a row: only what the row stands for, divided further where that is possible."""
    view = page.view.filtered(listing.within, row.within) if listing.within else page.view
    view = view.filtered(listing.by, row.value)
    if not listing.finer or not page.viewer.sees(listing.finer):
        return view
    return view.changed(lists=_with_list(view, panel_of(listing), LISTS[listing.finer]))


def _of_list(request: PageRequest, page: Page) -> tuple[Listing, int, str, str]:
    """The list of a request, where its rows begin, what they are sorted by, and what they contain.

    Raises:
        HTTPException: the viewer may not see the list (404).
    """
    listing = LISTS[twin(request.http.path_params["listing"])[0]]
    if not page.viewer.sees(listing.name):
        raise HTTPException(404)
    query = request.http.query_params
    offset, order = number_in(query.get("from", ""), 9) or 0, query.get("sort", "")
    known = order in listing.all_metrics(len(page.viewer.sites))
    return listing, offset, order if known else "", query.get("find", "").strip()


def _finding(language: Language, page: Page, listing: Listing, find: str) -> Page:
    """The page with only the rows of a list that contain a text."""
    if not find:
        return page
    return replace(page, view=page.view.changed(chips=(*page.view.chips, chip_to_find(language, listing.by, find))))


def _with_list(view: View, panel: Panel, chosen: Listing) -> tuple[str, ...]:
    """The names of lists to show, with another one of a panel."""
    others = [name for name in view.lists if name not in {each.name for each in panel.lists}]
    return (*others, *(() if chosen is panel.lists[0] else (chosen.name,)))


def _own(request: PageRequest) -> tuple[tuple[str, str], ...]:
    """What the address of a list has beside the view: how rows are sorted, and what they contain."""
    query = request.http.query_params
    return tuple((name, query[name]) for name in ("sort", "find") if query.get(name))


def about(page: Page) -> dict[str, Any]:
    """What is viewed, as data has it."""
    view = page.view
    compared = page.compared and local_dates(page.compared, page.zone)
    return {
        "sites": [site.address_name for site in page.viewer.sites],
        "period": {"name": view.period, "first": page.range.first.isoformat(), "last": page.range.last.isoformat()},
        "timezone": str(page.zone),
        "compare": view.compare,
        "compared": compared and {"first": compared[0].isoformat(), "last": compared[1].isoformat()},
        "match": "weekdays" if view.match_weekdays else None,
        "filters": view.filters,
        "search": view.text or None,
        "titles_searched": None if page.searched_all else MOST_LOOKED_AT,
    }


def row_data(listing: Listing, row: ListRow) -> dict[str, Any]:
    """A row of a list as data has it."""
    values = dict(zip(_columns(listing), _values(listing, row), strict=True))
    return values | {each.metric: figures_data(each) for each in row.figures}


def _columns(listing: Listing) -> list[str]:
    """The names of a row's values in data."""
    return [name.replace(" ", "_") for name in (listing.within, listing.by) if name]


def _values(listing: Listing, row: ListRow) -> list[str]:
    return [row.within, row.value] if listing.within else [row.value]


def figures_data(figures: Figures) -> Any:  # noqa: ANN401  # a number, or an object with the other period's
    """A figure as data has it."""
    if figures.before is None:
        return figures.now
    return {"now": figures.now, "before": figures.before, "change": figures.change}


def series_data(series: Series) -> dict[str, Any]:
    """A series as data has it."""
    return {
        "metric": series.metric,
        "by": series.unit.value,
        "labels": series.labels,
        "values": series.values,
        "before": series.before,
        "before_labels": series.before_labels,
        "before_alone": [{"label": label, "value": value} for label, value in series.alone],
    }
