"""Converts browsers' languages to ISO 639-3 codes."""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import cast

from tallystick.model.text import storable

LANGUAGES_CACHED = 5_000
LONGEST_TAG = 100
_TWO, _THREE = 2, 3

# ISO 639-3's code for two-letter codes to which Babel maps several three-letter codes (bibliographic codes, single
# members of a macrolanguage).
_OF_SEVERAL = {
    "ak": "aka", "ar": "ara", "ay": "aym", "az": "aze", "bo": "bod", "cr": "cre", "cs": "ces", "cy": "cym",
    "de": "deu", "dz": "dzo", "el": "ell", "et": "est", "eu": "eus", "fa": "fas", "ff": "ful", "fr": "fra",
    "gn": "grn", "gu": "guj", "hr": "hrv", "hy": "hye", "ik": "ipk", "is": "isl", "iu": "iku", "ka": "kat",
    "kg": "kon", "kr": "kau", "ku": "kur", "kv": "kom", "lv": "lav", "mg": "mlg", "mi": "mri", "mk": "mkd",
    "mn": "mon", "ms": "msa", "my": "mya", "ne": "nep", "nl": "nld", "oj": "oji", "om": "orm", "or": "ori",
    "ps": "pus", "qu": "que", "ro": "ron", "sa": "san", "sc": "srd", "sh": "hbs", "sk": "slk", "sq": "sqi",
    "sr": "srp", "sw": "swa", "tl": "tgl", "tw": "twi", "uz": "uzb", "yi": "yid", "za": "zha", "zh": "zho",
}  # fmt: skip


@lru_cache(LANGUAGES_CACHED)
def language_of(tag: str) -> str:
    """The ISO 639-3 code of a BCP 47 tag or of the first language of an Accept-Language header; empty if unknown."""
    if len(tag) > LONGEST_TAG:
        return ""
    first = storable(tag).split(",", 1)[0].split(";", 1)[0].strip()
    primary = first.replace("_", "-").split("-", 1)[0].lower()
    if not (primary.isascii() and primary.isalpha()):
        return ""
    if len(primary) == _TWO:
        return _three_letter_codes().get(primary, "")
    return _canonical(primary) if len(primary) == _THREE else ""


def load() -> None:
    """Load the codes before the first hit needs them."""
    _three_letter_codes()
    _known()


@cache
def _three_letter_codes() -> dict[str, str]:
    aliases = _aliases()
    codes: dict[str, str] = {two: three for three, two in aliases.items() if len(three) == _THREE and len(two) == _TWO}
    codes |= _OF_SEVERAL
    # Withdrawn codes that browsers still send.
    renamed = {old: codes[new] for old, new in aliases.items() if len(old) == _TWO and new in codes}
    return renamed | codes


@cache
def _aliases() -> Mapping[str, str]:
    from babel.core import get_global  # noqa: PLC0415  # reads its data from disk

    aliases: Mapping[str, str] = get_global("language_aliases")
    return aliases


@cache
def _known() -> frozenset[str]:
    from babel import Locale  # noqa: PLC0415

    # Babel's types do not tell the parts of a locale's data apart.
    languages = cast("Mapping[str, str]", Locale("en").languages)
    return frozenset(code for code in languages if len(code) == _THREE)


@lru_cache(LANGUAGES_CACHED)
def _canonical(three: str) -> str:
    codes = _three_letter_codes()
    if three in codes.values():
        return three
    canonical = _aliases().get(three, three)
    return codes.get(canonical) or (three if three in _known() else "")
