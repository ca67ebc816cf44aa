"""The lake's catalogue in PostgreSQL: how it is reached, its fence, and its tables."""

# ruff: noqa: S608  # the text consists of constants

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import duckdb
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tallystick.errors import DatabaseAway
from tallystick.warehouse.duckdb.migrations import FILE_ONLY, all_steps, migrate, recorded
from tallystick.warehouse.duckdb.queried import Connection
from tallystick.warehouse.duckdb.store import transaction

SCHEMA = "tallystick_lake"
"""The schema of DuckLake's own tables, in the ledger's database."""

CREATION_LOCK = 0x7A11_571E
"""Advisory lock that keeps two servers from creating one lake at once."""

CONNECTION: Mapping[str, str | int] = {
    "connect_timeout": 10,
    "fallback_application_name": "tallystick-lake",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""How we connect, unless the URL says otherwise: a peer that is gone is noticed within half a minute."""

SERVER_KEEPALIVES: Mapping[str, int] = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""The same from PostgreSQL's side: by its default, a server that is cut off while it opens the lake for writing would
keep ``CREATION_LOCK`` for two hours, and no other one could take over."""

IDLE_TIMEOUT_MS = 5_000
"""How long a commit may wait for the next statement of a writer that has passed the fence. One that is frozen then
would keep all others out."""

FENCED = "only the server that holds the lease writes to the lake"

_FENCE = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.fence() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held bigint;
BEGIN
    -- Held until the commit: a takeover waits for it. In DuckLake's REPEATABLE READ, a takeover since the transaction's
    -- begin is an error here.
    SELECT epoch INTO held FROM tallystick_hits.fence FOR SHARE;
    IF held IS DISTINCT FROM nullif(current_setting('tallystick.epoch', true), '')::bigint THEN
        RAISE EXCEPTION '{FENCED}';
    END IF;
    PERFORM set_config('idle_in_transaction_session_timeout', '{IDLE_TIMEOUT_MS}', true);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER fence BEFORE INSERT OR UPDATE OR DELETE ON {SCHEMA}.ducklake_snapshot
    FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.fence();
"""
"""Each commit inserts a snapshot, and each expiry deletes some."""

OPTIONS: Mapping[str, str | int] = {
    "data_inlining_row_limit": 1_000,
    "parquet_compression": "zstd",
    "target_file_size": "6MB",
}
"""Options of the lake. Fewer rows than the limit are kept in the catalogue until a file is written of many.

Files are small enough to be merged or written anew within a second or two: no hit is moved meanwhile."""


def connection_string(url: str, epoch: int | None) -> str:
    """The libpq connection string of a lake's catalogue, without a password: DuckDB's errors repeat it.

    Args:
        url: of the database, as the operator gave it.
        epoch: of the lease under which the connection writes; None if it only reads.
    """
    given = _with_defaults(url)
    given.pop("password", None)
    # DuckLake doubles the quotes of texts, and nothing else.
    options = [str(given["options"]), "-c standard_conforming_strings=on"]
    if epoch is not None:
        options.append(f"-c tallystick.epoch={epoch}")
    return make_conninfo("", **given | {"options": " ".join(options)})


def password_of(url: str) -> str | None:
    """The password in the URL of a database; None if libpq finds one elsewhere, or needs none."""
    password = conninfo_to_dict(url).get("password")
    return None if password is None else str(password)


def _with_defaults(url: str) -> dict[str, Any]:
    """What libpq is told; the URL has the last word."""
    given = dict(CONNECTION) | conninfo_to_dict(url)
    kept = [f"-c {name}={value}" for name, value in SERVER_KEEPALIVES.items()]
    return given | {"options": " ".join([*kept, str(given.get("options") or "")]).strip()}


@contextmanager
def administered(url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A connection to the catalogue's database; no other server creates the lake meanwhile.

    Raises:
        DatabaseAway: PostgreSQL does not answer.
    """
    try:
        with closing(psycopg.connect(make_conninfo("", **_with_defaults(url)), autocommit=True)) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [CREATION_LOCK])
            yield connection
    except psycopg.OperationalError as error:
        msg = f"the lake's catalogue does not answer: {' '.join(str(error).split())}"
        raise DatabaseAway(msg) from error


