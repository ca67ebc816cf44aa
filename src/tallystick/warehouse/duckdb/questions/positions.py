"""Positions of hits in time, as numbers."""

from typing import NamedTuple

from tallystick.model.period import Period
from tallystick.warehouse.duckdb.queried import QuerySession
from tallystick.warehouse.duckdb.questions.parameters import BoundValues

_BIGGEST = 2**63 - 1


class Positions(NamedTuple):
    """How hits are ordered: by their second in a period, and behind it by their id.

    Attributes:
        sql: the position of a hit, from its ``created`` and ``id``.
        span: the SQL of the number of positions of one second.
    """

    sql: str
    span: str


def positions_in(session: QuerySession, period: Period, parameters: BoundValues) -> Positions:
    """The positions of hits in a period."""
    lowest, highest = session.connection.execute("SELECT min(id), max(id) FROM hit").fetchone() or (0, 0)
    lowest, span = lowest or 0, (highest or 0) - (lowest or 0) + 1
    fits = (period.after - period.first + 1) * span <= _BIGGEST
    kind = "BIGINT" if fits else "HUGEINT"
    first, each, from_id = (f"CAST({parameters.add(value)} AS {kind})" for value in (period.first, span, lowest))
    return Positions(f"((created - {first}) * {each} + (id - {from_id}))", each)
