"""Imports of aggregates into a site: begun, filled part by part, finished or removed.

Until it is finished, an import is in no answer. Each step can safely be repeated.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from tallystick.errors import Conflicting, InputRefused
from tallystick.ledger import Ledger
from tallystick.model.account import Account, Principal
from tallystick.model.aggregates import BY_NAME, AggregateImport, Row, TableSpan, overlapping, row_of
from tallystick.model.period import DAY_S
from tallystick.services.accounts.audit import EventKind, done_by, note
from tallystick.warehouse import Warehouse

ROWS_OF_A_PART = 20_000
MOST_PARTS = 10_000
LONGEST_NAME = 200
MOST_TABLES = len(BY_NAME)


class SentTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of one table as they arrive: the names of columns, and a cell for each."""

    columns: list[str]
    rows: list[list[str | int]]


class AggregateImports:
    """The imports of sites.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, ledger: Ledger, warehouse: Warehouse, clock: Callable[[], int]) -> None:
        self._ledger, self._warehouse, self._clock = ledger, warehouse, clock

    @property
    def latest_day(self) -> int:
        """The last day that there can be, in days since 1970: a zone may be a day ahead of UTC."""
        return self._clock() // DAY_S + 1

    async def listed(self, site: int) -> list[AggregateImport]:
        """The imports of a site, oldest first, those that are not done too.

        Raises:
            StoreUnavailable
        """
        return await self._warehouse.read(lambda session: session.aggregate_imports(site))

    async def begin(  # noqa: PLR0913  # what is told of an import
        self, site: int, kind: str, name: str, digest: str, tables: Mapping[str, TableSpan], *, replace: bool
    ) -> AggregateImport:
        """Begin an import. One of the same file that was interrupted is removed.

        Args:
            name: of the file.
            digest: of its content.
            tables: what it will have.
            replace: whether imports with days of the same tables are removed once it is finished.

        Returns:
            The new import; or the finished one of the same file, unless that is to be replaced.

        Raises:
            Conflicting: other imports have days of the same tables, or there are too many.
            StoreUnavailable
        """
        done = [each for each in await self.listed(site) if each.done]
        same = next((each for each in done if each.digest == digest), None)
        if same is not None and not replace:
            return same
        if not replace and (others := overlapping(tables, done)):
            raise Conflicting(conflict(others))
        begun = AggregateImport(
            id=0, site=site, kind=kind, name=name[:LONGEST_NAME], digest=digest, created=self._clock(), parts=0,
            done=False,
        )  # fmt: skip
        number = await self._warehouse.write(lambda session: session.begin_aggregates(begun))
        return next(each for each in await self.listed(site) if each.id == number)

    async def add(self, site: int, number: int, part: int, rows: Mapping[str, Sequence[Row]]) -> None:
        """Add a part; one that has arrived before is not added again.

        Args:
            part: parts are numbered from 1.
            rows: see ``rows_in``.

        Raises:
            NotThere, Conflicting, StoreUnavailable
        """
        if part > MOST_PARTS:
            msg = f"an import has at most {MOST_PARTS:,} parts"
            raise Conflicting(msg)
        self._warehouse.require_owned()
        await self._warehouse.write(lambda session: session.add_aggregates(site, number, part, rows))

    async def finish(
        self, actor: Principal | Account | str, site: int, number: int, rows: int, *, replace: bool
    ) -> AggregateImport:
        """Make an import one that answers have.

        Args:
            actor: for the audit log.
            rows: how many it must have.

        Raises:
            NotThere, Conflicting, StoreUnavailable
        """
        found = next((each for each in await self.listed(site) if each.id == number), None)
        if found is not None and found.done and found.rows == rows:
            return found
        finished = await self._warehouse.write(
            lambda session: session.finish_aggregates(site, number, rows, replace=replace)
        )
        detail = f"{finished.kind} import {number}, {rows} rows"
        await self._ledger.write(done_by, actor, note, EventKind.IMPORTED, self._ledger.clock(), f"site {site}", detail)
        return finished

    async def remove(self, site: int, number: int) -> AggregateImport:
        """Remove an import.

        Raises:
            NotThere, StoreUnavailable
        """
        self._warehouse.require_owned()
        return await self._warehouse.write(lambda session: session.remove_aggregates(site, number))


def rows_in(tables: Mapping[str, SentTable], last: int) -> dict[str, list[Row]]:
    """The rows of a part as they are stored. They may be many: not on the event loop.

    Args:
        last: the last day that there can be, in days since 1970.

    Raises:
        InputRefused: one cannot be stored; the message names it.
    """
    if sum(len(each.rows) for each in tables.values()) > ROWS_OF_A_PART:
        msg = f"a part has at most {ROWS_OF_A_PART:,} rows"
        raise InputRefused(msg)
    found: dict[str, list[Row]] = {}
    for name, table in tables.items():
        if name not in BY_NAME:
            msg = f"there is no table {name[:100]!r}; there are {', '.join(BY_NAME)}"
            raise InputRefused(msg)
        found[name] = _rows_of(name, table, last)
    return found


def _rows_of(name: str, table: SentTable, last: int) -> list[Row]:
    aggregate = BY_NAME[name]
    if len(set(table.columns)) < len(table.columns) or not {"date"} <= set(table.columns) <= set(aggregate.columns):
        msg = f"{name}: columns are date and any of {', '.join(aggregate.columns[1:])}, each once"
        raise InputRefused(msg)
    rows: list[Row] = []
    for number, cells in enumerate(table.rows):
        try:
            by_name = dict(zip(table.columns, cells, strict=True))
            texts = [_text(by_name.get(each, "")) for each in aggregate.texts]
            numbers = [by_name.get(each, 0) for each in aggregate.numbers]
            rows.append(row_of(aggregate, _text(by_name["date"]), texts, numbers, last))
        except ValueError as error:
            msg = f"{name}, row {number}: {error}"
            raise InputRefused(msg) from error
    return rows


def _text(cell: str | int) -> str:
    if not isinstance(cell, str):
        msg = f"{cell} is not a text"
        raise ValueError(msg)  # noqa: TRY004  # a cell of a client, refused with its row
    return cell


def conflict(others: Sequence[AggregateImport]) -> str:
    """The message about other imports with days of the same tables."""
    listed = ", ".join(f"{each.id} ({each.name})" for each in others)
    return (
        f"the site has imported days of the same tables before, with import {listed}: replace (--replace) or remove"
        " that first"
    )
