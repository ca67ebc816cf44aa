"""The figures of a page: questions made from what is viewed, each with its own deadline."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

import structlog
from msgspec import Struct
from msgspec.structs import replace

from tallystick.errors import InputRefused, QuestionTooLong, StoreUnavailable
from tallystick.model.named_period import (
    Earlier,
    OutsideOfCalendar,
    Today,
    custom_comparison,
    earlier,
    period_between,
)
from tallystick.model.pairing import Pairing
from tallystick.model.period import Period, day_of
from tallystick.model.question import TimeUnit
from tallystick.services.analytics.imported import ImportedDays
from tallystick.services.analytics.titles import TitledNames
from tallystick.services.inquiries.asking import answered, moments, today_of
from tallystick.services.inquiries.configured import Configured, configured
from tallystick.services.inquiries.importing import days_with_imports, since_imports
from tallystick.surfaces.dashboard.analytics.hidden import refuse_hidden
from tallystick.surfaces.dashboard.analytics.lists import Listing
from tallystick.surfaces.dashboard.analytics.missing import missing_by_settings
from tallystick.surfaces.dashboard.analytics.periods import NamedRange, named_range, units_of, usual_unit
from tallystick.surfaces.dashboard.analytics.text_filter import text_filter
from tallystick.surfaces.dashboard.analytics.view import View
from tallystick.surfaces.dashboard.analytics.viewer import Viewer
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.services import Statistics

WITHIN_S = 2.0
"""The time that one panel may take, with the time that it waits for others."""

NUMBERS = ("visitors", "visits", "pageviews", "bounce_rate", "visit_duration")
"""The metrics of the row of numbers."""

Result = TypeVar("Result")

log = structlog.get_logger()

COMPARE_NAMES = {"previous": "previous_period", "year": "year_over_year"}


class Figures(Struct, frozen=True):
    """A number, and the one of the other period.

    Attributes:
        change: in percent, or in points for a metric in percent; None without a comparison or a divisor.
    """

    metric: str
    now: float
    before: float | None = None
    change: float | None = None


class ListRow(Struct, frozen=True):
    """A row of a list.

    Attributes:
        within: the value of ``Listing.within``; empty without one.
    """

    value: str
    figures: tuple[Figures, ...]
    within: str = ""


class ListAnswer(Struct, frozen=True):
    """The rows of a page of a list.

    Attributes:
        total: rows of all pages.
        missing: why the settings of the sites let no later hits come to the list; empty where they do.
    """

    rows: tuple[ListRow, ...]
    total: int
    warnings: tuple[str, ...] = ()
    missing: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything that is to be known of the rows."""
        return (*self.warnings, self.missing) if self.missing else self.warnings


class Series(Struct, frozen=True):
    """A metric over time.

    Attributes:
        labels: every unit of the period, as answers have them.
        values: None for units that have not begun.
        before: for each unit the value of its partner in the other period, None for one without; empty without a
            comparison.
        before_labels: these partners.
        alone: units of the other period that are partners of none, and their values.
        partial: the position of the unit that is not over; None where all are.
    """

    unit: TimeUnit
    metric: str
    labels: tuple[str, ...]
    values: tuple[float | None, ...]
    before: tuple[float | None, ...] = ()
    before_labels: tuple[str | None, ...] = ()
    alone: tuple[tuple[str, float], ...] = ()
    partial: int | None = None

    @property
    def compares(self) -> bool:
        """Whether there is another period."""
        return bool(self.before_labels or self.alone)


