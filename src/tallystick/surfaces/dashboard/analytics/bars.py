"""What the bars above the statistics show: filters, the period, and what it is compared with."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from tallystick.errors import InputRefused
from tallystick.model.dimension_names import PROPERTY, name_of
from tallystick.services.analytics.titles import MOST_LOOKED_AT
from tallystick.surfaces.dashboard.analytics import wording
from tallystick.surfaces.dashboard.analytics.asking import Page
from tallystick.surfaces.dashboard.analytics.choosing import TypedFilter, operators_of, typed_filter
from tallystick.surfaces.dashboard.analytics.filter_words import GROUPS, filter_name, filter_values
from tallystick.surfaces.dashboard.analytics.hidden import shown_dimensions
from tallystick.surfaces.dashboard.analytics.segments import save_address
from tallystick.surfaces.dashboard.analytics.view import FilterRefused, View, filtered_address, text_of, view_of
from tallystick.surfaces.dashboard.analytics.viewer import Viewer
from tallystick.surfaces.dashboard.support.language import Language
from tallystick.surfaces.dashboard.support.page_request import PageRequest

MOST_OFFERED = 30
"""Goals that can be chosen by a link; others are typed."""


def form_values(view: View, viewer: Viewer) -> dict[str, Any]:
    """What the forms for filters need."""
    return {
        "operators": wording.OPERATORS,
        "operators_of": operators_of,
        "filter_groups": _groups(viewer),
        "no_filter": TypedFilter(),
        "text_of": text_of,
        "view_fields": lambda leave: [
            pair for pair in parse_qsl(view.query, keep_blank_values=True) if pair[0] != leave
        ],
        "filtered_address": filtered_address,
    }


def _groups(viewer: Viewer) -> Sequence[tuple[str, Mapping[str, str]]]:
    """The dimensions that filters are offered for: with a link that shows a part, those that it shows."""
    if not viewer.sees_a_part:
        return GROUPS
    shown = {name_of(wire) for wire in shown_dimensions(viewer)}
    kept = ((title, {name: text for name, text in names.items() if name in shown}) for title, names in GROUPS)
    return [(title, names) for title, names in kept if names]


def words_of_bars(language: Language, page: Page) -> dict[str, Any]:
    """What the bars with filters and periods need."""
    viewer = page.viewer
    goals = [goal.name for goals in page.known.goals.values() for goal in goals] if viewer.sees("goals") else []
    return {
        # Their names are of the site's people: guests never filter by them.
        "segments": page.known.segments if viewer.insider else (),
        "save_segment": save_address(viewer, page.view),
        "saved_views": (),
        "views_page": "",
        "segments_page": f"{viewer.base}/segments" if viewer.may_keep else "",
        "goals": list(dict.fromkeys(goals))[:MOST_OFFERED],
        "titles_searched": None if page.searched_all else MOST_LOOKED_AT,
        "sees_pages": viewer.sees("pages"),
        "filter_name": lambda name: filter_name(language, name),
        "filter_values": lambda chip: filter_values(language, page, chip),
        "period_choices": wording.PERIOD_CHOICES,
        "compare_choices": wording.COMPARE_CHOICES,
        "compare_words": wording.comparison(language, page),
        "compared_dates": wording.compared_dates(page),
    }


def refused_values(request: PageRequest, viewer: Viewer, error: InputRefused) -> dict[str, Any]:
    """What ``analytics/refused.html`` shows: why, and the form that was sent as it was filled in."""
    pairs = request.http.query_params
    try:
        view = view_of(pairs.multi_items())
    except InputRefused:
        view = View()
    return {
        **form_values(view, viewer),
        "viewer": viewer,
        "base": viewer.base,
        "here_address": request.http.url.path,
        "message": str(error),
        "typed": typed_filter(pairs) or (_refused_chip(view, error) if isinstance(error, FilterRefused) else None),
        "suggestions": (),
        "expression": view.expression if isinstance(error, FilterRefused) else "",
    }


def _refused_chip(view: View, refused: FilterRefused) -> TypedFilter | None:
    """The form for the filter that is refused, as it would be sent; None for the expression."""
    if refused.place is None or refused.place >= len(view.chips):
        return None
    chip = view.chips[refused.place]
    of_property = chip.name.startswith(PROPERTY)
    return TypedFilter(
        add=PROPERTY if of_property else chip.name,
        prop=chip.name.removeprefix(PROPERTY) if of_property else "",
        op=chip.operator,
        value=text_of(chip.values),
        at=str(refused.place),
    )
