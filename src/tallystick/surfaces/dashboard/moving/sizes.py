"""Sizes of files as people read them."""

from tallystick.surfaces.dashboard.support.language import Language

KB = 1_000
UNITS = ("KB", "MB", "GB", "TB")


def size_text(language: Language, size: int) -> str:
    """A number of bytes in the largest unit of which there is at least one, for example ``12.3 MB``."""
    value, unit = size / KB, 0
    while value >= KB and unit < len(UNITS) - 1:
        value, unit = value / KB, unit + 1
    return f"{language.number(round(value, 1))} {UNITS[unit]}"
