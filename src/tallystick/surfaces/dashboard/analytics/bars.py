"""What the bars above the statistics show: filters, the period, and what it is compared with."""

from typing import Any
from urllib.parse import parse_qsl

from tallystick.surfaces.dashboard.analytics import wording
from tallystick.surfaces.dashboard.analytics.asking import Page
from tallystick.surfaces.dashboard.analytics.choosing import TypedFilter, operators_of
from tallystick.surfaces.dashboard.analytics.filter_words import GROUPS, filter_name, filter_values
from tallystick.surfaces.dashboard.analytics.view import View
from tallystick.surfaces.dashboard.support.language import Language

MOST_OFFERED = 30
"""Goals that can be chosen by a link; others are typed."""


def form_values(view: View) -> dict[str, Any]:
    """What the forms for filters need."""
    return {
        "operators": wording.OPERATORS,
        "operators_of": operators_of,
        "filter_groups": GROUPS,
        "no_filter": TypedFilter(),
        "view_fields": lambda leave: [pair for pair in parse_qsl(view.query) if pair[0] != leave],
    }


def words_of_bars(language: Language, page: Page) -> dict[str, Any]:
    """What the bars with filters and periods need."""
    goals = [goal.name for goals in page.known.goals.values() for goal in goals]
    return {
        "goals": list(dict.fromkeys(goals))[:MOST_OFFERED],
        "sees_pages": page.viewer.sees("pages"),
        "filter_name": lambda name: filter_name(language, name),
        "filter_values": lambda chip: filter_values(language, page, chip),
        "period_choices": wording.PERIOD_CHOICES,
        "compare_choices": wording.COMPARE_CHOICES,
        "compare_words": wording.comparison(language, page),
        "compared_dates": wording.compared_dates(page),
    }
