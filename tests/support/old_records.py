"""Idempotency records as versions up to 0.1 stored them: the response itself in place of an outcome."""

from tallystick.ledger import Session
from tallystick.services.idempotency import KeyedRequest


def store_old_record(session: Session, request: KeyedRequest, body: bytes, created: int, headers: str = "{}") -> None:
    """Store a record with status 200; ``created`` is ms of ``Ledger.passed``, ``headers`` is JSON."""
    session.common.keep_answer(
        session.connection,
        digest=request.digest,
        fingerprint=request.fingerprint,
        status=200,
        headers=headers,
        body=body,
        created=created,
    )