class Page(Struct, frozen=True, kw_only=True):
    """One request for statistics.

    Attributes:
        today: the moment, the zone of the site, and when counting began.
        range: the period of the view.
        compared: the period that it is compared with; None for none.
        unit: by which the chart is divided.
        units: those that can be chosen.
        known: goals and segments.
        searched: filters on the wire that the view's text means.
        searched_all: whether that text was looked for in all titles.
        imported: the days of imports that count; None where they could not be read.
    """

    viewer: Viewer
    view: View
    today: Today
    range: NamedRange
    compared: Period | None
    unit: TimeUnit
    units: tuple[TimeUnit, ...]
    known: Configured
    now: int
    searched: tuple[Any, ...] = ()
    searched_all: bool = True
    imported: Sequence[ImportedDays] | None = None

    @property
    def filters(self) -> list[Any]:
        """All filters on the wire, the locked ones first.

        Raises:
            InputRefused: one of the view is not valid.
        """
        return [*self.viewer.locked, *self.view.filters, *self.searched]

    @property
    def zone(self) -> tzinfo:
        """The zone of the page: that of the first site, or the one that the person has chosen."""
        return self.today.zone

    @property
    def drawn_by(self) -> TimeUnit:
        """The unit of the chart, with the first day of the week that the person has chosen."""
        return TimeUnit.SUNDAY_WEEK if self.unit is TimeUnit.WEEK and self.viewer.sunday_first else self.unit


async def page_of(statistics: Statistics, viewer: Viewer, view: View, now: int) -> Page:
    """Resolve the period of a view and what its filters may name.

    Args:
        now: Unix milliseconds.

    Raises:
        InputRefused: the period or the unit is not valid, or a filter is about what is not shown to
            the viewer; the message says what is.
        StoreUnavailable
    """
    imported = await _imported(statistics, viewer)
    days = imported or ()
    # As questions do, or "all" would be one period here and another one in the answers.
    today = since_imports(await asyncio.to_thread(today_of, viewer.sites, now), days)
    try:
        period = await asyncio.to_thread(named_range, view.period, today, sunday_first=viewer.sunday_first)
    except ValueError as error:
        msg = f"period: {error}"
        raise InputRefused(msg) from error
    whole_days = any(_has_days(period, each, today) for each in days)
    units = units_of(period, whole_days=whole_days)
    unit = usual_unit(period, whole_days=whole_days)
    if view.by:
        chosen = [each for each in units if each.value == view.by]
        if not chosen:
            msg = f"by: this period can be divided by {', '.join(each.value for each in units)}"
            raise InputRefused(msg)
        unit = chosen[0]
    ids = [site.id for site in viewer.sites]
    compared = await asyncio.to_thread(_compared, view, period, today)
    known = await configured(statistics.goals, statistics.segments, ids, viewer.person_id)
    searched, complete = await _searched(statistics, viewer, view)
    refuse_hidden(viewer, view, searched, known)
    return Page(
        viewer=viewer,
        view=view,
        today=today,
        range=period,
        compared=compared,
        unit=unit,
        units=units,
        known=known,
        now=now,
        searched=tuple(searched),
        searched_all=complete,
        imported=imported,
    )


async def _imported(statistics: Statistics, viewer: Viewer) -> Sequence[ImportedDays] | None:
    """The imported days that count. None where they cannot be read now: each part of the page then says so itself."""
    try:
        return await in_time(days_with_imports(statistics.questions, viewer.sites, wanted=True))
    except (QuestionTooLong, StoreUnavailable):
        return None


def _has_days(period: NamedRange, days: ImportedDays, today: Today) -> bool:
    """Whether a period of whole days has imported ones. Periods that cut days never have imports in answers."""
    if "T" in period.name:
        return False
    first, last = day_of(period.period.first, today.zone), day_of(period.period.after - 1, today.zone)
    return max(first, days.first) <= min(last, days.last)


async def _searched(statistics: Statistics, viewer: Viewer, view: View) -> tuple[list[Any], bool]:
    """The filters on the wire that the text of a view means, and whether all titles were looked at for it."""
    if not view.text:
        return [], True
    search = text_filter(view.text)
    sites = [site.id for site in viewer.sites]
    titled = await statistics.titles.names(sites, search.fits) if search.in_title else TitledNames([], complete=True)
    return search.lists(titled.names, events=viewer.sees("events")), titled.complete


