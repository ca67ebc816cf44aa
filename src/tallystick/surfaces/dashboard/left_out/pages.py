"""What was left out: ``/sites/{site}/left-out``, the same as JSON and CSV, and forms that change it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.model.hit import Bot
from tallystick.model.leaving_out import RuleKind
from tallystick.model.named_period import period_between
from tallystick.model.site import Site
from tallystick.services.accounts.left_out_rules import add_rule, remove_rule, rules_of_site
from tallystick.services.analytics.bot_filters import Marking, mark_matching
from tallystick.services.analytics.left_out import HitsBy, LeftOutPreview, normal_rule, preview
from tallystick.services.exports.spreadsheet import safe
from tallystick.services.ingest.arrival import DropReason
from tallystick.services.ingest.dropped_hits import reason_name
from tallystick.services.inquiries.asking import today_of
from tallystick.services.jobs import changes_of_hits
from tallystick.surfaces.dashboard.analytics import wording as words_of_analytics
from tallystick.surfaces.dashboard.analytics.around import values_around
from tallystick.surfaces.dashboard.analytics.asking import Failure, Page, page_of, tried
from tallystick.surfaces.dashboard.analytics.bars import form_values, refused_values, words_of_bars
from tallystick.surfaces.dashboard.analytics.checking import check_filters
from tallystick.surfaces.dashboard.analytics.choosing import chosen
from tallystick.surfaces.dashboard.analytics.filter_words import chip_to_find, filter_values
from tallystick.surfaces.dashboard.analytics.lists import LEFT_OUT
from tallystick.surfaces.dashboard.analytics.periods import zoomed
from tallystick.surfaces.dashboard.analytics.view import Chip, view_of
from tallystick.surfaces.dashboard.analytics.viewer import LoginNeeded, OtherFirst, Viewer, Viewers, ViewerSource
from tallystick.surfaces.dashboard.charts.time_chart import bucket_name
from tallystick.surfaces.dashboard.left_out import wording
from tallystick.surfaces.dashboard.left_out.figures import (
    BOT_LISTS,
    BotList,
    LeftOutFigures,
    OverTime,
    condition_of,
    lists_of,
    view_of_bots,
)
from tallystick.surfaces.dashboard.names.values import shown_value
from tallystick.surfaces.dashboard.support.data import as_csv, as_json, wants_json
from tallystick.surfaces.dashboard.support.forms import number_in
from tallystick.surfaces.dashboard.support.framing import with_frames
from tallystick.surfaces.dashboard.support.language import N_, Language
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other, to_login
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, UNPROCESSABLE, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.warehouse import Warehouse

ROWS_OF_PANEL, ROWS_OF_PAGE, ROWS_OF_DATA = 10, 100, 1_000
ALL_LISTS = "all"
"""What the address of the CSV of all lists has in place of the name of one."""
DAYS_PREVIEWED = 28
"""With today, unlike the period of this name, so that a new site has a preview on its first day."""

_WHAT_KIND = {"kind": [N_("must be chosen")]}


class LeftOutPages:
    """Shows what was left out, counts bots' hits after all, and keeps the rules of a site.

    Args:
        viewers: who looks at what was left out; forms are for people of the site only.
    """

    def __init__(self, services: PageServices, warehouse: Warehouse, viewers: ViewerSource) -> None:
        self._services, self._ledger, self._warehouse = services, services.ledger, warehouse
        self._questions, self._viewers = services.statistics.questions, viewers
        self._people = Viewers(services.sites)

    # What was left out.

    async def page(self, request: PageRequest) -> Response:
        """Numbers over time, and by everything that is known of the hits."""
        return await self._shown(request, self._page)

    async def as_json(self, request: PageRequest) -> Response:
        """The same as JSON."""
        return await self._shown(request, self._json, data=True)

    async def as_csv(self, request: PageRequest) -> Response:
        """Numbers over time as CSV; with a list in the address its rows, with ``list=all`` the rows of all lists."""
        return await self._shown(request, self._csv, data=True)

    async def _shown(
        self,
        request: PageRequest,
        show: Callable[[PageRequest, LeftOutFigures], Awaitable[Response]],
        *,
        data: bool = False,
    ) -> Response:
        try:
            viewer = await self._viewers.of(request, request.http.path_params["site"])
        except LoginNeeded:
            return to_login(request.http)
        except OtherFirst as other:
            return other.response
        if not viewer.sees(LEFT_OUT):
            raise HTTPException(404)
        response = await self._shown_to(viewer, request, show, data=data)
        response.headers.update(viewer.headers)
        return with_frames(response, viewer.frames)

    async def _shown_to(
        self,
        viewer: Viewer,
        request: PageRequest,
        show: Callable[[PageRequest, LeftOutFigures], Awaitable[Response]],
        *,
        data: bool,
    ) -> Response:
        statistics = self._services.statistics
        try:
            view = view_of(request.http.query_params.multi_items(), viewer.usual_period(request.now))
            if not data and (other := chosen(request.http.query_params, view, request.language)):
                await check_filters(statistics, await page_of(statistics, viewer, other, request.now))
                return see_other(other.changed(own=_own(request)).at(request.http.url.path))
            figures = await self._figures(request, viewer)
            await check_filters(statistics, figures.page)  # refused here, and not in every panel
            return await show(request, figures)
        except InputRefused as error:
            if data:
                return as_json({"error": str(error)}, 400)
            values = refused_values(request, viewer, error)
            return await self._services.renderer.private_page(request, "analytics/refused.html", values, 400)

    async def _figures(self, request: PageRequest, viewer: Viewer) -> LeftOutFigures:
        view = view_of(request.http.query_params.multi_items(), viewer.usual_period(request.now))
        page = await page_of(self._services.statistics, viewer, view, request.now)
        return LeftOutFigures(self._questions, self._ledger, page, await condition_of(page))

    async def _page(self, request: PageRequest, figures: LeftOutFigures) -> Response:
        if name := request.http.query_params.get("list", ""):
            return await self._list(request, figures, name)
        over_time = await tried(figures.over_time)
        told = figures.condition is not None
        listed = lists_of(figures.page.viewer) if told else ()
        lists = [(each, await tried(partial(figures.bots_by, each, ROWS_OF_PANEL))) for each in listed]
        viewer = figures.page.viewer
        values = {
            **self._shared(request, figures.page),
            **await values_around(self._services, figures.page),
            "bots": await tried(figures.bots),
            "tells_bots": told,
            "without": None if told else await view_of_bots(figures.page),
            "over_time": over_time,
            "lists": lists,
            "rules": _rules(viewer.site) if viewer.may_change else None,
            "hits": number_in(request.http.query_params.get("hits", ""), 12) or 0,
            "changes": await self._changes(viewer),
        }
        return await self._services.renderer.private_page(request, "left_out/page.html", values)

    async def _list(self, request: PageRequest, figures: LeftOutFigures, name: str) -> Response:
        """One list of bots' hits with all of its rows."""
        page, listing = figures.page, _list_named(figures.page.viewer, name)
        offset, find = _part_of_list(request)
        asked = await self._finding(request.language, figures, listing, find)
        view = page.view.changed(own=_own(request))
        here = f"{page.viewer.base}/{LEFT_OUT}"
        values = {
            **self._shared(request, page),
            **form_values(view, page.viewer),
            "view": view,
            "listing": listing,
            "answer": await tried(lambda: asked.bots_by(listing, ROWS_OF_PAGE, offset)),
            "offset": offset,
            "step": ROWS_OF_PAGE,
            "find": find,
            "at_row": lambda row: view.changed(own=(*view.own, *([("from", str(row))] if row else []))).at(here),
        }
        return await self._services.renderer.private_page(request, "left_out/list.html", values)

    async def _finding(
        self, language: Language, figures: LeftOutFigures, listing: BotList, find: str
    ) -> LeftOutFigures:
        """The figures of only the rows of a list that contain a text."""
        page = figures.page
        if find:
            page = replace(
                page, view=page.view.changed(chips=(*page.view.chips, chip_to_find(language, listing.by, find)))
            )
        return replace(figures, page=page, condition=await condition_of(page))

    def _shared(self, request: PageRequest, page: Page) -> dict[str, Any]:
        language = request.language
        return {
            "page": page,
            "view": page.view,
            "viewer": page.viewer,
            "base": page.viewer.base,
            "here_address": f"{page.viewer.base}/{LEFT_OUT}",
            "period_words": words_of_analytics.period(language, page),
            **form_values(page.view, page.viewer),
            **words_of_bars(language, page),
            "shown_value": lambda by, value: _value(request, by, value),
            "zoomed": lambda unit, label: zoomed(unit, label, page.range),
            "failed": lambda answer: isinstance(answer, Failure),
            "filter_values": lambda chip: _filter_values(request, page, chip),
            "unit_name": lambda unit, label: bucket_name(language, unit, datetime.fromisoformat(label)),
            "dropped_words": wording.DROPPED,
            "kinds": wording.KINDS,
        }

    async def _changes(self, viewer: Viewer) -> int:
        """How many changes of the site's hits are not carried out yet, for those who may make some."""
        return await self._ledger.read(changes_of_hits, viewer.site.id) if viewer.may_change else 0

    async def _list_json(self, request: PageRequest, figures: LeftOutFigures, name: str) -> Response:
        """A part of one list, from the row in the address."""
        listing, (offset, find) = _list_named(figures.page.viewer, name), _part_of_list(request)
        asked = await self._finding(request.language, figures, listing, find)
        found = await asked.bots_by(listing, ROWS_OF_DATA, offset)
        facts = {"list": listing.name, "find": find or None, "from": offset, "total": found.total}
        return as_json({**about(figures.page), **facts, "rows": plain_rows(found)})

    async def _json(self, request: PageRequest, figures: LeftOutFigures) -> Response:
        if name := request.http.query_params.get("list", ""):
            return await self._list_json(request, figures, name)
        over_time, page = await figures.over_time(), figures.page
        lists = {each.name: await figures.bots_by(each, ROWS_OF_DATA) for each in lists_of(page.viewer)}
        return as_json(
            {
                **about(page),
                "bots": await figures.bots(),
                "dropped": _by_name(over_time.dropped),
                "over_time": {
                    "by": over_time.unit.value,
                    "rows": [
                        {"time": row.label, "bots": row.bots, "dropped": _by_name(row.dropped)}
                        for row in over_time.rows
                    ],
                },
                "lists": {name: {"total": found.total, "rows": plain_rows(found)} for name, found in lists.items()},
                **({"rules": _rules_by_kind(page.viewer.site)} if page.viewer.may_change else {}),
                **({"changes": await self._changes(page.viewer)} if page.viewer.may_change else {}),
            }
        )

    async def _lists_csv(self, request: PageRequest, figures: LeftOutFigures, name: str) -> Response:
        """The rows of one list, or of all lists with those of dropped hits."""
        rows: list[list[Any]] = [["list", "value", "hits"]]
        if name == ALL_LISTS:
            dropped = (await figures.over_time()).dropped
            rows += [["dropped", reason_name(reason), hits] for reason, hits in dropped.items()]
        viewer, (offset, find) = figures.page.viewer, _part_of_list(request)
        for listing in lists_of(viewer) if name == ALL_LISTS else [_list_named(viewer, name)]:
            asked = await self._finding(request.language, figures, listing, find)
            found = await asked.bots_by(listing, ROWS_OF_DATA, offset)
            rows += [[listing.name, safe(row.value), row.hits] for row in found.rows]
        return await asyncio.to_thread(as_csv, rows, f"{LEFT_OUT}-{name}")

    async def _csv(self, request: PageRequest, figures: LeftOutFigures) -> Response:
        figures.of_bots  # noqa: B018  # refused here: no number is not the number 0
        if name := request.http.query_params.get("list", ""):
            return await self._lists_csv(request, figures, name)
        over_time = await figures.over_time()
        return await asyncio.to_thread(lambda: as_csv(_rows_of(over_time), LEFT_OUT))

    # Counted after all.

    async def count_page(self, request: PageRequest) -> Response:
        """How many hits of bots would be counted after all, and a button that does it; also as JSON."""
        figures = await self._figures_to_change(request)
        if not wants_json(request):
            return await self._show_count(request, figures)
        try:
            reasons = await figures.bots_by(BOT_LISTS[0], ROWS_OF_DATA)
            return as_json({**about(figures.page), "bots": await figures.bots(), "reasons": plain_rows(reasons)})
        except InputRefused as error:
            return as_json({"error": str(error)}, 400)

    async def count(self, request: PageRequest) -> Response:
        """Count hits of bots after all: those of the period that pass the filters in the address."""
        figures = await self._figures_to_change(request)
        page = figures.page
        marking = Marking(
            site=page.viewer.site.id,
            period=page.range.period,
            condition=figures.of_bots,
            into=int(Bot.KNOWN_NOT),
        )
        try:
            marked = await mark_matching(
                self._ledger, self._warehouse, self._questions, marking, request.now, actor=request.account
            )
        except InputRefused as error:
            return await self._show_count(request, figures, problems_of(error))
        return done(page, "counted", marked.hits)

    async def _show_count(
        self, request: PageRequest, figures: LeftOutFigures, problems: Problems = NO_PROBLEMS
    ) -> Response:
        reasons = await tried(lambda: figures.bots_by(BOT_LISTS[0], ROWS_OF_PANEL))
        values = {
            **self._shared(request, figures.page),
            "bots": await tried(figures.bots),
            "reasons": reasons,
            "problems": problems,
        }
        return await self._services.show(request, "left_out/count.html", values)

    async def _figures_to_change(self, request: PageRequest) -> LeftOutFigures:
        """The figures of a site that the person may change.

        Raises:
            HTTPException: they may not, or the address has no valid filters (404).
        """
        try:
            figures = await self._figures(request, await self._people.changer(request))
            figures.of_bots  # noqa: B018  # refused here, and not in a part of the page
        except InputRefused as error:
            raise HTTPException(404) from error
        return figures

    # Rules.

    async def rules_page(self, request: PageRequest) -> Response:
        """The rules of a site, and what a new one would have left out."""
        viewer = await self._people.changer(request)
        query = request.http.query_params
        kind, rule = query.get("kind", ""), query.get("rule", "")
        if not kind and not rule:
            return await self._show_rules(request, viewer)
        return await self._show_rules(request, viewer, kind, rule, asked=True)

    async def add(self, request: PageRequest) -> Response:
        """Leave hits out from now on."""
        viewer = await self._people.changer(request)
        name, text = request.form.text("kind"), request.form.text("rule")
        kind = wording.NAMES.get(name)
        if kind is None:
            return await self._show_rules(request, viewer, name, text, problems=_WHAT_KIND)
        try:
            rule = await asyncio.to_thread(normal_rule, kind, text)
            await self._services.write(request, add_rule, viewer.site.id, kind, rule, request.now)
        except InputRefused as error:
            return await self._show_rules(request, viewer, name, text, problems=problems_of(error))
        return see_other(f"{viewer.base}/{LEFT_OUT}/rules?done=added")

    async def remove(self, request: PageRequest) -> Response:
        """Count again from now on what a rule leaves out."""
        viewer = await self._people.changer(request)
        kind = wording.NAMES.get(request.form.text("kind"))
        if kind is None:
            raise HTTPException(404)
        rule = request.form.text("rule")
        await self._services.write(request, remove_rule, viewer.site.id, kind, rule, request.now)
        return see_other(f"{viewer.base}/{LEFT_OUT}/rules?done=removed")

    async def _show_rules(  # noqa: PLR0913  # what was typed
        self,
        request: PageRequest,
        viewer: Viewer,
        name: str = "",
        text: str = "",
        *,
        problems: Problems = NO_PROBLEMS,
        asked: bool = False,
    ) -> Response:
        kind, rule, found = wording.NAMES.get(name), "", None
        if asked and not problems:
            try:
                if kind is None:
                    problems = _WHAT_KIND
                else:
                    rule = await asyncio.to_thread(normal_rule, kind, text)
                    found = await tried(lambda: self._preview(request, viewer.site, kind, rule))
            except InputRefused as error:
                problems = problems_of(error)
        if wants_json(request):
            return _rules_json(viewer.site, rule, found, problems)
        values = {
            "viewer": viewer,
            "base": viewer.base,
            "rules": _rules(viewer.site),
            "kinds": wording.KINDS,
            "kind": kind,
            "typed": {"kind": name, "rule": text},
            "rule": rule,
            "preview": found,
            "failed": lambda answer: isinstance(answer, Failure),
            "problems": problems,
        }
        return await self._services.show(request, "left_out/rules.html", values)

    async def _preview(self, request: PageRequest, site: Site, kind: RuleKind, rule: str) -> LeftOutPreview | None:
        today = await asyncio.to_thread(today_of, (site,), request.now)
        last = today.date
        period = period_between(str(last - timedelta(days=DAYS_PREVIEWED - 1)), str(last), today)
        return await preview(self._questions, site.id, period, kind, rule)


