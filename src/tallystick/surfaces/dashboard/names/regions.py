"""The names of regions, by their ISO 3166-2 codes."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

FALLBACK = "en"
"""The language that has all names; others have those that differ and are well known."""


def _names() -> Mapping[str, Mapping[str, str]]:
    files = Path(__file__).parent.glob("regions.*.json")
    return MappingProxyType(
        {file.suffixes[0][1:]: msgspec.json.decode(file.read_bytes(), type=dict[str, str]) for file in files}
    )


_NAMES = _names()


def region_name(language: str, code: str) -> str:
    """The name of a region in a language, such as ``Bavaria`` for ``DE-BY``; other texts are returned unchanged.

    Args:
        language: ISO 639-1, for example ``de``.
    """
    return _NAMES.get(language, {}).get(code) or _NAMES[FALLBACK].get(code) or code
