"""The second step of logging in: codes of an authenticator app (TOTP), and recovery codes.

Functions of ``(session, ...)``; times in ms.
"""

import re
import secrets
from base64 import b32encode
from hashlib import blake2b, sha256
from hmac import compare_digest

import pyotp
import structlog

from tallystick.errors import InvalidFields
from tallystick.ledger import Session
from tallystick.ledger.sqlite import SqliteSession
from tallystick.model.account import Account
from tallystick.services.accounts.accounts import PasswordRecord, credentials, end_logins, existing
from tallystick.services.accounts.audit import EventKind, note
from tallystick.services.accounts.seals import Seals, is_sealed

STEP_MS = 30_000
DRIFT_STEPS = 1
"""Tolerated difference of a phone's clock in steps, in both directions."""

RECOVERY_CODES = 10
PROOF_MS = 600_000
"""Time for the second step after the password."""

_TOTP_SECRET = re.compile(r"[A-Z2-7]{32}")
_TOTP_CODE = re.compile(r"[0-9]{6}")
_RECOVERY_CODE = re.compile(r"[A-Za-z2-7]{16}")
_PROOF = re.compile(r"(?P<email>\S{1,254}) (?P<expires>[0-9]{1,15}) (?P<seal>[0-9a-f]{64})")
log = structlog.get_logger()

_WRONG = {"code": ["is not right, or was used already; wait for the next one"]}


def new_totp_secret() -> str:
    """A secret of 160 random bits in the form of authenticator apps."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, email: str, issuer: str) -> str:
    """The content of the QR code for an authenticator app."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def is_totp_secret(text: str) -> bool:
    """Whether a text has the form of a secret made by ``new_totp_secret``."""
    return _TOTP_SECRET.fullmatch(text) is not None


def enable(  # noqa: PLR0913, PLR0917  # whose, what and when
    session: Session, number: int, secret: str, code: str, now: int, seals: Seals
) -> list[str]:
    """Turn the second step on.

    Args:
        code: a current code of the app, as proof that it has the secret.
        seals: encrypts the secret.

    Returns:
        The recovery codes. Only their digests are stored.

    Raises:
        InvalidFields: the code is wrong.
    """
    step = _step_of(secret, _without_spaces(code), now) if is_totp_secret(secret) else None
    if step is None:
        raise InvalidFields(_WRONG)
    sealed = seals.seal(secret, _purpose(number))
    session.common.set_totp(session.connection, id=number, secret=sealed, used=step, updated=now)
    note(session, EventKind.SECOND_STEP_ON, now, existing(session, number).email)
    return _new_codes(session, number)


def enable_and_end_other_logins(  # noqa: PLR0913, PLR0917  # see enable
    session: Session, number: int, secret: str, code: str, now: int, seals: Seals, kept: bytes
) -> list[str]:
    """Enable the second step, and end all login sessions of the account but the one with the digest ``kept``."""
    codes = enable(session, number, secret, code, now, seals)
    end_logins(session, number, kept)
    return codes


def disable(session: Session, number: int, now: int) -> None:
    """Turn the second step off."""
    person = existing(session, number)
    if person.totp_enabled:
        note(session, EventKind.SECOND_STEP_OFF, now, person.email)
    session.common.set_totp(session.connection, id=number, secret=None, used=None, updated=now)
    session.common.delete_recovery_codes(session.connection, account=number)


def renew_recovery_codes(session: Session, number: int) -> list[str]:
    """Replace the recovery codes. Returns the new ones."""
    note(session, EventKind.RECOVERY_CODES_RENEWED, None, existing(session, number).email)
    return _new_codes(session, number)


def _new_codes(session: Session, number: int) -> list[str]:
    session.common.delete_recovery_codes(session.connection, account=number)
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    for code in codes:
        session.common.add_recovery_code(session.connection, account=number, digest=_recovery_digest(code))
    return codes


def recovery_codes_left(session: Session, number: int) -> int:
    """The number of unused recovery codes."""
    return int(session.common.count_recovery_codes(session.connection, account=number))


