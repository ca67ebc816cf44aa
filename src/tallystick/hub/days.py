"""Detects the start of a new day in each time zone, when counters of days show another number."""

import datetime as dt
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo


class Days:
    """The last known date in each time zone.

    No timer waits for midnight; dates are compared every second. So clock changes, a machine that slept and a
    midnight that a zone skips need no rule of their own.
    """

    def __init__(self) -> None:
        self._last: dict[ZoneInfo, dt.date] = {}

    def note(self, zone: ZoneInfo, now: int) -> None:
        """Start to observe a zone, if it is not observed yet.

        Args:
            now: Unix milliseconds.
        """
        self._last.setdefault(zone, _today(zone, now))

    def begun(self, zones: Iterable[ZoneInfo], now: int) -> Mapping[ZoneInfo, dt.date]:
        """Return the zones whose date has changed, with the new date. Zones that are not given are forgotten.

        A zone is returned again until ``over`` confirms its new date.
        """
        self._last = {zone: self._last.get(zone) or _today(zone, now) for zone in set(zones)}
        return {zone: today for zone, last in self._last.items() if (today := _today(zone, now)) != last}

    def over(self, zone: ZoneInfo, today: dt.date) -> None:
        """Confirm that a zone's new date was published."""
        if zone in self._last:
            self._last[zone] = today


def _today(zone: ZoneInfo, now: int) -> dt.date:
    return dt.datetime.fromtimestamp(now / 1000, zone).date()
