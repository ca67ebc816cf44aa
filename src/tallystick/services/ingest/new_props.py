"""Limits how many names and values of properties browsers may give a site in a day.

Each new value is one more row of a report, and a page may send another number with every hit. Counting goes on beyond
the limits: values become ``OTHER``, further names are left out. Servers and imports, which have a token, are not
limited.
"""

from collections.abc import Mapping

from tallystick.model.props import decoded, encoded

OTHER = "(other)"

NAMES_A_DAY = 100
"""Names of a site's properties in a day (UTC); further ones are not stored."""
VALUES_A_DAY = 5_000
"""Values of one property in a day; further ones are stored as ``OTHER``."""
REMEMBERED = 500_000
"""Names, values and sites, about 50 MB. Beyond it the sites that have sent none for longest begin their day anew."""

DAY_S = 86_400


class _SiteDay:
    """A site's properties in one day.

    Attributes:
        values: hashes by name.
        known: hashes of texts that are stored as they are.
        size: number of all of these.
    """

    __slots__ = ("day", "known", "size", "values")

    def __init__(self, day: int) -> None:
        self.day, self.size = day, 1
        self.values: dict[str, set[int]] = {}
        self.known: set[int] = set()


class NewProps:
    """Replaces properties beyond the limits. Used from one event loop.

    Attributes:
        remembered: number of names, values and sites that are remembered.
    """

    def __init__(self) -> None:
        self._sites: dict[int, _SiteDay] = {}
        """The one that has sent none for longest is the first."""
        self.remembered = 0

    def knows(self, site: int, text: str, now: int) -> bool:
        """Whether ``bounded`` would return the same properties and remember nothing new; changes nothing."""
        today = self._sites.get(site)
        return today is not None and today.day == now // DAY_S and hash(text) in today.known

    def bounded(self, site: int, text: str, now: int) -> str:
        """Properties within the limits; they are remembered.

        Args:
            text: canonical, see ``model/props.py``; empty for none.
            now: Unix seconds.
        """
        if not text:
            return text
        today, key = self._today(site, now // DAY_S), hash(text)
        if key in today.known:
            return text
        before, props = today.size, decoded(text)
        kept = _kept(today, props)
        if kept == props and len(today.known) < VALUES_A_DAY:
            today.known.add(key)
            today.size += 1
        self.remembered += today.size - before
        self._shrink()
        return text if kept == props else encoded(kept)

    def _today(self, site: int, day: int) -> _SiteDay:
        today = self._sites.pop(site, None)
        if today is None or today.day != day:
            self.remembered -= today.size if today else 0
            today = _SiteDay(day)
            self.remembered += today.size
        self._sites[site] = today
        return today

    def _shrink(self) -> None:
        while self.remembered > REMEMBERED and len(self._sites) > 1:
            self.remembered -= self._sites.pop(next(iter(self._sites))).size


def _kept(today: _SiteDay, props: Mapping[str, str]) -> dict[str, str]:
    kept = {}
    for name, value in props.items():
        values = today.values.get(name)
        if values is None:
            if len(today.values) >= NAMES_A_DAY:
                continue
            values = today.values[name] = set()
            today.size += 1
        number = hash(value)
        if number not in values:
            if len(values) >= VALUES_A_DAY:
                kept[name] = OTHER
                continue
            values.add(number)
            today.size += 1
        kept[name] = value
    return kept
