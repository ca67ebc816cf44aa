"""Numbers, their changes and the direction of a series in words."""

from collections.abc import Callable, Sequence
from enum import Enum

from babel.units import format_unit
from msgspec import Struct

from tallystick.model.question import Figure
from tallystick.surfaces.dashboard.support.language import N_, Language
from tallystick.web.charts.scales import Scale, is_number

NOTHING = "\N{EN DASH}"
"""In place of a number that there is not."""
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))

_LEAST = 3
"""Values from which on a series has a direction."""
_NOTICED = 0.1
"""The part of the average by which the end has to differ from the beginning."""
_SENTENCES = {
    Scale.COUNT: (N_("%(amount)s more than the %(before)s before"), N_("%(amount)s fewer than the %(before)s before")),
    Scale.RATIO: (N_("%(amount)s more than the %(before)s before"), N_("%(amount)s less than the %(before)s before")),
    Scale.PERCENT: (
        N_("%(amount)s higher than the %(before)s before"),
        N_("%(amount)s lower than the %(before)s before"),
    ),
    Scale.SECONDS: (
        N_("%(amount)s longer than the %(before)s before"),
        N_("%(amount)s shorter than the %(before)s before"),
    ),
}


class Trend(Enum):
    """The direction of a series."""

    RISING = "rising"
    FALLING = "falling"
    NEITHER = "neither"


class Delta(Struct, frozen=True):
    """A change to show beside a number.

    Attributes:
        text: with its sign: ``+14%``.
        good: whether it is welcome; None if it is neither.
    """

    text: str
    good: bool | None = None


class NumberWords(Struct, frozen=True, kw_only=True):
    """How the numbers of one metric are written in one language.

    Attributes:
        title: the metric's name, translated.
        noun: a number with what it counts, for example ``1,204 visitors``; None where the title has to do.
        good_is_up: None where neither direction is welcome.
    """

    language: Language
    title: str
    scale: Scale = Scale.COUNT
    noun: Callable[[float], str] | None = None
    good_is_up: bool | None = True

    def text(self, value: Figure) -> str:
        """A number as tables have it."""
        if not is_number(value):
            return NOTHING
        if self.scale is Scale.PERCENT:
            return self.language.percent(value / 100, 1)
        if self.scale is Scale.SECONDS:
            return self.language.duration(value)
        return self.language.number(round(value, 1) if self.scale is Scale.RATIO else value)

    def tick(self, value: float) -> str:
        """A number beside an axis, in few characters."""
        if self.scale is not Scale.SECONDS:
            return self.language.compact(value) if self.scale is Scale.COUNT else self.text(value)
        unit, size = next((unit, size) for unit, size in UNITS if (value >= size and value % size == 0) or size == 1)
        return format_unit(value // size, unit, "narrow", locale=self.language.locale)

    def phrase(self, value: Figure) -> str:
        """A number with what it counts."""
        if self.noun is None or not is_number(value):
            return f"{self.title} {self.text(value)}"
        return self.noun(value)

    def delta(self, now: Figure, before: Figure) -> Delta | None:
        """The change from one number to another in percent; between percentages, in points.

        Returns:
            None where one of the numbers is missing.
        """
        if not (is_number(now) and is_number(before)):
            return None
        good = None if self.good_is_up is None or now == before else (now > before) == self.good_is_up
        if self.scale is Scale.PERCENT:
            return Delta(_signed(round(now - before, 1), self._points(now - before)), good)
        if before == 0:
            return Delta(self.language.gettext(N_("new")) if now else self.language.percent(0), good)
        share = round(now / before - 1, 2)
        return Delta(_signed(share, self.language.percent(abs(share))), good)

    def sentence(self, now: Figure, before: Figure) -> str:
        """A change as a person would say it: ``3,490 more than the 24,921 before``. Empty without a comparison."""
        if not (is_number(now) and is_number(before)):
            return ""
        if self.text(now) == self.text(before):
            return self.language.gettext(N_("the same as before"))
        amount = self._points(now - before) if self.scale is Scale.PERCENT else self.text(abs(now - before))
        more, less = _SENTENCES[self.scale]
        sentence = self.language.gettext(more if now > before else less)
        return sentence % {"amount": amount, "before": self.text(before)}

    def _points(self, difference: float) -> str:
        points = abs(round(difference, 1))
        text = self.language.ngettext("%(num)s point", "%(num)s points", 1 if points == 1 else 2)
        return text % {"num": self.language.number(points)}


def trend(values: Sequence[Figure]) -> Trend:
    """Compares the average of the last third with that of the first."""
    numbers = [value for value in values if is_number(value)]
    third = len(numbers) // _LEAST
    if not third:
        return Trend.NEITHER
    first, last = sum(numbers[:third]) / third, sum(numbers[-third:]) / third
    noticed = _NOTICED * sum(numbers) / len(numbers)
    if last - first > noticed:
        return Trend.RISING
    return Trend.FALLING if first - last > noticed else Trend.NEITHER


def _signed(value: float, text: str) -> str:
    return f"+{text}" if value > 0 else f"\N{MINUS SIGN}{text}" if value < 0 else text
