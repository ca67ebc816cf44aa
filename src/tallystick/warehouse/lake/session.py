"""The session of the lake: what differs from that of the embedded file."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

from tallystick.warehouse.duckdb import changes
from tallystick.warehouse.duckdb.changes import REQUESTS_KEPT_S
from tallystick.warehouse.duckdb.queried import Connection, values_in
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.lake.connecting import LakeConnection, queries, translated

MOST_KEPT = 200
"""Values of a snapshot, each with at most the numbers of a thousand visits."""


class LakeSession(DuckDbSession):
    """A ``WarehouseWriteSession`` on the lake.

    Attributes:
        requests_before: records of requests older than that are removed after the transaction; None for none.
    """

    requests_before: int | None = None

    def forget_old(self, now: int, passed: int) -> None:
        """Remove what has expired; see ``changes.forget_old``. Records of requests with hits are in PostgreSQL."""
        changes.forget_old(self, now, passed)
        self.requests_before = passed - REQUESTS_KEPT_S


class SnapshotValues:
    """Values that were read from the newest snapshot of a lake; shared by all threads."""

    def __init__(self) -> None:
        self._snapshot, self._values = -1, dict[tuple[str, str], Any]()
        self._alone = Lock()

    def of(self, snapshot: int) -> dict[tuple[str, str], Any]:
        """The values of a snapshot, to be read and added to; those of an older one are not kept."""
        with self._alone:
            if snapshot < self._snapshot:
                return {}
            if snapshot > self._snapshot or len(self._values) > MOST_KEPT:
                self._snapshot, self._values = snapshot, {}
            return self._values


class LakeReadSession(DuckDbSession):
    """A ``WarehouseSession`` on a lake that is read only, in one transaction.

    Each look at a table costs some milliseconds, whatever it has. So the small values that a plan is made of are looked
    up once in a snapshot: those of one period are the same for all questions on a page.
    """

    looks_take_long = True

    def __init__(self, connection: Connection, queries: Any, kept: SnapshotValues) -> None:  # noqa: ANN401
        super().__init__(connection, queries)
        self._kept = kept

    def values_of(self, selects: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
        """See ``QuerySession.values_of``; runs those that were not run on this snapshot before."""
        # A transaction keeps the snapshot of its first statement.
        [(snapshot,)] = self.connection.execute("SELECT id FROM ducklake_current_snapshot('lake')").fetchall()
        kept = self._kept.of(snapshot)
        keys = {name: (select, repr(values_in(select, values))) for name, select in selects.items()}
        found = {name: kept[key] for name, key in keys.items() if key in kept}
        read = super().values_of({name: select for name, select in selects.items() if name not in found}, values)
        kept.update({keys[name]: value for name, value in read.items()})
        return found | read


def forget_requests(opened: LakeConnection, before: int) -> None:
    """Remove expired records of requests with hits."""
    with translated(opened):
        queries.forget_requests(opened.connection, before=before)
