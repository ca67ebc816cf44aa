"""Records of uploads and imports where several servers have the same hits: in the ledger's database.

All methods block, on a thread that is not the event loop's, and raise StoreUnavailable.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from tallystick.ledger import Ledger, Session
from tallystick.services.imports.journal import ImportRecord
from tallystick.services.imports.upload_folder import Upload, decoded_upload, encoded_upload

ENDED = frozenset({"done", "stopped", "failed"})


class Unended(NamedTuple):
    """An upload that has not ended.

    Attributes:
        pending: whether it is still to be imported.
        stops: whether somebody wants its import to be stopped.
    """

    id: str
    pending: bool
    stops: bool


class SharedUploadRecords:
    """The records of uploads, and which imports people want to be stopped."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def save(self, upload: Upload) -> None:
        """Store a record, unless the stored one has ended: then another server has gone on with the import."""
        self._ledger.write_from_thread(_save, upload)

    def one(self, id_: str) -> Upload | None:
        """The record with an id."""
        return self._ledger.read_from_thread(_one, id_)

    def all(self) -> Sequence[Upload]:
        """All records, in any order."""
        return self._ledger.read_from_thread(_all)

    def remove(self, id_: str) -> None:
        """Remove a record."""
        self._ledger.write_from_thread(_remove, id_)

    def stop(self, id_: str) -> None:
        """Let the server that carries out imports stop one."""
        self._ledger.write_from_thread(_stop, id_)

    def unended(self) -> Sequence[Unended]:
        """Uploads that have not ended."""
        return self._ledger.read_from_thread(_unended)


class SharedImportRecords:
    """The records of what was imported."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def all(self) -> Sequence[ImportRecord]:
        """All records, in any order."""
        return self._ledger.read_from_thread(_all_imports)

    def save(self, record: ImportRecord) -> None:
        """Store a record in place of the one with its name."""
        self._ledger.write_from_thread(_save_import, record)

    def remove(self, names: Sequence[str]) -> None:
        """Remove records."""
        if names:
            self._ledger.write_from_thread(_remove_imports, list(names))


def _save(session: Session, upload: Upload) -> None:
    record, ended = encoded_upload(upload).decode(), upload.state in ENDED
    session.queries.save_upload(session.connection, id=upload.id, record=record, ended=ended)


def _one(session: Session, id_: str) -> Upload | None:
    record = session.queries.upload_by_id(session.connection, id=id_)
    return None if record is None else decoded_upload(record)


def _all(session: Session) -> list[Upload]:
    return [decoded_upload(record) for (record,) in session.queries.uploads(session.connection)]


def _remove(session: Session, id_: str) -> None:
    session.queries.remove_upload(session.connection, id=id_)


def _stop(session: Session, id_: str) -> None:
    session.queries.stop_upload(session.connection, id=id_)


def _unended(session: Session) -> list[Unended]:
    return [Unended(*row) for row in session.queries.unended_uploads(session.connection)]


def _all_imports(session: Session) -> list[ImportRecord]:
    rows = session.queries.import_records(session.connection)
    return [msgspec.json.decode(record, type=ImportRecord) for (record,) in rows]


def _save_import(session: Session, record: ImportRecord) -> None:
    encoded = msgspec.json.encode(record).decode()
    session.queries.save_import_record(session.connection, name=record.name, record=encoded)


def _remove_imports(session: Session, names: list[str]) -> None:
    session.queries.remove_import_records(session.connection, names=names)
