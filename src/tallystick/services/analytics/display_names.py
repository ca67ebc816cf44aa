"""English names of countries and languages, read from disk when first needed."""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache

from babel import Locale
from babel.core import get_global
from msgspec.structs import replace

from tallystick.model.dimensions import COUNTRY, COUNTRY_NAME, LANGUAGE, Dimension

NAMES_KEPT = 2_000


@lru_cache(NAMES_KEPT)
def country_name(code: str) -> str:
    """The name of an ISO 3166-1 alpha-2 code; other texts are returned unchanged."""
    return _english().territories.get(code) or code


@lru_cache(NAMES_KEPT)
def language_name(code: str) -> str:
    """The name of an ISO 639-3 code; other texts are returned unchanged."""
    shorter = get_global("language_aliases").get(code, code)
    names = _english().languages
    return names.get(code) or names.get(shorter) or code


@cache
def _english() -> Locale:
    return Locale("en")


_DISPLAY_NAMES: Mapping[str, Callable[[str], str]] = {COUNTRY.name: country_name, LANGUAGE.name: language_name}


def display_name(dimension: Dimension, value: str) -> str:
    """The English name of a dimension's value; in most dimensions, the value itself."""
    return _DISPLAY_NAMES.get(dimension.name, str)(value)


def countries() -> dict[str, str]:
    """The English names of all countries, by ISO 3166-1 alpha-2 code."""
    named = _english().territories.items()
    return {code: name for code, name in named if len(code) == 2 and code.isascii() and code.isalpha()}  # noqa: PLR2004


@cache
def country_by_name() -> Dimension:
    """The country, with English names in place of codes."""
    return replace(COUNTRY, name=COUNTRY_NAME, shown=tuple(countries().items()))
