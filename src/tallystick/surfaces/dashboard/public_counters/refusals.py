"""Refused changes of public counters, as pages say them."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException

from tallystick.errors import CounterReason, OwningRefused
from tallystick.model.counter import RefusalReason
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.problems import Problems

EXISTS = N_("There is a counter of this name already.")
OUT_OF_RANGE = N_("The value would not fit into 64 bits.")
FROZEN = N_("The operator of this server stopped all changes of this counter.")
RESERVED = N_("Only the owner of this namespace's site makes counters in it.")
LIMITED = N_("Too many new counters in a second. Try again.")

REFUSED: Mapping[RefusalReason, str] = {
    RefusalReason.OUT_OF_RANGE: OUT_OF_RANGE,
    RefusalReason.OUT_OF_BOUNDS: N_("This counter does not count in that direction."),
    RefusalReason.LOCKED: N_("The owner of this counter has locked it: it can only be read."),
    RefusalReason.RESTRICTED: N_("This counter counts only on the pages of its owner."),
    RefusalReason.FROZEN: FROZEN,
}
OWNING: Mapping[CounterReason, str] = {
    CounterReason.EXISTS: EXISTS,
    CounterReason.OUT_OF_RANGE: OUT_OF_RANGE,
    CounterReason.LIMITED: LIMITED,
    CounterReason.TOO_MANY: N_("One account owns 10,000 counters at most. Delete one that is not needed any more."),
    CounterReason.RESERVED: RESERVED,
    CounterReason.NO_PROOF: N_("This is not the host or the domain of a website here of which you are an admin."),
    CounterReason.FROZEN: FROZEN,
}


def problems_of_owning(refused: OwningRefused) -> Problems:
    """The message of a refusal, for the form as a whole.

    Raises:
        HTTPException: there is no such counter any more, or it is not the person's (404).
    """
    if refused.reason not in OWNING:
        raise HTTPException(404) from refused
    return {"": [OWNING[refused.reason]]}
