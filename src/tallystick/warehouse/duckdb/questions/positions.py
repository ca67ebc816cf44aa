"""Positions of hits in time, as numbers."""

from typing import NamedTuple

from tallystick.model.period import Period
from tallystick.warehouse.duckdb.queried import QuerySession

_BIGGEST = 2**63 - 1


class Positions(NamedTuple):
    """How hits are ordered: by their second in a period, and behind it by their id.

    Attributes:
        sql: the position of a hit, from its ``created`` and ``id``.
        span: positions of one second.
    """

    sql: str
    span: int


def positions_in(session: QuerySession, period: Period) -> Positions:
    """The positions of hits in a period."""
    lowest, highest = session.connection.execute("SELECT min(id), max(id) FROM hit").fetchone() or (0, 0)
    lowest, span = lowest or 0, (highest or 0) - (lowest or 0) + 1
    fits = (period.after - period.first + 1) * span <= _BIGGEST
    second = f"created - {period.first}" if fits else f"CAST(created - {period.first} AS HUGEINT)"
    return Positions(f"(({second}) * {span} + (id - ({lowest})))", span)
