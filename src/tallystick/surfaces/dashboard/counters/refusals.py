"""What is refused about shared counters, in words for the pages."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException

from tallystick.errors import SharingReason, SharingRefused
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.problems import Problems

_WORDS: Mapping[SharingReason, tuple[str, str]] = {
    SharingReason.FORBIDDEN: ("", N_("Your role in this counter does not allow that.")),
    SharingReason.NAME_LENGTH: (
        "name",
        N_("must have 5 to 40 characters, and neither control characters nor invisible ones"),
    ),
    SharingReason.INVALID_START_DATE: ("date", N_("must be a date such as 2026-03-10")),
    SharingReason.INVALID_END_DATE: ("date", N_("must be a date such as 2026-03-10")),
    SharingReason.UNKNOWN_TYPE: ("", N_("Choose what the counter counts.")),
    SharingReason.INVALID_MODE: ("", N_("Choose in which direction the counter counts.")),
    SharingReason.INVALID_DATA: ("", N_("A counter of days has a date, and no value of its own.")),
    SharingReason.WRONG_TYPE: (
        "",
        N_("This counter does not count in that direction. An admin can set its value all the same."),
    ),
    SharingReason.GOAL_EXCEEDED: ("", N_("The goal of this counter may not be exceeded.")),
    SharingReason.INVALID_AMOUNT: ("", N_("A step is a whole number from 1 to 9223372036854775807.")),
    SharingReason.OUT_OF_RANGE: (
        "",
        N_("The value would be lower than this counter allows, or too large to be stored."),
    ),
    SharingReason.NOTHING_TO_UNDO: ("", N_("There is no change that you could undo.")),
    SharingReason.LAST_ADMIN: ("", N_("A counter needs an admin. Make somebody else an admin first.")),
    SharingReason.CHANGED_MEANWHILE: ("", N_("Somebody else has changed the counter meanwhile. Look at it again.")),
    SharingReason.TOO_MANY: (
        "",
        N_("A person shares 1,000 counters at most; a counter has 1,000 members and 100 open invites at most."),
    ),
}


def problems_of_refusal(error: SharingRefused) -> Problems:
    """The message of a refusal, by form field.

    Raises:
        HTTPException: there is no such counter, member or invite (404).
    """
    if error.reason not in _WORDS:
        raise HTTPException(404) from error
    field, text = _WORDS[error.reason]
    return {field: [text]}
