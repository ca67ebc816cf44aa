"""Idempotency records: a request with an idempotency key is carried out once, on all surfaces alike.

The same request under the same key gets the recorded outcome, marked as replayed. Another request under that key is
refused (``KeyReused``), as is the same one while it is being carried out (``KeyInFlight``): no request waits for
another.

A record is stored in the transaction of what the request did: in the ledger with changes of counters, in the warehouse
with hits. It holds an outcome that is independent of surfaces, encoded by the service that carried the request out;
the surface builds its response from the outcome, the first time and on replay. Times are ms of ``Ledger.passed``, so
that no record expires when the wall clock jumps.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256

import msgspec
from msgspec import Struct

from tallystick.errors import KeyInFlight, KeyReused
from tallystick.ledger import Session
from tallystick.warehouse import IdempotencyRecord, Warehouse

KEPT_MS = 24 * 3_600_000
LONGEST_KEY = 255
"""Characters of a key (draft-ietf-httpapi-idempotency-key-header)."""

FORGOTTEN_AT_ONCE = 2_000
"""In each sweep; more than can be added meanwhile: ``KeyedLimit`` bounds the records of senders without an account."""

_OUTCOME = 0
"""The status of a record that holds an outcome. Versions up to 0.1 stored whole responses."""

_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode
_decode_headers = msgspec.json.Decoder(dict[str, str]).decode


class StoredResponse(Struct, frozen=True):
    """The record of an older version, which stored the response itself; replayed unchanged."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # msgspec copies it


Recorded = bytes | StoredResponse
"""The content of a record: an encoded outcome, or the response of an older version."""


class KeyedRequest(Struct, frozen=True):
    """The identity of a request with a key, independent of its spelling.

    Attributes:
        digest: of its sender, its method, its resolved path and its key.
        fingerprint: of all parts that must be the same when the key is sent again.
        older: the identity of the request in versions up to 0.1, which depends on its spelling.
    """

    digest: bytes
    fingerprint: bytes
    older: "KeyedRequest | None" = None

    @classmethod
    def of(  # noqa: PLR0913  # the parts of an identity
        cls, sender: str, method: str, path: str, key: str, *, rest: bytes, older: "KeyedRequest | None" = None
    ) -> "KeyedRequest":
        """The identity of a request.

        Args:
            path: normalized, with decoded parameters.
            rest: its query and body, see ``meaning``.
        """
        return cls(_digest(sender, method, path, key), sha256(rest).digest(), older)

    def matches(self, digest: bytes, fingerprint: bytes) -> bool:
        """Whether a record is of this request, not of another one with its key."""
        if digest == self.digest and fingerprint == self.fingerprint:
            return True
        return self.older is not None and self.older.matches(digest, fingerprint)


