"""Charts of numbers that are hard to draw, for tests that look at them."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from math import pi, sin
from typing import Any

from tallystick.model.question import Figure, TimeUnit
from tallystick.surfaces.dashboard.charts.small import funnel_steps, heat_table, sparkline
from tallystick.surfaces.dashboard.charts.time_chart import Bucket, ChartNote, TimeChart, time_chart
from tallystick.surfaces.dashboard.charts.words import NumberWords
from tallystick.surfaces.dashboard.support.language import Language
from tallystick.web.charts.scales import Scale

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&{{ 7 * 7 }}\u202e"
LONG = "a-name-that-has-no-end-" * 12
FIRST = datetime.fromisoformat("2026-11-01")
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def visitors(language: Language, title: str = "Visitors") -> NumberWords:
    """Words for visitors."""
    return NumberWords(language=language, title=title, noun=lambda value: f"{language.number(value)} visitors")


def wave(number: int) -> int:
    """A week that rises slowly."""
    return round(900 + 250 * sin(number * 2 * pi / 7) + 9 * number)


def buckets(
    count: int,
    value: Callable[[int], Figure],
    step: timedelta = DAY,
    *,
    compared: bool = True,
    unfinished: bool = False,
) -> list[Bucket]:
    """Buckets in a row, with a period of the same length before them."""
    return [
        Bucket(
            start=FIRST + number * step,
            value=value(number),
            link=f"?period={number}",
            before=value(number + 1) if compared else None,
            before_start=FIRST + (number - count) * step if compared else None,
            unfinished=unfinished and number == count - 1,
        )
        for number in range(count)
    ]


def gallery(language: Language) -> Mapping[str, Any]:
    """The values of the template ``gallery.html``."""
    words = visitors(language)
    seconds = NumberWords(language=language, title="Visit duration", scale=Scale.SECONDS)
    percent = NumberWords(language=language, title="Bounce rate", scale=Scale.PERCENT, good_is_up=False)
    notes = [
        ChartNote(at=FIRST + 2 * DAY, when="3 Nov", text=f"{HOSTILE} {LONG}", link="https://example.com", edit="/n/1"),
        ChartNote(at=FIRST + 2 * DAY + HOUR, when="3 Nov, 01:00", text="The same day"),
        ChartNote(at=FIRST + 3 * DAY, when="4 Nov", text="Close to it"),
        ChartNote(at=FIRST + 20 * DAY, when="21 Nov", text="Newsletter sent"),
    ]
    months = [
        Bucket(start=datetime.fromisoformat(f"2025-{month:02}-01"), value=month * 1_000) for month in range(1, 13)
    ]
    charts: dict[str, TimeChart] = {
        "28 days": time_chart(buckets(28, wave, unfinished=True), TimeUnit.DAY, words, notes),
        "All zero": time_chart(buckets(28, lambda _: 0), TimeUnit.DAY, words),
        "One bucket": time_chart(buckets(1, lambda _: 7), TimeUnit.DAY, words),
        "One unfinished bucket": time_chart(buckets(1, lambda _: 7, unfinished=True), TimeUnit.DAY, words),
        "No buckets": time_chart([], TimeUnit.DAY, words),
        "One huge": time_chart(buckets(28, lambda day: 10**15 if day == 9 else day), TimeUnit.DAY, words),
        "Gaps": time_chart(buckets(28, lambda day: None if day % 5 in {0, 2} else day), TimeUnit.DAY, words),
        "366 days": time_chart(buckets(366, wave), TimeUnit.DAY, words, notes),
        "30 minutes": time_chart(
            buckets(30, lambda minute: minute % 4, MINUTE, compared=False, unfinished=True), TimeUnit.MINUTE, words
        ),
        "Two days by hour": time_chart(buckets(48, wave, HOUR), TimeUnit.HOUR, seconds),
        "Three days by hour": time_chart(buckets(72, lambda hour: hour % 24 * 4, HOUR), TimeUnit.HOUR, percent),
        "Too many to point at": time_chart(buckets(401, wave, MINUTE), TimeUnit.MINUTE, words),
        "Months": time_chart(months, TimeUnit.MONTH, words),
        LONG: time_chart(buckets(7, wave), TimeUnit.DAY, visitors(language, HOSTILE + LONG), notes),
    }
    week = {(day, hour): (hour - 3) ** 2 * day * day for day in range(1, 8) for hour in range(4, 24)}
    return {
        "language": language,
        "charts": charts,
        "heat": heat_table({**week, (7, 23): 1_234_567}, words),
        "steps": funnel_steps([("Landing", 1_204, 462), (HOSTILE, 742, 739), (LONG, 3, 3), ("Paid", 0, 0)], words),
        "sparks": [sparkline([wave(day) for day in range(28)], unfinished=True), sparkline([]), sparkline([0, 0])],
        "changes": [words.delta(114, 100), words.delta(90, 100), words.delta(1, 0), percent.delta(48.5, 50.0)],
    }
