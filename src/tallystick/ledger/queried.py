"""The part of a session that is the same on every database: named queries with the same parameters and rows."""

from collections.abc import Collection, Iterable, Mapping
from importlib.resources import files
from typing import Any

import aiosql
import msgspec

from tallystick.ledger.database import Held, Namespace, Totals
from tallystick.model.counter import Counter
from tallystick.model.key import Key, lane_of

_encode = msgspec.json.Encoder().encode


def named_queries(folder: str, driver: str) -> Any:  # noqa: ANN401  # aiosql makes its methods at run time
    """The named queries of a folder, for one driver."""
    return aiosql.from_path(
        str(files("tallystick.ledger").joinpath("queries", folder)),
        driver,
        kwargs_only=False,
        mandatory_parameters=True,
    )


class QueriedSession:
    """The part of a session that is the same for every database except for its queries.

    Attributes:
        connection: of the database's driver.
        queries: the database's named queries (aiosql).
        common: the named queries that are the same text on every database.
    """

    connection: Any
    queries: Any
    common: Any

    def take_numbers(self, sequence: str, amount: int = 1) -> int:
        """Take the next numbers of a sequence. Returns the first. A number is never given twice."""
        return int(self.common.take_numbers(self.connection, name=sequence, amount=amount)) - amount + 1

    def held(self, refused: Iterable[Key]) -> set[Held]:  # noqa: ARG002  # for databases of several servers
        """Return nothing: a database with one writer at a time has no locks on rows."""
        return set()

    def take_time(self) -> None:
        """Lift timeouts until the open transaction ends; does nothing on a database without them."""

    def page(self, after: Key | None, max_rows: int) -> list[tuple[Key, Counter]]:
        """The next counters in storage order, expired ones included."""
        lane, key = (-1, Key("", "")) if after is None else (lane_of(after), after)
        rows = self.queries.page(self.connection, lane=lane, namespace=key.namespace, key=key.key, max_rows=max_rows)
        return [from_row(row) for row in rows]

    def between(self, lane: int, start: Key, until: Key, max_rows: int) -> list[tuple[Key, Counter]]:
        """The first counters of a lane from ``start`` on and before ``until``, by name; expired ones included."""
        rows = self.queries.between(
            self.connection,
            lane=lane,
            namespace=start.namespace,
            key=start.key,
            until_namespace=until.namespace,
            until_key=until.key,
            max_rows=max_rows,
        )
        return [from_row(row) for row in rows]

    def listing(self, namespace: str | None, now: int, max_rows: int) -> list[tuple[Key, Counter]]:
        """Living counters sorted by name; without a namespace, all public ones."""
        self.take_time()
        if namespace is None:
            rows = self.queries.listing_all(self.connection, now=now, max_rows=max_rows)
        else:
            rows = self.queries.listing(self.connection, namespace=namespace, now=now, max_rows=max_rows)
        return [from_row(row) for row in rows]

    def namespaces(self, names: Collection[str]) -> Mapping[str, Namespace]:
        """What decides about new counters of namespaces."""
        rows = self.queries.namespaces(self.connection, names=_encode(list(names)).decode())
        return {name: Namespace(int(keys), bool(reserved), bool(closed)) for name, keys, reserved, closed in rows}

    def count_keys(self, lane: int, added: Mapping[str, int]) -> None:
        """Add to the numbers of stored counters of namespaces."""
        rows = [{"lane": lane, "namespace": namespace, "keys": keys} for namespace, keys in added.items()]
        self.queries.count_keys(self.connection, rows=_encode(rows).decode())
        if min(added.values(), default=0) < 0:
            self.queries.forget_namespaces(self.connection, rows=_encode(rows).decode())

    def size(self) -> int:
        """The number of stored counters, public and shared."""
        self.take_time()
        return int(self.queries.size(self.connection))

    def totals(self) -> Totals:
        """The totals since the ledger was created."""
        return Totals(*self.queries.totals(self.connection))

    def commits(self) -> int:
        """The number of writing transactions since the ledger was created; some made by commands are not counted."""
        return int(self.common.commits(self.connection))

    def add_totals(self, lane: int, added: Totals) -> None:
        """Add a batch to the totals, and count its commit."""
        self.queries.add_totals(
            self.connection,
            lane=lane,
            keys_created=added.keys_created,
            keys_updated=added.keys_updated,
            requests=added.requests,
        )


def from_row(row: tuple[Any, ...]) -> tuple[Key, Counter]:
    """Build a counter from a row of the queries; SQLite has 0 and 1 as booleans."""
    namespace, key, value, lower, upper, resettable, created, expires, version, hour, base, flags = row
    return Key(namespace, key), Counter(
        value, lower, upper, bool(resettable), created, expires, version, hour, base, flags
    )
