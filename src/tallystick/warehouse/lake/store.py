"""The lake: hits as Parquet files on storage that all servers share, with a catalogue in PostgreSQL.

DuckLake's tables are read and written with the same SQL as those of the embedded file. Only the server that holds the
lease commits; see ``catalogue``.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import duckdb

from tallystick.errors import (
    DatabaseSchemaRefused,
    DatabaseUnreachable,
    StoreAway,
    StoreBusy,
    StoreFailed,
    StoreUnavailable,
    reason_of,
)
from tallystick.warehouse.duckdb import visits
from tallystick.warehouse.duckdb.instance import THREADS, Instance
from tallystick.warehouse.duckdb.migrations import all_steps, recorded, refuse_newer
from tallystick.warehouse.duckdb.queried import Connection
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import (
    EXPORTS_DIRECTORY,
    SPILLED_DIRECTORY,
    lock_configuration,
    quoted,
    store_error,
    transaction,
)
from tallystick.warehouse.lake.catalogue import (
    FENCED,
    OPTIONS,
    SCHEMA,
    administered,
    begin_statistics,
    connection_string,
    create_or_migrate,
    is_created,
    note_schema,
    password_of,
    raise_fence,
)
from tallystick.warehouse.lake.cleaning import CleaningConnection
from tallystick.warehouse.lake.extensions import LAKE, OBJECT_STORAGE, load_extensions
from tallystick.warehouse.lake.object_storage import add_credentials, limit_waiting
from tallystick.warehouse.lake.session import LakeReadSession, SnapshotValues

NAME = "lake"
"""The lake's name in DuckDB."""
S3 = "s3://"
LOST = (
    "server closed the connection|terminating connection|no connection to the server|connection not open"
    "|could not (?:receive data from|send data to) server|SSL connection has been closed|the database system is"
)
"""What libpq and PostgreSQL say where a connection of DuckDB to the catalogue was lost."""
UNREACHED = (
    "Could not establish connection|Could not connect to server|Connection refused|HTTP (?:code )?(?:429|5\\d\\d)"
    "|timed? ?out|Timeout was reached|error for HTTP"
)
"""What DuckDB says where object storage cannot be reached."""
FILLED_AT_ONCE = 1_000_000
"""Hits of which visits are computed together: a mover has a third of the memory."""
PASSWORD = "catalogue"  # noqa: S105  # its name
"""The name of the secret with the catalogue's password, in the memory of an instance."""


class LakeOutdated(DatabaseSchemaRefused):
    """The lake has an older schema than this program needs: it waits to be migrated by a server of this version."""


