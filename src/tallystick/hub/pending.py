"""The pending changes of one connection: all of them, or past a limit only the newest of each counter."""

from collections import OrderedDict, deque

from tallystick.model.change import Change

PLAIN_AT_MOST = 1_024
"""Changes kept one by one; beyond it they are merged until all are taken. It is above the number of changes read from
the ledger at once, so that a reader that keeps up sees every change of a batch."""
MERGED_AT_MOST = 4_000
"""More than three times the counters that an account can have."""

Entry = tuple[Change, int | None]
"""A change and the number of its commit; None if no commit made it. All connections share the same object."""


class Pending:
    """The pending changes of one connection, in the order of the commits.

    Attributes:
        overflowed: whether there were too many even after merging. Some are lost, so the connection must end.
    """

    __slots__ = ("_newest", "_plain", "overflowed")

    def __init__(self) -> None:
        self._plain: deque[Entry] = deque()
        self._newest: OrderedDict[tuple[str, str], Entry] | None = None
        self.overflowed = False

    def __len__(self) -> int:
        return len(self._plain) if self._newest is None else len(self._newest)

    def add(self, entry: Entry) -> int:
        """Append a change. Returns how many pending changes were replaced by newer ones."""
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
        """Remove and return the first change."""
        if self._newest is None:
            return self._plain.popleft()[0]
        _, (change, _) = self._newest.popitem(last=False)
        if not self._newest:
            self._newest = None
        return change

    def drop(self, number: int) -> None:
        """Drop the changes of commits up to a number."""
        self._plain = deque(entry for entry in self._plain if _is_after(entry, number))
        if self._newest is not None:
            kept = OrderedDict((key, entry) for key, entry in self._newest.items() if _is_after(entry, number))
            self._newest = kept or None

    def _merge(self, entry: Entry, newest: OrderedDict[tuple[str, str], Entry]) -> None:
        change = entry[0]
        if change.kind == "deleted":
            # After a deletion the earlier changes of the counter do not matter.
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
