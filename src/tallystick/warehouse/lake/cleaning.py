"""Keeps NUL out of the values of statements on a lake.

DuckLake writes what a query compares with into its statements to the catalogue, to learn which files to read. There a
text ends at its first NUL, with its quote open, and a second text would be read as SQL. No stored text has a NUL
(``model.text.storable``), so nothing that could be found is missed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tallystick.warehouse.duckdb.queried import Connection

NUL = "\0"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class CleaningConnection:
    """A connection that replaces NUL in values; otherwise like the one it is made of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, query: str, parameters: object = None) -> Connection:
        """Execute a statement."""
        return self._connection.execute(clean(query), clean(parameters))

    def executemany(self, query: str, parameters: Iterable[object]) -> Connection:
        """Execute a statement for each set of values."""
        return self._connection.executemany(clean(query), [clean(each) for each in parameters])

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever a connection has
        return getattr(self._connection, name)


def clean(value: Any) -> Any:  # noqa: ANN401  # whatever DuckDB takes
    """The same value, with NUL in its texts replaced."""
    if isinstance(value, str):
        return value.replace(NUL, REPLACEMENT) if NUL in value else value
    if isinstance(value, Mapping):
        return {name: clean(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [clean(each) for each in value]
    return value
