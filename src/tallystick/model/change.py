"""A change of a shared counter: an entry of its history, and the event sent to live connections."""

from typing import Literal

from msgspec import Struct

from tallystick.model.shared_counter import SharedCounter

ChangeKind = Literal["created", "value", "details", "members", "deleted"]


class Change(Struct, frozen=True, kw_only=True, eq=False):
    """One change, as it is published.

    Attributes:
        number: position in the sequence of all counters' changes; rises by one, in commit order. A change without a
            commit (the start of a new day) has the number of the last change before it.
        counter: UUID of the counter.
        kind: ``deleted`` also means that the counter is no longer visible to the receiver.
        state: the counter when the change was read; None for members and deleted.
        actor: UUID of the person who made the change; None without one, or when the account is deleted.
        at: Unix milliseconds.
        delta: the difference of the value; None when the change was not about the value.
        value, version: right after the change; None for members and deleted.
    """

    number: int
    counter: str
    kind: ChangeKind
    state: SharedCounter | None = None
    actor: str | None = None
    at: int
    delta: int | None = None
    value: int | None = None
    version: int | None = None


def state_event(state: SharedCounter, number: int, at: int) -> Change:
    """An event with a counter's current state, for a receiver that needs all of it; nothing was changed."""
    return Change(
        number=number,
        counter=state.uid,
        kind="details",
        state=state,
        at=at,
        value=state.value,
        version=state.version,
    )
