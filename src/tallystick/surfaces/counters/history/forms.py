"""A history as JSON, as CSV and as a chart. Pure. The names of this surface stop here."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from tallystick.model.counter_intervals import begin_text
from tallystick.model.period import HOUR_S
from tallystick.model.question import TimeUnit
from tallystick.services.counting.history import CounterHistory
from tallystick.surfaces.counters.wire import time_text
from tallystick.web.answers import JSON
from tallystick.web.charts.documents import STYLE_HASH
from tallystick.web.charts.picture import PictureSeries, PictureWords, series_picture
from tallystick.web.charts.time_axis import LabelStyle
from tallystick.web.refusals import Headers

CSV = b"text/csv; charset=utf-8"
SVG = b"image/svg+xml; charset=utf-8"

_POLICY = b"default-src 'none'; sandbox"
_SVG_POLICY = b"default-src 'none'; style-src '%s'; sandbox" % STYLE_HASH
_EMBEDDED: Headers = ((b"cross-origin-resource-policy", b"cross-origin"),)
# There is no unit of a year; labels of months are at each January where all that begins are years.
_UNITS = {
    "hour": TimeUnit.HOUR,
    "day": TimeUnit.DAY,
    "week": TimeUnit.WEEK,
    "month": TimeUnit.MONTH,
    "year": TimeUnit.MONTH,
}
_SIZES = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))
_encode = msgspec.json.Encoder().encode


class HistoryForm(Struct, frozen=True):
    """A history as it is sent.

    Attributes:
        policy: of its content, for browsers.
    """

    body: bytes
    content_type: bytes
    policy: bytes = _POLICY
    headers: Headers = ()


def as_json(history: CounterHistory) -> HistoryForm:
    """All of it."""
    return HistoryForm(_encode(_members(history)), JSON)


def as_csv(history: CounterHistory) -> HistoryForm:
    """The sums: a heading, and a line for each interval."""
    by, lines = history.interval, ["begin,added,value\r\n"]
    lines += [
        f"{begin_text(each.begin, by)},{each.added},{'' if each.end_value is None else each.end_value}\r\n"
        for each in history.sums
    ]
    name = f"{history.key.namespace}_{history.key.key}_{by}.csv"
    saved: Headers = ((b"content-disposition", b'attachment; filename="%s"' % name.encode()),)
    return HistoryForm("".join(lines).encode(), CSV, headers=saved)


def as_svg(history: CounterHistory) -> HistoryForm:
    """The sums as a line, light or dark as the reader's device. Takes milliseconds: not on the event loop."""
    sums = history.sums
    grows = history.period.end >= history.now // 1000
    series = PictureSeries(
        unit=_UNITS[history.interval],
        starts=[each.begin for each in sums],
        values=[each.added for each in sums],
        unfinished=[False] * (len(sums) - 1) + [grows] if sums else [],
    )
    return HistoryForm(series_picture(_words(history), series, None).encode(), SVG, _SVG_POLICY, _EMBEDDED)


def _members(history: CounterHistory) -> Mapping[str, Any]:
    counter, zone, kept = history.counter, ZoneInfo(history.timezone), history.kept
    first, last = (datetime.fromtimestamp(at, zone) for at in (history.period.start, history.period.end))
    return {
        "namespace": history.key.namespace,
        "key": history.key.key,
        "value": counter.value,
        "version": counter.version,
        "changed": _hour_text(counter.hour or None),
        "begins": _hour_text(history.begins),
        "from": first.isoformat(),
        "to": last.isoformat(),
        "interval": history.interval,
        "timezone": history.timezone,
        "added": _added(history),
        "history": [
            {"begin": begin_text(each.begin, history.interval), "added": each.added, "value": each.end_value}
            for each in history.sums
        ],
        "milestones": [{"value": value, "reached": time_text(at)} for value, at in history.milestones],
        "kept": {"hours_from": _hour_text(kept.hours_from), "days_from": _hour_text(kept.days_from)},
    }


def _words(history: CounterHistory) -> PictureWords:
    sums, by = history.sums, history.interval
    first, last = (begin_text(sums[place].begin, by) for place in (0, -1)) if sums else ("", "")
    peak = max(sums, key=lambda each: each.added, default=None)
    if peak is None or not any(each.added for each in sums):
        description = "No changes."
    else:
        description = f"Most in one {by}: {peak.added:+,} ({begin_text(peak.begin, by)})."
    return PictureWords(
        title=f"{history.key} by {by}, {first} \N{EN DASH} {last}",
        number=f"{_added(history):+,}, now {history.counter.value:,}",
        description=description,
        tick=_tick,
        label=lambda start, style: str(start.year) if by == "year" else _label(start, style),
    )


def _added(history: CounterHistory) -> int:
    return sum(each.added for each in history.sums)


def _hour_text(hour: int | None) -> str | None:
    return None if hour is None else time_text(hour * HOUR_S * 1000)


def _tick(value: float) -> str:
    for size, letter in _SIZES:
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _label(start: datetime, style: LabelStyle) -> str:
    if style is LabelStyle.MINUTE:
        return f"{start:%H:%M}"
    if style is LabelStyle.DAY:
        return f"{start.day} {start:%b}"
    return f"{start:%b}" if style is LabelStyle.MONTH else str(start.year)
