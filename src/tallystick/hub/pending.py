"""What one connection has still to be told: every change, and past a limit only the newest of each counter."""

from collections import OrderedDict, deque

from tallystick.model.change import Change

PLAIN_AT_MOST = 1_024
"""Changes that are kept one by one; past it they are merged until all are taken. More than are read at once, so that
who reads is told each change of a batch."""
MERGED_AT_MOST = 4_000
"""More than the counters that a person can have, thrice."""

Entry = tuple[Change, int | None]
"""A change, and the number of the commit that did it; None when none did. Shared by all connections that wait."""


class Pending:
    """The changes of one connection, in the order of the commits.

    Attributes:
        overflowed: whether even merged they became too many: some are lost, and the connection must end.
    """

    __slots__ = ("_newest", "_plain", "overflowed")

    def __init__(self) -> None:
        self._plain: deque[Entry] = deque()
        self._newest: OrderedDict[tuple[str, str], Entry] | None = None
        self.overflowed = False

    def __len__(self) -> int:
        return len(self._plain) if self._newest is None else len(self._newest)

    def add(self, entry: Entry) -> int:
        """Put a change behind the others; in the place of how many older ones it and others are told."""
        if self._newest is None and len(self._plain) < PLAIN_AT_MOST:
            self._plain.append(entry)
            return 0
        before = len(self) + 1
        if self._newest is None:
            self._newest = OrderedDict()
            while self._plain:
                self._merge(self._plain.popleft(), self._newest)
        self._merge(entry, self._newest)
        return before - len(self._newest)

    def take(self) -> Change:
        """The first of them."""
        if self._newest is None:
            return self._plain.popleft()[0]
        _, (change, _) = self._newest.popitem(last=False)
        if not self._newest:
            self._newest = None
        return change

    def drop(self, number: int) -> None:
        """Forget what commits up to this one did."""
        self._plain = deque(entry for entry in self._plain if _is_after(entry, number))
        if self._newest is not None:
            kept = OrderedDict((key, entry) for key, entry in self._newest.items() if _is_after(entry, number))
            self._newest = kept or None

    def _merge(self, entry: Entry, newest: OrderedDict[tuple[str, str], Entry]) -> None:
        change = entry[0]
        if change.kind == "deleted":
            # What came before a farewell concerns nobody any more.
            newest.pop((change.counter, "state"), None)
            newest.pop((change.counter, "members"), None)
        key = (change.counter, _about(change))
        newest.pop(key, None)
        if len(newest) < MERGED_AT_MOST:
            newest[key] = entry
        else:
            self.overflowed = True


def _about(change: Change) -> str:
    return change.kind if change.kind in {"members", "deleted"} else "state"


def _is_after(entry: Entry, number: int) -> bool:
    return entry[1] is None or entry[1] > number
