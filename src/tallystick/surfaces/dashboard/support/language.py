"""The languages of the pages: translated texts, numbers, dates and names. See "Languages" in README.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, tzinfo
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Self

from babel import Locale
from babel.core import get_global
from babel.dates import format_date, format_skeleton, format_time
from babel.lists import format_list
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_compact_decimal, format_decimal, format_percent
from babel.units import format_unit

from tallystick.model.account import Account, UserSettings
from tallystick.surfaces.dashboard.support.formats import AS_THE_LANGUAGE, UNCHOSEN, Formats, formats_of

FOLDER = Path(__file__).parent.parent / "locale"
"""One folder a language, with one ``.po`` file a subject."""

ENGLISH = "en"
LOCALES: Mapping[str, str] = {ENGLISH: "en_GB"}
"""Locales that differ from the language's code: dates such as 10 Mar 2026, 24 hours, weeks from Monday."""

LONGEST_HEADER = 1_000
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_UNITS = (("gigabyte", 10**9), ("megabyte", 10**6), ("kilobyte", 10**3))
_HOUR_12, _CLOCK_12 = "h\N{NO-BREAK SPACE}a", "h:mm\N{NO-BREAK SPACE}a"
_SECONDS_12 = "h:mm:ss\N{NO-BREAK SPACE}a"
_DECIMALS = {".": ",", ",": ".", "'": "."}
"""The decimal sign that goes with a thousands separator."""
_separator = re.compile(r"(?<=\d)\D(?=\d)")
_range = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?")


def N_(text: str) -> str:  # noqa: N802  # gettext's usual name
    """Mark a text for translation where it is written; ``Language.gettext`` translates it where it is shown."""
    return text


class Language:
    """One language: its translations, and Babel's formats of numbers, dates and names.

    Args:
        code: ISO 639-1, for example ``de``.
        translations: the merged catalogs; English has none.
        formats: what a person has chosen.
    """

    def __init__(self, code: str, translations: NullTranslations, formats: Formats = AS_THE_LANGUAGE) -> None:
        self.code, self.formats, self._translations = code, formats, translations
        self.locale = Locale.parse(LOCALES.get(code, code))
        self.gettext, self.ngettext = translations.gettext, translations.ngettext
        self.pgettext, self.npgettext = translations.pgettext, translations.npgettext

    @property
    def own_name(self) -> str:
        """The language's name in the language itself."""
        return (self.locale.get_language_name() or self.code).capitalize()

    def formatted(self, formats: Formats) -> "Language":
        """The same language with other formats."""
        return Language(self.code, self._translations, formats)

    @property
    def zone(self) -> tzinfo:
        """The zone of times that belong to no site."""
        return self.formats.zone or UTC

    @property
    def weekdays(self) -> Sequence[int]:
        """The days of a week in their order. 1 is Monday."""
        return (7, *range(1, 7)) if self.formats.sunday_first else range(1, 8)

    def number(self, value: float) -> str:
        """A number with separators, for example ``1,234,567``."""
        return self._separated(format_decimal(value, locale=self.locale))

    def signed(self, value: int) -> str:
        """A change with its sign, for example ``+1,204``."""
        sign = "+" if value >= 0 else "\N{MINUS SIGN}"
        return sign + self.number(abs(value))

    def compact(self, value: float) -> str:
        """A number in few characters, for example ``1.2M``. Languages without a short form of thousands keep them."""
        text = format_compact_decimal(value, locale=self.locale, fraction_digits=1)
        return self.number(round(value)) if text.lstrip("-").isdecimal() else self._separated(text)

    def size(self, count: int) -> str:
        """A number of bytes in the largest unit that fits, for example ``1.2 GB``."""
        for unit, length in _UNITS:
            if count >= length:
                shown, digits = count / length, 1 if count < 100 * length else 0
                text = format_unit(round(shown, digits), f"digital-{unit}", "short", locale=self.locale)
                return self._separated(text)
        return format_unit(count, "digital-byte", "short", locale=self.locale)

    def percent(self, share: float, digits: int = 0) -> str:
        """A share of 1 as a percentage with at most ``digits`` digits after the point."""
        rounded = round(share, digits + 2)
        return self._separated(format_percent(rounded, locale=self.locale, decimal_quantization=False))

    def day(self, value: date) -> str:
        """A date, for example ``10 Mar 2026``."""
        return self._date(value, self.formats.date, "yMMMd")

    def short_day(self, value: date) -> str:
        """A date without its year, for example ``10 Mar``."""
        return self._date(value, self.formats.short_date, "MMMd")

    def long_day(self, value: date) -> str:
        """A date with its weekday, for example ``Tue, 10 Mar 2026``."""
        return self._date(value, self.formats.long_date, "yMMMEd")

    def month(self, value: date) -> str:
        """A month with its year, for example ``March 2026``."""
        return format_skeleton("yMMMM", value, locale=self.locale)

    def short_month(self, value: date) -> str:
        """A month without its year, for example ``Mar``."""
        return format_skeleton("MMM", value, locale=self.locale)

    def weekday(self, number: int, width: str = "wide") -> str:
        """The name of a weekday. 0 is Monday; ``width`` is wide, abbreviated or narrow."""
        return str(self.locale.days["stand-alone"][width][number])

    def hour(self, number: int) -> str:
        """An hour of the day, for example ``14:00`` or ``2 pm``."""
        at = time(number)
        return format_time(at, _HOUR_12, locale=self.locale) if self.formats.twelve_hours else self.clock(at)

    def clock(self, value: time | datetime) -> str:
        """A time of day to the minute, for example ``14:05`` or ``2:05 pm``."""
        return format_time(value, _CLOCK_12 if self.formats.twelve_hours else "short", locale=self.locale)

    def moment(self, milliseconds: int, zone: tzinfo | None = None) -> str:
        """A time to the minute with its zone, for example ``10 Mar 2026, 14:05 UTC``.

        Args:
            zone: None for the person's.
        """
        at = datetime.fromtimestamp(milliseconds / 1000, zone or self.zone)
        return f"{self.day(at.date())}, {self.clock(at.time())} {at.tzname()}"

    def time_of_day(self, milliseconds: int) -> str:
        """A time of day to the second with the person's zone, for example ``14:05:32 UTC``."""
        at = datetime.fromtimestamp(milliseconds / 1000, self.zone)
        form = _SECONDS_12 if self.formats.twelve_hours else "medium"
        return f"{format_time(at, form, tzinfo=self.zone, locale=self.locale)} {at.tzname()}"

    def duration(self, seconds: float) -> str:
        """A duration in its two largest units, for example ``3m 12s``."""
        whole = round(seconds)
        days, hours, minutes = whole // _DAY, whole % _DAY // _HOUR, whole % _HOUR // _MINUTE
        values = {"days": days, "hours": hours, "minutes": minutes, "seconds": whole % _MINUTE}
        if days:
            return self.gettext(N_("%(days)sd %(hours)sh")) % values
        if hours:
            return self.gettext(N_("%(hours)sh %(minutes)sm")) % values
        if minutes:
            return self.gettext(N_("%(minutes)sm %(seconds)ss")) % values
        return self.gettext(N_("%(seconds)ss")) % values

    def listed(self, parts: Sequence[str]) -> str:
        """Several texts as one, for example ``a, b and c``."""
        return format_list(list(parts), locale=self.locale)

    def _date(self, value: date, pattern: str, skeleton: str) -> str:
        """A date by the person's pattern; without one, by what the language makes of a skeleton."""
        if not pattern:
            return format_skeleton(skeleton, value, locale=self.locale)
        return format_date(value, pattern, locale=self.locale)

    def _separated(self, text: str) -> str:
        """A number that Babel has written, with the person's separators.

        ``.`` between thousands leaves a comma for decimals, ``,`` and ``'`` leave a point; others change nothing of
        them.
        """
        group = self.formats.group
        if group is None:
            return text
        signs = self.locale.number_symbols["latn"]
        signs = {signs["decimal"]: _DECIMALS.get(group, signs["decimal"]), signs["group"]: group}
        return _separator.sub(lambda found: signs.get(found[0], found[0]), text)

    def country_name(self, code: str) -> str:
        """The name of an ISO 3166-1 alpha-2 code; other texts are returned unchanged."""
        return self.locale.territories.get(code) or code

    def language_name(self, code: str) -> str:
        """The name of an ISO 639-3 code; other texts are returned unchanged."""
        names = self.locale.languages
        return names.get(code) or names.get(get_global("language_aliases").get(code, code)) or code


