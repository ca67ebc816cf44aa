"""Requests that carry a key of their sender's (``Idempotency-Key``) are carried out once; the answer is kept.

What is kept is stored in the transaction of the change it tells of, so a crash cannot come in between.
Functions of ``(session, ...)``; times in ms of ``Ledger.passed``, so that a jump of the wall clock forgets no key.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256

import msgspec
from msgspec import Struct

from tallystick.errors import KeyInFlight, KeyReused
from tallystick.ledger import Session

KEPT_MS = 24 * 3_600_000
LONGEST_KEY = 255
"""Characters of a key (draft-ietf-httpapi-idempotency-key-header)."""

FORGOTTEN_AT_ONCE = 2_000
"""In each sweep. More than can come meanwhile: ``KeyedLimit`` bounds those of senders without an account."""

_encode = msgspec.json.Encoder().encode
_decode_headers = msgspec.json.Decoder(dict[str, str]).decode


class KeptAnswer(Struct, frozen=True):
    """An answer as it is kept. Whoever makes one leaves out what must not be stored: secrets above all.

    Attributes:
        headers: the ones that belong to what was done, ``Location`` for example.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # msgspec copies it


class KeyedRequest(Struct, frozen=True):
    """What a request with a key is known by.

    Attributes:
        digest: of who sends it, its method, its path and its key.
        fingerprint: of everything that may not differ when the key is sent again.
    """

    digest: bytes
    fingerprint: bytes

    @classmethod
    def of(cls, sender: str, method: str, path: str, key: str, *, rest: bytes) -> "KeyedRequest":
        """A request of a sender's; ``rest`` is its query and body."""
        return cls(_digest(sender, method, path, key), sha256(rest).digest())


class InFlight:
    """The requests with a key that this process is carrying out. Used from one event loop."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    @contextmanager
    def alone(self, request: KeyedRequest) -> Iterator[None]:
        """Carry a request out, and let it not come again meanwhile.

        Raises:
            KeyInFlight: it is being carried out.
        """
        if request.digest in self._digests:
            msg = "a request with this Idempotency-Key is being carried out"
            raise KeyInFlight(msg)
        self._digests.add(request.digest)
        try:
            yield
        finally:
            self._digests.remove(request.digest)


def answered(session: Session, request: KeyedRequest, passed: int) -> KeptAnswer | None:
    """What was answered to a request when it came first; None when it has not come yet.

    Raises:
        KeyReused: its key came with another request.
    """
    row = session.common.kept_answer(session.connection, digest=request.digest, since=passed - KEPT_MS)
    if row is None:
        return None
    fingerprint, status, headers, body = row
    if bytes(fingerprint) != request.fingerprint:
        raise _reused()
    return KeptAnswer(status, bytes(body), _decode_headers(headers))


def keep(session: Session, request: KeyedRequest, answer: KeptAnswer, passed: int) -> None:
    """Keep the answer to a request, in the transaction of what it did."""
    session.common.keep_answer(
        session.connection,
        digest=request.digest,
        fingerprint=request.fingerprint,
        status=answer.status,
        headers=_encode(answer.headers).decode(),
        body=answer.body,
        created=passed,
    )


class KeptAnswers:
    """What was and is answered to the requests of a batch: looked up with one statement, kept with another one.

    Args:
        requests: everything that may be asked for.
    """

    def __init__(self, session: Session, requests: Iterable[KeyedRequest], passed: int) -> None:
        self._session, self._passed = session, passed
        self._new: list[tuple[str, str, int, str, str, int]] = []
        self._known: dict[bytes, tuple[bytes, KeptAnswer]] = {}
        if digests := {request.digest.hex() for request in requests}:
            since, encoded = passed - KEPT_MS, _encode(list(digests)).decode()
            for row in session.queries.kept_answers(session.connection, digests=encoded, since=since):
                digest, fingerprint, status, headers, body = row
                answer = KeptAnswer(status, bytes(body), _decode_headers(headers))
                self._known[bytes(digest)] = (bytes(fingerprint), answer)

    def answered(self, request: KeyedRequest) -> KeptAnswer | None:
        """What was answered to a request when it came first, in this batch or before; None when it has not come yet.

        Raises:
            KeyReused: its key came with another request.
        """
        found = self._known.get(request.digest)
        if found is None:
            return None
        if found[0] != request.fingerprint:
            raise _reused()
        return found[1]

    def keep(self, request: KeyedRequest, answer: KeptAnswer) -> None:
        """Answer a request alike from now on, once ``store`` is called."""
        self._known[request.digest] = (request.fingerprint, answer)
        headers = _encode(answer.headers).decode()
        row = (request.digest.hex(), request.fingerprint.hex(), answer.status, headers, answer.body.hex(), self._passed)
        self._new.append(row)

    def store(self) -> None:
        """Store what was kept, in the transaction of what it tells of."""
        if self._new:
            self._session.queries.keep_answers(self._session.connection, rows=_encode(self._new).decode())


def forget_old(session: Session, passed: int) -> None:
    """Forget some answers that are older than a day; called again and again it forgets all of them."""
    session.common.forget_answers(session.connection, before=passed - KEPT_MS, max_rows=FORGOTTEN_AT_ONCE)


def _reused() -> KeyReused:
    return KeyReused("this Idempotency-Key was sent with another request; a new request needs a new key")


def _digest(*parts: str) -> bytes:
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
