"""Statements of questions, which are parsed once."""

import duckdb
import pytest

from tallystick.warehouse.duckdb.queried import LONGEST_PARSED, PARSED_KEPT, QuerySession, named_queries, parsed


def on_a_connection() -> QuerySession:
    """A session on a database of its own."""
    return QuerySession(duckdb.connect(), named_queries())


def test_a_parsed_statement_outlives_its_connection_and_takes_other_values() -> None:
    text = "WITH each AS MATERIALIZED (SELECT unnest(range($last)) AS number) SELECT sum(number), $unit FROM each"
    session = on_a_connection()
    assert session.run(text, {"last": 3, "unit": "hits", "other": 1}).fetchall() == [(3, "hits")]
    statement = parsed[text]
    session.connection.close()
    again = on_a_connection()
    assert again.run(text, {"last": 5, "unit": None}).fetchall() == [(10, None)]
    assert again.run(text, {"last": 5, "unit": 2.5}).fetchall() == [(10, 2.5)]
    assert parsed[text] is statement
    again.connection.close()


def test_a_parsed_statement_sees_changed_tables() -> None:
    session = on_a_connection()
    session.connection.execute("CREATE TABLE each AS SELECT 1 AS number")
    assert session.run("SELECT * FROM each", {}).fetchall() == [(1,)]
    session.connection.execute("ALTER TABLE each ADD COLUMN name VARCHAR DEFAULT 'one'")
    assert session.run("SELECT * FROM each", {}).fetchall() == [(1, "one")]
    session.connection.execute("DROP TABLE each")
    with pytest.raises(duckdb.CatalogException):
        session.run("SELECT * FROM each", {})
    session.connection.close()


def test_parsed_statements_are_bounded() -> None:
    session = on_a_connection()
    for number in range(PARSED_KEPT // 10_000 + 2):
        text = f"SELECT {number} + $one{' ' * 10_000}"
        assert session.run(text, {"one": 1}).fetchall() == [(number + 1,)]
        assert text in parsed
        assert sum(map(len, parsed)) <= PARSED_KEPT
    session.connection.close()


def test_a_long_statement_is_not_kept_and_takes_nobodys_place() -> None:
    session = on_a_connection()
    session.run("SELECT 1", {})
    text = f"SELECT $one{' ' * LONGEST_PARSED}"
    assert session.run(text, {"one": 2}).fetchall() == [(2,)]
    assert text not in parsed
    assert "SELECT 1" in parsed
    session.connection.close()