def is_created(url: str) -> bool:
    """Whether there is a lake.

    Raises:
        DatabaseAway: PostgreSQL does not answer.
    """
    with administered(url) as connection:
        return connection.execute("SELECT to_regclass(%s)", [f"{SCHEMA}.ducklake_snapshot"]).fetchone() != (None,)


def raise_fence(connection: "psycopg.Connection[Any]") -> None:
    """Let only the holder of the lease commit to the lake, from now on."""
    connection.execute(_FENCE)


def note_schema(connection: "psycopg.Connection[Any]", epoch: int, schema: int) -> None:
    """Leave the lease of the lake to programs that know its schema, from now on.

    Args:
        epoch: of the lease under which the schema was seen.
    """
    connection.execute(
        "UPDATE tallystick_hits.lease SET schema = %(schema)s WHERE epoch = %(epoch)s AND schema <> %(schema)s",
        {"schema": schema, "epoch": epoch},
    )


def create_or_migrate(connection: Connection) -> None:
    """Create the tables in an empty lake, or take the outstanding steps of their schema.

    Raises:
        DatabaseSchemaRefused: the lake was written by a newer program.
    """
    if not recorded(connection):
        with transaction(connection):
            _create_tables(connection)
    migrate(connection, partial(transaction, connection), what="the lake", left_out=FILE_ONLY)


def begin_statistics(administrating: "psycopg.Connection[Any]", connection: Connection) -> None:
    """Let tables that never had a row have statistics, in a transaction of its own.

    DuckLake remembers the statistics that it has read, but not that there are none: each statement that reads such a
    table would ask the catalogue ten times more. Hits and visits get theirs with the first hit.
    """
    without = administrating.execute(
        f"SELECT table_name FROM {SCHEMA}.ducklake_table WHERE end_snapshot IS NULL"
        " AND table_name NOT IN ('hit', 'visit')"
        f" AND table_id NOT IN (SELECT table_id FROM {SCHEMA}.ducklake_table_stats)".encode()
    ).fetchall()
    if not without:
        return
    with transaction(connection):
        for (table,) in without:
            [(values,)] = connection.execute(
                "SELECT string_agg(if(is_nullable, 'NULL', format('CAST(''0'' AS {})', data_type)), ', '"
                " ORDER BY column_index) FROM duckdb_columns()"
                " WHERE database_name = current_database() AND table_name = ?",
                [table],
            ).fetchall()
            # A row that the same transaction removes again is never there, but its statistics are.
            connection.execute(f"INSERT INTO {table} VALUES ({values})")
            connection.execute(f"DELETE FROM {table}")


def _create_tables(connection: Connection) -> None:
    with closing(duckdb.connect()) as embedded:
        for step in all_steps():
            embedded.execute(step.sql)
        tables = tables_of(embedded)
        marks = embedded.execute("SELECT * FROM mark").fetchall()
    for definition in tables.values():
        connection.execute(definition)
    for row in marks:
        connection.execute(f"INSERT INTO mark VALUES ({', '.join('?' * len(row))})", list(row))
    add_moved(connection)
    connection.execute("CREATE TABLE migration (number INTEGER NOT NULL, checksum VARCHAR NOT NULL)")
    for number, _, checksum in all_steps():
        connection.execute("INSERT INTO migration VALUES (?, ?)", [number, checksum])


def tables_of(embedded: Connection) -> dict[str, str]:
    """The statements that create the tables of hits in a lake, as all steps together make them in a file.

    DuckLake cannot take some of the old steps.
    """
    columns = embedded.execute(
        "SELECT table_name, string_agg(concat(column_name, ' ', data_type, if(is_nullable, '', ' NOT NULL')), ', '"
        " ORDER BY column_index) FROM duckdb_columns() WHERE NOT internal AND table_name <> 'migration'"
        " AND database_name = current_database() GROUP BY table_name ORDER BY table_name"
    ).fetchall()
    return {table: f"CREATE TABLE {table} ({definitions})" for table, definitions in columns}


def add_moved(connection: Connection) -> None:
    """Add the column for the newest move of the journal that is in the lake."""
    connection.execute("ALTER TABLE mark ADD COLUMN moved BIGINT DEFAULT 0")
