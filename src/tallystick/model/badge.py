"""What the address of a badge says: its look, its texts, and whether it counts. Pure."""

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias, TypeVar, get_args

from msgspec import Struct

from tallystick.errors import InvalidFields
from tallystick.model.badge_colors import color_named
from tallystick.model.counter import INT64_MAX, INT64_MIN

Style: TypeAlias = Literal["flat", "flat-square", "for-the-badge", "plastic", "digits"]
Face: TypeAlias = Literal["lcd", "led", "dots", "odometer", "flip", "mono"]
Theme: TypeAlias = Literal["auto", "light", "dark"]
Form: TypeAlias = Literal["svg", "png", "json", "txt"]
Since: TypeAlias = Literal["", "today", "7d", "30d"]
Choice = TypeVar("Choice", bound=str)

STYLES: tuple[Style, ...] = get_args(Style)
FACES: tuple[Face, ...] = get_args(Face)
"""How the style ``digits`` draws them."""
THEMES: tuple[Theme, ...] = get_args(Theme)
"""``auto`` follows the reader's settings, where the form of the picture can."""
FORMS: tuple[Form, ...] = get_args(Form)
"""What a badge is sent as: the last suffix of its address."""
SINCES: tuple[Since, ...] = get_args(Since)
"""From when on a number counts: from the beginning, or from the first of some days of UTC that end today."""
_DAYS = dict(zip(SINCES, (0, 1, 7, 30), strict=True))
SPARKLINE_DAYS = 30
"""Of the line of a number from the beginning."""

LOCALES = (
    *("en", "ar", "bg", "bn", "ca", "cs", "da", "de", "de-AT", "de-CH", "el", "en-GB", "en-IN", "es", "es-MX", "et"),
    *("eu", "fa", "fi", "fr", "fr-CA", "fr-CH", "gl", "he", "hi", "hr", "hu", "id", "is", "it", "ja", "ko", "lt", "lv"),
    *("ms", "nb", "nl", "pl", "pt", "pt-PT", "ro", "ru", "sk", "sl", "sr", "sv", "sw", "ta", "th", "tr", "uk", "ur"),
    *("vi", "zh", "zh-Hant"),
)
"""Languages whose numbers are known; the first is that of badges that name none.

A list, since the data of each stays in memory once it was read."""

LONGEST_LABEL, LONGEST_AFFIX, MOST_DIGITS = 100, 20, 20

FIELDS = (
    *("label", "style", "face", "theme", "color", "labelColor", "since", "sparkline", "prefix", "suffix", "abbreviate"),
    *("locale", "base", "pad", "scale", "count"),
)
"""Every parameter, in the order in which an address has them."""

TOO_LONG = "must have at most 100 characters"
AFFIX_TOO_LONG = "must have at most 20 characters"
NO_COLOR = "must be a name such as green, or hexadecimal digits such as 7c3f0c"
NO_SINCE = "must be today, 7d or 30d"
NO_STYLE = "must be flat, flat-square, for-the-badge, plastic or digits"
NO_FACE = "must be lcd, led, dots, odometer, flip or mono"
NO_THEME = "must be auto, light or dark"
NO_LOCALE = "must be a language such as de or pt-PT, of those in the documentation"
NO_NUMBER = "must be a whole number of 64 bits"
NO_LENGTH = "must be a number of digits from 1 to 20"
NO_SCALE = "must be 1 or 2"
NO_SWITCH = "must be 0 or 1"

_integer = re.compile(r"[+-]?[0-9]{1,19}").fullmatch


class BadgeLook(Struct, frozen=True):
    """How a badge is drawn.

    Attributes:
        face: of the style ``digits``; so is ``pad``.
        color: behind the number, or of the digits; ``#`` and six hexadecimal digits, None for that of the style.
        label_color: behind the label, or behind the digits.
        pad: with fewer digits, zeros are put before them.
        scale: pixels of a PNG for each of the SVG.
    """

    style: Style = "flat"
    face: Face = "lcd"
    theme: Theme = "auto"
    color: str | None = None
    label_color: str | None = None
    pad: int = 1
    scale: int = 1