def done(page: Page, what: str, hits: int) -> Response:
    """Lead to what is left out, which says what was done with how many hits."""
    address = page.view.at(f"{page.viewer.base}/{LEFT_OUT}")
    return see_other(f"{address}{'&' if '?' in address else '?'}done={what}&hits={hits}")


def _list_named(viewer: Viewer, name: str) -> BotList:
    """A list that a viewer may see.

    Raises:
        HTTPException: there is none (404).
    """
    for each in lists_of(viewer):
        if each.name == name:
            return each
    raise HTTPException(404)


def _part_of_list(request: PageRequest) -> tuple[int, str]:
    """Which part of a list an address asks for: the first row, and what rows contain."""
    query = request.http.query_params
    return number_in(query.get("from", ""), 9) or 0, query.get("find", "").strip()


def _own(request: PageRequest) -> tuple[tuple[str, str], ...]:
    """What the address of a list has beside the view: which one it is, and what its rows contain."""
    query = request.http.query_params
    return tuple((name, query[name]) for name in ("list", "find") if query.get(name))


def _rules_by_kind(site: Site) -> dict[str, Sequence[str]]:
    return {name: rules_of_site(site, kind) for name, kind in wording.NAMES.items()}


def _rules(site: Site) -> list[tuple[str, RuleKind, str]]:
    """Name of the kind, kind and rule of every rule of a site."""
    return [(name, kind, rule) for name, kind in wording.NAMES.items() for rule in rules_of_site(site, kind)]


