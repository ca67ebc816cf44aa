"""The thread of a node that acknowledges hits: it stores them as rows in PostgreSQL.

The mover brings them into the lake.

While a commit runs, the next batch gathers: all appends of a batch are one row and one commit.

Promises:
- A future gets a result only after the commit of its hits: acknowledged means durable in PostgreSQL.
- An append that was answered with an error is stored once or not at all.
- Of several requests with one key, on whichever nodes, the hits of one are stored.
"""

from asyncio import AbstractEventLoop
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain

import msgspec
import psycopg
import structlog

from tallystick.errors import KeyInFlight, StoreFailed, StoreUnavailable, reason_of
from tallystick.warehouse.duckdb.appending import Append, AppendThread
from tallystick.warehouse.lake.batches import pack
from tallystick.warehouse.lake.connecting import Connect, LakeConnection, queries, translated
from tallystick.warehouse.types import Stored

STORED = Stored()

log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode


class LakeJournal(AppendThread):
    """One writing thread with a connection.

    Args:
        connect: opens the connection.
        node: names this node in the rows.
        loop: the event loop of the futures.

    Attributes:
        failures: commits that failed.
        last_failed: whether the newest one did.
    """

    def __init__(self, connect: Connect, node: str, loop: AbstractEventLoop) -> None:
        super().__init__(loop)
        self._connect, self._node = connect, node
        self._opened: LakeConnection | None = None
        self.failures = 0
        self.last_failed = False
        self.thread = self._begin("lake-journal", idle=self._look)

    def _give_up(self, batch: list[Append], error: Exception) -> None:
        self._disconnect()
        self._finish(batch, [StoreFailed(f"the journal's thread failed: {error}")] * len(batch))

    def _append(self, part: Sequence[Append]) -> Sequence[object]:
        """Store appends in one commit. Returns a result for each."""
        try:
            return self._commit(part)
        except StoreUnavailable as error:
            self._failed(error)
            return [error] * len(part)
        except Exception as error:  # noqa: BLE001  # no error ends the thread
            if len(part) == 1:
                return [error]
        # One of them cannot be stored: retried alone, only it is refused.
        return [result for item in part for result in self._append([item])]

    def _commit(self, part: Sequence[Append]) -> Sequence[object]:
        opened = self._usable()
        if any(item.request for item in part):
            results = self._commit_requests(opened, part)
        else:
            self._add(opened, part)
            results = [[STORED] * len(item.hits) for item in part]
        self._succeeded()
        return results

    def _add(self, opened: LakeConnection, part: Sequence[Append]) -> None:
        """Store the hits of appends as one row; without any, show that commits succeed."""
        content, format_, hits = pack(list(chain.from_iterable(item.hits for item in part)))
        with translated(opened):
            if hits:
                queries.add_batch(opened.connection, node=self._node, content=content, format=format_, hits=hits)
            else:
                queries.add_nothing(opened.connection)

    def _commit_requests(self, opened: LakeConnection, part: Sequence[Append]) -> Sequence[object]:
        """Store the hits of those appends whose request has no record yet, with their records."""
        requests = {item.request.key: item.request for item in part if item.request}
        with opened.transaction():
            rows = _encode([requests[key] for key in sorted(requests)]).decode()
            new = {key for (key,) in queries.add_requests(opened.connection, rows=rows)}
            first = [item.request is None or requests[item.request.key] is item.request for item in part]
            kept = [
                is_first and (item.request is None or item.request.key in new)
                for item, is_first in zip(part, first, strict=True)
            ]
            self._add(opened, [item for item, keeps in zip(part, kept, strict=True) if keeps])
        return [
            [STORED] * len(item.hits) if keeps else KeyInFlight("a request with this Idempotency-Key was carried out")
            for item, keeps in zip(part, kept, strict=True)
        ]

    def _look(self) -> None:
        """When idle after a failure: find out whether commits succeed again."""
        if self.last_failed:
            with suppress(StoreUnavailable):
                self._commit([])

    def _usable(self) -> LakeConnection:
        if self._opened is None:
            self._opened = self._connect()
        return self._opened

    def _failed(self, error: StoreUnavailable) -> None:
        # A connection that failed may be in any state.
        self._disconnect()
        self.failures += 1
        if not self.last_failed:
            self.last_failed = True
            log.error("a commit of hits failed", reason=reason_of(error))

    def _succeeded(self) -> None:
        if self.last_failed:
            self.last_failed = False
            log.info("commits of hits succeed again", failed=self.failures)

    def _stop(self) -> None:
        self._disconnect()

    def _disconnect(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            with suppress(psycopg.Error):
                opened.close()
