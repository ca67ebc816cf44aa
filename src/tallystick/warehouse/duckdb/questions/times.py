"""Visits by time, without reading the hits of most of them.

A visit counts where it began. What belongs elsewhere is added: a visit that is shorter than the unit of time lies in
the bucket of its first hit and in that of its last one, and in no other. Of longer ones hits are read, and for sums
over hits those of visits that lie in several buckets.
"""

# ruff: noqa: S608  # the text consists of constants, numbers and names of parameters

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from tallystick.model.dimensions import Dimension
from tallystick.model.period import Period
from tallystick.model.question import Grouping, TimeUnit
from tallystick.warehouse.duckdb.questions.buckets import Steps, bucket, shortest_s

_OF_A_VISIT = "false AS alone, true AS visitor"


def buckets_at(groupings: Mapping[str, Grouping], steps: Steps) -> list[str]:
    """The SQL of values, from rows that have dimensions under their names and the number of a step as ``moment``."""
    return [name if isinstance(each, Dimension) else steps.bucket(each, "moment") for name, each in groupings.items()]


class VisitsInTime(NamedTuple):
    """Visits that are counted by dimensions of visits and by time.

    Attributes:
        units: at least one.
        steps: of ``moment``; for ``by_ends`` of Unix time.
        values: the SQL of the dimensions' values, by name.
        visits: what follows FROM: those that pass, with a condition at the end.
        key: columns that tell visits apart.
    """

    period: Period
    units: list[TimeUnit]
    steps: Steps
    values: Mapping[str, str]
    visits: str
    key: str

    def by_ends(self, numbers: Mapping[str, str]) -> str:
        """The SELECT of numbers by dimensions and steps (``moment``), of which ``visitors`` count wherever they were.

        Args:
            numbers: the SQL of each, from rows of visits.
        """
        steps, names = self.steps, self._names
        opened, closed = steps.step("started"), steps.step("ended")
        most = shortest_s(self.units) // steps.seconds
        ends = (
            f"SELECT {opened} AS opened_at, {closed} AS closed_at{self._computed}, {_listed(numbers)}"
            f" FROM {self.visits} GROUP BY opened_at, closed_at{names}"
        )
        # Judged of groups of visits, of which there are few.
        changes = [change // steps.seconds for change in self._changes]
        crossed = "".join(f" AND NOT (opened_at < {change} AND closed_at >= {change})" for change in changes)
        # The first comparison is cheap and tells most visits apart.
        longer = f"(ended - started > {shortest_s(self.units)} AND {closed} - {opened} > {most})"
        several = self._several(lambda _: longer)
        # Materialized, so that DuckDB builds the join's table of these few visits and not of all hits.
        return (
            f"WITH ends AS MATERIALIZED ({ends}), several AS MATERIALIZED ({several})"
            f" SELECT opened_at AS moment{names}, {', '.join(numbers)} FROM ends"
            f" UNION ALL BY NAME SELECT closed_at AS moment{names}, visitors FROM ends"
            f" WHERE closed_at - opened_at <= {most}{crossed} AND ({self._apart('opened_at', 'closed_at')})"
            f" UNION ALL BY NAME SELECT moment{names}, count(*) AS visitors FROM ({self._parts_of_several()})"
            f" WHERE {self._apart('opened_at', 'moment')} GROUP BY moment{names}"
        )

    def by_hits(self, numbers: Mapping[str, str], spread: Iterable[str]) -> str:
        """The same, where more numbers count wherever the hits were.

        Args:
            spread: their names.
        """
        steps, names, moved = self.steps, self._names, {name: numbers[name] for name in spread}
        several = self._several(self._in_several_buckets, ", pageviews, events, firsts")
        begun = f"SELECT {steps.step('started')} AS moment{self._computed}, {_listed(numbers)} FROM {self.visits}"
        less = _listed({name: f"-{sql}" for name, sql in moved.items()})
        return (
            f"WITH several AS MATERIALIZED ({several})"
            f" {begun} GROUP BY moment{names}"
            f" UNION ALL BY NAME SELECT opened_at AS moment{names}, {less} FROM (SELECT *, {_OF_A_VISIT} FROM several)"
            f" GROUP BY opened_at{names}"
            f" UNION ALL BY NAME SELECT moment{names}, {_listed(moved)} FROM ({self._parts_of_several()})"
            f" GROUP BY moment{names}"
        )

    @property
    def _changes(self) -> list[int]:
        """The times at which the zone's offset changes."""
        return [segment.end for segment in self.period.offsets[:-1]]

    @property
    def _names(self) -> str:
        return "".join(f", {name}" for name in self.values)

    @property
    def _computed(self) -> str:
        return "".join(f", {value} AS {name}" for name, value in self.values.items())

    def _apart(self, one: str, other: str) -> str:
        """The SQL of whether two steps lie in different buckets."""
        return _any_differs((self.steps.bucket(unit, one), self.steps.bucket(unit, other)) for unit in self.units)

    def _in_several_buckets(self, ahead: int) -> str:
        """The SQL of whether a visit lies in several buckets.

        Args:
            ahead: the seconds by which the zone's clocks are ahead of UTC, all the time.
        """
        differs = f"{self.steps.step('started', ahead)} <> {self.steps.step('ended', ahead)}"
        if self.steps.seconds == shortest_s(self.units):
            return differs
        buckets = ((bucket(unit, time, self.period, ahead) for time in ("started", "ended")) for unit in self.units)
        return f"({differs} AND ({_any_differs(buckets)}))"

    def _several(self, condition: Callable[[int], str], columns: str = "") -> str:
        """The SELECT of visits for which a condition is true, or during which the zone's offset changes.

        Between two changes its clocks only go forward. The visits of each of these times apart: their offset is a
        number, which needs not be computed for each, and DuckDB expects fewer of them. Where it expects many, it
        reads all hits, and not only those of these visits.

        Args:
            condition: its SQL, from the seconds by which the zone's clocks are ahead of UTC.
        """
        parts, begun, offsets = [], "true", self.period.offsets
        for span in offsets:
            passes = condition(span.offset)
            if span is not offsets[-1]:
                passes = f"started < {span.end} AND (ended >= {span.end} OR {passes})"
            opened = self.steps.step("started", span.offset)
            listed = f"{self.key}{self._computed}{columns}, {opened} AS opened_at"
            parts.append(f"SELECT {listed} FROM {self.visits} AND NOT alone AND {begun} AND {passes}")
            begun = f"started >= {span.end}"
        return " UNION ALL ".join(parts)

    def _parts_of_several(self) -> str:
        """The SELECT of the hits of ``several`` in each bucket, as a visit of its own."""
        values = "".join(f", any_value(several.{name}) AS {name}" for name in ("opened_at", *self.values))
        return (
            f"SELECT {self.steps.step('min(created)')} AS moment{values}, {_OF_A_VISIT},"
            " count(*) FILTER (NOT event) AS pageviews, count(*) FILTER (event) AS events,"
            " count(*) FILTER (first) AS firsts"
            " FROM (SELECT site, session, created, event, first FROM hits WHERE session <> 0) AS hits"
            f" JOIN several USING ({self.key})"
            f" GROUP BY {self.key}, {', '.join(bucket(unit, 'created', self.period) for unit in self.units)}"
        )


def _listed(numbers: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} AS {name}" for name, sql in numbers.items())


def _any_differs(pairs: Iterable[Iterable[str]]) -> str:
    return " OR ".join(f"{one} <> {other}" for one, other in pairs)
