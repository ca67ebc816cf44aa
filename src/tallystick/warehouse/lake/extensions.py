"""DuckDB's extensions that the lake needs.

They come from packages of exactly DuckDB's version (``pip install 'tallystick[nodes]'``), or from DuckDB's own
installer. Nothing is downloaded: DuckDB refuses an extension that its makers have not signed.
"""

from importlib.util import find_spec
from pathlib import Path

import duckdb

from tallystick.errors import DatabaseUnsuitable
from tallystick.warehouse.duckdb.queried import Connection
from tallystick.warehouse.duckdb.store import quoted

LAKE = ("ducklake", "postgres_scanner")
OBJECT_STORAGE = ("httpfs",)
"""Of a lake whose files are in S3."""

WAY_OUT = (
    "--lake needs extensions of DuckDB: pip install 'tallystick[nodes]'; or install them with DuckDB's own installer,"
    " on this machine and for the account of the server:"
)


def load_extensions(connection: Connection, names: tuple[str, ...]) -> None:
    """Load extensions into an instance.

    Raises:
        DatabaseUnsuitable: one is missing, or was made for another version of DuckDB; the message says what to do.
    """
    for name in names:
        packaged = _packaged(name)
        try:
            connection.execute(f"LOAD {quoted(str(packaged)) if packaged else name}")
        except duckdb.Error as error:
            installs = " ".join(f"INSTALL {each};" for each in names)
            msg = (
                f"{WAY_OUT} python -c \"import duckdb; duckdb.sql('{installs}')\""
                f" (DuckDB {duckdb.__version__} cannot load {name})"
            )
            raise DatabaseUnsuitable(msg) from error


def _packaged(name: str) -> Path | None:
    """The extension in an installed package for this version of DuckDB."""
    package = find_spec(f"duckdb_extension_{name}")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent / "extensions" / f"v{duckdb.__version__}"
    file = folder / f"{name}.duckdb_extension"
    return file if file.exists() else None