def _rules_json(site: Site, rule: str, found: LeftOutPreview | Failure | None, problems: Problems) -> Response:
    """The rules of a site, and what a new one would have left out, as data."""
    values = {
        "rules": _rules_by_kind(site),
        "rule": rule or None,
        "would_have_left_out": None if isinstance(found, Failure) else found,
        "error": found.message if isinstance(found, Failure) else None,
        "problems": dict(problems),
    }
    return as_json(values, UNPROCESSABLE if problems else 200)


def about(page: Page) -> dict[str, Any]:
    """What data is about."""
    return {
        "sites": [site.address_name for site in page.viewer.sites],
        "period": {"name": page.view.period, "first": str(page.range.first), "last": str(page.range.last)},
        "timezone": str(page.zone),
        "filters": page.view.filters,
    }


def plain_rows(found: HitsBy) -> list[dict[str, Any]]:
    """The rows of a list as data."""
    return [{"value": row.value, "hits": row.hits} for row in found.rows]


def _value(request: PageRequest, by: str, value: str) -> str:
    if by == "bot" and value in wording.BOTS:
        return request.language.gettext(wording.BOTS[value])
    return shown_value(request.language, by, value)


def _filter_values(request: PageRequest, page: Page, chip: Chip) -> list[str]:
    if chip.name == "bot" and chip.operator in {"is", "is_not"}:
        return [_value(request, chip.name, value) for value in chip.values]
    return filter_values(request.language, page, chip)


def _by_name(dropped: Any) -> dict[str, int]:  # noqa: ANN401  # a mapping by reason
    return {reason_name(reason): hits for reason, hits in dropped.items()}


def _rows_of(over_time: OverTime) -> list[list[Any]]:
    """The numbers over time as rows of CSV."""
    reasons = list(DropReason)
    counts = ([safe(row.label), row.bots, *(row.dropped.get(each, 0) for each in reasons)] for row in over_time.rows)
    return [[over_time.unit.value, "bots", *map(reason_name, reasons)], *counts]
