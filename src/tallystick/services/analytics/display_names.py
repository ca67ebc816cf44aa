"""English names of dimensions' values, of countries and languages. Read from disk when first needed."""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache

from babel import Locale
from babel.core import get_global

from tallystick.model.dimensions import COUNTRY, LANGUAGE, Dimension

NAMES_KEPT = 2_000


@lru_cache(NAMES_KEPT)
def country_name(code: str) -> str:
    """The name of an ISO 3166-1 alpha-2 code; what is no such code is its own name."""
    return _english().territories.get(code) or code


@lru_cache(NAMES_KEPT)
def language_name(code: str) -> str:
    """The name of an ISO 639-3 code; what is no such code is its own name."""
    shorter = get_global("language_aliases").get(code, code)
    names = _english().languages
    return names.get(code) or names.get(shorter) or code


@cache
def _english() -> Locale:
    return Locale("en")


_DISPLAY_NAMES: Mapping[str, Callable[[str], str]] = {COUNTRY.name: country_name, LANGUAGE.name: language_name}


def display_name(dimension: Dimension, value: str) -> str:
    """The name of a dimension's value in English; of most dimensions it is the value."""
    return _DISPLAY_NAMES.get(dimension.name, str)(value)
