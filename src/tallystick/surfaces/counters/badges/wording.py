"""What a badge says: its number as people write it, and in the place of a number why there is none.

The data of a locale is read from a file when it is used first: not on the event loop.
"""

from collections.abc import Mapping

from babel import Locale
from babel.numbers import format_compact_decimal, format_decimal

from tallystick.errors import CounterReason
from tallystick.model.badge import BadgeRequest
from tallystick.surfaces.counters.errors import (
    BY_REASON,
    CREATION_LIMITED,
    CREATION_OFF,
    NO_SUCH_COUNTER,
    SITE_NOT_SHOWN,
    SWITCHED_OFF,
    CounterRefused,
)

DIGITS_SHOWN = 3
"""Of an abbreviated number."""
REASONS: Mapping[str, str] = {
    NO_SUCH_COUNTER: "not found",
    "not-found": "not found",
    SWITCHED_OFF: "switched off",
    CREATION_OFF: "no new counters",
    CREATION_LIMITED: "too many new counters",
    BY_REASON[CounterReason.RESERVED][1]: "namespace reserved",
    BY_REASON[CounterReason.CLOSED][1]: "namespace closed",
    BY_REASON[CounterReason.FULL][1]: "namespace full",
    SITE_NOT_SHOWN: "not public",
    "rate-limited": "too many requests",
    "internal-error": "error",
    "unavailable": "not available",
}
"""Short words for refusals, by their code; of others the message is shown."""


def message_of(request: BadgeRequest, counted: int) -> str:
    """The number with what stands around it; of the style ``digits``, the bare number.

    Args:
        counted: since the day that the request names, else from the beginning.
    """
    number = counted if request.since else request.base + counted
    if request.look.style == "digits":
        return str(number)
    return f"{request.prefix}{number_text(number, request.locale, abbreviated=request.abbreviate)}{request.suffix}"


def number_text(number: int, locale: str, *, abbreviated: bool) -> str:
    """A number as a language writes it."""
    known = Locale.parse(locale, sep="-")
    if abbreviated:
        size = len(str(abs(number)))
        # Rounded before the unit is chosen: 999,999 is one million, not a thousand thousands.
        rounded = round(number, min(DIGITS_SHOWN - size, 0))
        short = format_compact_decimal(rounded, locale=known, fraction_digits=1)
        if any(character.isalpha() for character in short):
            return short
    return format_decimal(number, locale=known)


def refusal_text(refused: CounterRefused) -> str:
    """Why there is no number."""
    # The field is the label.
    return REASONS.get(refused.code, str(refused).removeprefix(f"{refused.field} "))