def _compared(view: View, asked: NamedRange, today: Today) -> Period | None:
    """The period to compare with; None where none is wanted, or where there is nothing before."""
    if view.compare == "off" or asked.name == "all":
        return None
    compare = _compare(view)
    try:
        if isinstance(compare, str):
            try:
                return earlier(asked.period, Earlier(compare), today, same_weekdays=view.match_weekdays)
            except OutsideOfCalendar:
                return None
        other = period_between(compare[0], compare[1], today)
        return custom_comparison(asked.period, other, today, same_weekdays=view.match_weekdays)
    except ValueError as error:
        msg = f"compare: {error}"
        raise InputRefused(msg) from error


def _compare(view: View) -> str | list[str]:
    """What the period is compared with, as questions name it."""
    return COMPARE_NAMES.get(view.compare) or view.compare.split("..")


class Asking:
    """Asks for the parts of a page."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics

    async def numbers(self, page: Page, metrics: Sequence[str] = NUMBERS) -> tuple[Figures, ...]:
        """The row of numbers.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable
        """
        answer = await self.ask(page, {"metrics": list(metrics)})
        (row,) = answer["results"]
        return _figures(metrics, row)

    async def property_names(self, page: Page, limit: int) -> list[str]:
        """The names of properties of the period, those of the most hits first; filters do not apply.

        Raises:
            QuestionTooLong, StoreUnavailable
        """
        sites, period = [site.id for site in page.viewer.sites], page.range.period
        return await in_time(self._statistics.questions.read(lambda each: each.prop_names(sites, period, limit)))

    async def live(self, page: Page) -> int:
        """Visitors of the last five minutes that pass the filters.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable
        """
        answer = await self.ask(page, {"metrics": ["visitors"], "date_range": "realtime"}, compares=False)
        return int(answer["results"][0]["metrics"][0])

    async def series(self, page: Page) -> Series:
        """The metric of the chart over time.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable
        """
        metric = page.view.graph
        body = {"metrics": [metric], "dimensions": [f"time:{page.drawn_by.value}"], "include": {"time_labels": True}}
        here = await self.ask(page, body, compares=False)
        if page.compared is None:
            return _series(page, metric, here)
        # Another question: the rows of a comparison are those of this period only.
        other = {**body, "date_range": moments(page.compared, page.zone)}
        return _series(page, metric, here, await self.ask(page, other, compares=False))

    async def rows(  # noqa: PLR0913  # what is asked
        self, page: Page, listing: Listing, metrics: Sequence[str], *, limit: int, offset: int = 0, order: str = ""
    ) -> ListAnswer:
        """The rows of a list, those with the greatest first metric first.

        Args:
            order: another metric by which rows are sorted.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable
        """
        body = {
            "metrics": list(metrics),
            "dimensions": listing.dimensions,
            "order_by": [[order or metrics[0], "desc"]],
            "include": {"total_rows": True},
            "pagination": {"limit": limit, "offset": offset},
        }
        answer = await self.ask(page, body)
        rows = [_row(metrics, row) for row in answer["results"]]
        missing = missing_by_settings(listing, page.viewer.sites)
        return ListAnswer(tuple(rows), answer["meta"]["total_rows"], _warnings(answer["meta"]), missing)

    async def ask(self, page: Page, body: Mapping[str, Any], *, compares: bool = True) -> dict[str, Any]:
        """The answer to a body of ``/api/query``, to which period, filters and comparison of the page are added.

        Raises:
            InputRefused, QuestionTooLong, StoreUnavailable
        """
        view = page.view
        include = {"imports": True, **body.get("include", {})}
        if compares and page.compared is not None:
            include["compare"] = _compare(view)
            include["compare_match_day_of_week"] = view.match_weekdays
            include["compare_gone"] = False  # lists show what is in the period
        whole = {
            "site_id": page.viewer.site.address_name,
            "date_range": page.range.asked,
            **body,
            "filters": page.filters,
            "include": include,
        }
        questions = self._statistics.questions
        return await in_time(
            answered(
                questions,
                page.viewer.sites,
                page.known,
                whole,
                page.now,
                extended=True,
                locked=len(page.viewer.locked),
                days=page.imported,
            )
        )


class Failure(Struct, frozen=True):
    """Why a part of a page has no figures. The message is English, and translated where it is shown."""

    message: str


async def tried(ask: Callable[[], Awaitable[Result]]) -> Result | Failure:
    """An answer, or in its place why there is none: one part of a page fails alone."""
    try:
        return await ask()
    except InputRefused as error:
        return Failure(str(error))
    except QuestionTooLong:
        return Failure(N_("This took too long. Try again, or choose a shorter period."))
    except StoreUnavailable:
        return Failure(N_("The statistics cannot be read at the moment. Try again soon."))
    except Exception:
        log.exception("a part of a page failed", surface="dashboard")
        return Failure(N_("Something went wrong here. The server's log has the details."))


async def in_time(answer: Awaitable[Result]) -> Result:
    """An answer within the time of one part of a page.

    Raises:
        QuestionTooLong: it takes longer; its statement is interrupted.
    """
    try:
        async with asyncio.timeout(WITHIN_S):
            return await answer
    except TimeoutError as error:
        raise QuestionTooLong(WITHIN_S) from error


def _warnings(meta: Mapping[str, Any]) -> tuple[str, ...]:
    found = [each["warning"] for each in meta.get("metric_warnings", {}).values()]
    return tuple(dict.fromkeys([*found, *([meta["imports_warning"]] if meta.get("imports_warning") else [])]))


def _row(metrics: Sequence[str], row: Mapping[str, Any]) -> ListRow:
    *within, value = map(str, row["dimensions"])
    return ListRow(value, _figures(metrics, row), within[0] if within else "")


def _figures(metrics: Sequence[str], row: Mapping[str, Any]) -> tuple[Figures, ...]:
    comparison = row.get("comparison")
    # A value may be known of this period only; see ``services.analytics.questions.compared``.
    if comparison is None or comparison["metrics"] is None:
        return tuple(Figures(metric, now) for metric, now in zip(metrics, row["metrics"], strict=True))
    parts = zip(metrics, row["metrics"], comparison["metrics"], comparison["change"], strict=True)
    return tuple(Figures(*part) for part in parts)


def _series(page: Page, metric: str, here: Mapping[str, Any], there: Mapping[str, Any] | None = None) -> Series:
    labels, values = _over_time(here)
    now = datetime.fromtimestamp(page.now // 1000, UTC).astimezone(page.zone).strftime("%Y-%m-%d %H:%M:%S")
    begun = sum(label <= now for label in labels)
    shown = [value if place < begun else None for place, value in enumerate(values)]
    partial = begun - 1 if begun > 0 and page.range.period.after > page.now // 1000 else None
    series = Series(page.drawn_by, metric, tuple(labels), tuple(shown), partial=partial)
    if there is None:
        return series
    others, before = _over_time(there)
    partners = _pairing(page).partners(page.drawn_by, labels, others)
    alone = sorted(set(range(len(others))).difference(partners))
    return replace(
        series,
        before=tuple(None if place is None else before[place] for place in partners),
        before_labels=tuple(None if place is None else others[place] for place in partners),
        alone=tuple((others[place], before[place]) for place in alone),
    )


def _pairing(page: Page) -> Pairing:
    """How the periods of a page lie to each other."""
    assert page.compared is not None
    same_dates = page.view.compare == "year" and not page.view.match_weekdays
    return Pairing(page.range.period, page.compared, same_dates)


def _over_time(answer: Mapping[str, Any]) -> tuple[list[str], list[float]]:
    """The units of an answer's period, and a value for each."""
    labels = answer["meta"]["time_labels"]
    found = {row["dimensions"][0]: row["metrics"][0] for row in answer["results"]}
    return labels, [found.get(label, 0) for label in labels]
