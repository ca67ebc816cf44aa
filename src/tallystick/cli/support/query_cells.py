"""Texts of what answers have, for people."""

from tallystick.cli.support.listing import printable
from tallystick.client.query_answers import Figure, SentRow, Value
from tallystick.model.dimension_names import PROPERTY, name_of

POINTS = frozenset({"bounce_rate", "percentage", "exit_rate", "conversion_rate", "group_conversion_rate"})
"""Metrics in percent: their change is a difference."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MINUTE_S, HOUR_S = 60, 3600


def figure_text(metric: str, figure: Figure) -> str:
    """``1,234``, ``2.35``, ``41 %`` or ``2m 05s``; a dash for none."""
    if figure is None:
        return "-"
    if metric == "visit_duration":
        return duration(round(figure))
    if metric in POINTS:
        return f"{figure:g} %"
    return f"{figure:.2f}" if metric == "views_per_visit" else f"{figure:,}"


def change_text(metric: str, change: Figure, before: Figure) -> str:
    """``+12 %``, or ``-3 points`` for a metric in percent; a dash for none, ``new`` where nothing was before."""
    if change is None:
        return "-"
    if change and not before:
        return "new"
    shown = f"{change:+,}" if isinstance(change, int) else f"{change:+,g}"
    return f"{shown if change else '0'} {'points' if metric in POINTS else '%'}"


def before_of(row: SentRow, place: int) -> tuple[Figure, Figure]:
    """A figure of the other period, and the change since; None where that period has no such time."""
    assert row.comparison is not None
    figures, changes = row.comparison.metrics, row.comparison.change
    return (figures[place] if figures else None, changes[place] if changes else None)


def duration(seconds: int) -> str:
    """``5s``, ``2m 05s`` or ``1h 02m``."""
    if seconds < MINUTE_S:
        return f"{seconds}s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S}m {seconds % MINUTE_S:02}s"
    return f"{seconds // HOUR_S}h {seconds % HOUR_S // MINUTE_S:02}m"


def value_text(dimension: str, value: Value | None) -> str:
    """A value of a dimension on one line; a dash for none."""
    if value is None:
        return "-"
    if dimension == "time:weekday" and isinstance(value, int):
        return WEEKDAYS[value - 1]
    if dimension == "time:hour_of_day":
        return f"{value:02}:00"
    return printable(str(value)) or "-"


def title_of(name: str) -> str:
    """A heading: ``views_per_visit`` becomes ``Views per visit``."""
    return name.replace("_", " ").capitalize()


def title_of_dimension(name: str) -> str:
    """The heading of a dimension, by its name on the wire. The name of a property stays as it is."""
    known = name_of(name)
    return value_text("", known) if known.startswith(PROPERTY) else known.capitalize()