class LakeStore(Instance):
    """A lake, opened by one process for reading, or for writing under the epoch of its lease.

    Args:
        catalogue: URL of the PostgreSQL database.
        files: the directory of the Parquet files, which all servers have, or ``s3://BUCKET/PREFIX``.
        memory_mb: memory of DuckDB, in MB.
        work: a directory of this process: what DuckDB spills, and its exports.
        exports: another folder of exports; None for the one in ``work``.
        epoch: of the lease; None for reading only.
        reach: further directories that DuckDB may read and write.
        of_command: whether a command uses it, which waits longer for object storage than a server.
    """

    closes_lost = False
    """Where DuckLake 1.5 fails inside, DuckDB throws where nothing may be thrown, which ends the process, when it rolls
    back the transaction of a connection that is closed or collected."""

    CONFIGURATION: ClassVar[dict[str, Any]] = {
        "threads": THREADS,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
    }

    def __init__(  # noqa: PLR0913  # its parts
        self,
        catalogue: str,
        files: str,
        memory_mb: int,
        *,
        work: Path,
        exports: Path | None = None,
        epoch: int | None = None,
        reach: Sequence[Path] = (),
        of_command: bool = False,
    ) -> None:
        super().__init__()
        self.catalogue, self.epoch = catalogue, epoch
        self.files = files if files.startswith(S3) else str(Path(files).absolute())
        self.files = self.files.rstrip("/") + "/"
        self.exports = exports.absolute() if exports else work.absolute() / EXPORTS_DIRECTORY
        self._spilled = work.absolute() / SPILLED_DIRECTORY
        self._memory_mb, self._of_command = memory_mb, of_command
        self._kept = SnapshotValues()
        self._reach = (self.files, str(self.exports), *(str(folder.absolute()) for folder in reach))

    def open(self) -> None:
        """Open the lake; with an epoch, create what is missing and bring its schema up to date.

        Raises:
            DatabaseUnreachable: it cannot be opened, or nobody has created it yet.
            DatabaseUnsuitable: an extension of DuckDB is missing.
            DatabaseSchemaRefused: it was written by a newer program; as ``LakeOutdated``, by an older one.
        """
        try:
            shutil.rmtree(self._spilled, ignore_errors=True)
            if self.epoch is None:
                self._open_for_reading()
            else:
                self._open_for_writing(self.epoch)
        except duckdb.Error as error:
            self.close()
            _refuse_other_catalogue(str(error))
            msg = f"cannot open the lake: {said_of(error)}"
            raise DatabaseUnreachable(msg) from error
        except BaseException:
            self.close()
            raise

    def _open_for_reading(self) -> None:
        if not is_created(self.catalogue):
            msg = "the lake has not been created yet: the server that holds the lease does so at its start"
            raise DatabaseUnreachable(msg)
        self._root = self._connect()
        with self.session() as session:
            schema, steps = len(recorded(session.connection)), len(all_steps())
        refuse_newer(schema, steps, "the lake")
        if schema < steps:
            msg = (
                f"the lake has schema {schema}, this program needs schema {steps}: an older Tallystick wrote it; use"
                " that one, or start a server of this version first, which brings the lake up to date"
            )
            raise LakeOutdated(msg)

    def _open_for_writing(self, epoch: int) -> None:
        if not self.files.startswith(S3):
            Path(self.files).mkdir(parents=True, exist_ok=True)
        with administered(self.catalogue) as connection:
            self._root = self._connect()
            raise_fence(connection)
            with self.session() as session:
                # First what is there: if it is newer, older programs would take the lease in turn, and be refused.
                note_schema(connection, epoch, len(recorded(session.connection)))
                create_or_migrate(session.connection)
                note_schema(connection, epoch, len(all_steps()))
                _set_options(session.connection)
                begin_statistics(connection, session.connection)
                with transaction(session.connection):
                    visits.fill(session.connection, FILLED_AT_ONCE)

    def _connect(self) -> Connection:
        self.exports.mkdir(parents=True, exist_ok=True)
        spills = {"memory_limit": f"{self._memory_mb}MB", "temp_directory": str(self._spilled)}
        root = duckdb.connect(config={**self.CONFIGURATION, **spills})
        in_s3 = self.files.startswith(S3)
        load_extensions(root, (*LAKE, *OBJECT_STORAGE) if in_s3 else LAKE)
        if in_s3:
            add_credentials(root, self.files)
            limit_waiting(root, writes=self.epoch is not None, of_command=self._of_command)
        self._attach(root)
        allowed = ", ".join(map(quoted, self._reach))
        root.execute(f"SET GLOBAL allowed_directories = [{allowed}]")
        lock_configuration(root)
        return root

    def _attach(self, root: Connection) -> None:
        catalogue = f"ducklake:postgres:{connection_string(self.catalogue, self.epoch)}"
        options = [
            f"DATA_PATH {quoted(self.files)}",
            f"METADATA_SCHEMA {quoted(SCHEMA)}",
            "READ_ONLY" if self.epoch is None else "CREATE_IF_NOT_EXISTS true",
        ]
        if (password := password_of(self.catalogue)) is not None:
            root.execute(f"CREATE SECRET {PASSWORD} (TYPE postgres, PASSWORD {quoted(password)})")
            options.append(f"META_SECRET {quoted(PASSWORD)}")
        root.execute(f"ATTACH {quoted(catalogue)} AS {NAME} ({', '.join(options)})")

    def _session_on(self, connection: Connection) -> DuckDbSession:
        if self.epoch is None:
            return LakeReadSession(connection, self.queries, self._kept)
        return super()._session_on(connection)

    def _cursor(self, root: Connection) -> Connection:
        connection = root.cursor()
        connection.execute(f"USE {NAME}")
        return cast("Connection", CleaningConnection(connection))


def _refuse_other_catalogue(text: str) -> None:
    """Refuse a catalogue that another version of DuckLake has written, where an error of DuckDB says so.

    Raises:
        DatabaseSchemaRefused
    """
    versions = re.search(r"catalog version is ([\d.]+\d)\S*, but the extension requires version ([\d.]+\d)", text)
    if versions is None:
        return
    found, known = ([int(part) for part in version.split(".")] for version in versions.groups())
    way_out = DatabaseSchemaRefused.OF_NEWER
    if found < known:
        way_out = (
            "it was written by an older Tallystick; back it up with that one, and restore the backup into a new one"
        )
    has = f"the lake's catalogue has version {versions[1]} of DuckLake, this program knows version {versions[2]}"
    msg = f"{has}: {way_out}"
    raise DatabaseSchemaRefused(msg)


def lake_error(error: duckdb.Error) -> StoreUnavailable:
    """Translate an error of DuckDB about the lake into ours, without the statements of DuckLake in its text."""
    if is_fenced(error):
        return StoreBusy(f"the lake refused a commit: {FENCED}")
    translated, text = store_error(error), str(error)
    if away := re.search(r'Unable to connect to Postgres at "[^"]*": (.+)', text) or re.search(f"((?:{LOST}).*)", text):
        return StoreAway(f"the lake's catalogue does not answer: {away[1]}")
    if isinstance(error, (duckdb.HTTPException, duckdb.IOException)) and re.search(UNREACHED, text):
        return StoreBusy("the storage of the lake does not answer: try again later")
    said = re.search(r"ERROR:\s*(.+)", text)
    if type(translated) is StoreFailed and said:
        return StoreFailed(f"the lake's catalogue failed: {said[1]}")
    return translated


def said_of(error: duckdb.Error) -> str:
    """What an error of DuckDB about the lake says, for the operator; on one line."""
    return " ".join(reason_of(lake_error(error)).split())


def is_fenced(error: BaseException) -> bool:
    """Whether a commit was refused because another server has taken the lease."""
    return FENCED in str(error)


def _set_options(connection: Connection) -> None:
    known = {row[0] for row in connection.execute(f"FROM {NAME}.options()").fetchall()}
    for name, value in OPTIONS.items():
        if name not in known:
            connection.execute(f"CALL {NAME}.set_option({quoted(name)}, {quoted(str(value))})")