class InFlight:
    """The keyed requests in flight in this process. Used from one event loop."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def __len__(self) -> int:
        """Number of requests."""
        return len(self._digests)

    @contextmanager
    def alone(self, request: KeyedRequest) -> Iterator[None]:
        """Mark a request as in flight during the block.

        Raises:
            KeyInFlight: the same request is in flight.
        """
        if request.digest in self._digests:
            raise in_flight()
        self._digests.add(request.digest)
        try:
            yield
        finally:
            self._digests.remove(request.digest)


def meaning(query: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """Normalize a query and a JSON body: the order of parameters and members, and spaces in JSON, do not matter.

    Args:
        query: decoded parameters, each name once.
        body: any other text than JSON is unchanged.
    """
    parameters = sorted(query)
    return (_encode(parameters) if parameters else b"") + b"\0" + _meaning_of_json(body)


def hold_request(session: Session, request: KeyedRequest) -> None:
    """Mark a request as in flight on all servers until the transaction ends; before its record is read.

    Needed where its changes do not lock a row that every server locks first.

    Raises:
        KeyInFlight: another server carries it out.
    """
    number = int.from_bytes(request.digest[:8], "big", signed=True)
    if session.shared and not session.queries.hold_request(session.connection, number=number):
        raise in_flight()


def find_record(session: Session, request: KeyedRequest, passed: int) -> Recorded | None:
    """The record of a request in the ledger; None if there is none yet.

    Raises:
        KeyReused: its key was used for another request.
    """
    return Records(session, [request], passed).find(request)


def store_record(session: Session, request: KeyedRequest, outcome: bytes, passed: int) -> None:
    """Store the outcome of a request, in the transaction of its changes."""
    session.common.keep_answer(
        session.connection,
        digest=request.digest,
        fingerprint=request.fingerprint,
        status=_OUTCOME,
        headers="{}",
        body=outcome,
        created=passed,
    )


class Records:
    """The records of a batch's requests in the ledger: read with one statement, stored with another one.

    Args:
        requests: all requests that ``find`` may be called with.
    """

    def __init__(self, session: Session, requests: Iterable[KeyedRequest], passed: int) -> None:
        self._session, self._passed = session, passed
        self._new: list[tuple[str, str, int, str, str, int]] = []
        self._records: dict[bytes, tuple[bytes, Recorded]] = {}
        if digests := {each.digest.hex() for request in requests for each in (request, request.older) if each}:
            since, encoded = passed - KEPT_MS, _encode(list(digests)).decode()
            for row in session.queries.kept_answers(session.connection, digests=encoded, since=since):
                digest, fingerprint, status, headers, body = row
                outcome = bytes(body)
                recorded = outcome if status == _OUTCOME else StoredResponse(status, outcome, _decode_headers(headers))
                self._records[bytes(digest)] = (bytes(fingerprint), recorded)

    def find(self, request: KeyedRequest) -> Recorded | None:
        """The record of a request, of this batch or before; None if there is none yet.

        Raises:
            KeyReused: its key was used for another request.
        """
        for identity in (request, request.older):
            if identity is not None and (record := self._records.get(identity.digest)) is not None:
                fingerprint, recorded = record
                if not request.matches(identity.digest, fingerprint):
                    raise reused()
                return recorded
        return None

    def outcome_of(self, request: KeyedRequest | None) -> Recorded | KeyReused | None:
        """Like ``find``, for one request of a batch: its error is returned; None also for a request without a key."""
        try:
            return None if request is None else self.find(request)
        except KeyReused as error:
            return error

    def add(self, request: KeyedRequest, outcome: bytes) -> None:
        """Record the outcome of a request, once ``store`` is called."""
        self._records[request.digest] = (request.fingerprint, outcome)
        row = (request.digest.hex(), request.fingerprint.hex(), _OUTCOME, "{}", outcome.hex(), self._passed)
        self._new.append(row)

    def store(self) -> None:
        """Store the added records, in the transaction of their changes."""
        if self._new:
            self._session.queries.keep_answers(self._session.connection, rows=_encode(self._new).decode())


def forget_old(session: Session, passed: int) -> None:
    """Remove some records older than a day; repeated calls remove all of them."""
    session.common.forget_answers(session.connection, before=passed - KEPT_MS, max_rows=FORGOTTEN_AT_ONCE)


async def find_hits_record(warehouse: Warehouse, request: KeyedRequest) -> str | None:
    """The recorded outcome of a request with hits; None if there is none yet.

    Raises:
        KeyReused: its key was used for another request.
        StoreUnavailable
    """
    record = await warehouse.idempotency_record(request.digest.hex())
    if record is not None and record.fingerprint != request.fingerprint.hex():
        raise reused()
    older = request.older
    if record is None and older is not None:
        record = await warehouse.idempotency_record(older.digest.decode())
        if record is not None and record.fingerprint != older.fingerprint.decode():
            raise reused()
    return None if record is None else record.answer


def hits_record(request: KeyedRequest, outcome: str, passed: int) -> IdempotencyRecord:
    """The record of a request with hits, to be stored with them."""
    return IdempotencyRecord(request.digest.hex(), request.fingerprint.hex(), outcome, passed // 1000)


def in_flight() -> KeyInFlight:
    """The refusal of a request that is being carried out."""
    return KeyInFlight("a request with this Idempotency-Key is being carried out")


def reused() -> KeyReused:
    """The refusal of another request with a used key."""
    return KeyReused("this Idempotency-Key was sent with another request; a new request needs a new key")


def _meaning_of_json(body: bytes) -> bytes:
    if not body:
        return b""
    try:
        value = _decode(body)
        return _encode_sorted(value) if value != {} else b""  # programs send {} in place of no body
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return body


def _digest(*parts: str) -> bytes:
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
