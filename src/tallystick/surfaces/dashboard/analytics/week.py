"""Visitors by weekday and hour."""

from collections.abc import Mapping
from typing import Any

from tallystick.surfaces.dashboard.analytics import wording
from tallystick.surfaces.dashboard.analytics.asking import Asking, Page
from tallystick.surfaces.dashboard.charts.small import heat_table
from tallystick.surfaces.dashboard.support.language import Language

NAME = "week"
"""In addresses, and among the lists that a viewer may see."""
METRIC = "visitors"

Week = Mapping[tuple[int, int], int]
"""Visitors by weekday (Monday is 1) and hour; where there were none, they may be missing."""


async def week_of(asking: Asking, page: Page) -> Week:
    """The week of a page's period.

    Raises:
        InputRefused, QuestionTooLong, StoreUnavailable
    """
    body = {"metrics": [METRIC], "dimensions": ["time:weekday", "time:hour_of_day"]}
    answer = await asking.ask(page, body, compares=False)
    found = {}
    for row in answer["results"]:
        day, hour = row["dimensions"]
        found[int(day), int(hour)] = row["metrics"][0]
    return found


def week_values(language: Language, week: Week) -> Mapping[str, Any]:
    """What ``analytics/week_parts.html`` draws. Many hours are written, so call it on a thread."""
    return {"heat": heat_table(week, wording.number_words(language, METRIC)), "is_empty": not any(week.values())}
