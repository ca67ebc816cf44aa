"""Uploaded files that are imported, and the record of each. All methods block."""

import secrets
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct, field

from tallystick.errors import InputRefused
from tallystick.services.file_places import FilePlace, NoRoom
from tallystick.services.files import whole_file
from tallystick.services.imports.marks import FileMark
from tallystick.services.imports.running import Report

UploadState = Literal["waiting", "reading", "looked", "done", "stopped", "failed"]


class UploadKind(StrEnum):
    """What a file is."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    LOG = "log"
    UMAMI = "umami"
    GA4 = "ga4"
    PLAUSIBLE = "plausible"


class UploadOptions(Struct, frozen=True, kw_only=True):
    """How a file is read; for the fields see ``tallystick import --help``.

    Attributes:
        format: of a log.
        run: a text that makes this import differ from earlier ones of the same file; empty to continue them.
        replace: whether imports of figures with the same days are removed.
    """

    format: str = ""
    exclude: tuple[str, ...] = ()
    date: str | None = None
    time: str | None = None
    datetime: str | None = None
    website: str | None = None
    run: str = ""
    replace: bool = False


class Upload(Struct, kw_only=True):
    """An uploaded file and how far its import is. Times are Unix milliseconds.

    Attributes:
        id: random hex digits.
        name: of the file, as its sender calls it.
        actor: the email of the account that has sent it.
        size: bytes.
        mark: everything before it is stored, and is in ``report``; None while nothing is.
        starts: how many processes have begun to read it since something of it was last stored.
        done, total: how much is read, in one unit; 0 if unknown.
        found: hits that were found in a file that is sorted before it is imported.
        report: of an import of hits.
        skipped: numbers of lines that are no hits, by reason.
        bad: places and reasons of the first bad lines.
        aggregate: the id of an import of figures.
        rows: of figures, that were read.
        notes: what was left out of figures on purpose.
        error: why the import has failed.
        looks: whether it is only read, to say what it would bring: then it is ``looked``, and its file is kept.
        again: whether these figures were there before, as the import ``aggregate``.
    """

    id: str
    site: int
    name: str
    actor: str
    size: int
    kind: UploadKind
    options: UploadOptions
    created: int
    state: UploadState = "waiting"
    finished: int | None = None
    mark: FileMark | None = None
    starts: int = 0
    done: int = 0
    total: int = 0
    found: int = 0
    report: Report = field(default_factory=Report)
    skipped: dict[str, int] = field(default_factory=dict)
    bad: list[tuple[str, str]] = field(default_factory=list)
    aggregate: int | None = None
    rows: int = 0
    notes: list[str] = field(default_factory=list)
    looks: bool = False
    again: bool = False
    error: str = ""

    @property
    def pending(self) -> bool:
        """Whether it is still to be imported."""
        return self.state in ("waiting", "reading")


def new_id() -> str:
    """The id of a new upload."""
    return secrets.token_hex(8)


class UploadRecords(Protocol):
    """Where the records of uploads are kept. All methods block."""

    def save(self, upload: Upload) -> None:
        """Store a record, durably."""
        ...

    def one(self, id_: str) -> Upload | None:
        """The record with an id."""
        ...

    def all(self) -> Sequence[Upload]:
        """All records, in any order."""
        ...

    def remove(self, id_: str) -> None:
        """Remove a record."""
        ...


class UploadRecordFiles:
    """A folder with a file for each record, of a server of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, upload: Upload) -> None:
        """Write the file of a record, durably."""
        with whole_file(self._record(upload.id), replaces=True, mode=0o600) as partial:
            partial.write_bytes(encoded_upload(upload))

    def one(self, id_: str) -> Upload | None:
        """The record with an id."""
        with suppress(OSError, msgspec.DecodeError):
            return decoded_upload(self._record(id_).read_bytes())
        return None

    def all(self) -> Sequence[Upload]:
        """All records that can be read."""
        return [upload for file in self._folder.glob("*.json") if (upload := self.one(file.stem)) is not None]

    def remove(self, id_: str) -> None:
        """Remove the file of a record."""
        self._record(id_).unlink(missing_ok=True)

    def _record(self, id_: str) -> Path:
        return self._folder / f"{id_}.json"


