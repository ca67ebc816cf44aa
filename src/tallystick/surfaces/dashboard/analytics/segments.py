"""The segments of a site: ``/sites/{site}/segments``. A person's own are for that person only."""

from typing import Any
from urllib.parse import quote

from msgspec import Struct
from starlette.responses import Response

from tallystick.errors import InputRefused
from tallystick.model.filter_text import LONGEST, parse_filter
from tallystick.model.filter_words import words_of
from tallystick.model.segment import MAX_SEGMENT_NAME, Segment
from tallystick.services.analytics.kept.as_data import segment_as_data
from tallystick.services.analytics.kept.segments import SegmentChanges, change_segment, create_segment, delete_segment
from tallystick.services.inquiries.expressions import check_expressions, expressions_in
from tallystick.surfaces.dashboard.analytics.view import View
from tallystick.surfaces.dashboard.analytics.viewer import Viewer, Viewers
from tallystick.surfaces.dashboard.support.data import as_json, times, wants_json
from tallystick.surfaces.dashboard.support.forms import Form, one_of
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices
from tallystick.web.own_address import own_base

FIELDS = ("id", "name", "filter", "whose")


class ListedSegment(Struct, frozen=True):
    """A segment as the page lists it.

    Attributes:
        words: its filters as people write them.
        address: of the statistics with it as a filter.
    """

    segment: Segment
    words: str
    address: str
    editable: bool


class SegmentPages:
    """Lists, adds, changes and deletes the segments of a site.

    Who sees a site's statistics may have segments of their own; those of the site are for people who may change it.
    """

    def __init__(self, services: PageServices) -> None:
        self._services, self._segments = services, services.statistics.segments
        self._viewers = Viewers(services.sites)

    async def page(self, request: PageRequest) -> Response:
        """All segments of a site that the person sees, and a form for another one; also as JSON."""
        viewer = await self._viewers.keeper(request)
        if wants_json(request):
            base = own_base(request.http.scope)
            return as_json({"segments": [_plain(base, each) for each in await self._of(request, viewer)]})
        return await self._show(request, viewer)

    async def create(self, request: PageRequest) -> Response:
        """Add a segment."""
        viewer, form = await self._viewers.keeper(request), request.form
        try:
            filters = await self._filters(form)
            new = Segment(
                site=viewer.site.id, name=form.text("name"), filters=filters, owner=viewer.owner(form.text("whose"))
            )
            await self._services.write(request, create_segment, new, request.now)
        except InputRefused as error:
            return await self._show(request, viewer, problems_of(error, filters="filter"))
        return see_other(f"{viewer.base}/segments?done=added")

    async def change(self, request: PageRequest) -> Response:
        """Change a segment."""
        viewer, segment = await self._segment(request)
        try:
            changes = SegmentChanges(
                name=request.form.text("name"),
                filters=await self._filters(request.form),
                owner=viewer.owner(request.form.text("whose")),
            )
            await self._services.write_or_404(
                request, change_segment, viewer.site.id, segment.id, request.account.id, changes, request.now
            )
        except InputRefused as error:
            return await self._show(request, viewer, problems_of(error, filters="filter"))
        return see_other(f"{viewer.base}/segments?done=changed")

    async def delete(self, request: PageRequest) -> Response:
        """Delete a segment."""
        viewer, segment = await self._segment(request)
        await self._services.write_or_404(
            request, delete_segment, viewer.site.id, segment.id, request.account.id, request.now
        )
        return see_other(f"{viewer.base}/segments?done=deleted")

    async def _filters(self, form: Form) -> list[object]:
        """The filters in a form, as segments keep them.

        Raises:
            InputRefused: the text is no filter, or an expression in it is not valid; the message says what is wrong.
        """
        filters = _filters(form)
        await check_expressions(self._services.statistics.questions, expressions_in(filters))
        return filters

    async def _segment(self, request: PageRequest) -> tuple[Viewer, Segment]:
        """The segment that the form is about.

        Raises:
            HTTPException: there is none that the person may change (404).
        """
        viewer = await self._viewers.keeper(request)
        seen = await self._segments.visible(viewer.site.id, request.account.id)
        return viewer, one_of((each for each in seen if viewer.may_edit(each.owner)), request.form.text("id"))

    async def _of(self, request: PageRequest, viewer: Viewer) -> list[ListedSegment]:
        found = await self._segments.visible(viewer.site.id, request.account.id)
        return [_listed(viewer, each) for each in found]

    async def _show(self, request: PageRequest, viewer: Viewer, problems: Problems = NO_PROBLEMS) -> Response:
        typed = {name: request.form.text(name) for name in FIELDS}
        if not problems:
            typed["filter"] = request.http.query_params.get("filter", "")[:LONGEST]
        values = {
            "viewer": viewer,
            "segments": await self._of(request, viewer),
            "typed": typed,
            "problems": problems,
            "most_name": MAX_SEGMENT_NAME,
            "most_filter": LONGEST,
        }
        return await self._services.show(request, "analytics/segments.html", values)


def save_address(viewer: Viewer, view: View) -> str:
    """The address of the form that keeps a view's filters as a segment; empty where there is nothing to keep."""
    if not viewer.may_keep or viewer.locked or not (view.chips or view.expression):
        return ""
    try:
        return f"{viewer.base}/segments?filter={quote(words_of(view.filters), safe='')}#new"
    except ValueError:
        return ""


def _listed(viewer: Viewer, segment: Segment) -> ListedSegment:
    try:
        words = words_of(segment.filters)
    except ValueError:
        words = ""
    address = View().filtered("segment", str(segment.id)).at(viewer.base)
    return ListedSegment(segment, words, address, viewer.may_edit(segment.owner))


def _plain(base_path: str, listed: ListedSegment) -> dict[str, Any]:
    """A segment as data; None for words where people cannot write its filters."""
    segment = listed.segment
    facts = {"words": listed.words or None, "address": base_path + listed.address, "may_edit": listed.editable}
    return {**segment_as_data(segment), **facts, **times(segment)}


def _filters(form: Form) -> list[object]:
    """The filters in a form, as segments keep them.

    Raises:
        InputRefused: the text is no filter; the message says where.
    """
    try:
        found = parse_filter(form.text("filter"))
    except ValueError as error:
        raise InputRefused(str(error)) from error
    match found:
        case ["and", [*parts]]:
            return parts
    return [found]
