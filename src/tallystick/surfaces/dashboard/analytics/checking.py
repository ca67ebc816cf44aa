"""Refuses filters that nothing can answer: once for a whole page, and in the words of its chips."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from tallystick.errors import InputRefused
from tallystick.model.dimension_names import SEGMENT, name_of
from tallystick.services.inquiries.bodies import decode_query
from tallystick.services.inquiries.configured import chosen_segments
from tallystick.services.inquiries.expressions import check_expressions, comparisons_in, expressions_in
from tallystick.services.inquiries.filters import DecodedFilters, FilterDecoder
from tallystick.services.inquiries.goal_names import GoalNames
from tallystick.services.inquiries.importing import joining
from tallystick.services.inquiries.inquiry import no_goal
from tallystick.services.inquiries.names import vocabulary
from tallystick.surfaces.dashboard.analytics.asking import Page
from tallystick.surfaces.dashboard.analytics.filter_words import plain_filter_name
from tallystick.surfaces.dashboard.analytics.view import FilterRefused
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.services import Statistics

NO_COUNTRY = N_("a country is written as two letters, such as DE")
UNUSABLE = N_("it has a form that filters do not have here")

_wire_name = re.compile(r"\b(?:event|visit):[a-z_]+(?::[^\s,]+)?")


class _Part(NamedTuple):
    """A filter of a view.

    Attributes:
        title: as chips name it; empty for the expression.
        place: in ``View.chips``; None for the expression.
        lists: on the wire.
    """

    title: str
    place: int | None
    lists: Sequence[Any]

    def refused(self, problem: str) -> FilterRefused:
        """The refusal that names this filter."""
        problem = _wire_name.sub(lambda found: name_of(found[0]), problem)
        return FilterRefused(f"the filter on {self.title}: {problem}" if self.title else problem, self.place)


async def check_filters(statistics: Statistics, page: Page) -> None:
    """Refuse filters with which no part of a page has an answer.

    Raises:
        FilterRefused: one of them; the message names it.
        InputRefused: they cannot be together.
        StoreUnavailable
    """
    parts = _parts(page)
    if not parts and not page.searched:
        return
    decoded = await asyncio.to_thread(lambda: [_decoded(page, part) for part in parts])
    sites = tuple(site.id for site in page.viewer.sites)
    body = {"metrics": ["visitors"], "date_range": page.range.asked, "filters": page.filters}
    whole = await asyncio.to_thread(decode_query, body, sites, page.known, page.today, extended=True)
    answers = joining(statistics.questions, page.imported or (), whole.inquiry, wanted=True).answers
    for part, filters in zip(parts, decoded, strict=True):
        if filters.goal_names and (missing := await answers.unknown_events(sites, filters.goal_names)):
            raise part.refused(no_goal(missing[0]))
        try:
            await check_expressions(statistics.questions, expressions_in(part.lists))
        except InputRefused as error:
            raise part.refused(str(error)) from error


def _parts(page: Page) -> list[_Part]:
    view = page.view
    parts = [_Part(plain_filter_name(chip.name), place, [chip.lists]) for place, chip in enumerate(view.chips)]
    return [*parts, _Part("", None, view.expression_filters)] if view.expression else parts


def _decoded(page: Page, part: _Part) -> DecodedFilters:
    """A filter by itself.

    Raises:
        FilterRefused
    """
    for listed in comparisons_in(part.lists):
        if listed.name == "visit:country" and listed.operator in {"is", "is_not"}:
            if any(len(str(each)) not in {0, 2} for each in listed.values):
                raise part.refused(NO_COUNTRY)
        elif listed.name == SEGMENT:
            try:
                chosen_segments(page.known.segments, listed.values, by_name=True)
            except ValueError as error:
                raise part.refused(str(error)) from error
    faults: list[str] = []
    goals = GoalNames(tuple(site.id for site in page.viewer.sites), page.known.goals)
    decoder = FilterDecoder(vocabulary(extended=True), goals, page.known.segments, faults.append)
    try:
        found = decoder.decode(part.lists)
    except InputRefused as error:
        raise part.refused(str(error)) from error
    if faults:
        raise part.refused(UNUSABLE)
    return found
