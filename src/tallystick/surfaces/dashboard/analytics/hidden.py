"""What people without an account cannot ask: filters tell about what a page does not show."""

from collections.abc import Sequence
from typing import Any

from tallystick.errors import InputRefused
from tallystick.model.dimension_names import SEGMENT, WIRE_GOAL, filtered_by, name_of
from tallystick.services.inquiries.configured import Configured
from tallystick.services.inquiries.goal_names import is_page
from tallystick.surfaces.dashboard.analytics.lists import LEFT_OUT, LISTS
from tallystick.surfaces.dashboard.analytics.view import View
from tallystick.surfaces.dashboard.analytics.viewer import Viewer

_PAGES = "pages"
"""The list that words of ``q`` are about."""


def refuse_hidden(viewer: Viewer, view: View, searched: Sequence[Any], known: Configured) -> None:
    """Refuse a view whose filters are about what the viewer does not see.

    Everything may be filtered by those who see all of it. A guest never filters by segments, which have names of the
    site's people. With a shared link that shows a part, filters are on the lists that it shows, and what else a visitor
    has done cannot be asked.

    Args:
        searched: filters on the wire that the view's text means.
        known: the goals of the sites. One that is not among them may be a page by another name.

    Raises:
        InputRefused: the message says what cannot be asked.
    """
    if viewer.insider:
        return
    filters = [*view.filters, *searched]
    wires = {wire for each in filters for wire in _dimensions(each, known)}
    if SEGMENT in wires:
        msg = "segments can be used by logged-in people only"
        raise InputRefused(msg)
    if not viewer.sees_a_part:
        return
    if view.text and not viewer.sees(_PAGES):
        msg = "this link shows no pages, so they cannot be searched"
        raise InputRefused(msg)
    for wire in sorted(wires - shown_dimensions(viewer)):
        msg = f"this link shows nothing by {name_of(wire)}, so it cannot be filtered by that"
        raise InputRefused(msg)
    if viewer.locked and any(map(_asks_for_visits, filters)):
        msg = "with this link it cannot be asked what else visitors have done"
        raise InputRefused(msg)


def shown_dimensions(viewer: Viewer) -> set[str]:
    """The names on the wire of what a viewer sees lists of."""
    shown = {wire for listing in LISTS.values() if viewer.sees(listing.name) for wire in listing.dimensions}
    return shown | {filtered_by("bot")} if viewer.sees(LEFT_OUT) else shown


def _dimensions(lists: Any, known: Configured) -> set[str]:  # noqa: ANN401  # of JSON
    """The names on the wire of what filters compare."""
    match lists:
        case ["and" | "or", [*parts]]:
            return {wire for part in parts for wire in _dimensions(part, known)}
        case ["not" | "has_done" | "has_not_done", part]:
            return _dimensions(part, known)
        case [_, str(wire), [*names], *_] if wire == WIRE_GOAL and any(_is_page_only(name, known) for name in names):
            return {WIRE_GOAL, filtered_by("page")}
        case [_, str(wire), *_]:
            return {wire}
    return set()


def _is_page_only(name: object, known: Configured) -> bool:
    """Whether a goal is only another name for a page. Links, the only ones that show a part, are of one site."""
    configured = {goal.name for goals in known.goals.values() for goal in goals}
    return isinstance(name, str) and is_page(name) and name not in configured


def _asks_for_visits(lists: Any) -> bool:  # noqa: ANN401  # of JSON
    match lists:
        case ["and" | "or", [*parts]]:
            return any(map(_asks_for_visits, parts))
        case ["not", part]:
            return _asks_for_visits(part)
        case ["has_done" | "has_not_done", _]:
            return True
    return False
