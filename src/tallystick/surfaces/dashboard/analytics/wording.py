"""Figures, changes and periods in words."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import partial
from types import MappingProxyType

from tallystick.model.question import TimeUnit
from tallystick.surfaces.dashboard.analytics.asking import Figures, Page
from tallystick.surfaces.dashboard.analytics.periods import local_dates
from tallystick.surfaces.dashboard.charts.words import NumberWords
from tallystick.surfaces.dashboard.support.language import N_, Language
from tallystick.web.charts.scales import Scale

NOTHING, TO, MINUS = "\N{EN DASH}", "\N{EN DASH}", "\N{MINUS SIGN}"
POINTS = frozenset({"bounce_rate", "percentage", "exit_rate", "conversion_rate"})
"""Metrics in percent; their changes are in points."""
LESS_IS_GOOD = frozenset({"bounce_rate"})
NEITHER_IS_GOOD = frozenset({"exit_rate"})
"""Metrics whose changes are welcome or not as the page is: visits have to end somewhere."""

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "visitors": N_("Visitors"),
        "visits": N_("Visits"),
        "pageviews": N_("Pageviews"),
        "views_per_visit": N_("Views per visit"),
        "bounce_rate": N_("Bounce rate"),
        "visit_duration": N_("Visit duration"),
        "events": N_("Events"),
        "percentage": N_("Share"),
        "exit_rate": N_("Exit rate"),
        "conversion_rate": N_("Conversion"),
    }
)

UNITS: Mapping[TimeUnit, str] = MappingProxyType(
    {
        TimeUnit.MINUTE: N_("Minutes"),
        TimeUnit.HOUR: N_("Hours"),
        TimeUnit.DAY: N_("Days"),
        TimeUnit.WEEK: N_("Weeks"),
        TimeUnit.MONTH: N_("Months"),
    }
)

_SCALES = {
    "visit_duration": Scale.SECONDS,
    "views_per_visit": Scale.RATIO,
    **dict.fromkeys(POINTS, Scale.PERCENT),
}
_NOUNS: Mapping[str, Callable[[Language, int], str]] = MappingProxyType(
    {
        "visitors": lambda language, number: language.ngettext("%(num)s visitor", "%(num)s visitors", number),
        "visits": lambda language, number: language.ngettext("%(num)s visit", "%(num)s visits", number),
        "pageviews": lambda language, number: language.ngettext("%(num)s pageview", "%(num)s pageviews", number),
        "events": lambda language, number: language.ngettext("%(num)s event", "%(num)s events", number),
    }
)

PERIOD_CHOICES = (
    ("today", N_("Today"), "d"),
    ("yesterday", N_("Yesterday"), "e"),
    ("7d", N_("7 days"), "w"),
    ("28d", N_("28 days"), "t"),
    ("91d", N_("91 days"), "n"),
    ("week", N_("Week"), "k"),
    ("month", N_("Month"), "m"),
    ("year", N_("Year"), "y"),
    ("all", N_("All"), "a"),
)
"""Periods to choose from: their names in addresses, their titles, and the keys that choose them."""

COMPARE_CHOICES = (("previous", N_("Previous period")), ("year", N_("Year before")), ("off", N_("Off")))

_PERIODS: Mapping[str, str] = MappingProxyType(
    {
        "today": N_("Today"),
        "yesterday": N_("Yesterday"),
        "7d": N_("7 days"),
        "28d": N_("28 days"),
        "91d": N_("91 days"),
        "week": N_("This week"),
        "month": N_("This month"),
        "year": N_("This year"),
        "all": N_("All time"),
    }
)

OPERATORS: Mapping[str, str] = MappingProxyType(
    {
        "is": N_("is"),
        "is_not": N_("is not"),
        "contains": N_("contains"),
        "contains_not": N_("does not contain"),
        "matches": N_("matches"),
        "matches_not": N_("does not match"),
    }
)


def figure(language: Language, metric: str, value: float | None) -> str:
    """A figure as people read it; a dash for none."""
    if value is None:
        return NOTHING
    if metric == "visit_duration":
        return language.duration(value)
    if metric in POINTS:
        return language.percent(value / 100, 1)
    return language.number(value)


def number_words(language: Language, metric: str) -> NumberWords:
    """How charts and sentences write the numbers of a metric."""
    noun = _NOUNS.get(metric)
    return NumberWords(
        language=language,
        title=language.gettext(TITLES[metric]),
        scale=_SCALES.get(metric, Scale.COUNT),
        noun=partial(_counted, language, noun) if noun else None,
        good_is_up=None if metric in NEITHER_IS_GOOD else metric not in LESS_IS_GOOD,
    )


def sentence(language: Language, figures: Figures) -> str:
    """A change as a person would say it; empty without a comparison."""
    return number_words(language, figures.metric).sentence(figures.now, figures.before)


def _counted(language: Language, noun: Callable[[Language, int], str], value: float) -> str:
    return noun(language, round(value)) % {"num": language.number(value)}


def change(language: Language, figures: Figures) -> str:
    """A change with its sign: ``+12 %``, ``-3 points``; empty without one."""
    if figures.change is None:
        return ""
    sign = "+" if figures.change > 0 else MINUS if figures.change < 0 else ""
    size = abs(figures.change)
    if figures.metric in POINTS:
        return sign + language.ngettext("%(num)s point", "%(num)s points", round(size)) % {"num": language.number(size)}
    if not figures.before and figures.now:
        return language.gettext(N_("new"))
    return sign + language.percent(size / 100)


def is_good(figures: Figures) -> bool | None:
    """Whether a change is for the better; None without one."""
    if not figures.change or figures.metric in NEITHER_IS_GOOD:
        return None
    return (figures.change > 0) != (figures.metric in LESS_IS_GOOD)


def period(language: Language, page: Page) -> str:
    """The period of a page, in words."""
    name, first, last = page.view.period, page.range.first, page.range.last
    if name in _PERIODS:
        return language.gettext(_PERIODS[name])
    if "T" in name:
        begin, end = (language.clock(datetime.fromisoformat(each)) for each in name.split(".."))
        if first == last:
            return f"{language.day(first)}, {begin}{TO}{end}"
        return f"{language.day(first)}, {begin} {TO} {language.day(last)}, {end}"
    return language.day(first) if first == last else f"{language.day(first)} {TO} {language.day(last)}"


def comparison(language: Language, page: Page) -> str:
    """What a page is compared with, in words."""
    known = dict(COMPARE_CHOICES).get(page.view.compare)
    if page.compared is None:
        return language.gettext(N_("Not compared"))
    if known is None:
        first, last = compared_dates(page)
        return f"{language.day(first)} {TO} {language.day(last)}"
    return language.gettext(known)


def compared_dates(page: Page) -> tuple[date, date]:
    """The first and the last date of the period to compare with; without one, those of the period itself."""
    if page.compared is None:
        return page.range.first, page.range.last
    return local_dates(page.compared, page.zone)


WARNINGS = (
    N_("Some hits have no session. Each first one on a path counts as a visitor, so the number is not exact."),
    N_("Imported data is not included: it has whole days of the site's time zone, and the query divides or cuts days."),
    N_(
        "Imported data is not included: its tables cannot be joined, and the query needs figures, dimensions or filters"
        " that no single one of them has."
    ),
)
"""What answers say beside their figures, to be translated. A test holds it against the services."""
