"""What a commit did to a shared counter: an entry of its history, and what live connections are told."""

from typing import Literal

from msgspec import Struct

from tallystick.model.shared_counter import SharedCounter

ChangeKind = Literal["created", "value", "details", "members", "deleted"]


class Change(Struct, frozen=True, kw_only=True, eq=False):
    """One change, as it is told.

    Attributes:
        number: its place among the changes of all counters; rises by one, in the order of the commits. For what no
            commit did (a day that began) the number of the last change before it.
        counter: UUID of the counter.
        kind: deleted also stands for: no longer visible to you.
        state: the counter when this was read; None for members and deleted.
        actor: UUID of who did it; None when nobody or somebody gone did.
        at: Unix milliseconds.
        delta: by how much the value changed; None when it was not about the value.
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


def as_it_is(state: SharedCounter, number: int, at: int) -> Change:
    """A counter's whole state, told without anybody having changed it just now."""
    return Change(
        number=number,
        counter=state.uid,
        kind="details",
        state=state,
        at=at,
        value=state.value,
        version=state.version,
    )
