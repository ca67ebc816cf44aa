"""The named queries, for DuckDB."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import aiosql
import duckdb
from aiosql.adapters.duckdb import DuckDBAdapter

Connection = duckdb.DuckDBPyConnection

PARSED_KEPT = 200_000
"""Characters of all statements that are kept parsed; each takes 40 bytes of memory, which DuckDB does not limit."""
LONGEST_PARSED = 20_000
"""Characters of one of them."""
parsed: dict[str, duckdb.Statement] = {}
"""Statements by their text; emptied when another one would be too many."""


class QuerySession:
    """One connection in one transaction: the first argument of this package's blocking functions.

    Attributes:
        queries: the named queries; called as ``session.queries.NAME(session.connection, ...)``.
        sessions_outdated: set by a write that changed the paths of visitor sessions.
        looks_take_long: whether each table in a statement costs milliseconds, whatever it has.
    """

    looks_take_long = False

    def __init__(self, connection: Connection, queries: Any) -> None:  # noqa: ANN401
        self.connection, self.queries = connection, queries
        self.sessions_outdated = False

    def run(self, text: str, values: Mapping[str, Any]) -> Connection:
        """Execute a statement with those of the values that it refers to.

        It is kept parsed: to parse it takes up to a fifth of the time of a question about few days.
        """
        statement = parsed.get(text)
        if statement is None:
            [statement] = self.connection.extract_statements(text)
            if len(text) <= LONGEST_PARSED:
                # Of a list, because other threads may add to the dict meanwhile.
                if len(text) + sum(map(len, list(parsed))) > PARSED_KEPT:
                    parsed.clear()
                parsed[text] = statement
        return self.connection.execute(statement, values_in(text, values))

    def values_of(self, selects: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
        """What SELECTs of one value each return, by their names; run in one statement.

        Args:
            values: those that every SELECT may refer to.
        """
        if not selects:
            return {}
        text = f"SELECT {', '.join(f'({select})' for select in selects.values())}"
        row = self.run(text, values).fetchone() or (None,) * len(selects)
        return dict(zip(selects, row, strict=True))


def values_in(text: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a text refers to: DuckDB refuses others."""
    used = set(re.findall(r"\$(\w+)", text))
    return {name: value for name, value in values.items() if name in used}


class InTransaction(DuckDBAdapter):
    """Runs every query on the connection itself.

    A cursor, which aiosql's own adapter uses, would be another connection outside of the open transaction. Rows are
    fetched at once, because the transaction may have ended before they are used.
    """

    # What aiosql calls them with.
    def select(self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None) -> Any:  # noqa: ANN401, ARG002
        """All rows."""
        return conn.execute(sql, parameters).fetchall()

    def select_one(self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None) -> Any:  # noqa: ANN401, ARG002
        """The first row, or None."""
        return conn.execute(sql, parameters).fetchone()

    def select_value(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:  # noqa: ANN401, ARG002
        """The first value of the first row, or None."""
        row = conn.execute(sql, parameters).fetchone()
        return row[0] if row else None

    def insert_update_delete(self, conn: Any, query_name: str, sql: str, parameters: Any) -> int:  # noqa: ANN401, ARG002
        """The number of changed rows."""
        row = conn.execute(sql, parameters).fetchone()
        return int(row[0]) if row else 0


@cache
def named_queries() -> Any:  # noqa: ANN401  # aiosql makes its methods at run time
    """The named queries in ``queries``, read once."""
    return aiosql.from_path(
        str(files(__package__).joinpath("queries")), InTransaction, kwargs_only=False, mandatory_parameters=True
    )