class BadgeRequest(Struct, frozen=True):
    """What a badge's parameters say.

    Attributes:
        label: None for the counter's name, empty for none.
        prefix, suffix, abbreviate, locale: of all styles but ``digits``, which shows the bare number.
        sparkline: whether a line shows the days of ``since``, or the hours of today; of all styles but ``digits``.
        base: is added to the value; not to what was counted since a day.
        counts: whether the counter is to be added to.
    """

    look: BadgeLook
    label: str | None
    prefix: str
    suffix: str
    since: Since
    sparkline: bool
    abbreviate: bool
    locale: str
    base: int
    counts: bool

    @property
    def since_days(self) -> int:
        """Days for which the number counts, today included; 0 for all time."""
        return _DAYS[self.since]

    @property
    def days(self) -> int:
        """Days whose history the badge needs; 0 for none."""
        return self.since_days or (SPARKLINE_DAYS if self.draws_line else 0)

    @property
    def draws_line(self) -> bool:
        """Whether there is a line beside the number."""
        return self.sparkline and self.look.style != "digits"


def badge_request(query: Mapping[str, str]) -> BadgeRequest:
    """What the parameters of an address say; those of other names say nothing.

    Raises:
        InvalidFields: of every parameter that is not valid, the reason.
    """
    reader = _BadgeReader(query)
    request = BadgeRequest(
        look=BadgeLook(
            style=reader.one_of("style", STYLES, NO_STYLE),
            face=reader.one_of("face", FACES, NO_FACE),
            theme=reader.one_of("theme", THEMES, NO_THEME),
            color=reader.color("color"),
            label_color=reader.color("labelColor"),
            pad=reader.between("pad", 1, MOST_DIGITS, NO_LENGTH, 1),
            scale=reader.between("scale", 1, 2, NO_SCALE, 1),
        ),
        label=reader.text("label", LONGEST_LABEL, TOO_LONG) if "label" in query else None,
        prefix=reader.text("prefix", LONGEST_AFFIX, AFFIX_TOO_LONG),
        suffix=reader.text("suffix", LONGEST_AFFIX, AFFIX_TOO_LONG),
        since=reader.one_of("since", SINCES, NO_SINCE),
        sparkline=reader.switch("sparkline"),
        abbreviate=reader.switch("abbreviate"),
        locale=reader.one_of("locale", LOCALES, NO_LOCALE),
        base=reader.between("base", INT64_MIN, INT64_MAX, NO_NUMBER, 0),
        counts=reader.switch("count"),
    )
    if reader.problems:
        raise InvalidFields(reader.problems)
    return request


class _BadgeReader:
    """Reads parameters and notes what is wrong with them. An empty one, but for a label, is as good as none."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._query = query
        self.problems: dict[str, list[str]] = {}

    def text(self, name: str, longest: int, problem: str) -> str:
        text = self._query.get(name, "")
        if len(text) > longest:
            self._note(name, problem)
        return text

    def one_of(self, name: str, values: tuple[Choice, ...], problem: str) -> Choice:
        """One of several values; the first of them where none is given."""
        text = self._query.get(name) or values[0]
        for value in values:
            if value == text:
                return value
        self._note(name, problem)
        return values[0]

    def color(self, name: str) -> str | None:
        text = self._query.get(name)
        color = color_named(text) if text else None
        if text and color is None:
            self._note(name, NO_COLOR)
        return color

    def switch(self, name: str) -> bool:
        """A switch; its bare name turns it on."""
        text = self._query.get(name)
        if text in {None, "0", "false"}:
            return False
        if text not in {"", "1", "true"}:
            self._note(name, NO_SWITCH)
        return True

    def between(self, name: str, least: int, most: int, problem: str, default: int) -> int:
        # A plus sign in a query arrives as a space.
        text = self._query.get(name, "").strip(" ") or str(default)
        number = int(text) if _integer(text) else most + 1
        if not least <= number <= most:
            self._note(name, problem)
        return number

    def _note(self, name: str, problem: str) -> None:
        self.problems.setdefault(name, []).append(problem)
