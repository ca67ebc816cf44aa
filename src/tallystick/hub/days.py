"""Where a day begins: counters of days show another number then, though nobody changed them."""

import datetime as dt
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo


class Days:
    """Which day it was in each time zone when it was last looked at.

    No timer waits for a midnight: dates are compared, each second. So a clock that is put forward or back, a machine
    that slept and a midnight that a zone skips need no rule of their own.
    """

    def __init__(self) -> None:
        self._known: dict[ZoneInfo, dt.date] = {}

    def note(self, zone: ZoneInfo, now: int) -> None:
        """Begin to look at a zone, if that is not done yet.

        Args:
            now: Unix milliseconds.
        """
        self._known.setdefault(zone, _today(zone, now))

    def begun(self, zones: Iterable[ZoneInfo], now: int) -> Mapping[ZoneInfo, dt.date]:
        """The zones in which it is another day than it was, with that day; all other zones are forgotten.

        It says so again until it is told (``over``).
        """
        self._known = {zone: self._known.get(zone) or _today(zone, now) for zone in set(zones)}
        return {zone: today for zone, known in self._known.items() if (today := _today(zone, now)) != known}

    def over(self, zone: ZoneInfo, today: dt.date) -> None:
        """Everyone in a zone knows which day it is."""
        if zone in self._known:
            self._known[zone] = today


def _today(zone: ZoneInfo, now: int) -> dt.date:
    return dt.datetime.fromtimestamp(now / 1000, zone).date()
