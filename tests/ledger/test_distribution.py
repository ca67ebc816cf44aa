"""PostgreSQL's tables of lanes can be distributed by lane (Citus): keys begin with it, and statements name it."""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import sqlglot
from sqlglot import exp

QUERIES = Path(str(files("tallystick.ledger").joinpath("queries")))

LANES = frozenset(
    {
        "counter",
        "counter_hour",
        "counter_milestone",
        "counter_seen",
        "counter_thinning",
        "counting_total",
        "namespace_keys",
        "owned_counter",
    }
)
"""The tables that are distributed by their column ``lane``."""

OVER_ALL_LANES = {
    "busiest_namespaces": "the operator's report",
    "commits": "when a server starts",
    "count_frozen": "the operator's report",
    "count_owned_by": "pages of an account",
    "first_seen_until": "the sweep",
    "forget_seen": "the sweep",
    "held": "health: whether a lane is locked",
    "leave_owned_counters": "when an account is deleted",
    "listing_all": "the command line",
    "owned_by": "pages of an account",
    "page": "the sweep and exports: the next counters in the order of the lanes",
    "size": "metrics",
    "some_frozen": "the operator's report",
    "totals": "CountAPI's /stats",
}
"""Statements that read rows of every lane, and where: none of them counts, reads or changes one counter."""


class Use(NamedTuple):
    """A table of lanes in a statement.

    Attributes:
        query: its name.
        alone: whether the statement says which lane is meant.
    """

    query: str
    table: str
    alone: bool


def statements() -> Iterator[tuple[str, exp.Expr]]:
    for file in sorted([*(QUERIES / "common").glob("*.sql"), *(QUERIES / "postgresql").glob("*.sql")]):
        for part in re.split(r"^-- name: ", file.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            name, _, statement = part.partition("\n")
            for tree in sqlglot.parse(statement, dialect="postgres"):
                assert tree is not None
                yield name.split("(", maxsplit=1)[0], tree


def uses(query: str, tree: exp.Expr) -> Iterator[Use]:
    for table in tree.find_all(exp.Table):
        if table.name in LANES:
            yield Use(query, table.name, is_of_one_lane(table))


def is_of_one_lane(table: exp.Table) -> bool:
    """Whether its lane is given: by a condition of the same level, or as the first column of new rows."""
    level: Any = table.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Insert)
    if isinstance(level, exp.Insert):
        columns = [each.name for each in level.this.expressions]
        conflict = level.args.get("conflict")
        keys = [] if conflict is None else [each.name for each in conflict.args["conflict_keys"]]
        return columns[0] == "lane" and keys[:1] in ([], ["lane"])
    conditions = [
        each
        for each in level.find_all(exp.EQ, exp.In)
        if each.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Insert) is level
        and each.find_ancestor(exp.Where, exp.Join, exp.Set) is not None
        and not (isinstance(level, exp.Update) and each.find_ancestor(exp.Where) is None)
        and each.find_ancestor(exp.Or, exp.Not) is None
    ]
    return any(
        isinstance(side, exp.Column) and side.name == "lane" and side.table in {"", table.alias_or_name}
        for condition in conditions
        for side in (condition.this, condition.expression if isinstance(condition, exp.EQ) else None)
    )


def test_statements_name_the_lane() -> None:
    found = {use for query, tree in statements() for use in uses(query, tree)}
    assert {use.table for use in found} == LANES
    across = {use.query for use in found if not use.alone}
    assert across == set(OVER_ALL_LANES)


def test_no_row_changes_its_lane() -> None:
    """A distributed table refuses it."""
    changing = [
        query
        for query, tree in statements()
        for update in (*tree.find_all(exp.Update), *tree.find_all(exp.OnConflict))
        if update.find_ancestor(exp.Update) is None
        and any(isinstance(each.this, exp.Column) and each.this.name == "lane" for each in update.expressions)
    ]
    assert changing == []


@pytest.mark.parametrize(
    ("statement", "alone"),
    [
        ("SELECT key FROM counter WHERE lane = :lane AND key = :key", True),
        ("SELECT key FROM counter WHERE lane = :lane OR key = :key", False),
        ("SELECT key FROM counter WHERE key = :key", False),
        ("SELECT lane = 1 FROM counter", False),
        ("SELECT 1 FROM counter AS a JOIN counter_hour AS b ON a.lane = b.lane WHERE b.lane = :lane", True),
        ("SELECT 1 FROM counter AS a, counter_hour AS b WHERE b.lane = :lane", False),
        ("SELECT 1 FROM site WHERE EXISTS (SELECT 1 FROM counter WHERE key = site.code) AND lane = 1", False),
        ("UPDATE counter SET lane = :lane WHERE key = :key", False),
        ("UPDATE counter SET value = 1 WHERE lane = :lane", True),
        ("DELETE FROM counter WHERE lane IN (1, 2)", True),
        ("INSERT INTO counter (lane, key) VALUES (:lane, :key) ON CONFLICT (lane, key) DO NOTHING", True),
        ("INSERT INTO counter (key, lane) VALUES (:key, :lane)", False),
    ],
)
def test_a_statement_without_the_lane_is_noticed(statement: str, alone: bool) -> None:  # noqa: FBT001
    [tree] = sqlglot.parse(statement, dialect="postgres")
    assert tree is not None
    assert all(use.alone for use in uses("", tree)) is alone


def test_keys_begin_with_the_lane(postgres: Any) -> None:
    with postgres.fresh_database(migrated=True) as url, psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT indrelid::regclass::text, array_agg(attname::text ORDER BY place)"
            " FROM pg_index, unnest(indkey) WITH ORDINALITY AS keys (number, place), pg_attribute"
            " WHERE attrelid = indrelid AND attnum = keys.number AND indisunique"
            " GROUP BY indrelid, indexrelid"
        ).fetchall()
        of_lanes = connection.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE column_name = 'lane' AND table_schema = 'public' AND table_name <> 'shared_counter'"
        ).fetchall()
    assert {table for (table,) in of_lanes} == LANES
    assert {table: columns for table, columns in rows if table in LANES and columns[0] != "lane"} == {}
    assert {table for table, _ in rows} >= LANES
