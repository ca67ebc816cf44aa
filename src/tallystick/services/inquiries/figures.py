"""Figures as they are sent (contract 2.5), and changes between two of them (5.2)."""

from collections.abc import Sequence
from math import copysign, floor

from tallystick.model.question import Figure
from tallystick.services.inquiries.names import WireMetric

IN_POINTS = frozenset({"bounce_rate", "conversion_rate", "group_conversion_rate", "exit_rate", "percentage"})
"""Metrics whose change is a difference: they are percentages themselves."""


def sent(metric: WireMetric, figure: Figure) -> int | float:
    """A figure, rounded as its metric is; 0 where nothing could be computed."""
    if figure is None:
        return 0
    return round(figure, metric.digits) if metric.digits else round(figure)


def rate(reached: Figure, everyone: Figure) -> float:
    """Visitors who reached a goal, in percent of all."""
    return 100 * reached / everyone if reached and everyone else 0.0


def change(metric: WireMetric, now: float, before: float) -> int | float | None:
    """The change of a figure in whole percent, or in points."""
    if metric.name == "bounce_rate":
        return now - before if before else None
    if metric.name in IN_POINTS:
        return round(now - before, metric.digits)
    if not before:
        return 100 if now else 0
    return _rounded((now - before) / before * 100)


def _rounded(percent: float) -> int:
    """Rounded as Plausible rounds changes: halves away from zero."""
    return int(copysign(floor(abs(percent) + 0.5), percent))


def changes(metrics: Sequence[WireMetric], now: Sequence[float], before: Sequence[float]) -> list[int | float | None]:
    """The change of each figure of a row."""
    return [change(*each) for each in zip(metrics, now, before, strict=True)]
