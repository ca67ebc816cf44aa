"""A blocking call of our code on the event loop becomes an error."""

from collections.abc import Iterator
from contextlib import contextmanager

from blockbuster import BlockBusterFunction, blockbuster_ctx

from tallystick.ledger.postgresql import PostgresqlDatabase, PostgresqlSession
from tallystick.ledger.sqlite import SqliteDatabase, SqliteSession

OURS = "tallystick"
STORES: tuple[tuple[type, str], ...] = (
    *((database, name) for database in (SqliteDatabase, PostgresqlDatabase) for name in ("session", "migrate")),
    *(
        (session, name)
        for session in (SqliteSession, PostgresqlSession)
        for name in ("transaction", "snapshot", "find")
    ),
)
"""Drivers written in C block unseen; these are the doors to them."""

ALLOWED = (
    # Before anyone is served, files may be read.
    ("tallystick/app.py", "__init__"),
    ("tallystick/surfaces/dashboard/support/rendering.py", "__init__"),
    ("tallystick/surfaces/dashboard/support/language.py", "load"),
    # Logging the traceback of a fault of our own; it shows the source.
    ("rich/traceback.py", "_render_stack"),
)


@contextmanager
def blocking_calls_refused() -> Iterator[None]:
    """Until the end, a call that blocks raises, if our code made it where an event loop runs."""
    with blockbuster_ctx(OURS) as refused:
        for owner, name in STORES:
            function = BlockBusterFunction(owner, name, scanned_modules=OURS)
            refused.functions[f"{owner.__name__}.{name}"] = function.activate()
        for function in refused.functions.values():
            for file, name in ALLOWED:
                function.can_block_in(file, name)
        yield
