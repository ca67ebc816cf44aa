"""What the servers of one ledger know of the newest file of public counters: one of them has the file."""

import secrets
from typing import Any, NamedTuple, Self

from tallystick.ledger import Ledger, Session

SERVER_BYTES = 8
GONE_AFTER_S = 10.0
"""A server that has not written the state of its file for so long has stopped."""


class Posted(NamedTuple):
    """The newest file.

    Attributes:
        own: whether this server has it.
        server: the one that has it.
        upload: its state, encoded.
        answers: whether its server still runs.
    """

    own: bool
    server: str
    upload: str
    answers: bool


class UploadBoard:
    """The state of the newest file, in the ledger.

    All methods raise StoreUnavailable where the ledger cannot be reached.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._server = secrets.token_hex(SERVER_BYTES)

    @classmethod
    def of(cls, ledger: Ledger) -> Self | None:
        """The board of a ledger that several servers may use; None for any other."""
        return cls(ledger) if ledger.database.lanes_alone else None

    async def put(self, upload: str, working: tuple[str, ...]) -> bool:
        """Post a new file of this server; False if another server is reading one.

        Args:
            working: states in which a file is being read.
        """
        return bool(await self._ledger.write(_put, self._server, upload, list(working)))

    async def note(self, upload: str) -> bool | None:
        """Post the state of this server's file. Returns whether it is to be imported; None if it is to be forgotten."""
        return await self._ledger.write(_note, self._server, upload)

    async def newest(self) -> Posted | None:
        """The newest file."""
        row = await self._ledger.read(_newest)
        return None if row is None else Posted(row[0] == self._server, *row)

    async def begin(self, server: str, upload: str) -> bool:
        """Ask the server that has the file to import it; False if another file is the newest by now.

        Args:
            upload: the state that is shown until it does.
        """
        return bool(await self._ledger.write(_begin, server, upload))

    async def take(self, gone: str) -> bool:
        """Take over the file of a server that has stopped; False if that or another server has it.

        Args:
            gone: the server.
        """
        return bool(await self._ledger.write(_take, self._server, gone))

    async def forget(self) -> None:
        """Take the newest file away; its server forgets it."""
        await self._ledger.write(_forget)


def _put(session: Session, server: str, upload: str, working: list[str]) -> int:
    return int(
        session.queries.put_upload(
            session.connection, server=server, upload=upload, working=working, seconds=GONE_AFTER_S
        )
    )


def _note(session: Session, server: str, upload: str) -> bool | None:
    row = session.queries.note_upload(session.connection, server=server, upload=upload)
    return None if row is None else bool(row[0])


def _newest(session: Session) -> Any:  # noqa: ANN401  # a row
    return session.queries.newest_upload(session.connection, seconds=GONE_AFTER_S)


def _begin(session: Session, server: str, upload: str) -> int:
    return int(session.queries.begin_upload(session.connection, server=server, upload=upload))


def _take(session: Session, server: str, gone: str) -> int:
    return int(session.queries.take_upload(session.connection, server=server, gone=gone, seconds=GONE_AFTER_S))


def _forget(session: Session) -> None:
    session.queries.forget_upload(session.connection)
