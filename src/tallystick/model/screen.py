"""Reads screen sizes as scripts, clients and exports write them (GoatCounter contract, 1.4 and 2.1)."""

import re
from functools import lru_cache

MOST_WIDTH = 2**31 - 1

_SIZES_CACHED, _LONGEST_CACHED = 5_000, 100

_leading_number = re.compile(r"\s*\+?([0-9]{1,10}+)(?:\.[0-9]*+)?+(?![0-9]|[eE][-+0-9])").match


def width_of(size: str) -> int:
    """The width in ``1920`` or ``1920,1080,2``; 0 if the text does not begin with a width.

    Height and scale are not used and not checked: no size makes a hit invalid.
    """
    return _cached_width_of(size) if len(size) <= _LONGEST_CACHED else _width_of(size)


def _width_of(size: str) -> int:
    match = _leading_number(size)
    width = int(match[1]) if match else 0
    return width if width <= MOST_WIDTH else 0


_cached_width_of = lru_cache(_SIZES_CACHED)(_width_of)