def is_recovery_code(text: str) -> bool:
    """Whether a text has the form of a recovery code: 80 bits, which cannot be guessed."""
    return _RECOVERY_CODE.fullmatch(_without_spaces(text).replace("-", "")) is not None


def accept_code(session: Session, number: int, code: str, now: int, seals: Seals) -> bool:
    """Check a code of the app or a recovery code. Each is accepted only once."""
    code = _without_spaces(code)
    if _accept_totp(session, number, code, now, seals):
        return True
    digest = _recovery_digest(code)
    return session.common.use_recovery_code(session.connection, account=number, digest=digest) is not None


def password_proof(record: PasswordRecord, now: int) -> str:
    """A sealed text that proves at the second step that the password was right, valid for ``PROOF_MS``.

    Nothing is stored for it on the server; a new password invalidates it.
    """
    expires = now + PROOF_MS
    return f"{record.account.email} {expires} {_seal(record, expires)}"


def proven(session: Session, proof: str, now: int) -> Account | None:
    """The account of a password proof; None if the proof is invalid or has expired."""
    parts = _PROOF.fullmatch(proof)
    if parts is None or now >= (expires := int(parts["expires"])):
        return None
    record = credentials(session, parts["email"])
    return record.account if record and compare_digest(_seal(record, expires), parts["seal"]) else None


def seal_secrets(session: Session, seals: Seals) -> int:
    """Encrypt secrets of authenticator apps that an older version stored as plain text. Returns their number."""
    plain = [
        (number, secret) for number, secret in session.common.totp_secrets(session.connection) if is_totp_secret(secret)
    ]
    if plain and isinstance(session, SqliteSession):
        session.connection.pragma("secure_delete", True)  # noqa: FBT003  # no free space of the file may keep them
    for number, secret in plain:
        sealed = seals.seal(secret, _purpose(number))
        session.common.seal_totp(session.connection, id=number, plain=secret, sealed=sealed)
    return len(plain)


def unreadable_secrets(session: Session, seals: Seals | None) -> int:
    """The number of secrets of authenticator apps that cannot be decrypted with the available keys."""
    rows = session.common.totp_secrets(session.connection)
    sealed = [(number, secret) for number, secret in rows if is_sealed(secret)]
    return sum(seals is None or seals.open(secret, _purpose(number)) is None for number, secret in sealed)


def _purpose(number: int) -> str:
    """The purpose of a sealed secret, so that it cannot be used for another account."""
    return f"second step of account {number}"


def _accept_totp(session: Session, number: int, code: str, now: int, seals: Seals) -> bool:
    row = session.common.totp_of(session.connection, id=number)
    if row is None or not row[0]:
        return False
    secret = seals.open(row[0], _purpose(number)) if is_sealed(row[0]) else row[0]
    if secret is None:
        log.error("the secret of an authenticator app cannot be decrypted with this key", account=number)
    step = _step_of(secret, code, now) if secret else None
    return step is not None and session.common.use_totp_step(session.connection, id=number, step=step) is not None


def _step_of(secret: str, code: str, now: int) -> int | None:
    """The time step of a code, within the tolerance for phones' clocks; None for a wrong code."""
    if not _TOTP_CODE.fullmatch(code):
        return None
    current, codes = now // STEP_MS, pyotp.HOTP(secret)
    steps = range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1)
    matching = [step for step in steps if compare_digest(codes.at(step), code)]
    return matching[-1] if matching else None


def _new_recovery_code() -> str:
    """A recovery code of 80 random bits, in groups that can be copied by hand."""
    text = b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _recovery_digest(code: str) -> bytes:
    return sha256(code.replace("-", "").lower().encode("utf-8", "replace")).digest()


def _without_spaces(code: str) -> str:
    return "".join(code.split())


def _seal(record: PasswordRecord, expires: int) -> str:
    key = sha256(record.password.encode()).digest()
    return blake2b(
        f"{record.account.id} {expires}".encode(), key=key, digest_size=32, person=b"second step"
    ).hexdigest()
