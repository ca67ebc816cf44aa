"""Converts between a shared link and the fields of its form."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from tallystick.model.filter_text import parse_filter
from tallystick.model.filter_words import words_of
from tallystick.model.shared_link import SharedLink, end_of_day, last_day
from tallystick.surfaces.dashboard.analytics import week
from tallystick.surfaces.dashboard.analytics.lists import LEFT_OUT, LISTS
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.problems import Problems

SHARED_LISTS = (*LISTS, week.NAME)
"""The names of what a link shows unless lists are chosen for it."""
OFFERED_LISTS = (*SHARED_LISTS, LEFT_OUT)
"""The names of what can be chosen: what was left out is for guests only where it is chosen."""
NEW = {"name": "", "expires": "", "filter": "", "panels": ()}
"""The form's values for a new link."""

_NO_DATE = N_("must be a date such as 2026-12-31")
_NO_PANEL = N_("must be ones of this list")


class LinkFields(NamedTuple):
    """What a form says of a link, but for its password.

    Attributes:
        expires: Unix milliseconds; None for never.
    """

    name: str
    expires: int | None
    filters: list[Any]
    panels: tuple[str, ...]


def filled_in(link: SharedLink) -> dict[str, Any]:
    """The form's values for a stored link."""
    return {"name": link.name, "expires": last_day(link), "filter": words_of(link.filters), "panels": link.panels}


def typed(form: Form) -> dict[str, Any]:
    """The form's values as submitted, to show the form again."""
    return {**{name: form.text(name) for name in ("name", "expires", "filter")}, "panels": form.all("panel")}


def read_fields(form: Form, panels: Collection[str]) -> tuple[LinkFields, Problems]:
    """The fields of a form, and messages about those that cannot be read.

    Args:
        panels: the names of all panels.
    """
    problems: dict[str, Sequence[str]] = {}
    expires, filters = None, list[Any]()
    if text := form.text("expires"):
        expires = end_of_day(text)
        if expires is None:
            problems["expires"] = [_NO_DATE]
    if text := form.text("filter"):
        try:
            filters = _parts(parse_filter(text))
        except ValueError as error:
            problems["filter"] = [f"is no filter: {error}"]
    chosen = tuple(form.all("panel"))
    if not set(chosen) <= set(panels):
        problems["panels"] = [_NO_PANEL]
    return LinkFields(form.text("name"), expires, filters, chosen), problems


def _parts(lists: list[object]) -> list[Any]:
    """The filters of a list of which all have to hold: filters on goals and hosts stand at the top level only."""
    match lists:
        case ["and", [*parts]]:
            return parts
    return [lists]
