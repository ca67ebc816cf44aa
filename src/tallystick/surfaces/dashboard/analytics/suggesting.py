"""Values that can be chosen in the form for a filter: those that hits of the period have, the most visited first."""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import InputRefused
from tallystick.model.dimension_names import GOAL, PROPERTY, SEGMENT, grouped_by
from tallystick.model.dimensions import PAGEVIEW
from tallystick.model.shown_values import NONE, NOT_SET
from tallystick.services.analytics.kept.step_words import goal_text
from tallystick.surfaces.dashboard.analytics.asking import Asking, Failure, Page, page_of, tried
from tallystick.surfaces.dashboard.analytics.choosing import typed_filter
from tallystick.surfaces.dashboard.analytics.hidden import shown_dimensions
from tallystick.surfaces.dashboard.analytics.lists import Listing
from tallystick.surfaces.dashboard.analytics.view import chip_of, text_of, view_of
from tallystick.surfaces.dashboard.analytics.viewer import Viewer
from tallystick.surfaces.dashboard.names.values import shown_value
from tallystick.surfaces.dashboard.support.language import Language
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.surfaces.dashboard.support.services import Statistics

MOST_VALUES = 20

PROPERTIES, STEP = "prop", "step"
_MOST_PROPERTIES = 1_000

_WITH_NAMES = frozenset({"country", "region", "language", "device", "size", "channel"})
"""Dimensions whose values have names in the language of the page, by which they are searched."""
_MOST_NAMED = 1_000


class Suggested(Struct, frozen=True):
    """A value that can be chosen.

    Attributes:
        value: as the field of the form takes it.
        name: as people read it.
    """

    value: str
    name: str


async def suggested(asking: Asking, language: Language, page: Page, name: str, find: str = "") -> list[Suggested]:
    """Values of a dimension that can be chosen, at most ``MOST_VALUES``.

    Args:
        name: of the dimension, as people write it; ``PROPERTIES`` for the names of properties; ``STEP`` for the steps
            of funnels: goals, events and pages, of each at most ``MOST_VALUES``.
        find: a part of the value or of its name, in any case; empty for all.

    Raises:
        InputRefused: there is no such dimension, or its values are not shown to the viewer.
        QuestionTooLong, StoreUnavailable
    """
    if name == SEGMENT:
        names = [each.name for each in page.known.segments] if page.viewer.insider else []
        return _found([Suggested(text_of([each]), each) for each in names], find)
    if name == STEP:
        return await _steps(asking, language, page, find)
    if name == PROPERTIES:
        return _found([Suggested(each, each) for each in await _property_names(asking, page)], find)
    try:
        wire = grouped_by(name)
    except ValueError as error:
        raise InputRefused(str(error)) from error
    if page.viewer.sees_a_part and wire not in shown_dimensions(page.viewer):
        msg = f"this link shows nothing by {name}, so it cannot be filtered by that"
        raise InputRefused(msg)
    if name == GOAL:
        goals = dict.fromkeys(goal.name for goals in page.known.goals.values() for goal in goals)
        return _found([Suggested(text_of([each]), each) for each in goals], find)
    page = replace(page, compared=None)
    named = name in _WITH_NAMES
    if find and not named:
        chips = (*page.view.chips, chip_of(name, "contains", [find]))
        page = replace(page, view=page.view.changed(chips=chips))
    listing = Listing(name="values", title="", by=name, column="", metrics=("visitors",))
    answer = await asking.rows(page, listing, listing.metrics, limit=_MOST_NAMED if named else MOST_VALUES)
    values = (row.value for row in answer.rows if row.value not in {"", NOT_SET, NONE})
    return _found([_value(language, name, value) for value in values], find)


async def suggested_for(statistics: Statistics, request: PageRequest, viewer: Viewer) -> Sequence[Suggested]:
    """The same for a form that is shown again; nothing where it cannot be told."""
    pairs = request.http.query_params
    typed = typed_filter(pairs)
    if typed is None:
        return ()

    async def values() -> Sequence[Suggested]:
        view = view_of(pairs.multi_items(), viewer.usual_period(request.now))
        page = await page_of(statistics, viewer, view, request.now)
        name = typed.add + (typed.prop if typed.add == PROPERTY else "")
        return await suggested(Asking(statistics), request.language, page, name)

    found = await tried(values)
    return () if isinstance(found, Failure) else found


async def _steps(asking: Asking, language: Language, page: Page, find: str) -> list[Suggested]:
    goals = dict.fromkeys(goal_text(goal) for goals in page.known.goals.values() for goal in goals)
    events = await suggested(asking, language, page, "event", find)
    pages = await suggested(asking, language, page, "page", find)
    names = [each.name for each in (*events, *pages) if each.name != PAGEVIEW]
    return [*_found([Suggested(each, each) for each in goals], find), *(Suggested(each, each) for each in names)]


async def _property_names(asking: Asking, page: Page) -> list[str]:
    if page.viewer.sees_a_part:
        msg = "this link shows no properties, so their names cannot be listed"
        raise InputRefused(msg)
    return await asking.property_names(page, _MOST_PROPERTIES)


def _value(language: Language, name: str, value: str) -> Suggested:
    shown = shown_value(language, name, value)
    # The form takes countries by their names.
    return Suggested(text_of([shown if name == "country" else value]), shown)


def _found(values: Iterable[Suggested], find: str) -> list[Suggested]:
    wanted = find.casefold()
    fitting = [each for each in values if wanted in each.value.casefold() or wanted in each.name.casefold()]
    return fitting[:MOST_VALUES]
