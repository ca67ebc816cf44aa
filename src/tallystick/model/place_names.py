"""English names of countries and languages."""

from functools import cache

from babel import Locale


@cache
def _english() -> Locale:
    return Locale("en")


def country_name(code: str) -> str:
    """The name of an ISO 3166-1 code; the code itself where there is none, and nothing for nothing."""
    return str(_english().territories.get(code, code))


def language_name(code: str) -> str:
    """The name of an ISO 639-3 code; the code itself where there is none, and nothing for nothing."""
    return str(_english().languages.get(code, code))
