"""The chart of a page: a metric over time with its comparison and the notes of the period."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from tallystick.model.annotation import Annotation
from tallystick.services.analytics.kept.annotations import AnnotationsAsked
from tallystick.surfaces.dashboard.analytics import wording
from tallystick.surfaces.dashboard.analytics.asking import Page, Series
from tallystick.surfaces.dashboard.analytics.periods import zoomed
from tallystick.surfaces.dashboard.analytics.viewer import Viewer, address_of
from tallystick.surfaces.dashboard.charts.time_chart import Bucket, ChartNote, TimeChart, bucket_name, time_chart
from tallystick.surfaces.dashboard.support.language import N_, Language
from tallystick.surfaces.dashboard.support.services import Statistics

MOST_NOTES = 30
"""On one chart, of each site; more would cover it. The page of notes has all."""
MOST_ALONE = 3
"""Parts of the other period without a partner that are named; the CSV has all."""
SUMMED = frozenset({"pageviews", "events"})
"""Metrics of which those of parts can be summed up: one person may have visited in several."""


class ChartRegion(Struct, frozen=True):
    """A chart, and what its lines are.

    Attributes:
        before_legend: the period that it is compared with, in words; empty without one.
        alone: the first parts of that period which the chart cannot show, as they have no partner, in words.
        more_alone: how many others there are, in words, and their sum where the metric has one; empty for none.
    """

    chart: TimeChart
    before_legend: str
    alone: tuple[str, ...] = ()
    more_alone: str = ""


def chart_region(language: Language, page: Page, series: Series, notes: Sequence[Annotation], here: str) -> ChartRegion:
    """The chart of a series. Many names of days are written, so call it on a thread.

    Args:
        here: the path of the page, which shows each part alone.
    """
    found = tuple(_bucket(page, series, place, here) for place in range(len(series.labels)))
    own = [_chart_note(language, page.viewer, note) for note in notes]
    words = wording.number_words(language, series.metric)
    chart = time_chart(found, series.unit, words, own)
    alone = (
        f"{bucket_name(language, series.unit, datetime.fromisoformat(label))}: {words.phrase(value)}"
        for label, value in series.alone[:MOST_ALONE]
    )
    legend = _before_legend(language, page, series)
    return ChartRegion(chart, legend, tuple(alone), _more_alone(language, series))


async def notes_of(statistics: Statistics, page: Page) -> list[Annotation]:
    """The notes of a page's period, of sites whose people its viewer is one of; the latest ones where there are many.

    Raises:
        StoreUnavailable
    """
    asked = AnnotationsAsked(first=page.range.first.isoformat(), last=page.range.last.isoformat())
    found: list[Annotation] = []
    for site in filter(page.viewer.is_of, page.viewer.sites):
        found += (await statistics.annotations.visible(site.id, page.viewer.person_id, asked))[-MOST_NOTES:]
    if page.range.seconds < 24 * 3_600:
        after = (
            datetime.fromtimestamp(page.range.period.after, page.zone).replace(tzinfo=None).isoformat(" ", "minutes")
        )
        found = [note for note in found if note.at < after]
    return found


def note_when(language: Language, at: str) -> str:
    """The time of a note in words."""
    moment = datetime.fromisoformat(at)
    day = language.day(moment.date())
    return f"{day}, {language.clock(moment)}" if " " in at else day


def _bucket(page: Page, series: Series, place: int, here: str) -> Bucket:
    label = series.labels[place]
    period = zoomed(series.unit, label, page.range)
    partner = series.before_labels[place] if series.compares else None
    return Bucket(
        start=datetime.fromisoformat(label),
        value=series.values[place],
        link=page.view.changed(period=period, by="").at(here) if period else "",
        before=series.before[place] if partner else None,
        before_start=datetime.fromisoformat(partner) if partner else None,
        unfinished=place == series.partial,
    )


def _chart_note(language: Language, viewer: Viewer, note: Annotation) -> ChartNote:
    site = next(site for site in viewer.sites if site.id == note.site)
    return ChartNote(
        at=datetime.fromisoformat(note.at),
        when=note_when(language, note.at),
        text=note.text,
        link=note.link,
        edit=f"/sites/{address_of(site)}/notes/{note.id}" if viewer.may_edit(note.owner) else "",
    )


def _more_alone(language: Language, series: Series) -> str:
    rest = [value for _, value in series.alone[MOST_ALONE:]]
    if not rest:
        return ""
    more = language.ngettext("%(num)s more", "%(num)s more", len(rest)) % {"num": language.number(len(rest))}
    if series.metric not in SUMMED:
        return more
    total = wording.number_words(language, series.metric).phrase(sum(rest))
    return language.gettext(N_("%(more)s, together %(total)s")) % {"more": more, "total": total}


def _before_legend(language: Language, page: Page, series: Series) -> str:
    if not series.compares:
        return ""
    names = map(language.day, wording.compared_dates(page))
    return " \N{EN DASH} ".join(dict.fromkeys(names))
