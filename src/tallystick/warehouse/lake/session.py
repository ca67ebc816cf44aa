"""The session of the lake: what differs from that of the embedded file."""

from tallystick.warehouse.duckdb import changes
from tallystick.warehouse.duckdb.changes import REQUESTS_KEPT_S
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.lake.connecting import LakeConnection, queries, translated


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


def forget_requests(opened: LakeConnection, before: int) -> None:
    """Remove expired records of requests with hits."""
    with translated(opened):
        queries.forget_requests(opened.connection, before=before)