class UploadFolder:
    """The file and the record of each upload."""

    def __init__(self, place: FilePlace, records: UploadRecords) -> None:
        self._place, self._records = place, records
        self.save, self.one = records.save, records.one

    def free_bytes(self) -> int:
        """Bytes that can still be written to the disk of this server."""
        self._place.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        return shutil.disk_usage(self._place.work).free

    def arriving(self, id_: str) -> Path:
        """The file of an upload while it arrives."""
        return self._place.work / f"{id_}.arriving"

    def file(self, upload: Upload) -> Path:
        """Where this server reads the file of an upload, once it is fetched."""
        return self._place.work / _name(upload)

    def keep(self, upload: Upload) -> None:
        """Take over a file that has arrived, and store its record.

        Raises:
            StoreUnavailable: what is left of it is removed by ``remove_unfinished``.
        """
        self._place.keep(self.arriving(upload.id), _name(upload))
        # Another server may be the one that reads it.
        self._place.let_go(_name(upload))
        self._records.save(upload)

    def fetch(self, upload: Upload) -> Path:
        """The file of an upload, for reading.

        Raises:
            InputRefused: it is gone, or the disk has no room for it: other files need not wait behind it.
            StoreBusy: the storage does not answer.
        """
        try:
            return self._place.fetch(_name(upload))
        except FileNotFoundError as error:
            msg = "the file is gone: send it again"
            raise InputRefused(msg) from error
        except NoRoom as error:
            msg = "the disk of the server that imports has no room for this file: make room, and send it again"
            raise InputRefused(msg) from error

    def all(self) -> list[Upload]:
        """All records, oldest first."""
        return sorted(self._records.all(), key=lambda upload: (upload.created, upload.id))

    def remove_file(self, upload: Upload) -> None:
        """Remove the file of an upload; its record stays."""
        self._place.remove(_name(upload))

    def remove(self, upload: Upload) -> None:
        """Remove an upload: the file first, so that none is left without a record."""
        self.remove_file(upload)
        self._records.remove(upload.id)

    def tidy(self) -> None:
        """Remove parts of files that a killed server has begun to store."""
        self._place.tidy()

    def remove_unfinished(self, arriving: set[str], older: float = 0.0) -> None:
        """Remove files that no upload needs: what a killed server has left, and files of imports that have ended.

        Args:
            arriving: ids of uploads that are still arriving.
            older: seconds since the last change of a file without a record that is removed.
        """
        # In this order: whoever ends to arrive meanwhile has a record by then.
        files = {name: age for name, age in self._place.names().items() if _id(name) not in arriving}
        recorded = {upload.id: upload for upload in self._records.all()}
        for name, age in files.items():
            upload = recorded.get(_id(name))
            is_of_ended = upload is not None and not upload.pending and upload.state != "looked"
            if (upload is None and age >= older) or (is_of_ended and not name.endswith(".json")):
                self._place.remove(name)


def _name(upload: Upload) -> str:
    """The name of an upload's file. It ends as its sender's does: readers tell formats by it."""
    name = upload.name.lower()
    suffix = next((each for each in (".csv", ".csv.gz", ".zip", ".parquet") if name.endswith(each)), "")
    return f"{upload.id}.data{suffix}"


def _id(name: str) -> str:
    return name.partition(".")[0]


def encoded_upload(upload: Upload) -> bytes:
    """A record as it is stored."""
    return msgspec.json.encode(upload)


def decoded_upload(content: bytes | str) -> Upload:
    """A record as it was stored.

    Raises:
        msgspec.DecodeError: it is damaged.
    """
    return msgspec.json.decode(content, type=Upload, dec_hook=_counter)


def copy_of(upload: Upload) -> Upload:
    """The record as it is now, with counts of its own."""
    return decoded_upload(encoded_upload(upload))


def _counter(_type: type, value: Any) -> Counter[str]:  # noqa: ANN401  # msgspec's interface
    """The counts of a report, which msgspec reads as a dict."""
    return Counter(value)