class Languages:
    """All languages of the pages, English first. Read from disk once, when the server starts."""

    def __init__(self, languages: Sequence[Language]) -> None:
        self._by_code = {language.code: language for language in languages}
        self.english = self._by_code[ENGLISH]

    @classmethod
    def load(cls) -> Self:
        """Read every catalog below ``locale/``."""
        codes = sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir())
        translated = [Language(code, _translations(code)) for code in codes]
        return cls([Language(ENGLISH, NullTranslations()), *translated])

    def __iter__(self) -> Iterator[Language]:
        return iter(self._by_code.values())

    def __contains__(self, code: str) -> bool:
        return code in self._by_code

    def of(self, account: Account | None, cookie: str, accept_language: str) -> Language:
        """The language of a request, with the formats of the person. Reads a time zone from disk at first.

        Args:
            account: the logged-in person; what they chose comes first.
            cookie: the code that was chosen in this browser; empty if none was.
            accept_language: the browser's header. English if it has none of our languages.
        """
        chosen = chosen_language(account.settings) if account else ""
        wanted = (self._by_code.get(code) for code in (chosen, cookie, *_accepted(accept_language)))
        language = next(filter(None, wanted), self.english)
        return language.formatted(formats_of(account.settings)) if account else language


def chosen_language(settings: UserSettings) -> str:
    """The ISO 639-1 code that a person chose; empty while their settings have the default."""
    return "" if settings.language == UNCHOSEN.language else settings.language.partition("-")[0].lower()


def _accepted(header: str) -> list[str]:
    """The language codes of an ``Accept-Language`` header, the preferred first."""
    found = [_range.fullmatch(part) for part in header[:LONGEST_HEADER].split(",")]
    rated = [(float(match[2] or 1), match[1].lower()) for match in found if match]
    return [code for quality, code in sorted(rated, key=lambda pair: -pair[0]) if quality]


@cache
def _translations(code: str) -> NullTranslations:
    """The catalogs of a language as one. Compiled in memory only, so that a changed ``.po`` file needs no build."""
    merged = Catalog(locale=code)
    for file in sorted((FOLDER / code).glob("*.po")):
        with file.open("rb") as lines:
            for message in read_po(lines, locale=code):
                if message.string:
                    merged[message.id] = message
    compiled = BytesIO()
    write_mo(compiled, merged)
    compiled.seek(0)
    return GNUTranslations(compiled)
